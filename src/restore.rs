//! Doing what a resolved plan says, and proving it.
//!
//! In: a [`ResolvedPlan`] and a cluster. Out: an [`Outcome`] per step and act, and a journal on disk.
//! Invariant: an act is journalled before and after; what changed since the plan is left alone and named.

pub mod engine;
pub mod journal;

pub use engine::{ActOutcome, Done, Engine, Event, StepOutcome, execute};
pub use journal::Journal;

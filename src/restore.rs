//! Doing what a resolved plan says, and proving it.
//!
//! In: a [`ResolvedPlan`](crate::plan::ResolvedPlan) and a cluster. Out: an outcome per step and act, a journal on
//! disk, and a report. Invariant: an act's intent is durable before the act, what it overwrites is sealed before
//! the first one, and what changed since the plan is left alone and named.

mod acts;
pub mod against;
mod authored;
mod checks;
mod command;
mod decide;
pub mod engine;
mod gates;
pub mod journal;
mod lease;
mod machine;
mod observe;
mod outcome;
pub mod prepare;
mod prepared;
mod probes;
mod ready;
pub mod run;
pub mod safety;
mod sources;
mod surroundings;
pub mod undo;
mod versions;

pub(crate) use acts::{GONE, wait_gone}; // a drill deletes, too
pub(crate) use gates::{lacking, unplayable}; // asked by a drill
// What checks judge by, too.
pub(crate) use gates::{
    condition, has_ready_endpoint, is_ready, nodes_ready, pod_reason, read_webhooks, rolled_out, selector,
};
pub(crate) use probes::{PLAYED, asked_through_nodes, blocking, is_played, nodes_to_ask};

pub use engine::{Engine, Event, execute};
pub use journal::{Entry, Journal, Past, RunSummary};
pub use lease::{Clock, Lease};
pub use observe::observe;
pub use outcome::{ActOutcome, Done, StepOutcome};
pub use prepare::{Request, prepare};
pub use prepared::Prepared;
pub use probes::Probed;
pub use run::{Running, run};
pub use sources::Chosen;
pub(crate) use sources::relied_on;
pub use undo::Undo;

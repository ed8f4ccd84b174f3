//! Plans: what is authored, what it comes to against one cluster, and how two states differ.
//!
//! In: a plan file, a source's index and items, a capture of the live cluster. Out: a [`ResolvedPlan`].
//! Invariant: pure; the same inputs give byte-equal steps.

mod command_line;
pub mod diff;
mod guard;
pub(crate) mod install;
mod issuance;
mod look;
mod preflight;
pub mod resolve;
pub mod spec;
pub mod step;
mod tally;
pub mod undo;
mod webhooks;

pub(crate) use guard::is_guard;
pub(crate) use resolve::{OWN_TIERS, RESTARTED, ROUTES, authors, is_crowded, replicas, secured_hosts, taken};

pub use command_line::CommandLine;
pub use diff::{Change, Difference, FieldChange};
pub use install::Install;
pub use issuance::{Fate, Issuance, Reissue};
pub use look::{HttpLook, Look};
pub use resolve::{AuthoredValues, Compared, Earlier, Inputs, resolve};
pub use spec::{Action, Existing, Extras, Http, Isolation, Probe, Replicas, RestorePlan, StepSpec, Wait};
pub(crate) use step::shell_word;
pub use step::{Act, Batch, Command, Counts, Gate, NotDone, ResolvedPlan, Source, Step, Verb};
pub use undo::{Changed, Found, Live, UndoInputs, undo};
pub use webhooks::{Service, Target, Webhooks, behind_webhook};

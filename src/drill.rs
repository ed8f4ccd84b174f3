//! Drills: a snapshot loaded onto a disposable control plane, broken, restored, and what that proved. And what they stand
//! on: disposable control planes, and a believable cluster to put on them and to break.
//!
//! In: the programs of a control plane, a repository, what opens it. Out: scenarios with their evidence; a running API server
//! that leaves nothing behind. Invariant: nothing of production is touched; no kubeconfig but its own is read, except of a
//! cluster that is marked as one for drills.

pub mod cluster;
pub mod control_plane;
mod damage;
pub mod failures;
mod living;
mod load;
pub mod marker;
mod memory;
mod nights;
mod past;
mod player;
mod rehearsal;
mod subject;

pub use control_plane::{ControlPlane, Options, Programs};
pub use damage::Breakage;
pub use memory::{Folder as MemoryFolder, Memory};
pub use past::{Drills, drills, last};
pub use rehearsal::{Drilled, Rehearsal};
pub use subject::{Subject, Wanted};

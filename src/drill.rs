//! Disposable control planes, and a believable cluster to put on them and to break.
//!
//! In: the programs of a control plane. Out: a running API server that leaves nothing behind.
//! Invariant: nothing of production is touched; no kubeconfig but its own is read.

pub mod cluster;
pub mod control_plane;
pub mod failures;

pub use control_plane::{ControlPlane, Options, Programs};

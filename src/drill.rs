//! Disposable control planes, a believable cluster to put on them, and the demo's story.
//!
//! In: the programs of a control plane. Out: a running API server that leaves nothing behind.
//! Invariant: nothing of production is touched; no kubeconfig but its own is read.

pub mod cluster;
pub mod control_plane;

pub use control_plane::{ControlPlane, Options, Programs};

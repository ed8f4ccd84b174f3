//! What looks right and is not: the mistakes of the operations guide itself, each of which is easily made again.
//!
//! In: a node's configuration, values of Helm releases, what a cluster has, netdr's own configuration. Out: checks named
//! `doctor …`. Invariant: pure; of a configuration only keys are in the words, never values.

pub mod cluster;
pub mod configuration;
pub mod node;
pub mod values;

#[cfg(test)]
mod tests;

//! What is wrong with the network policies of a cluster, as far as it shows without any traffic.
//!
//! In: namespaces, pods, policies. Out: [`Finding`]s, each with its object, why it matters and what to do. Invariant: pure;
//! a rule that would need what is not known is not run, and what a rule does not understand it does not judge.
//!
//! Sources: Kubernetes, "Network Policies"; CIS Kubernetes Benchmark 5.3.2; the operations guide, 3.2 and 4.1.

mod allow_all;
mod dead_selector;
mod default_deny;
mod dns;
mod host_network;
pub(crate) mod opens;
mod rke2;
mod rule;
pub mod selector;
mod world;

pub use rule::{Finding, Rule, Severity};
pub(crate) use world::Direction;
pub use world::{Pod, World};

/// Everything that is wrong, by rule and object.
pub fn audit(world: &World) -> Vec<Finding> {
    let mut findings: Vec<Finding> = world.rules().flat_map(|rule| rule.findings(world)).collect();
    findings.sort_by(|a, b| (a.rule, &a.object, &a.what).cmp(&(b.rule, &b.object, &b.what)));
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests;

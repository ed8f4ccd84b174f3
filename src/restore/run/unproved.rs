//! What a run does not prove, so that nobody takes its report for more than it is.
//!
//! In: the plan, what was probed, the cluster. Out: lines for the report. Invariant: what no probe of the plan looked at
//! is named, whatever else passed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    cluster::Cluster,
    model::Component,
    plan::{Action, Probe, RestorePlan},
    restore::probes::{Probed, is_played},
};

/// Nodes that kwok plays: what they call ready was never started. A report that kept silent about them would prove
/// what it did not.
pub(super) async fn simulated(cluster: &Cluster) -> Vec<String> {
    let nodes = cluster.get_path("/api/v1/nodes?limit=500").await.ok().flatten().unwrap_or_default();
    match nodes["items"].as_array().into_iter().flatten().filter(|node: &&Value| is_played(node)).count() {
        0 => Vec::new(),
        n => vec![format!(
            "{n} nodes and their pods (kwok): that a workload is rolled out says nothing of its images, ports or traffic"
        )],
    }
}

/// What was to be probed and was not, with why; and what the plan has no probe of.
pub(super) fn not_probed(
    plan: &RestorePlan,
    components: &BTreeSet<Component>,
    probes: &[Probed],
) -> Vec<String> {
    let authored = |is: fn(&Probe) -> bool| {
        plan.steps.iter().any(|step| matches!(&step.action, Action::Probe(probe) if is(probe)))
    };
    let http = authored(|probe| matches!(probe, Probe::Http(_)));
    let unprobed = |component: &Component| match component {
        Component::Host => Some("that RKE2 starts with the restored files"),
        Component::Cni if authored(|probe| matches!(probe, Probe::Connectivity { .. })) => None,
        Component::Cni => Some("pod connectivity from node to node"),
        Component::Ingress | Component::Certificates if http => None,
        Component::Ingress => Some("HTTP and HTTPS through a node"),
        Component::Loadbalancer => Some("that a load-balancer address answers from outside"),
        Component::Certificates => Some("the certificate chain that a client sees"),
        Component::Policies if authored(|probe| matches!(probe, Probe::Tcp { .. })) => None,
        Component::Policies => Some(
            "new connections that policies allow and deny: which ones must come about and which must not, a plan of your own \
             says: probe: {tcp: {allowed: [HOST:PORT], denied: [HOST:PORT]}}",
        ),
    };
    let skipped = probes.iter().filter(|probed| probed.result == "not probed");
    let skipped = skipped.map(|probed| format!("{}: {}", probed.name, probed.detail));
    skipped.chain(components.iter().filter_map(unprobed).map(str::to_owned)).collect()
}

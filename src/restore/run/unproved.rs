//! What a run does not prove, so that nobody takes its report for more than it is.
//!
//! In: the plan, what was probed, the cluster. Out: lines for the report. Invariant: what no probe of the plan looked at
//! is named, whatever else passed.

use std::collections::BTreeSet;

use crate::{
    cluster::{ApiKind, Cluster, ListOptions},
    model::Component,
    plan::{Action, Probe, RestorePlan},
    report::NO_NODE,
    restore::probes::{Probed, is_played},
};

/// Nodes that kwok plays: what they call ready was never started. A report that kept silent about them would prove
/// what it did not.
///
/// # Errors
/// The cluster did not show its nodes, or has none: what is then not known, for the report too.
pub(super) async fn simulated(cluster: &Cluster) -> Result<Option<String>, String> {
    let kind = ApiKind {
        group: String::new(),
        version: "v1".into(),
        kind: "Node".into(),
        plural: "nodes".into(),
        namespaced: false,
    };
    let options = ListOptions { metadata_only: true, ..ListOptions::default() };
    match cluster.list_all(&kind, &options).await {
        Ok(nodes) if nodes.is_empty() => Err(NO_NODE.into()),
        Ok(nodes) => Ok(match nodes.iter().filter(|node| is_played(node)).count() {
            0 => None,
            n => Some(format!(
                "{n} nodes and their pods (kwok): that a workload is rolled out says nothing of its images, ports or traffic"
            )),
        }),
        Err(refusal) => Err(format!("whether nodes are played by kwok could not be seen: {refusal}")),
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
             says: `probe: {tcp: {allowed: [HOST:PORT], denied: [HOST:PORT]}}`",
        ),
    };
    let skipped = probes.iter().filter(|probed| probed.result == "not probed");
    let skipped = skipped.map(|probed| format!("{}: {}", probed.name, probed.detail));
    skipped.chain(components.iter().filter_map(unprobed).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use kube::{Client, client::Body};

    use super::*;

    /// What is said of a cluster that answers so, asked for its nodes.
    async fn said(code: u16, answer: &'static str) -> Result<Option<String>, String> {
        let server = tower::service_fn(move |request: Request<Body>| {
            assert_eq!(request.uri().path(), "/api/v1/nodes");
            async move { Response::builder().status(code).body(Full::new(Bytes::from(answer))) }
        });
        simulated(&Cluster::from_client(Client::new(server, "default"), "fake", "fake")).await
    }

    #[tokio::test]
    async fn nodes_are_real_only_where_they_were_seen_to_be() {
        let real = r#"{"metadata": {}, "items": [{"metadata": {"name": "n1"}}]}"#;
        assert_eq!(said(200, real).await, Ok(None));
        let played = r#"{"metadata": {}, "items": [{"metadata": {"name": "n1", "annotations": {"kwok.x-k8s.io/node": "fake"}}}]}"#;
        assert!(said(200, played).await.unwrap().unwrap().starts_with("1 nodes and their pods (kwok)"));
        let none = said(200, r#"{"metadata": {}, "items": []}"#).await.unwrap_err();
        assert_eq!(none, "the cluster has no node: nothing runs there");
        let forbidden =
            r#"{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "nodes is forbidden"}"#;
        let unseen = said(403, forbidden).await.unwrap_err();
        assert!(unseen.contains("could not be seen: nodes is forbidden (403)"), "{unseen}");
    }
}

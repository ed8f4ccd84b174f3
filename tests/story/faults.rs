//! An API server that stumbles: the capture is whole, or says what it lacks.

use std::{collections::BTreeSet, path::Path, time::Duration};

use futures::{StreamExt as _, stream};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use netdr::{
    capture::{Capture, Scope, capture},
    drill::Options,
    model::{Component, IndexEntry, ItemKey},
};
use serde_json::json;

use crate::support::{Fault, Faults, fresh, shared};

async fn policies_through(faults: &Faults) -> Capture {
    captured(Component::Policies, shared().await.kubeconfig(), faults).await
}

async fn captured(component: Component, kubeconfig: &Path, faults: &Faults) -> Capture {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let scope = Scope { components: BTreeSet::from([component]), ..Scope::default() };
    capture(&faults.cluster(config), &scope, chrono::Utc::now(), &|_| false).await.unwrap()
}

fn entries(capture: &Capture) -> Vec<&IndexEntry> {
    capture.items.iter().map(|captured| &captured.entry).collect()
}

const POLICIES: &str = "/apis/networking.k8s.io/v1/networkpolicies";

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_kind_is_a_failure_and_never_an_empty_list() {
    let faults = Faults::default();
    faults.inject("GET", POLICIES, 1, Fault::Status(403, "Forbidden"));
    let capture = policies_through(&faults).await;
    let [failure] = &capture.failures[..] else { panic!("{:?}", capture.failures) };
    assert_eq!(failure.kind, "networkpolicies.networking.k8s.io");
    assert!(failure.why.contains("403"), "{}", failure.why);
}

/// Where cert-manager keeps a ClusterIssuer's Secrets says its Deployment alone.
#[tokio::test(flavor = "multi_thread")]
async fn not_knowing_where_an_issuer_s_secrets_are_is_a_failure() {
    let faults = Faults::default();
    faults.inject("GET", "/apis/apps/v1/deployments?", 1, Fault::Status(403, "Forbidden"));
    let capture = captured(Component::Certificates, shared().await.kubeconfig(), &faults).await;
    let [failure] = &capture.failures[..] else { panic!("{:?}", capture.failures) };
    assert_eq!(failure.kind, "deployments.apps");
}

/// What the preflight gate reads: forbidden is not the same as not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_fact_of_the_network_that_is_forbidden_is_named() {
    let faults = Faults::default();
    faults.inject("GET", "/configmaps/rke2-canal-config", 9, Fault::Status(403, "Forbidden"));
    let capture = captured(Component::Cni, shared().await.kubeconfig(), &faults).await;
    let [unread] = &capture.facts.unread[..] else { panic!("{:?}", capture.facts) };
    assert!(unread.starts_with("configmaps kube-system/rke2-canal-config could not be read"), "{unread}");
    assert!(unread.contains("(403)") && capture.warnings.join("\n").contains(unread), "{capture:?}");
    assert_eq!(capture.facts.cni, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_out() {
    let whole = policies_through(&Faults::default()).await;
    let faults = Faults::default();
    faults.inject("GET", POLICIES, 1, Fault::RetryAfter(1));
    faults.inject("GET", POLICIES, 1, Fault::Reset);
    faults.inject("GET", POLICIES, 1, Fault::ResetAfter);
    faults.inject("GET", POLICIES, 1, Fault::Status(500, "InternalError"));
    faults.inject("GET", POLICIES, 1, Fault::Status(503, "ServiceUnavailable"));
    faults.inject("GET", POLICIES, 1, Fault::Slow(Duration::from_millis(200)));
    let capture = policies_through(&faults).await;
    assert_eq!(faults.hit().len(), 6);
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    assert_eq!(entries(&capture), entries(&whole));
}

/// Objects that come and go between two pages would be lost or doubled if the list went on where it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_continue_token_begins_the_list_anew() {
    let plane = fresh(Options::default()).await;
    let cluster = plane.cluster().await.unwrap();
    let policies =
        cluster.discover().await.unwrap().find("networking.k8s.io", "networkpolicies").unwrap().clone();
    let create = async |n: usize| {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("p{n:04}"), "namespace": "default"}, "spec": {"podSelector": {}}});
        cluster.create(&policies, Some("default"), policy.to_string().as_bytes()).await.unwrap();
    };
    stream::iter(0..1_100).for_each_concurrent(32, create).await;

    let faults = Faults::default();
    faults.inject("GET", "networkpolicies?limit=500&continue=", 1, Fault::Status(410, "Expired"));
    let capture = captured(Component::Policies, plane.kubeconfig(), &faults).await;
    assert_eq!(faults.hit().len(), 1);
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    let names: Vec<&str> = capture
        .items
        .iter()
        .map(|c| &c.entry.key)
        .filter(|k| k.name().starts_with('p'))
        .map(ItemKey::name)
        .collect();
    assert_eq!(names, (0..1_100).map(|n| format!("p{n:04}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_whose_definition_went_away_after_discovery_is_absent() {
    let faults = Faults::default();
    faults.inject("GET", "/apis/crd.projectcalico.org/v1/networksets", 1, Fault::Status(404, "NotFound"));
    let capture = policies_through(&faults).await;
    assert_eq!(faults.hit().len(), 1);
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    assert!(capture.absent[&Component::Policies].contains("networksets.crd.projectcalico.org"));
}

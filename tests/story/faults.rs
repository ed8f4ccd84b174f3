//! An API server that stumbles: the capture is whole, or says what it lacks.

use std::collections::BTreeSet;

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use netdr::{
    capture::{Capture, Scope, capture},
    model::Component,
};

use crate::support::{Fault, Faults, shared};

async fn policies_through(faults: &Faults) -> Capture {
    let kubeconfig = Kubeconfig::read_from(shared().await.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let scope = Scope { components: BTreeSet::from([Component::Policies]), ..Scope::default() };
    capture(&faults.cluster(config), &scope, chrono::Utc::now(), &|_| false).await.unwrap()
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

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_waited_out() {
    let whole = policies_through(&Faults::default()).await;
    let faults = Faults::default();
    faults.inject("GET", POLICIES, 1, Fault::RetryAfter(1));
    faults.inject("GET", POLICIES, 1, Fault::Reset);
    faults.inject("GET", POLICIES, 1, Fault::ResetAfter);
    faults.inject("GET", POLICIES, 1, Fault::Status(503, "ServiceUnavailable"));
    let capture = policies_through(&faults).await;
    assert_eq!(faults.hit().len(), 4);
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    assert_eq!(capture.items.len(), whole.items.len());
}

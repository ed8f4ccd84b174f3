//! A cluster that moves and an API server that stumbles while a restore runs.

use std::collections::BTreeMap;

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use netdr::{
    cluster::Cluster,
    drill::{ControlPlane, failures::break_policies},
    report::RecoveryReport,
};
use serde_json::json;

use crate::support::{
    Audit, Fault, Faults, Library, Objects, Operator, POLICIES, audited, everything, fresh,
};

const PATH: &str = "/apis/networking.k8s.io/v1/namespaces";

/// The plane's API server, behind these faults.
pub(super) async fn through(faults: &Faults, plane: &ControlPlane) -> Cluster {
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).unwrap();
    faults.cluster(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap())
}

fn failures(report: &RecoveryReport) -> Vec<&String> {
    report.steps.iter().flat_map(|step| &step.failures).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_after_the_plan_was_seen_is_left_alone() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    break_policies(&cluster).await.unwrap();
    let seen = operator.plan("network-policies", &[]).await["digest"].as_str().unwrap().to_owned();

    let library = Library::of(operator.home.path());
    let prepared = library.prepare(&cluster, "network-policies").await;
    // Somebody repairs one object by hand, and another in a way of his own; a third only gets a status or a finalizer.
    let theirs = json!({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.25.0.0/16"}}]}]}});
    objects.merge(POLICIES, "archive/default-deny-all", json!({"spec": {"egress": null}})).await;
    objects.merge(POLICIES, "objectstore/temporary-allow-all", theirs.clone()).await;
    objects.merge("namespaces", "catalog", json!({"metadata": {"annotations": {"note": "busy"}}})).await;
    let before = objects.dump().await;
    let stale = operator.restore("network-policies", &["--yes", "--expect", &seen]).await;
    assert!(stale.failed(2).contains("not the one expected"));
    assert_eq!(objects.dump().await, before);

    let report = library.run(prepared).await;
    assert_eq!((report.outcome, report.differences_left), ("partial", 1), "{:?}", report.remarks);
    let [left] = failures(&report)[..] else { panic!("{:?}", report.steps) };
    assert!(left.contains("objectstore/temporary-allow-all") && left.contains("changed since"), "{left}");
    let live = objects.get(POLICIES, "objectstore/temporary-allow-all").await.unwrap();
    assert_eq!(live["spec"]["ingress"], theirs["spec"]["ingress"]);
    let catalog = objects.get("namespaces", "catalog").await.unwrap();
    assert_eq!(catalog["metadata"]["labels"]["lab.radioastronomy.io/tier"], "data");
    assert_eq!(catalog["metadata"]["annotations"]["note"], "busy", "what is not netdr's stays");
    assert_eq!(report.steps.iter().map(|step| step.unchanged).sum::<u64>(), 1, "one was repaired already");
    operator.recover("network-policies", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_stumbles_gets_everything_once() {
    let plane = fresh(audited()).await.loaded().await;
    let (operator, audit) = (Operator::of(&plane).await, Audit::of(&plane));
    operator.backup().await;
    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    let faults = Faults::default();
    let cluster = through(&faults, &plane).await;
    let library = Library::of(operator.home.path());
    let prepared = library.prepare(&cluster, "network-policies").await;

    let post = |namespace: &str| format!("{PATH}/{namespace}/networkpolicies");
    let one = |name: &str| format!("{PATH}/{name}");
    faults.inject("POST", &post("jupyter"), 1, Fault::RetryAfter(1));
    faults.inject("POST", &post("postgres"), 1, Fault::Status(500, "InternalError"));
    faults.inject("POST", &post("postgres"), 1, Fault::ResetAfter);
    faults.inject("POST", &post("monitoring"), 1, Fault::Reset);
    faults.inject("PUT", &one("archive/networkpolicies/default-deny-all"), 1, Fault::Status(409, "Conflict"));
    faults.inject("PUT", &one("archive/networkpolicies/default-deny-all"), 1, Fault::ResetAfter);
    faults.inject("PATCH", "/api/v1/namespaces/catalog", 1, Fault::ResetAfter);
    faults.inject("DELETE", &one("objectstore/networkpolicies/temporary-allow-all"), 1, Fault::ResetAfter);
    let mark = audit.mark();
    let report = library.run(prepared).await;
    assert_eq!((report.outcome, report.differences_left), ("recovered", 0), "{:?}", failures(&report));
    assert_eq!(faults.hit().len(), 8, "{:?}", faults.hit());

    let mut times = BTreeMap::new();
    for write in audit.writes_since(mark).into_iter().filter(|write| write.succeeded()) {
        *times.entry(format!("{} {}", write.verb, write.object)).or_insert(0) += 1;
    }
    assert_eq!(times.len(), 7, "{times:#?}");
    assert!(times.values().all(|times| *times == 1), "{times:#?}");
}

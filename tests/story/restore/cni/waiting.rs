//! What never comes: the run ends in time, names what is not ready, and says why.

use netdr::plan::RestorePlan;
use serde_json::json;

use super::{CANAL, CONFIGS};
use crate::support::{Objects, Operator, everything, fresh, says};

/// Neither helm-controller nor kubelets are here.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_and_nodes_that_never_come_are_named_with_why() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    // Its definition writes helm-controller's own default into an object that names no policy.
    objects.merge(CONFIGS, CANAL, json!({"spec": {"failurePolicy": null}})).await;
    operator.backup().await;
    objects.merge(CONFIGS, CANAL, json!({"spec": {"valuesContent": "flannel: {iface: eth0}"}})).await;

    let plan = operator.plan(super::SCENARIO, &[]).await;
    says(&plan["warnings"].to_string(), &["uninstalls the CNI", "failurePolicy", "abort"]);

    let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "cni").unwrap();
    let at = |text: &str| std::fs::write(operator.home.path().join("plan.yaml"), text).unwrap();
    let restore = ["restore", "--plan", "plan.yaml", "--identity", "keys/operator.txt", "--yes", "--json"];
    at(&text.replace("timeout: 10m", "timeout: 1s"));
    let report = operator.home.run("netdr", &restore).await.json(1);
    let installed = step(&report, "installed");
    assert_eq!(installed["outcome"], "failed");
    says(
        &installed["failures"].to_string(),
        &[
            "helmcharts.helm.cattle.io kube-system/rke2-canal: helm-controller has made no Job for it yet, after 1 s",
        ],
    );
    let next: Vec<&str> =
        report["next"].as_array().unwrap().iter().map(|next| next["command"].as_str().unwrap()).collect();
    let run = report["run"].as_str().unwrap();
    let words = format!("netdr restore --resume {run} --identity keys/operator.txt");
    assert_eq!(next[..2], ["kubectl -n kube-system logs job/helm-install-rke2-canal", &words]);
    assert_eq!(step(&report, "restart")["failed"], 0, "what was not tried did not fail");
    assert_eq!(
        step(&report, "restart")["outcome"],
        "skipped",
        "Canal would start with what was to be repaired"
    );

    let (before, after) = text.split_once("  # Not the Job of").unwrap();
    let (_, last) = after.split_once("  - id: nodes").unwrap();
    at(&format!("{before}  - id: nodes{}", last.replace("timeout: 5m", "timeout: 1s")));
    let report = operator.home.run("netdr", &restore).await.json(1);
    let nodes = step(&report, "nodes")["failures"].to_string();
    says(&nodes, &["nodes: proj-k8s01: its kubelet has said nothing yet, proj-k8s02:", "after 1 s"]);
}

fn step<'a>(report: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    report["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

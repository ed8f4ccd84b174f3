//! Every node has a pod, and each pod has its node's port 443: by the stored strategy no rollout would ever end.

use serde_json::json;

use super::{CHART, Edge, SCENARIO};
use crate::support::eventually;

const DEPLOYMENT: &str = "deployments.apps";
const SURGE: &str = "deployment.replicas=3,strategy.maxUnavailable=0,strategy.maxSurge=1";

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_crowded_deployment_go_one_at_a_time_and_its_strategy_comes_back() {
    let edge = Edge::with(SURGE).await;
    edge.operator.backup().await;
    // What runs now got there by a strategy that gets through.
    let set = "logLevel=ERROR,strategy.maxUnavailable=1,strategy.maxSurge=0";
    edge.helm(&["upgrade"], &[CHART, "--reuse-values", "--set", set, "--wait"]).await;

    let plan = edge.operator.plan(SCENARIO, &[]).await;
    let steps = plan["steps"].as_array().unwrap();
    let step = |id: &str| steps.iter().find(|step| step["id"] == id).unwrap();
    let remarks = step("release")["acts"].to_string();
    assert!(remarks.contains("no node is free for its host ports: one pod at a time"), "{plan:#}");
    let back = step("rollout-strategy")["acts"].as_array().unwrap();
    assert_eq!((back.len(), &back[0]["verb"]), (1, &json!("replace")), "{plan:#}");

    let report = edge.operator.recover(SCENARIO, &[]).await;
    edge.kubectl("rollout status deployment/traefik -n traefik --timeout=1s").await;
    assert_eq!(strategy(&edge).await, json!({"maxUnavailable": 0, "maxSurge": 1}));
    assert_eq!(argument(&edge).await, "--log.level=INFO");

    // Left to that strategy, a rollout does not end here.
    edge.kubectl("rollout restart deployment/traefik -n traefik").await;
    let why = eventually("a pod that fits nowhere", async || {
        let pods = edge.objects.list("pods").await;
        let conditions =
            pods.iter().flat_map(|pod| pod["status"]["conditions"].as_array().into_iter().flatten());
        let mut waiting = conditions.filter(|c| c["type"] == "PodScheduled" && c["status"] == "False");
        waiting.find_map(|condition| condition["message"].as_str().map(str::to_owned))
    })
    .await;
    assert!(why.contains("free ports"), "{why}");

    // Both writes are undone as one.
    edge.operator.undo(report["run"].as_str().unwrap(), 0).await;
    assert_eq!(strategy(&edge).await, json!({"maxUnavailable": 1, "maxSurge": 0}));
    assert_eq!(argument(&edge).await, "--log.level=ERROR");
    edge.kubectl("rollout status deployment/traefik -n traefik --timeout=60s").await;
}

async fn strategy(edge: &Edge) -> serde_json::Value {
    let deployment = edge.objects.get(DEPLOYMENT, "traefik/traefik").await.unwrap();
    deployment["spec"]["strategy"]["rollingUpdate"].clone()
}

async fn argument(edge: &Edge) -> String {
    let deployment = edge.objects.get(DEPLOYMENT, "traefik/traefik").await.unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["args"][1].as_str().unwrap().into()
}

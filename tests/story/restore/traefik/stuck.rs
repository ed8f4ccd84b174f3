//! A rollout that never comes: the run ends there, in time, and says why.

use netdr::{drill::Options, plan::RestorePlan};
use serde_json::json;

use super::CHART;
use crate::support::{Objects, Operator, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_never_comes_ends_the_run_and_says_why() {
    let plane = fresh(Options { controllers: true, ..Options::default() }).await; // and no node
    let operator = Operator::of(&plane).await;
    let home = &operator.home;
    let install = ["install", "traefik", CHART, "-n", "traefik", "--create-namespace", "--no-hooks"];
    home.run("helm", &install).await.ok();
    operator.backup().await;
    let objects = Objects::of(&plane).await;
    objects.delete("deployments.apps", "traefik/traefik").await;
    objects.delete("ingressclasses.networking.k8s.io", "traefik").await;

    let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "traefik").unwrap();
    std::fs::write(home.path().join("plan.yaml"), text.replace("timeout: 5m", "timeout: 3s")).unwrap();
    let restore = ["restore", "--plan", "plan.yaml", "--identity", "keys/operator.txt", "--yes", "--json"];
    let report = home.run("netdr", &restore).await.json(1);
    assert_eq!((&report["outcome"], &report["rto_met"]), (&json!("failed"), &json!(false)), "{report:#}");
    let steps = report["steps"].as_array().unwrap();
    let rollout = steps.iter().position(|step| step["id"] == "rollout").unwrap();
    assert_eq!(steps[rollout]["outcome"], "failed");
    let why = steps[rollout]["failures"].to_string();
    assert!(why.contains("traefik/traefik") && why.contains("no nodes available"), "{why}");
    assert!(steps[rollout + 1..].iter().all(|step| step["outcome"] == "skipped"), "{report:#}");
    // What came before it is done, and the release is Helm's again.
    assert!(objects.get("ingressclasses.networking.k8s.io", "traefik").await.is_some());
    home.run("helm", &["status", "traefik", "-n", "traefik"]).await.ok();
}

//! Upgrades after the snapshot went wrong: one is deployed, one failed, one is stuck.

use serde_json::json;

use super::{CHART, Edge, SCENARIO};
use crate::support::{acts, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_release_goes_back_to_the_stored_revision() {
    let edge = Edge::installed().await;
    edge.helm(&["upgrade"], &[CHART, "--reuse-values", "--set", "logLevel=ERROR"]).await;
    edge.operator.backup().await;
    let release = edge.release().await;
    break_release(&edge).await;
    edge.objects.merge("namespaces", "traefik", json!({"metadata": {"labels": {"tier": null}}})).await;
    edge.objects.delete("services", "traefik/traefik").await;

    let plan = acts(&edge.operator.plan(SCENARIO, &[]).await);
    let deleted: Vec<&str> =
        plan.iter().filter(|(verb, _)| verb == "delete").map(|(_, object)| object.as_str()).collect();
    assert_eq!(deleted, [2, 3, 4, 5].map(|n| format!("secrets traefik/sh.helm.release.v1.traefik.v{n}")));

    edge.operator.recover(SCENARIO, &[]).await;
    edge.kubectl("rollout status deployment/traefik -n traefik --timeout=1s").await;
    let service = edge.objects.get("services", "traefik/traefik").await.unwrap();
    assert_ne!(service["spec"]["clusterIP"], json!(""), "the server gave it an address");
    assert_eq!(edge.release().await, release);
    assert_eq!(edge.history().await, [(1, "superseded".into()), (2, "deployed".into())]);
    edge.assert_upgrade_works().await;
    assert_eq!(edge.history().await.last().unwrap(), &(3, "deployed".into()));
}

/// Revision 3 is deployed with other values, 4 failed, and 5 is pending for ever: its helm was killed.
async fn break_release(edge: &Edge) {
    edge.helm(&["upgrade"], &[CHART, "--set", "image=elsewhere/traefik"]).await;
    let home = &edge.operator.home;
    let upgrade = |set| ["upgrade", "traefik", CHART, "-n", "traefik", "--wait", "--set", set];
    assert!(home.run("helm", &upgrade("metricsPort=70000")).await.failed(1).contains("UPGRADE FAILED"));
    // A string: Helm takes `true` for no label's value and the API server refuses it, so that nothing would hang.
    let hanging = upgrade("nodeSelector.nowhere=here");
    tokio::select! {
        ended = home.run("helm", &hanging) => panic!("{ended:?}"),
        () = eventually("the upgrade to hang", async || {
            let web = edge.objects.get("deployments.apps", "traefik/traefik").await?;
            (web["spec"]["template"]["spec"]["nodeSelector"]["nowhere"] == "here").then_some(())
        }) => {} // dropped, it is killed
    }
    let refused = home.run("helm", &upgrade("logLevel=INFO")).await.failed(1);
    assert!(refused.contains("another operation"), "{refused}");
}

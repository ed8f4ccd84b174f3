//! Webhooks that convert between versions of a definition: in a sandbox nobody is asked, whatever a plan brings back.

use std::{fs, io::ErrorKind, net::TcpListener};

use serde_json::json;

use super::{drill, memory, outcomes};
use crate::support::{Operator, everything, fresh, says};

/// A plan that puts every definition back as it was, which is what plans do where nothing else is said.
const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: definitions
title: The load balancer with its definitions
rto: 15m
rpo: 24h
role: Infrastructure Admin
runbook: runbooks/full-stack.md
steps:
  - id: definitions
    title: Definitions
    apply: {component: loadbalancer, kinds: [customresourcedefinitions.apiextensions.k8s.io]}
  - {id: rest, title: What is of them, apply: {component: loadbalancer}}
";

#[tokio::test(flavor = "multi_thread")]
async fn no_plan_brings_a_webhook_back_that_converts() {
    let plane = fresh(everything()).await.loaded().await;
    let operator = Operator::of(&plane).await;
    operator.configure("plans: plans");
    let home = operator.home;
    fs::create_dir(home.path().join("plans")).unwrap();
    fs::write(home.path().join("plans/definitions.yaml"), PLAN).unwrap();
    let production = TcpListener::bind("127.0.0.1:0").unwrap();
    production.set_nonblocking(true).unwrap();
    let webhook = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"url": format!("https://{}/convert", production.local_addr().unwrap())},
    }}}});
    let patch = format!("kubectl patch crd bgppeers.metallb.io --type merge -p '{webhook}'");
    home.shell(&patch).await.ok();
    home.netdr(&["backup", "--set", "network"]).await.ok();
    drop(plane);
    // That cluster may ask its own webhook.
    while production.accept().is_ok() {}

    let memory = memory();
    let document = drill(&home, memory.path(), &["--scenario", "definitions"]).await.json(0);
    assert_eq!(outcomes(&document), ["recovered"], "{:#}", document["scenarios"][0]["checks"]);
    assert_eq!(production.accept().map(drop).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
    let steps = document["scenarios"][0]["runs"][0]["steps"].as_array().unwrap();
    let definitions = steps.iter().find(|step| step["id"] == "definitions").unwrap();
    assert_eq!(definitions["applied"], 0, "{definitions:#}");
    says(
        &document["simulated"].to_string(),
        &["1 CustomResourceDefinition that a webhook converts", "no plan brings the webhook back"],
    );
}

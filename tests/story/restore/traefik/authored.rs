//! The values that people author in Git beside those that the release comes back with.

use chrono::Utc;
use serde_json::{Value, json};

use super::{Edge, SCENARIO};
use crate::support::Forge;

const FILE: &str = "traefik-values.yaml";
const SOURCE: &str = "path: helm/traefik-values.yaml, component: ingress, release: traefik/traefik";
/// What the plan offers, in a plan file of its own: netdr keeps a journal of it and waits.
const UPGRADE: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: traefik-values
title: Traefik with the values that Git has
rto: 15m
rpo: 24h
role: Infrastructure Admin
runbook: runbooks/traefik.md
steps:
  - {id: upgrade, title: Helm rolls the values out, timeout: 5m, run: {command: [COMMAND]}}
  - {id: rollout, title: Traefik is rolled out, timeout: 5m, wait: {rollout: {component: ingress}}}
";

/// What the plan says of them, and whether it is a warning.
fn compared(plan: &Value) -> (String, bool) {
    let says = plan["authored_values"][0]["says"].clone();
    let warned = plan["warnings"].as_array().unwrap().contains(&says);
    (says.as_str().unwrap().into(), warned)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_has_is_compared_with_what_comes_back_and_can_be_rolled_out() {
    let edge = Edge::installed().await;
    let (operator, home) = (&edge.operator, &edge.operator.home);
    let forge = Forge::of(home, "helm", SOURCE).await;
    forge.write(FILE, "# as it was installed\nlogLevel: DEBUG\n");
    forge.commit("-S").await;
    // Nothing is lost by the clock, so that the values alone decide.
    let began = Utc::now().to_rfc3339();
    let snapshot = operator.backup().await;
    let from = ["--snapshot", &snapshot, "--incident-start", &began];
    let gone = async || edge.objects.delete("deployments.apps", "traefik/traefik").await;

    gone().await;
    let (says, warned) = compared(&operator.plan(SCENARIO, &from).await);
    assert!(says.contains("of these values, nothing authored is lost") && !warned, "{says}");
    let report = operator.restore(SCENARIO, &[&from[..], &["--yes"]].concat()).await.json(0);
    assert_eq!(report["rpo_met"], json!(true), "{report:#}");
    assert!(report["remarks"].to_string().contains("nothing authored is lost"), "{report:#}");

    forge.write(FILE, "logLevel: WARN\nstrategy: {maxSurge: 0}\n");
    let commit = forge.commit("-S").await;
    gone().await;
    let (says, warned) = compared(&operator.plan(SCENARIO, &from).await);
    let keys = "logLevel (differs), strategy (only in Git). No RPO of 0 is claimed.";
    assert!(says.contains(keys) && says.contains(&commit) && warned, "{says}");
    let report = operator.restore(SCENARIO, &[&from[..], &["--yes"]].concat()).await.json(6);
    assert_eq!((&report["outcome"], &report["rpo_met"]), (&json!("recovered"), &json!(false)), "{report:#}");
    assert!(report["remarks"].to_string().contains(keys), "{report:#}");
    assert!(
        edge.helm(&["get", "values"], &[]).await.contains("DEBUG"),
        "nothing of Git is applied by itself"
    );

    // As it is offered.
    let commands: Vec<&str> = says.rsplit_once("when it is back: ").unwrap().1.split("; ").collect();
    let [extract, show, upgrade] = commands[..] else { panic!("{commands:?}") };
    let show = show.strip_prefix("in a clone ").unwrap().replace("> ", "> ../");
    home.shell(&format!("{extract} --identity keys/operator.txt; cd k8s; {show}")).await.ok();
    let plan = UPGRADE.replace("COMMAND", &upgrade.split(' ').collect::<Vec<_>>().join(", "));
    std::fs::write(home.path().join("upgrade.yaml"), plan).unwrap();
    let run = "netdr restore --plan upgrade.yaml --identity keys/operator.txt --json --yes --allow-run";
    let report = home.shell(run).await.json(0);
    assert_eq!(report["outcome"], "recovered", "{report:#}");
    let values = edge.helm(&["get", "values"], &[]).await;
    assert!(values.contains("WARN") && values.contains("maxSurge"), "{values}");
    operator.backup().await;
    let (says, warned) = compared(&operator.plan(SCENARIO, &[]).await);
    assert!(says.contains("nothing authored is lost") && !warned, "{says}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_does_not_depend_on_git() {
    let edge = Edge::installed().await;
    let operator = &edge.operator;
    let forge = Forge::of(&operator.home, "helm", SOURCE).await;
    forge.write(FILE, "logLevel: MARKER\n");
    forge.commit("--no-gpg-sign").await;
    operator.backup().await;
    let (says, warned) = compared(&operator.plan(SCENARIO, &[]).await);
    assert!(says.contains("were not compared") && says.contains("is untrusted: it is not signed"), "{says}");
    assert!(warned && !says.contains("MARKER"), "nothing of that commit was read: {says}");

    operator.home.shell("sed -i 's|url: k8s|url: \"https://127.0.0.1:1/k8s.git\"|' netdr.yaml").await.ok();
    edge.objects.delete("deployments.apps", "traefik/traefik").await;
    let report = operator.recover(SCENARIO, &[]).await;
    let remarks = report["remarks"].to_string();
    assert!(
        remarks.contains("were not compared with helm/traefik-values.yaml of https://127.0.0.1:1"),
        "{remarks}"
    );

    // Objects are another matter: these are values.
    let said = operator.restore(SCENARIO, &["--from", "git", "--yes"]).await.failed(2);
    assert!(said.contains("no Git source is configured for ingress"), "{said}");
}

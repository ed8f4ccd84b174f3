//! Back to before the restore.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use super::traefik::Edge;
use crate::support::{Dump, Operator, POLICIES, corrupted, shared};

const SCENARIO: &str = "network-policies";

/// What controllers make from the rest, each time anew.
pub(super) const MADE: [&str; 6] = [
    "pods",
    "replicasets.apps",
    "controllerrevisions.apps",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "nodes",
];

/// What is in two dumps apart from what only the API server and controllers write.
#[track_caller]
pub(super) fn same(before: &Dump, after: &Dump) {
    let (before, after) = (wanted(before), wanted(after));
    for (key, object) in &before {
        assert_eq!(Some(object), after.get(key), "{key}");
    }
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
}

fn wanted(dump: &Dump) -> BTreeMap<&String, Value> {
    let kept = dump.iter().filter(|(key, _)| !MADE.contains(&key.split(' ').next().unwrap()));
    kept.map(|(key, object)| {
        let mut object = object.clone();
        object.as_object_mut().unwrap().remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
            metadata.remove(field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.starts_with("deployment.kubernetes.io/"));
        }
        for field in ["clusterIP", "clusterIPs"] {
            if let Some(spec) = object["spec"].as_object_mut() {
                spec.remove(field);
            }
        }
        (key, object)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_puts_policies_back_and_its_own_undo_restores_them_again() {
    let (_plane, objects, operator) = corrupted().await;
    let broken = objects.dump().await;
    let report = operator.recover(SCENARIO, &[]).await;
    let run = report["run"].as_str().unwrap();
    let restored = objects.dump().await;

    let unasked =
        operator.home.run("netdr", &["undo", run, "--identity", "keys/operator.txt"]).await.failed(2);
    assert!(unasked.contains("undo asks") && unasked.contains("--dry-run"), "{unasked}");
    let dry = ["undo", run, "--json", "--identity", "keys/operator.txt", "--dry-run"];
    let plan = operator.home.run("netdr", &dry).await.json(0);
    assert!(plan["delete"].as_u64().unwrap() > 0 && plan["create"].as_u64().unwrap() > 0, "{plan:#}");
    same(&restored, &objects.dump().await);

    let undone = operator.undo(run, 0).await;
    assert_eq!([&undone["scenario"], &undone["outcome"]], ["undo", "undone"], "{undone:#}");
    assert_eq!(undone["differences_left"], 0);
    same(&broken, &objects.dump().await);
    let again = operator.undo(run, 0).await;
    assert_eq!(again["outcome"], "nothing-to-do", "{again:#}");

    let redone = operator.undo(undone["run"].as_str().unwrap(), 0).await;
    assert_eq!(redone["outcome"], "undone", "{redone:#}");
    same(&restored, &objects.dump().await);
    let shown = operator.home.run("netdr", &["runs", "show", undone["run"].as_str().unwrap()]).await.ok();
    assert!(shown.contains(&format!("undo of {run}")), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_since_is_left_alone_and_named() {
    let (_plane, objects, operator) = corrupted().await;
    let report = operator.recover(SCENARIO, &[]).await;
    let run = report["run"].as_str().unwrap();

    let theirs = json!({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.25.0.0/16"}}]}]}});
    objects.merge(POLICIES, "jupyter/default-deny-all", theirs).await;
    let mine = objects.get(POLICIES, "jupyter/default-deny-all").await.unwrap();
    let report = operator.undo(run, 3).await;
    assert_eq!([&report["outcome"], &report["differences_left"]], [&json!("partial"), &json!(1)]);
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("jupyter/default-deny-all") && remarks.contains("changed since"), "{remarks}");
    assert_eq!(objects.get(POLICIES, "jupyter/default-deny-all").await.unwrap(), mine);
    assert!(objects.get(POLICIES, "objectstore/temporary-allow-all").await.is_some(), "the rest is undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safety_snapshot_that_is_not_the_runs_own_is_refused() {
    let (_plane, objects, operator) = corrupted().await;
    let report = operator.recover(SCENARIO, &[]).await;
    let run = report["run"].as_str().unwrap();
    let before = objects.dump().await;
    let folder = operator.home.path().join("repo/runs").join(run);
    let undo = ["undo", run, "--yes", "--identity", "keys/operator.txt"];
    let without = ["undo", run, "--yes"];
    assert!(operator.home.run("netdr", &without).await.failed(2).contains("--identity"));
    let file = folder.join("safety-policies.tar.zst.age");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    let refused = operator.home.run("netdr", &undo).await.failed(5);
    assert!(refused.contains("safety-policies") && refused.contains("sha256"), "{refused}");
    fs::remove_file(&file).unwrap();
    assert!(operator.home.run("netdr", &undo).await.failed(5).contains("cannot be read"));
    assert_eq!(objects.dump().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_after_traefik_brings_the_broken_release_back() {
    let edge = Edge::installed().await;
    edge.operator.backup().await;
    let chart = super::traefik::CHART;
    edge.helm(&["upgrade"], &[chart, "--set", "logLevel=ERROR", "--wait"]).await;
    edge.objects.delete("middlewares.traefik.io", "traefik/dashboard-auth").await;
    edge.objects.delete("ingressclasses.networking.k8s.io", "traefik").await;
    let (broken, history) = (edge.objects.dump().await, edge.history().await);
    let report = edge.operator.recover("traefik", &[]).await;
    let undone = edge.operator.undo(report["run"].as_str().unwrap(), 0).await;
    assert_eq!(undone["outcome"], "undone", "{undone:#}");
    same(&broken, &edge.objects.dump().await);
    assert_eq!(edge.history().await, history);
    edge.assert_upgrade_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_takes_away_what_was_made_but_no_namespace_and_no_definition() {
    let edge = Edge::installed().await;
    edge.operator.backup().await;
    edge.kubectl("delete namespace traefik").await;
    edge.kubectl("delete crd middlewares.traefik.io").await;
    edge.kubectl("delete clusterrole,clusterrolebinding traefik-traefik").await;
    let lost = edge.objects.dump().await;
    let report = edge.operator.recover("traefik", &[]).await;
    let undone = edge.operator.undo(report["run"].as_str().unwrap(), 0).await;
    assert_eq!([&undone["outcome"], &undone["differences_left"]], [&json!("undone"), &json!(0)]);
    let remarks = undone["remarks"].to_string();
    let definitions = "customresourcedefinitions.apiextensions.k8s.io middlewares.traefik.io";
    for kept in ["namespaces traefik was left as it is", definitions] {
        assert!(remarks.contains(kept), "`{kept}` is not in {remarks}");
    }
    let after = edge.objects.dump().await;
    let ours = |key: &&String| {
        let kind = key.split(' ').next().unwrap();
        // The namespace has what every namespace has.
        !MADE.contains(&kind) && !key.contains("kube-root-ca.crt") && !key.ends_with("traefik/default")
    };
    let more: Vec<&String> = after.keys().filter(|key| !lost.contains_key(*key)).filter(ours).collect();
    assert_eq!(more, [definitions, "namespaces traefik"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_says_before_that_an_undo_will_need_another_identity() {
    let operator = Operator::of(shared().await).await;
    let home = &operator.home;
    let add = "ssh-keygen -q -t ed25519 -N '' -C '' -f ssh && cat ssh.pub >> keys/recipients.txt";
    home.shell(add).await.ok();
    operator.backup().await;
    let warned = async |identity: &str| {
        let all = ["restore", "--scenario", SCENARIO, "--dry-run", "--json", "--identity", identity];
        home.netdr(&all).await.json(0)["warnings"].to_string().contains("an undo will need one")
    };
    assert_eq!((warned("keys/operator.txt").await, warned("ssh").await), (false, false));
    home.shell("age-keygen -o other 2> /dev/null; age-keygen -y other > keys/recipients.txt").await.ok();
    assert_eq!((warned("keys/operator.txt").await, warned("ssh").await), (true, true));
}

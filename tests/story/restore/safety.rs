//! What a restore refuses, what it saves first, and what is left of one that was killed.

use std::{fs, net::TcpListener, path::PathBuf};

use chrono::{TimeDelta, Utc};
use netdr::drill::failures::break_policies;
use serde_json::{Value, json};

use crate::support::{Library, Objects, Operator, POLICIES, eventually, everything, fresh};

const SCENARIO: &str = "network-policies";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_unasked_or_from_an_old_snapshot_and_what_is_overwritten_is_kept() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let cluster = plane.cluster().await.unwrap();
    let old = Library::of(operator.home.path()).backup_at(&cluster, Utc::now() - TimeDelta::hours(49)).await;
    break_policies(&cluster).await.unwrap();
    let broken = objects.dump().await;
    let unasked = operator.restore(SCENARIO, &[]).await.failed(2);
    assert!(unasked.contains("--dry-run") && unasked.contains("--yes"), "{unasked}");
    let stale = operator.restore(SCENARIO, &["--yes"]).await.failed(2);
    assert!(stale.contains("older than twice its schedule") && stale.contains("--snapshot"), "{stale}");
    assert_eq!(objects.dump().await, broken);
    assert!(!operator.home.path().join("repo/runs").read_dir().is_ok_and(|mut runs| runs.next().is_some()));

    // Somebody who names it has seen its age.
    let report = operator.recover(SCENARIO, &["--snapshot", old.as_str()]).await;
    let folder = PathBuf::from(report["run_folder"].as_str().unwrap());
    let sealed = folder.join("safety-policies.tar.zst.age").display().to_string();
    let open = ["-d", "-i", "keys/operator.txt", "-o", "safety.tar.zst", &sealed];
    operator.home.run("age", &open).await.ok();
    let held = operator.home.run("tar", &["--zstd", "-tf", "safety.tar.zst"]).await.ok();
    let held: Vec<&str> = held.lines().filter(|line| line.ends_with(".yaml")).collect();
    let policy = |name: &str| format!("resources/networking.k8s.io/networkpolicies/{name}.yaml");
    let (leak, extra) = (policy("archive/default-deny-all"), policy("objectstore/temporary-allow-all"));
    assert_eq!(held, ["resources/core/namespaces/_cluster/catalog.yaml", &leak, &extra]);
    let text = operator.home.run("tar", &["--zstd", "-xOf", "safety.tar.zst", &leak]).await.ok();
    assert!(text.contains("egress"), "as it was before: {text}");
}

/// Asks a server that never answers about every policy of one namespace.
fn tarpit(port: u16) -> String {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "tarpit"},
        "webhooks": [{
            "name": "tar.pit.example",
            "clientConfig": {"url": format!("https://127.0.0.1:{port}/")},
            "rules": [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["networkpolicies"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "jupyter"}},
            "timeoutSeconds": 30,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_killed_is_readable_and_is_done_by_the_next() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    objects.create(&tarpit(silent.local_addr().unwrap().port())).await;
    eventually("the tar pit to be asked", async || {
        (!operator.may_create_policy("jupyter", "any").await).then_some(())
    })
    .await;

    let runs = operator.home.path().join("repo/runs");
    let journal = || -> Option<String> {
        let run = fs::read_dir(&runs).ok()?.next()?.ok()?.path();
        fs::read_to_string(run.join("journal.jsonl")).ok()
    };
    tokio::select! {
        ended = operator.restore(SCENARIO, &["--yes"]) => panic!("{ended:?}"),
        () = eventually("the restore to wait for jupyter's policy alone", async || {
            let journal = journal()?;
            let count = |event: &str| journal.matches(&format!(r#""event":"{event}""#)).count();
            (journal.contains("jupyter") && count("outcome") + 1 == count("intent")).then_some(())
        }) => {} // dropped, it is killed with SIGKILL
    }

    let listed = operator.home.run("netdr", &["runs", "--json"]).await.json(0);
    assert_eq!(listed["runs"][0]["outcome"], "unfinished", "{listed:#}");
    let run = listed["runs"][0]["run"].as_str().unwrap();
    let shown = operator.home.run("netdr", &["runs", "show", run]).await.ok();
    assert!(shown.contains("interrupted") && shown.contains("jupyter/default-deny-all"), "{shown}");
    objects.delete("validatingwebhookconfigurations.admissionregistration.k8s.io", "tarpit").await;
    let missing = objects.get(POLICIES, "jupyter/default-deny-all").await;
    let report: Value = operator.recover(SCENARIO, &[]).await;
    let applied: u64 =
        report["steps"].as_array().unwrap().iter().map(|s| s["applied"].as_u64().unwrap()).sum();
    assert!(missing.is_none() && applied >= 1, "{report:#}");
    let listed = operator.home.run("netdr", &["runs", "--json"]).await.json(0);
    assert_eq!(listed["runs"][1]["outcome"], "recovered");
}

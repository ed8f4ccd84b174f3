//! What a restore refuses, what it saves first, and what is left of one that was killed.

use std::{net::TcpListener, path::PathBuf, process::Stdio};

use chrono::{TimeDelta, Utc};
use netdr::drill::failures::break_policies;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Library, Objects, Operator, POLICIES, corrupted, eventually, everything, fresh, send};

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
    // Naming a snapshot of one set says nothing about the age of another's.
    let fresh = operator.home.netdr(&["backup", "--set", "certificates", "--json"]).await.json(0);
    let fresh = fresh["snapshots"][0]["id"].as_str().unwrap();
    let text = "{apiVersion: netdr/v1, kind: RestorePlan, name: both, title: Both sets, rto: 1h, rpo: 0s, role: Anybody,
        runbook: none.md, steps: [
        {id: p, title: Policies, apply: {component: policies, kinds: [networkpolicies.networking.k8s.io]}},
        {id: c, title: Certificates, apply: {component: certificates, kinds: [certificates.cert-manager.io]}}]}";
    std::fs::write(operator.home.path().join("both.yaml"), text).unwrap();
    let named = ["restore", "--plan", "both.yaml", "--snapshot", fresh, "--identity", "keys/operator.txt"];
    let stale = operator.home.netdr(&[&named[..], &["--yes"]].concat()).await.failed(2);
    assert!(stale.contains("older than twice its schedule"), "{stale}");
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

const WEBHOOKS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io";

/// A server that never answers, which is asked about every policy of namespace jupyter that is made.
pub(super) struct TarPit {
    silent: TcpListener,
}

impl TarPit {
    /// Returns when the API server asks it.
    pub(super) async fn dug(objects: &Objects, operator: &Operator) -> Self {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "tarpit"},
            "webhooks": [{
                "name": "tar.pit.example",
                "clientConfig": {"url": format!("https://{}/", silent.local_addr().unwrap())},
                "rules": [{"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": ["networkpolicies"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "jupyter"}},
                "timeoutSeconds": 30,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }],
        });
        objects.create(&webhook.to_string()).await;
        eventually("the tar pit to be asked", async || {
            (!operator.may_create_policy("jupyter", "any").await).then_some(())
        })
        .await;
        Self { silent }
    }

    /// From now on nobody asks it, and whoever waits for its answer does no more.
    pub(super) async fn filled(self, objects: &Objects) {
        objects.delete(WEBHOOKS, "tarpit").await;
        drop(self.silent);
    }
}

/// Acts that the only run began and that have not ended, where one of them is about jupyter's policy.
fn hanging(operator: &Operator) -> usize {
    let journal = operator.journal().filter(|journal| journal.contains("jupyter")).unwrap_or_default();
    let count = |event: &str| journal.matches(&format!(r#""event":"{event}""#)).count();
    count("intent") - count("outcome")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_interrupted_is_readable_and_is_done_when_it_is_resumed() {
    let (_plane, objects, operator) = corrupted().await;
    let tarpit = TarPit::dug(&objects, &operator).await;

    let restore = ["restore", "--identity", "keys/operator.txt", "--yes"];
    let (mut how, mut run) = (["--scenario", SCENARIO].map(str::to_owned), String::new());
    for (hangs, signal) in [(1, Signal::INT), (2, Signal::KILL)] {
        let how_now: Vec<&str> = restore.into_iter().chain(how.iter().map(String::as_str)).collect();
        let mut netdr = operator.home.command("netdr", &how_now);
        let netdr = netdr.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the restore to wait for jupyter's policy alone", async || {
            (hanging(&operator) == hangs).then_some(())
        })
        .await;
        send(&netdr, signal);
        let ended = netdr.wait_with_output().await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        run = operator.last_run().await;
        how = ["--resume".into(), run.clone()];
        match signal {
            Signal::INT => {
                assert_eq!(ended.status.code(), Some(130), "{said}");
                assert!(said.contains(&format!("netdr restore --resume {run}")), "{said}");
                let lease = objects.get("leases.coordination.k8s.io", "kube-system/netdr-restore").await;
                assert_eq!(lease, None, "who is interrupted gives it back");
            }
            _ => assert_eq!(ended.status.code(), None, "{said}"),
        }
    }
    let outcomes = async || -> Vec<Value> {
        let runs = operator.home.netdr(&["runs", "--json"]).await.json(0);
        runs["runs"].as_array().unwrap().iter().map(|run| run["outcome"].clone()).collect()
    };
    assert_eq!(outcomes().await, ["unfinished"]);
    let shown = operator.home.netdr(&["runs", "show", &run]).await.ok();
    assert!(shown.contains("interrupted") && shown.contains("jupyter/default-deny-all: begun"), "{shown}");
    assert!(objects.get(POLICIES, "jupyter/default-deny-all").await.is_none());
    tarpit.filled(&objects).await;
    // A new restore would have to wait for the Lease of the dead; the same run need not.
    let another = operator.restore(SCENARIO, &["--yes"]).await.failed(1);
    assert!(another.contains(&format!("netdr restore --resume {run}")), "{another}");
    operator.resume(&run).await;
    assert_eq!(outcomes().await, ["recovered"]);
}

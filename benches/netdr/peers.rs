//! The peers' call patterns, on the same API server with the same client. Their programs are not run: what is measured is
//! how they ask, not what else they do.
//!
//! In: objects, a part of those of the subject. Out: a line for each pattern. Invariant: one object after the other.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    bare::{Bare, Item},
    built,
    table::row,
};

/// Velero's client since 1.14: requests a second, and as many at once at the start (velero#7311).
const LIMIT: u32 = 100;

/// POST, then GET, without a limit.
pub(crate) async fn post_and_get(bare: &Bare, items: &[Item]) {
    let started = Instant::now();
    for item in items {
        bare.post(item).await;
        bare.get(&item.path()).await;
    }
    rate("serial POST and GET, without a limit", items, started.elapsed());
}

/// GET, then PUT with what is stored, without a limit: rancher's backup-restore-operator over objects that exist. Velero with
/// `existingResourcePolicy: update` needs at least as many requests, and waits for its limiter besides.
pub(crate) async fn get_and_put(bare: &Bare, items: &[Item]) {
    let mut stored: Vec<Value> = items.iter().map(|item| serde_json::from_str(&item.body).unwrap()).collect();
    let started = Instant::now();
    for (item, stored) in items.iter().zip(&mut stored) {
        let live = bare.get(&item.path()).await;
        stored["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        // What equals the live object is never written by the API server.
        stored["metadata"]["annotations"] = json!({"changed": "since"});
        bare.send("PUT", &item.path(), stored.to_string()).await;
    }
    rate("serial GET and PUT, without a limit", items, started.elapsed());
}

/// CREATE, then PATCH, with Velero's limiter (pkg/restore/restore.go: managedFields are patched in after the create).
pub(crate) async fn create_and_patch(bare: &Bare, items: &[Item]) {
    let patch = json!({"metadata": {"annotations": {"restored": "true"}}}).to_string();
    let started = Instant::now();
    let mut sent = 0;
    let mut turn = async || {
        sent += 1;
        let due = Duration::from_secs(1) * u32::saturating_sub(sent, LIMIT) / LIMIT;
        sleep(due.saturating_sub(started.elapsed())).await;
    };
    for item in items {
        turn().await;
        bare.post(item).await;
        turn().await;
        bare.send("PATCH", &item.path(), patch.clone()).await;
    }
    rate("serial CREATE and PATCH, 100 requests a second", items, started.elapsed());
}

/// The stock program, where it is built.
pub(crate) fn kubectl(items: &[Item], kubeconfig: &Path) {
    let kubectl = built().join("bin/kubectl");
    if !kubectl.exists() {
        println!("  kubectl apply --server-side: not measured, kubectl is not built (make control-plane)");
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let objects: Vec<Value> = items.iter().map(|item| serde_json::from_str(&item.body).unwrap()).collect();
    fs::write(file.path(), json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
        .unwrap();
    let started = Instant::now();
    let mut apply = Command::new(kubectl);
    apply.args(["apply", "--server-side", "-f"]).arg(file.path()).arg("--kubeconfig").arg(kubeconfig);
    assert!(apply.stdout(Stdio::null()).status().unwrap().success());
    rate("kubectl apply --server-side", items, started.elapsed());
}

fn rate(pattern: &str, items: &[Item], took: Duration) {
    let seconds = took.as_secs_f64();
    let of = format!("{pattern} ({} objects)", items.len());
    row(&of, seconds, &format!("{:.0}/s", items.len() as f64 / seconds), 0);
}

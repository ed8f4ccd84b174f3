//! Who makes ready what nothing on the plane makes ready: cert-manager and helm-controller, played.
//!
//! In: a plane. Out: conditions and a Job, as theirs are, once what they look at is there. Invariant: nothing is played for
//! what is not there, and looking costs the API server next to nothing, for netdr is measured on it meanwhile.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::bare::Bare;

/// What is told of all this.
pub(super) const WHAT: &str = "  Played: nodes and pods by kwok; cert-manager: the bench writes the condition Ready to issuers and Certificates once all
  of them are there again; helm-controller: the bench makes the Job that it would make of the HelmChartConfig, which kwok
  and the real Job controller complete. Webhooks of cert-manager and MetalLB: none on this plane, so nothing to wait for.";

const POLL: Duration = Duration::from_millis(100);
const ISSUERS: &str = "/apis/cert-manager.io/v1/clusterissuers";
const CERTIFICATES: &str = "/apis/cert-manager.io/v1/certificates";
pub(super) const ISSUER: &str = "/apis/cert-manager.io/v1/clusterissuers/letsencrypt-cloudflare";
pub(super) const CONFIG: &str = "/apis/helm.cattle.io/v1/namespaces/kube-system/helmchartconfigs/rke2-canal";
const JOBS: &str = "/apis/batch/v1/namespaces/kube-system/jobs";
const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";

/// How many of cert-manager's objects there are before something breaks.
#[derive(Clone, Copy)]
pub(super) struct Before {
    issuers: usize,
    certificates: usize,
}

impl Before {
    pub(super) async fn of(bare: &Bare) -> Self {
        Self { issuers: count(bare, ISSUERS).await, certificates: count(bare, CERTIFICATES).await }
    }
}

/// Plays both until everything that was there before is there and ready.
pub(super) async fn controllers(bare: Bare, before: Before) {
    let cert_manager = async {
        ready(&bare, ISSUERS, before.issuers).await;
        ready(&bare, CERTIFICATES, before.certificates).await;
    };
    tokio::join!(cert_manager, install(&bare));
}

/// The Job and the values Secret of an installation; as helm-controller does it, they go when their configuration changes.
pub(super) async fn forget_installation(bare: &Bare) {
    for path in [
        format!("{JOBS}/helm-install-rke2-canal?propagationPolicy=Background"),
        format!("{SECRETS}/chart-values-rke2-canal"),
    ] {
        let _absent = bare.ask("DELETE", &path, String::new()).await;
    }
}

/// Of a whole collection, without reading it.
async fn count(bare: &Bare, collection: &str) -> usize {
    let first = bare.ask("GET", &format!("{collection}?limit=1"), String::new()).await.unwrap_or_default();
    let here = first["items"].as_array().map_or(0, Vec::len);
    here + first["metadata"]["remainingItemCount"].as_u64().unwrap_or(0) as usize
}

async fn ready(bare: &Bare, collection: &str, all: usize) {
    while count(bare, collection).await < all {
        sleep(POLL).await;
    }
    let condition = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "played by the bench",
        "lastTransitionTime": "2026-11-25T00:00:00Z"});
    let patch = json!({"status": {"conditions": [condition]}}).to_string();
    let mut unready = bare.list(collection).await;
    unready.retain(|object| object["status"]["conditions"].is_null());
    let mut patches = Vec::new();
    for object in unready {
        let text = |field: &str| object["metadata"][field].as_str();
        let (root, plural) = collection.rsplit_once('/').unwrap();
        let namespace = text("namespace").map(|n| format!("/namespaces/{n}")).unwrap_or_default();
        let path = format!("{root}{namespace}/{plural}/{}/status", text("name").unwrap());
        let patch = patch.clone();
        patches.push(async move { bare.send("PATCH", &path, patch).await });
    }
    stream::iter(patches).buffer_unordered(16).for_each(async |_| ()).await;
}

async fn install(bare: &Bare) {
    let config = loop {
        match bare.ask("GET", CONFIG, String::new()).await {
            Ok(config) => break config,
            Err(_) => sleep(POLL).await,
        }
    };
    let values = BASE64_STANDARD.encode(config["spec"]["valuesContent"].as_str().unwrap_or_default());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "chart-values-rke2-canal"},
        "data": {"HelmChartConfigValuesContent": values}});
    let policy = json!({"name": "FAILURE_POLICY", "value": config["spec"]["failurePolicy"]});
    let container = json!({"name": "helm", "image": "rancher/klipper-helm", "env": [policy]});
    let pod = json!({"restartPolicy": "Never", "hostNetwork": true, "containers": [container]});
    let annotations = json!({"helmcharts.helm.cattle.io/configHash": "SHA256=PLAYED"});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "helm-install-rke2-canal"},
        "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}}});
    // Where the installation was not forgotten, it is there already.
    let made =
        |collection, object: Value| async move { bare.ask("POST", collection, object.to_string()).await };
    let (_secret, _job) = (made(SECRETS, secret).await, made(JOBS, job).await);
}

//! What programs say that are not on the plane: cert-manager calls its objects ready, helm-controller has installed Canal.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::damage::{CERTIFICATES, ISSUERS};
use crate::{
    story::restore::cni::{CANAL, CONFIGS},
    support::{Objects, Operator, eventually},
};

const JOB: &str = "helm-install-rke2-canal";

/// Says it, once and for all, and waits until the controllers that are there have nothing left to do.
pub(super) async fn settle(objects: &Objects, operator: &Operator) {
    // One after the other would take three times as long.
    let at_once = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 3}}}});
    objects.merge("daemonsets.apps", CANAL, at_once).await;
    for kind in [ISSUERS, CERTIFICATES] {
        for object in objects.list(kind).await {
            ready(operator, kind, &object).await;
        }
    }
    installed(objects).await;
    for (kind, name, field, wanted) in [
        ("deployments.apps", "traefik/traefik", "availableReplicas", 2),
        ("deployments.apps", "cert-manager/cert-manager", "availableReplicas", 1),
        ("daemonsets.apps", CANAL, "numberAvailable", 3),
    ] {
        eventually(name, async || {
            let status = &objects.get(kind, name).await?["status"];
            let seen = status["updatedNumberScheduled"].as_u64().is_none_or(|updated| updated == 3);
            (seen && status[field] == wanted).then_some(())
        })
        .await;
    }
}

/// No generation is named, as older versions of cert-manager name none: it is ready whatever is written into it.
async fn ready(operator: &Operator, kind: &str, object: &Value) {
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready",
        "message": "played", "lastTransitionTime": "2026-11-24T03:00:00Z"}]}});
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    let (name, namespace) = (text("name"), text("namespace"));
    let patch = format!(
        "kubectl patch {kind} {name} -n '{namespace}' --subresource=status --type=merge -p '{status}'"
    );
    operator.home.shell(&patch).await.ok();
}

/// The Job for the configuration that is backed up stands finished.
async fn installed(objects: &Objects) {
    let config = objects.get(CONFIGS, CANAL).await.unwrap();
    let content = BASE64_STANDARD.encode(config["spec"]["valuesContent"].as_str().unwrap());
    let values = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "chart-values-rke2-canal", "namespace": "kube-system"},
        "data": {"HelmChartConfigValuesContent": content}});
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": JOB, "namespace": "kube-system"},
        "spec": {"completions": 0, "template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "helm", "image": "rancher/klipper-helm"}]}}}});
    objects.create(&values.to_string()).await;
    objects.create(&job.to_string()).await;
    eventually("the Job to be complete", async || {
        let job = objects.get("jobs.batch", &format!("kube-system/{JOB}")).await?;
        job["status"]["conditions"].as_array()?.iter().any(|c| c["type"] == "Complete").then_some(())
    })
    .await;
}

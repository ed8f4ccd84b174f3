//! Whoever would say "ready" on a real cluster: in a sandbox nobody does, so this plays them.
//!
//! In: a disposable control plane. Out: conditions and counts that say what kubelets, cert-manager and RKE2's
//! helm-controller would say if all went well. Invariant: what is played is written to statuses, and to objects that those
//! make themselves; never to what a restore restores. That it was played, every report says.

use std::{convert::Infallible, time::Duration};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use crate::{
    Result,
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Precondition},
    model::hex,
};

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(200);
/// Kinds of cert-manager that are waited for.
const ISSUED: [&str; 3] = ["clusterissuers", "issuers", "certificates"];
const WORKLOADS: [&str; 3] = ["deployments", "statefulsets", "daemonsets"];
/// As RKE2's helm-controller marks the pods of its Jobs (pkg/controllers/chart/chart.go).
const CONFIG_HASH: &str = "helmcharts.helm.cattle.io/configHash";
/// Of any time: nobody reads it.
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// Somebody who plays.
pub(super) struct Player {
    cluster: Cluster,
    /// Whether kube-controller-manager and kwok are there: then workloads, Jobs and endpoints are theirs.
    controllers: bool,
}

impl Player {
    pub(super) fn new(cluster: Cluster, controllers: bool) -> Self {
        Self { cluster, controllers }
    }

    /// Plays for ever. What the API server refuses is tried again: whoever waits for it says what is missing.
    pub(super) async fn play(&self) -> Infallible {
        loop {
            let _ = self.round().await;
            sleep(PAUSE).await;
        }
    }

    async fn round(&self) -> Result<()> {
        let discovery = self.cluster.discover().await?;
        for plural in ISSUED {
            if let Some(kind) = discovery.find("cert-manager.io", plural) {
                for object in self.list(kind).await {
                    self.say(kind, object, issued).await;
                }
            }
        }
        self.charts(&discovery).await;
        if self.controllers {
            return Ok(());
        }
        let nodes = match discovery.find("", "nodes") {
            Some(kind) => self.list(kind).await.len(),
            None => 0,
        };
        for plural in WORKLOADS {
            if let Some(kind) = discovery.find("apps", plural) {
                for object in self.list(kind).await {
                    self.say(kind, object, |object| rolled_out(object, nodes)).await;
                }
            }
        }
        if let Some(kind) = discovery.find("batch", "jobs") {
            for job in self.list(kind).await {
                self.say(kind, job, completed).await;
            }
        }
        self.endpoints(&discovery).await;
        Ok(())
    }

    async fn list(&self, kind: &ApiKind) -> Vec<Value> {
        self.cluster.list_all(kind, &ListOptions::default()).await.unwrap_or_default()
    }

    /// Writes the status that `of` gives an object, where that is another than it has.
    async fn say(&self, kind: &ApiKind, mut object: Value, of: impl Fn(&Value) -> Option<Value>) {
        object["apiVersion"] = kind.api_version().into(); // a list leaves both to its own kind
        object["kind"] = kind.kind.clone().into();
        let Some(status) = of(&object) else { return };
        object["status"] = status;
        let seen = Precondition::of(&object);
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let (namespace, name) = (text("namespace"), text("name").unwrap_or_default());
        let _ = self.cluster.replace_status(kind, namespace.as_deref(), &name, object, &seen).await;
    }

    /// What helm-controller leaves of a HelmChart that it has installed as it is configured now: the Job, and the Secret of
    /// values that it was made from.
    async fn charts(&self, discovery: &Discovery) {
        let (Some(charts), Some(configs), Some(jobs), Some(secrets)) = (
            discovery.find("helm.cattle.io", "helmcharts"),
            discovery.find("helm.cattle.io", "helmchartconfigs"),
            discovery.find("batch", "jobs"),
            discovery.find("", "secrets"),
        ) else {
            return;
        };
        let configs = self.list(configs).await;
        for chart in self.list(charts).await {
            let (namespace, name) = (text(&chart["metadata"]["namespace"]), text(&chart["metadata"]["name"]));
            let config = configs.iter().find(|config| {
                text(&config["metadata"]["namespace"]) == namespace
                    && text(&config["metadata"]["name"]) == name
            });
            let config = config.cloned().unwrap_or_default();
            let job = job(namespace, name, &config);
            let title = text(&job["metadata"]["name"]).to_owned();
            let Ok(live) = self.cluster.get(jobs, Some(namespace), &title).await else { continue };
            let hash = |job: &Value| {
                text(&job["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH]).to_owned()
            };
            if live.as_ref().is_some_and(|live| hash(live) == hash(&job)) {
                continue;
            }
            self.put(secrets, namespace, values(namespace, name, &config)).await;
            if let Some(live) = live {
                let _ = self.cluster.delete(jobs, Some(namespace), &title, &Precondition::of(&live)).await;
            }
            let _ = self.cluster.create(jobs, Some(namespace), job.to_string().as_bytes()).await;
        }
    }

    /// An address for each Service that a webhook is behind: nobody answers there, and nobody asks.
    async fn endpoints(&self, discovery: &Discovery) {
        let Some(slices) = discovery.find("discovery.k8s.io", "endpointslices") else { return };
        for plural in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"] {
            let Some(kind) = discovery.find("admissionregistration.k8s.io", plural) else { continue };
            for configuration in self.list(kind).await {
                for webhook in configuration["webhooks"].as_array().into_iter().flatten() {
                    let service = &webhook["clientConfig"]["service"];
                    let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
                    if !name.is_empty() {
                        let slice = slice(namespace, name);
                        let _ =
                            self.cluster.create(slices, Some(namespace), slice.to_string().as_bytes()).await;
                    }
                }
            }
        }
    }

    async fn put(&self, kind: &ApiKind, namespace: &str, object: Value) {
        let name = text(&object["metadata"]["name"]).to_owned();
        let created = self.cluster.create(kind, Some(namespace), object.to_string().as_bytes()).await;
        if created.is_err_and(|refusal| refusal.is_conflict())
            && let Ok(Some(live)) = self.cluster.get(kind, Some(namespace), &name).await
        {
            let _ =
                self.cluster.replace(kind, Some(namespace), &name, object, &Precondition::of(&live)).await;
        }
    }
}

/// As cert-manager says it of an issuer or a Certificate whose present spec it is content with.
fn issued(object: &Value) -> Option<Value> {
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(0);
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().any(|condition| {
        condition["type"] == "Ready"
            && condition["status"] == "True"
            && condition["observedGeneration"] == generation
    });
    (!ready).then(|| {
        json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Played", "message": "netdr drill says so",
            "lastTransitionTime": LONG_AGO, "observedGeneration": generation}]})
    })
}

/// As a workload's controller says it when every pod runs.
fn rolled_out(object: &Value, nodes: usize) -> Option<Value> {
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(0);
    if object["status"]["observedGeneration"] == generation {
        return None;
    }
    Some(match object["kind"].as_str() {
        Some("DaemonSet") => json!({
            "observedGeneration": generation, "currentNumberScheduled": nodes, "desiredNumberScheduled": nodes,
            "numberMisscheduled": 0, "numberReady": nodes, "updatedNumberScheduled": nodes, "numberAvailable": nodes,
        }),
        _ => {
            let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
            json!({
                "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
                "readyReplicas": replicas, "availableReplicas": replicas,
            })
        }
    })
}

/// As the Job controller says it of a Job that is done (KEP 3998: SuccessCriteriaMet comes with Complete).
fn completed(job: &Value) -> Option<Value> {
    if !job["status"]["completionTime"].is_null() {
        return None;
    }
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Played", "message": "netdr drill says so",
            "lastProbeTime": LONG_AGO, "lastTransitionTime": LONG_AGO})
    };
    Some(json!({
        "startTime": LONG_AGO, "completionTime": LONG_AGO, "succeeded": 1,
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
    }))
}

/// The Job that helm-controller makes for a HelmChart and its HelmChartConfig, as far as anybody looks at it.
fn job(namespace: &str, name: &str, config: &Value) -> Value {
    let secrets = config["spec"]["valuesSecrets"].as_array().into_iter().flatten();
    let secrets: Vec<&str> = secrets.map(|secret| text(&secret["name"])).collect();
    let mut hash = Sha256::new();
    hash.update(config["spec"].to_string());
    let hash = format!("SHA256={}", hex(&hash.finalize()).to_uppercase());
    let sources = secrets.iter().map(|secret| json!({"secret": {"name": secret, "optional": true}}));
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": format!("helm-install-{name}"), "namespace": namespace},
        "spec": {"template": {
            "metadata": {"annotations": {CONFIG_HASH: hash}},
            "spec": {
                "restartPolicy": "Never",
                "hostNetwork": true,
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "helm", "image": "played"}],
                "volumes": [{"name": "values", "projected": {"sources": sources.collect::<Vec<Value>>()}}],
            },
        }},
    })
}

/// The Secret of values that the Job would be given.
fn values(namespace: &str, name: &str, config: &Value) -> Value {
    let mut values = json!({"HelmChartConfigValuesContent": text(&config["spec"]["valuesContent"])});
    if config["spec"]["values"].as_object().is_some_and(|values| !values.is_empty()) {
        values["HelmChartConfigValues"] = config["spec"]["values"].to_string().into(); // JSON is YAML
    }
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": format!("chart-values-{name}"), "namespace": namespace},
        "stringData": values,
    })
}

/// A slice with one ready endpoint (RFC 5737: an address that is nobody's).
fn slice(namespace: &str, service: &str) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-played"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}],
        "ports": [],
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_once_is_not_said_again_before_something_changes() {
        let mut certificate = json!({"metadata": {"generation": 2}});
        certificate["status"] = issued(&certificate).unwrap();
        assert_eq!(issued(&certificate), None);
        certificate["metadata"]["generation"] = 3.into();
        assert!(issued(&certificate).is_some());

        let mut set = json!({"kind": "DaemonSet", "metadata": {"generation": 1}});
        set["status"] = rolled_out(&set, 3).unwrap();
        assert_eq!((&set["status"]["numberAvailable"], rolled_out(&set, 3)), (&json!(3), None));

        let mut job = json!({});
        job["status"] = completed(&job).unwrap();
        assert_eq!(completed(&job), None);
    }

    #[test]
    fn a_job_is_another_for_every_configuration_and_mounts_its_secrets() {
        let of = |values: &str| {
            job(
                "kube-system",
                "c",
                &json!({"spec": {"valuesContent": values, "valuesSecrets": [{"name": "s"}]}}),
            )
        };
        assert_eq!(of("a: 1"), of("a: 1"));
        assert_ne!(of("a: 1"), of("a: 2"));
        let sources = &of("a: 1")["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"];
        assert_eq!(sources[0]["secret"]["name"], "s");
    }
}

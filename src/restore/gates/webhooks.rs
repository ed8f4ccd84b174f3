//! Reading what stands behind admission webhooks.
//!
//! In: a cluster, kinds of objects. Out: [`Webhooks`], to be judged. Invariant: only the Services of webhooks that are asked
//! about these kinds are looked at.

use serde_json::Value;

use crate::{
    cluster::{Answer, Cluster, Discovery, ListOptions, Selector},
    plan::{Service, Target, Webhooks},
};

const ADMISSION: &str = "admissionregistration.k8s.io";
const KINDS: [(&str, &str); 2] = [
    ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
];

/// Reads the webhooks that objects of these kinds must pass.
pub(crate) async fn read(cluster: &Cluster, discovery: &Discovery, targets: &[Target]) -> Answer<Webhooks> {
    let mut webhooks = Webhooks::default();
    for (plural, _) in KINDS {
        if let Some(kind) = discovery.find(ADMISSION, plural) {
            webhooks.configurations.extend(cluster.list_all(kind, &ListOptions::default()).await?);
        }
    }
    if webhooks.selects_namespaces(targets)
        && let Some(kind) = discovery.find("", "namespaces")
    {
        let options = ListOptions { metadata_only: true, ..ListOptions::default() };
        for namespace in cluster.list_all(kind, &options).await? {
            let metadata = &namespace["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default().to_owned();
            webhooks.namespaces.insert(name, metadata["labels"].clone());
        }
    }
    for service in webhooks.asked(targets) {
        let why = nobody(cluster, discovery, &service).await?;
        webhooks.services.insert(service, why);
    }
    Ok(webhooks)
}

/// Every configuration with its kind, as far as they can be read.
pub(in crate::restore) async fn configurations(
    cluster: &Cluster,
    discovery: &Discovery,
) -> Vec<(&'static str, Value)> {
    let mut all = Vec::new();
    for (plural, name) in KINDS {
        let Some(kind) = discovery.find(ADMISSION, plural) else { continue };
        let listed = cluster.list_all(kind, &ListOptions::default()).await.unwrap_or_default();
        all.extend(listed.into_iter().map(|configuration| (name, configuration)));
    }
    all
}

/// Whether an EndpointSlice has an endpoint that is ready.
pub(crate) fn has_ready_endpoint(slice: &Value) -> bool {
    let mut endpoints = slice["endpoints"].as_array().into_iter().flatten();
    // "nil should be interpreted as true" (discovery.k8s.io/v1, EndpointConditions).
    endpoints.any(|endpoint| endpoint["conditions"]["ready"] != false)
}

/// Why nobody answers at a Service.
async fn nobody(cluster: &Cluster, discovery: &Discovery, service: &Service) -> Answer<Option<String>> {
    let (namespace, name) = service;
    let Some(kind) = discovery.find("", "services") else { return Ok(None) };
    if cluster.get(kind, Some(namespace), name).await?.is_none() {
        return Ok(Some(format!("Service {namespace}/{name} does not exist")));
    }
    let Some(kind) = discovery.find("discovery.k8s.io", "endpointslices") else { return Ok(None) };
    let options = ListOptions {
        namespace: Some(namespace.clone()),
        selector: Selector { labels: Some(format!("kubernetes.io/service-name={name}")), fields: None },
        metadata_only: false,
    };
    let slices = cluster.list_all(kind, &options).await?;
    Ok((!slices.iter().any(has_ready_endpoint)).then(|| {
        format!(
            "Service {namespace}/{name} has no ready endpoint: kubectl get endpointslices -n {namespace} -l \
             kubernetes.io/service-name={name}"
        )
    }))
}

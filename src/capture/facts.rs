//! Facts about the network, and the namespaces that hold what was captured.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::{Batch, Capture, Failure, Role, gather::Gathering};
use crate::{
    certificates,
    cluster::{Answer, ApiKind, Cluster, Discovery, ListOptions, Refusal, Selector},
    model::{Class, Component, Extent, Facts, ItemKey},
};

/// Reads namespaces and nodes.
///
/// A namespace goes into every component that has items in it, so that each bundle can be restored alone, and where the
/// caller named it.
/// Component `policies` gets all of them: policies select by their labels.
pub(super) async fn namespaces_and_nodes(g: &Gathering<'_>, batch: &mut Batch, capture: &mut Capture) {
    match core(g, "namespaces").await {
        Ok((kind, namespaces)) => add_namespaces(g, kind, namespaces, batch, capture),
        Err(refusal) => capture.failures.extend(g.scope.components.iter().map(|component| Failure {
            component: *component,
            kind: "namespaces".into(),
            why: refusal.to_string(),
        })),
    }
    if g.scope.components.contains(&Component::Cni) {
        capture.facts = network(g).await;
        let unread = capture.facts.unread.iter();
        capture.warnings.extend(unread.map(|why| format!("{why}; no restore can compare the network by it")));
        // A failure to list nodes is reported already: they are a row of the catalog.
        if let Ok((_, nodes)) = core(g, "nodes").await {
            nodes.iter().for_each(|node| add_node(node, &mut capture.facts));
        }
    }
}

async fn core<'a>(g: &Gathering<'a>, plural: &str) -> Answer<(&'a ApiKind, Vec<Value>)> {
    let kind = g.discovery.find("", plural).ok_or_else(|| Refusal {
        code: 404,
        reason: "NotServed".into(),
        message: format!("the API server does not serve {plural}"),
        fields: Vec::new(),
        retry_after: Duration::ZERO,
    })?;
    Ok((kind, g.cluster.list_all(kind, &ListOptions::default()).await?))
}

fn add_namespaces(
    g: &Gathering<'_>,
    kind: &ApiKind,
    namespaces: Vec<Value>,
    batch: &mut Batch,
    capture: &mut Capture,
) {
    let config = batch.captured.iter().filter(|c| c.entry.class == Class::Config);
    let occupied = config.filter_map(|c| Some((c.entry.component, c.entry.key.namespace()?)));
    let also = g.scope.also.iter().filter(|(_, key)| key.is_kind("", "namespaces"));
    let wanted = occupied.chain(also.map(|(component, key)| (*component, key.name())));
    let wanted: BTreeSet<(Component, String)> = wanted
        .filter(|(component, _)| *component != Component::Policies)
        .map(|(component, name)| (component, name.to_owned()))
        .collect();
    for namespace in namespaces {
        let name = namespace["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if !namespace["metadata"]["deletionTimestamp"].is_null() {
            capture.terminating.insert(name.clone());
        }
        for component in &g.scope.components {
            let wanted = *component == Component::Policies || wanted.contains(&(*component, name.clone()));
            if wanted && !g.scope.exclude_namespaces.contains(&name) {
                let role = Role { component: *component, class: Class::Config, extent: Extent::Fields };
                g.add(batch, kind, namespace.clone(), role);
            }
        }
    }
}

fn add_node(node: &Value, facts: &mut Facts) {
    let Some(name) = node["metadata"]["name"].as_str() else { return };
    let ranges = node["spec"]["podCIDRs"].as_array().into_iter().flatten();
    let ranges: Vec<String> = ranges.filter_map(|range| range.as_str().map(Into::into)).collect();
    if !ranges.is_empty() {
        facts.pod_cidrs.insert(name.into(), ranges);
    }
    let annotations = node["metadata"]["annotations"].as_object().into_iter().flatten();
    let network: BTreeMap<String, String> = annotations
        .filter(|(key, _)| {
            key.starts_with("flannel.alpha.coreos.com/") || key.starts_with("projectcalico.org/")
        })
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    if !network.is_empty() {
        facts.node_annotations.insert(name.into(), network);
    }
}

/// Canal's rendered configuration says what is in force: the HelmChartConfig may not have been applied yet. What cannot be
/// read is named: it is not the same as what is not there.
async fn network(g: &Gathering<'_>) -> Facts {
    let mut unread = Vec::new();
    let mut get = async |group: &str, plural: &str, namespace: Option<&str>, name: &str| {
        let kind = g.discovery.find(group, plural)?;
        g.cluster.get(kind, namespace, name).await.unwrap_or_else(|refusal| {
            let key = ItemKey::resource(group, plural, namespace, name);
            unread.push(format!("{key} could not be read: {refusal}"));
            None
        })
    };
    let canal = get("", "configmaps", Some("kube-system"), "rke2-canal-config").await;
    let chart = get("helm.cattle.io", "helmcharts", Some("kube-system"), "rke2-canal").await;
    let range = get("networking.k8s.io", "servicecidrs", None, "kubernetes").await;
    let mut facts = Facts { unread, ..Facts::default() };
    if let Some(canal) = canal {
        facts.cni = Some("canal".into());
        facts.mtu = canal["data"]["veth_mtu"].as_str().and_then(|mtu| mtu.parse().ok());
        let network = canal["data"]["net-conf.json"].as_str().and_then(|t| serde_json::from_str(t).ok());
        let network: Value = network.unwrap_or_default();
        facts.cluster_cidr = network["Network"].as_str().map(Into::into);
        facts.backend = network["Backend"]["Type"].as_str().map(str::to_lowercase);
    }
    let set = |name: &str| chart.as_ref()?["spec"]["set"][name].as_str().map(str::to_owned);
    facts.cluster_cidr = facts.cluster_cidr.or_else(|| set("global.clusterCIDR"));
    let range = range.as_ref().and_then(|range| range["spec"]["cidrs"][0].as_str().map(str::to_owned));
    facts.service_cidr = range.or_else(|| set("global.serviceCIDR"));
    facts
}

/// Where cert-manager looks for a ClusterIssuer's Secrets.
pub(super) async fn issuer_namespace(cluster: &Cluster, discovery: &Discovery) -> Answer<String> {
    let issuers = discovery.find("cert-manager.io", "clusterissuers");
    let Some(kind) = issuers.and(discovery.find("apps", "deployments")) else {
        return Ok(certificates::CHART_DEFAULT.into());
    };
    let selector = Selector { labels: Some(certificates::CONTROLLER.into()), fields: None };
    let controllers = cluster.list_all(kind, &ListOptions { selector, ..ListOptions::default() }).await?;
    Ok(certificates::issuer_namespace(controllers.first()).to_owned())
}

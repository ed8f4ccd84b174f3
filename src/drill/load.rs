//! A snapshot's state on an empty API server: what it was captured from, as far as it was captured.
//!
//! In: the opened snapshots, an empty control plane. Out: their objects on it, and what could not be made. Invariant:
//! nothing but that plane is touched; no content of an object is in what is said of it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{Subject, control_plane::definitions};
use crate::{
    Error, Result,
    cluster::{Answer, ApiKind, Cluster, Discovery, Precondition},
    helm,
    model::{Content, Extent, Item, ItemKey},
    report::words::count,
};

/// Requests in flight.
const CREATES: usize = 16;
const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// What could not be made, and why.
    pub(super) left_out: Vec<String>,
    /// What had to be made up, because a snapshot has only a part of it.
    pub(super) made_up: Vec<String>,
    /// What is not as the snapshots have it, and must not become so: definitions whose webhook would be asked.
    pub(super) spared: BTreeSet<ItemKey>,
}

/// Makes them: definitions, namespaces, nodes, then the rest.
///
/// # Errors
/// When the API server cannot be reached, or refuses a definition, a namespace or a node.
pub(super) async fn load(cluster: &Cluster, subject: &Subject) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let mut objects = BTreeMap::new();
    let mut definitions = BTreeMap::new();
    for item in &subject.items {
        let Some(mut object) = object(item)? else { continue };
        if item.key.is_kind(DEFINITIONS.0, DEFINITIONS.1) {
            if convert_nothing(&mut object) {
                loaded.spared.insert(item.key.clone());
            }
            definitions.insert(item.key.name().to_owned(), object);
        } else if item.extent == Extent::Whole || !objects.contains_key(&item.key) {
            objects.insert(item.key.clone(), (item.extent, object));
        }
    }
    if !loaded.spared.is_empty() {
        let definitions = count(loaded.spared.len() as u64, "CustomResourceDefinition");
        loaded.made_up.push(format!(
            "{definitions} that a webhook converts between versions: here nobody is asked, only the version’s name changes, and no \
             plan brings the webhook back"
        ));
    }
    definitions::apply(cluster, &definitions).await?;
    let discovery = cluster.discover().await?;
    let loading = Loading { cluster, discovery: &discovery };

    let core = |plural: &str| {
        discovery
            .find("", plural)
            .ok_or_else(|| Error::failed(format!("the control plane serves no {plural}")))
    };
    let known: BTreeSet<String> =
        objects.keys().filter_map(|key| Some(key.namespace()?.to_owned())).collect();
    for name in known {
        let key = ItemKey::resource("", "namespaces", None, &name);
        let bare = || json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        objects.entry(key).or_insert_with(|| (Extent::Fields, bare()));
    }
    for node in nodes(subject) {
        let refused = |r: crate::cluster::Refusal| r.about("cannot create", "a node", cluster.server());
        loading.create(core("nodes")?, None, &node).await.map_err(refused)?;
    }
    let (namespaces, rest): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|(key, _)| key.is_kind("", "namespaces"));
    for (key, (_, namespace)) in &namespaces {
        let refused =
            |r: crate::cluster::Refusal| r.about("cannot create", &key.to_string(), cluster.server());
        loading.create(core("namespaces")?, None, namespace).await.map_err(refused)?;
    }
    let rest: Vec<_> = rest.into_iter().filter(|(key, _)| !key.is_kind("", "nodes")).collect();
    let services =
        rest.iter().filter(|(key, (extent, _))| *extent == Extent::Fields && key.is_kind("", "services"));
    match services.count() {
        0 => {}
        n => loaded.made_up.push(format!(
            "{} of applications: a snapshot has of them what is the load balancer's, and the ports are made up",
            count(n as u64, "Service")
        )),
    }
    let made = rest.iter().map(|(key, (extent, object))| loading.make(key, *extent, object.clone()));
    let made = stream::iter(made).buffer_unordered(CREATES);
    loaded.left_out = made.filter_map(async |left_out| left_out).collect().await;
    loaded.left_out.sort();
    Ok(loaded)
}

/// Takes the webhook out that converts between a definition's versions, and says whether there was one: the API server would
/// ask it, and its address may be production's.
fn convert_nothing(definition: &mut Value) -> bool {
    let converts = definition["spec"]["conversion"]["strategy"] == "Webhook";
    if converts {
        definition["spec"]["conversion"] = json!({"strategy": "None"});
    }
    converts
}

/// As an API server takes it; none where it is a file.
fn object(item: &Item) -> Result<Option<Value>> {
    Ok(match &item.content {
        Content::Resource(json) => Some(json.value()),
        Content::Release(json) => Some(helm::encode(&json.value())?),
        Content::File(_) => None,
    })
}

/// The nodes that the snapshot knows of: each has the pod CIDR that it had, is ready, and is marked as played.
fn nodes(subject: &Subject) -> Vec<Value> {
    let captured = subject.items.iter().filter(|item| item.key.is_kind("", "nodes"));
    let owned: BTreeMap<&str, Value> =
        captured.filter_map(|item| Some((item.key.name(), item.json()?.value()))).collect();
    let mut names = subject.nodes_of_network();
    if names.is_empty() {
        names.insert("netdr-drill-node"); // a rollout needs one
    }
    names.into_iter().map(|name| node(name, owned.get(name), subject)).collect()
}

fn node(name: &str, owned: Option<&Value>, subject: &Subject) -> Value {
    let mut node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "node-role.kubernetes.io/control-plane": "true"},
            "annotations": subject.facts.node_annotations.get(name).cloned().unwrap_or_default(),
        },
        "status": {
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "250"},
            "capacity": {"cpu": "16", "memory": "64Gi", "pods": "250"},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Played", "message": "netdr drill says so"},
                {"type": "NetworkUnavailable", "status": "False", "reason": "Played", "message": "netdr drill says so"},
            ],
        },
    });
    let annotations =
        owned.and_then(|owned| owned["metadata"]["annotations"].as_object()).into_iter().flatten();
    for (key, value) in annotations {
        node["metadata"]["annotations"][key] = value.clone();
    }
    node["metadata"]["annotations"]["kwok.x-k8s.io/node"] = "fake".into();
    if let Some(ranges) = subject.facts.pod_cidrs.get(name).filter(|ranges| !ranges.is_empty()) {
        node["spec"] = json!({"podCIDR": ranges[0], "podCIDRs": ranges});
    }
    node
}

struct Loading<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
}

impl Loading<'_> {
    /// Why it was not made.
    async fn make(&self, key: &ItemKey, extent: Extent, mut object: Value) -> Option<String> {
        let (group, plural) = match key {
            ItemKey::Resource { group, plural, .. } => (group.as_str(), plural.as_str()),
            ItemKey::Release { .. } => ("", "secrets"),
            ItemKey::File { .. } => return None,
        };
        if extent == Extent::Fields {
            match plural {
                "services" => object["spec"]["ports"] = json!([{"port": 80}]),
                _ => return Some(format!("{key}: the snapshot has only a part of it")),
            }
            if !object["spec"]["loadBalancerClass"].is_null() || !object["spec"]["loadBalancerIP"].is_null() {
                object["spec"]["type"] = "LoadBalancer".into();
            }
        }
        let Some(kind) = self.discovery.find(group, plural) else {
            return Some(format!("{key}: the snapshot has no CustomResourceDefinition of its kind"));
        };
        let mut kind = kind.clone();
        if let Some(version) = object["apiVersion"].as_str().and_then(|version| version.rsplit('/').next()) {
            kind.version = version.to_owned();
        }
        // The reason alone: the API server's words may repeat a value.
        let refusal = self.create(&kind, key.namespace(), &object).await.err()?;
        Some(format!("{key}: the API server refuses it: {} {}", refusal.reason, refusal.fields.join(", ")))
    }

    /// Makes it, or makes what is there already like it.
    async fn create(&self, kind: &ApiKind, namespace: Option<&str>, object: &Value) -> Answer<()> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match self.cluster.create(kind, namespace, object.to_string().as_bytes()).await {
            Err(refusal)
                if refusal.is_conflict() && matches!(kind.plural.as_str(), "namespaces" | "nodes") =>
            {
                self.cluster.merge(kind, namespace, name, object).await
            }
            Err(refusal) if refusal.is_conflict() => {
                let live = self.cluster.get(kind, namespace, name).await?.unwrap_or_default();
                self.cluster.replace(kind, namespace, name, object.clone(), &Precondition::of(&live)).await
            }
            answer => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_webhook_is_asked_to_convert() {
        let webhook =
            json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://production/"}}});
        let mut definition = json!({"spec": {"group": "a.b", "conversion": webhook}});
        assert!(convert_nothing(&mut definition));
        assert_eq!(definition, json!({"spec": {"group": "a.b", "conversion": {"strategy": "None"}}}));
        assert!(!convert_nothing(&mut definition));
        let mut plain = json!({"spec": {"group": "a.b"}});
        assert!(!convert_nothing(&mut plain) && plain == json!({"spec": {"group": "a.b"}}));
    }
}

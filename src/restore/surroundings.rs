//! What a restored ingress needs and is no item of its own: room on nodes, Secrets that its routes name.
//!
//! In: a cluster, the source's items, a capture. Out: nodes; references that lead nowhere. Invariant: nothing is changed;
//! of Secrets only whether they exist is asked, and only of those that an item names.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::{
    capture::Capture,
    catalog::references,
    cluster::{Cluster, Discovery, ListOptions},
    model::{Class, Component, Content, Index, IndexEntry, Item, ItemKey},
};

/// Objects asked for at once.
const READS: usize = 16;

type Items = BTreeMap<(Component, ItemKey), Item>;

/// The nodes, where a Deployment of the source may have to be rolled out on them. None where they cannot be read: then
/// a rollout takes no room for granted.
pub(super) async fn nodes(cluster: &Cluster, discovery: &Discovery, items: &Items) -> Vec<Value> {
    let rolls = items.keys().any(|(_, key)| key.is_kind("apps", "deployments"));
    match discovery.find("", "nodes").filter(|_| rolls) {
        Some(kind) => cluster.list_all(kind, &ListOptions::default()).await.unwrap_or_default(),
        None => Vec::new(),
    }
}

/// Whether an item of the ingress may name Secrets: routes, TLS settings, middlewares, gateways.
pub(super) fn is_route(entry: &IndexEntry) -> bool {
    let ItemKey::Resource { group, plural, .. } = &entry.key else { return false };
    entry.component == Component::Ingress
        && entry.class == Class::Config
        && matches!(group.as_str(), "traefik.io" | "gateway.networking.k8s.io" | "networking.k8s.io")
        && plural != "ingressclasses"
}

/// Items of the source with a Secret or ConfigMap that they cannot do without, and that neither the source nor the
/// cluster has. Of an item that does not differ the live content is the source's.
pub(super) async fn dangling(
    cluster: &Cluster,
    index: &Index,
    items: &Items,
    live: &Capture,
) -> Vec<(ItemKey, ItemKey)> {
    let config = index.entries.iter().filter(|entry| entry.class == Class::Config);
    let mut known: BTreeSet<&ItemKey> = config.map(|entry| &entry.key).collect();
    known.extend(live.items.iter().map(|live| &live.entry.key));
    let equal: BTreeMap<(Component, &ItemKey), &Content> =
        live.items.iter().filter_map(|live| Some((live.id(), live.content.as_ref()?))).collect();
    let mut named: Vec<(ItemKey, ItemKey)> = Vec::new();
    for entry in index.entries.iter().filter(|entry| is_route(entry)) {
        let wanted = items.get(&(entry.component, entry.key.clone())).map(|item| &item.content);
        let content = wanted.or_else(|| equal.get(&(entry.component, &entry.key)).copied());
        let Some(Content::Resource(json)) = content else { continue };
        for (secret, needed) in references::references(&entry.key, &json.value(), "") {
            if needed && !known.contains(&secret) && references::excluded(&secret).is_none() {
                named.push((entry.key.clone(), secret));
            }
        }
    }
    let unknown: BTreeSet<ItemKey> = named.iter().map(|(_, secret)| secret.clone()).collect();
    let reads = unknown.into_iter().map(|secret| async {
        let is_absent = absent(cluster, &live.discovery, &secret).await;
        is_absent.then_some(secret)
    });
    let absent: BTreeSet<ItemKey> =
        stream::iter(reads).buffer_unordered(READS).filter_map(async |secret| secret).collect().await;
    named.retain(|(_, secret)| absent.contains(secret));
    named
}

/// Whether the API server says that there is no such object; what it does not let see may be there.
async fn absent(cluster: &Cluster, discovery: &Discovery, key: &ItemKey) -> bool {
    let ItemKey::Resource { group, plural, namespace, name } = key else { return false };
    match discovery.find(group, plural) {
        Some(kind) => matches!(cluster.get(kind, namespace.as_deref(), name).await, Ok(None)),
        None => false,
    }
}

//! Live objects in the version that the source has them in.
//!
//! In: the source's items, a capture. Out: the capture, in which an object that the source has in another version of its
//! kind is as that version shows it. Invariant: only what the source has so is read again, and only where its version
//! is still served; anything else is judged as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    canonical,
    capture::{Capture, Captured},
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Listed, Precondition},
    model::{Component, Content, Extent, IndexEntry, Item, ItemKey, Json},
};

/// Reads again what is stored in another version than captures read, the one that the server prefers. Contents compare
/// within one version only: what was stored before an upgrade would differ for ever, from itself too.
///
/// One list a kind and version. Where that fails (a conversion webhook that does not answer), the acts meet the same
/// failure and report it.
pub(super) async fn align(
    cluster: &Cluster,
    items: &BTreeMap<(Component, ItemKey), Item>,
    live: &mut Capture,
) {
    let discovery = &live.discovery;
    let stored = |captured: &Captured| {
        let item = items.get(&(captured.entry.component, captured.entry.key.clone()))?;
        stored_kind(discovery, item).filter(|_| captured.entry.extent == Extent::Whole)
    };
    let mut wanted: BTreeMap<ApiKind, BTreeSet<&ItemKey>> = BTreeMap::new();
    for captured in &live.items {
        if let Some(kind) = stored(captured) {
            wanted.entry(kind).or_default().insert(&captured.entry.key);
        }
    }
    let mut shown: BTreeMap<(ItemKey, ApiKind), Value> = BTreeMap::new();
    for (kind, keys) in wanted {
        let each = |listed: Listed| {
            let Listed::Object(object) = listed else { return };
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            let key = ItemKey::resource(&kind.group, &kind.plural, metadata["namespace"].as_str(), name);
            if keys.contains(&key) {
                shown.insert((key, kind.clone()), object);
            }
        };
        let _ = cluster.list(&kind, &ListOptions::default(), each).await;
    }
    for captured in &mut live.items {
        let object = stored(captured).and_then(|kind| shown.remove(&(captured.entry.key.clone(), kind)));
        if let Some(mut item) = captured.item()
            && let Some(object) = object
        {
            captured.seen = Precondition::of(&object);
            item.content = Content::Resource(Json::new(&canonical::canonical(&item.key, object)));
            captured.entry = IndexEntry::of(&item);
            captured.content = Some(item.content);
        }
    }
}

/// The kind of an item in its stored version, where that is served and not the preferred one.
fn stored_kind(discovery: &Discovery, item: &Item) -> Option<ApiKind> {
    let ItemKey::Resource { group, plural, .. } = &item.key else { return None };
    let kind = discovery.find(group, plural)?;
    let object = item.json()?.value();
    let version = object["apiVersion"].as_str()?.rsplit('/').next()?;
    let other = version != kind.version && discovery.serves(group, plural, version);
    other.then(|| ApiKind { version: version.into(), ..kind.clone() })
}

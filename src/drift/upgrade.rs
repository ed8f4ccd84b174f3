//! What an upgrade of a Helm release did, proved by what the release asks for and what the snapshot held.
//!
//! In: a difference, the revisions that releases had since the snapshot. Out: which revision made it, and what there was
//! before. Invariant: a hand edit is never taken for an upgrade, not even of the same object: with what two manifests do not
//! agree in put back as it was, a changed object's digest is the stored one, so that nothing else differs; and it has
//! what the new manifest asks for, and no more, wherever they do not agree.

mod asked;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Seen, expected, value};
use crate::{
    canonical,
    model::{Extent, ItemKey},
    plan::Change,
};

use asked::Asked;

/// Kubernetes dates objects by the second.
const SECOND: TimeDelta = TimeDelta::seconds(1);

/// A release, and what its revisions render.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// Which.
    pub release: ItemKey,
    /// The newest deployed one first, then those before it, down to the one that was there at the time of the snapshot.
    pub revisions: Vec<Rendered>,
}

/// A revision of a release.
#[derive(Clone)]
pub struct Rendered {
    /// Its number.
    pub version: u64,
    /// When the API server made its Secret.
    pub created: DateTime<Utc>,
    /// Its manifest, as the cluster calls what is in it.
    pub objects: BTreeMap<ItemKey, Value>,
}

impl Rendered {
    /// Whether it was there then already.
    pub fn was_there(&self, then: DateTime<Utc>) -> bool {
        self.created + SECOND <= then
    }
}

/// What an upgrade did.
pub(super) struct Done {
    /// Which, and how that is known.
    pub(super) why: String,
    /// The object before, where there was one: as it was, or as the manifest had it.
    pub(super) before: Option<Value>,
}

/// The upgrade that made this difference.
pub(super) fn done(seen: &Seen, upgrades: &[Upgrade]) -> Option<Done> {
    upgrades.iter().find_map(|upgrade| upgrade.did(seen))
}

impl Upgrade {
    fn did(&self, seen: &Seen) -> Option<Done> {
        let key = &seen.difference.key;
        let (deployed, earlier) = self.revisions.split_first()?;
        if deployed.was_there(seen.since) {
            return None; // nothing was upgraded since
        }
        let at_snapshot = earlier.iter().position(|revision| revision.was_there(seen.since));
        let earlier = &earlier[..at_snapshot.map_or(earlier.len(), |at| at + 1)];
        let new = deployed.objects.get(key);
        let mut old = earlier.iter().filter_map(|revision| revision.objects.get(key));
        let (how, before) = match seen.difference.change {
            Change::Added => {
                let (new, after) = (self.marked(new?)?, value(seen.after.as_ref()?));
                EXTENTS.into_iter().find(|extent| {
                    content(key, *extent, &new, &after).is_some_and(|new| Asked::of(key).is_all(&after, &new))
                })?;
                ("it is what that asks for, and nothing more", None)
            }
            Change::Removed => {
                let before = old.find(|old| new.is_none() && !is_kept(old))?;
                ("an earlier revision has it, and that has not", Some(before.clone()))
            }
            Change::Changed => {
                let (new, after) = (new?, value(seen.after.as_ref()?));
                (
                    "what changed is what that changes, and nothing else differs",
                    Some(old.find_map(|old| was(seen, &after, new, old))?),
                )
            }
        };
        let why = format!("by the upgrade of {} to revision {}: {how}", self.release, deployed.version);
        Some(Done { why, before })
    }

    /// With what Helm itself writes into an object that it makes (pkg/action/validate.go, setMetadataVisitor).
    /// None where a manifest has there what is no map: the API server takes no such object.
    fn marked(&self, object: &Value) -> Option<Value> {
        let mut object = object.clone();
        let metadata = object.get_mut("metadata")?.as_object_mut()?;
        let mut mark = |place: &str, name: &str, value: &str| {
            let map = metadata.entry(place).or_insert_with(|| json!({}));
            if map.is_null() {
                *map = json!({});
            }
            map.as_object_mut()?.insert(name.to_owned(), value.into());
            Some(())
        };
        mark("labels", "app.kubernetes.io/managed-by", "Helm")?;
        mark("annotations", "meta.helm.sh/release-name", self.release.name())?;
        mark("annotations", "meta.helm.sh/release-namespace", self.release.namespace()?)?;
        Some(object)
    }
}

/// An object may be captured whole, as its release renders it, and of another component for some of its fields.
const EXTENTS: [Extent; 2] = [Extent::Whole, Extent::Fields];

/// What the snapshot holds, where `after` is that with nothing changed but what `new` changes of `old`.
fn was(seen: &Seen, after: &Value, new: &Value, old: &Value) -> Option<Value> {
    let key = &seen.difference.key;
    EXTENTS.into_iter().find_map(|extent| {
        let (new, old) = (content(key, extent, new, after)?, content(key, extent, old, after)?);
        let before = Asked::of(key).before(after, &new, &old)?;
        expected::stored(seen, before)
    })
}

/// What of a manifest's object would be captured of it; in the version in which the cluster serves it.
fn content(key: &ItemKey, extent: Extent, object: &Value, live: &Value) -> Option<Value> {
    let mut object = object.clone();
    object["apiVersion"] = live["apiVersion"].clone();
    object["metadata"].as_object_mut()?.extend(key.namespace().map(|n| ("namespace".to_owned(), n.into())));
    canonical::content(key, extent, object)
}

/// Whether Helm leaves it where it is when a revision has it no more: then it went by somebody's hand.
fn is_kept(object: &Value) -> bool {
    object["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rendered(revision {}, {} objects)", self.version, self.objects.len())
    }
}

#[cfg(test)]
mod tests;

//! What controllers and tools left of what they did, read where a difference may be of their doing.
//!
//! In: a cluster, what differs. Out: what proves it. Invariant: what could not be read is said, for without it a renewal or an
//! upgrade only looks like somebody's doing.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::Live;
use crate::{
    Result,
    capture::Scope,
    cluster::{ApiKind, Cluster, Discovery},
    drift::{Rendered, Traces, Upgrade},
    helm::{self, Revision},
    model::ItemKey,
    plan::Change,
    restore::observe,
};

/// Reads what may explain the differences; of what could not be read it says so among what was not.
pub(super) async fn read(cluster: &Cluster, scope: &Scope, live: &mut Live) -> Result<Traces> {
    let mut traces = Traces::default();
    let is_resource = |key: &ItemKey| matches!(key, ItemKey::Resource { .. });
    let Some(since) =
        live.seen.iter().filter(|s| is_resource(&s.difference.key)).map(|seen| seen.since).min()
    else {
        return Ok(traces);
    };
    let discovery = cluster.discover().await?;
    let mut changed = live.seen.iter().filter(|seen| seen.difference.change == Change::Changed);
    if changed.any(|seen| seen.difference.key.is_kind("", "secrets")) {
        traces.issued = observe(cluster, &discovery, &scope.exclude_namespaces).await;
        live.unread.extend(traces.issued.unread().map(ToOwned::to_owned));
    }
    let Some(secrets) = discovery.find("", "secrets") else { return Ok(traces) };
    for deployed in helm::choose(&live.revisions).0 {
        let releases = Releases { cluster, discovery: &discovery, secrets };
        match releases.upgrade(&deployed, &live.revisions, since).await {
            Ok(upgrade) => traces.upgrades.push(upgrade),
            Err(why) => live.unread.push(why),
        }
    }
    Ok(traces)
}

/// Releases of a cluster.
struct Releases<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
    secrets: &'a ApiKind,
}

impl Releases<'_> {
    /// A release with its revisions since, and the one before.
    async fn upgrade(
        &self,
        deployed: &Revision,
        revisions: &[Revision],
        since: DateTime<Utc>,
    ) -> Result<Upgrade, String> {
        let Revision { namespace, name, version, .. } = deployed;
        let release = ItemKey::Release { namespace: namespace.clone(), name: name.clone() };
        let of_it = |r: &&Revision| r.name == *name && r.namespace == *namespace && r.version <= *version;
        let mut earlier: Vec<&Revision> = revisions.iter().filter(of_it).collect();
        earlier.sort_by_key(|revision| std::cmp::Reverse(revision.version));
        earlier.dedup_by_key(|revision| revision.version); // two sets may look at one release
        let mut upgrade = Upgrade { release, revisions: Vec::new() };
        for revision in earlier {
            let secret = self.cluster.get(self.secrets, Some(namespace), &revision.secret_name).await;
            let secret = secret.map_err(|refusal| {
                format!("{}: revision {}: {refusal}", upgrade.release, revision.version)
            })?;
            // Helm forgets old revisions, and who can no longer read one is not told what it did.
            let Some(rendered) = secret.and_then(|secret| self.rendered(revision, &secret)) else { break };
            let was_there = rendered.was_there(since);
            upgrade.revisions.push(rendered);
            if was_there {
                break;
            }
        }
        Ok(upgrade)
    }

    fn rendered(&self, revision: &Revision, secret: &Value) -> Option<Rendered> {
        let created = secret["metadata"]["creationTimestamp"].as_str()?.parse().ok()?;
        let objects = helm::manifest_objects(&helm::decode(secret).ok()?).ok()?;
        let named = objects.into_iter().filter_map(|object| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let version = text(&object["apiVersion"]);
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let kind = self.discovery.find_kind(group, &text(&object["kind"]))?;
            let own = object["metadata"]["namespace"].as_str().unwrap_or(&revision.namespace);
            let namespace = kind.namespaced.then_some(own);
            let name = text(&object["metadata"]["name"]);
            Some((ItemKey::resource(&kind.group, &kind.plural, namespace, &name), object))
        });
        Some(Rendered { version: revision.version, created, objects: named.collect() })
    }
}

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
    let mut changed = live.seen.iter().filter(|seen| seen.difference.change == Change::Changed);
    let may_be_renewed = changed.any(|seen| seen.difference.key.is_kind("", "secrets"));
    let deployed = told(live);
    if !may_be_renewed && deployed.is_empty() {
        return Ok(traces);
    }
    let discovery = cluster.discover().await?;
    if may_be_renewed {
        traces.issued = observe(cluster, &discovery, &scope.exclude_namespaces).await;
        live.unread.extend(traces.issued.unread().map(ToOwned::to_owned));
    }
    let Some(secrets) = discovery.find("", "secrets") else { return Ok(traces) };
    let releases = Releases { cluster, discovery: &discovery, secrets };
    for deployed in deployed {
        match releases.upgrade(&deployed, &live.revisions, since).await {
            Ok(upgrade) => traces.upgrades.push(upgrade),
            Err(why) => live.unread.push(why),
        }
    }
    Ok(traces)
}

/// The deployed revision of each release that differs, as every one does that was upgraded. What an upgrade did is left out
/// for its release is told instead; of Canal's, which RKE2 renders and no comparison looks at, nothing would be.
fn told(live: &Live) -> Vec<Revision> {
    let is_told = |revision: &Revision| live.seen.iter().any(|seen| seen.difference.key == key(revision));
    helm::choose(&live.revisions).0.into_iter().filter(is_told).collect()
}

fn key(Revision { namespace, name, .. }: &Revision) -> ItemKey {
    ItemKey::Release { namespace: namespace.clone(), name: name.clone() }
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
        let of_it = |r: &&Revision| r.name == *name && r.namespace == *namespace && r.version <= *version;
        let mut earlier: Vec<&Revision> = revisions.iter().filter(of_it).collect();
        earlier.sort_by_key(|revision| std::cmp::Reverse(revision.version));
        earlier.dedup_by_key(|revision| revision.version); // two sets may look at one release
        let mut upgrade = Upgrade { release: key(deployed), revisions: Vec::new() };
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{drift::Seen, model::Component, plan::Difference};

    /// Canal's release is evidence, and never compared: what somebody's upgrade of it did must be told of each object.
    #[test]
    fn an_upgrade_explains_nothing_where_its_release_is_not_told() {
        let revision = |namespace: &str, name: &str| {
            let labels = json!({"owner": "helm", "name": name, "version": "2", "status": "deployed"});
            let metadata = json!({"name": "x", "namespace": namespace, "labels": labels});
            Revision::of(&json!({"metadata": metadata})).unwrap()
        };
        let seen = |key: ItemKey| Seen {
            difference: Difference {
                key,
                component: Component::Cni,
                change: Change::Changed,
                fields: Vec::new(),
            },
            before: None,
            after: None,
            stored: None,
            was_tls: false,
            autoscaled: false,
            since: DateTime::UNIX_EPOCH,
        };
        let [canal, traefik] = [("kube-system", "rke2-canal"), ("traefik", "traefik")];
        let revisions = [canal, traefik].map(|(namespace, name)| revision(namespace, name));
        let daemonset = ItemKey::resource("apps", "daemonsets", Some(canal.0), canal.1);
        let seen = [daemonset, key(&revisions[1])].map(seen).into();
        let live = Live { seen, unread: Vec::new(), revisions: revisions.clone().into() };
        assert_eq!(told(&live), revisions[1..]);
    }
}

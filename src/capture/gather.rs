//! The capture itself: lists in parallel, then what they name, then what holds them.

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{Batch, Capture, Captured, Failure, Role, Scope, facts, releases};
use crate::{
    Result, canonical,
    catalog::{self, ExtraKind, Kind, Select, TRAEFIK_V2, references},
    certificates,
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Listed, Precondition, Refusal, Selector},
    model::{Class, Component, Content, Extent, IndexEntry, Item, ItemKey, Json},
};

/// Lists in flight: enough to keep the API server busy, few enough for its fairness queues.
const LISTS: usize = 6;
/// Single reads in flight.
pub(super) const READS: usize = 16;

/// Whether the content of an item is wanted, given its index line: a backup keeps all, a comparison what differs.
pub type Keep<'a> = dyn Fn(&IndexEntry) -> bool + Send + Sync + 'a;

/// Everything one capture needs, in one place.
pub(super) struct Gathering<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) discovery: &'a Discovery,
    pub(super) scope: &'a Scope,
    pub(super) keep: &'a Keep<'a>,
    pub(super) now: DateTime<Utc>,
    /// Where cert-manager keeps a ClusterIssuer's Secrets.
    pub(super) issuer_namespace: String,
}

/// Objects by namespace and name.
pub(super) type Names = Vec<(Option<String>, String)>;

/// What reading one kind came to.
pub(super) enum Outcome {
    Read(Batch),
    Absent(Component, String),
    Failed(Failure),
}

/// Captures the scope. `now` judges certificates' validity.
///
/// # Errors
/// Only when the cluster cannot be reached at all; what a kind refuses is in [`Capture::failures`].
pub async fn capture(
    cluster: &Cluster,
    scope: &Scope,
    now: DateTime<Utc>,
    keep: &Keep<'_>,
) -> Result<Capture> {
    let discovery = cluster.discover().await?;
    let mut capture = Capture::default();
    let issuer_namespace = facts::issuer_namespace(cluster, &discovery).await.unwrap_or_else(|refusal| {
        // Elsewhere than guessed, a ClusterIssuer's Secrets would only seem not to exist.
        let component = Component::Certificates;
        capture.failures.extend(scope.components.contains(&component).then(|| Failure {
            component,
            kind: "deployments.apps".into(),
            why: refusal.to_string(),
        }));
        certificates::CHART_DEFAULT.into()
    });
    let g = Gathering { cluster, discovery: &discovery, scope, keep, now, issuer_namespace };
    let mut batch = Batch::default();

    let rows: Vec<&Kind> = scope.components.iter().flat_map(|c| catalog::rows(*c)).collect();
    let mut lists = stream::iter(rows.into_iter().map(|row| g.list_row(row))).buffer_unordered(LISTS);
    while let Some(outcome) = lists.next().await {
        capture.take(outcome, &mut batch);
    }
    drop(lists);
    for extra in scope.extra.iter().filter(|e| scope.components.contains(&e.component)) {
        capture.take(g.list_extra(extra).await, &mut batch);
    }
    for outcome in releases::read(&g).await {
        capture.take(outcome, &mut batch);
    }
    g.follow(&mut batch, &mut capture).await;
    g.also(&mut batch, &mut capture).await;
    g.definitions(&mut batch, &mut capture).await;
    facts::namespaces_and_nodes(&g, &mut batch, &mut capture).await;

    capture.warnings.append(&mut batch.warnings);
    capture.revisions = batch.revisions;
    capture.autoscaled = batch.autoscaled;
    capture
        .revisions
        .sort_by(|a, b| (&a.namespace, &a.name, a.version).cmp(&(&b.namespace, &b.name, b.version)));
    capture.items = once(batch.captured);
    capture.failures.sort_by(|a, b| (a.component, &a.kind).cmp(&(b.component, &b.kind)));
    capture.failures.dedup();
    capture.warnings.sort();
    capture.warnings.dedup();
    capture.discovery = discovery;
    Ok(capture)
}

/// Each item once, in order. A release renders whole what a list takes some fields of: whole wins, or the rest of the
/// object would be in no snapshot.
fn once(mut captured: Vec<Captured>) -> Vec<Captured> {
    let fields = |c: &Captured| c.entry.extent == Extent::Fields;
    captured.sort_by(|a, b| (a.id(), fields(a)).cmp(&(b.id(), fields(b))));
    captured.dedup_by(|a, b| a.id() == b.id());
    captured
}

impl Capture {
    pub(super) fn take(&mut self, outcome: Outcome, batch: &mut Batch) {
        match outcome {
            Outcome::Read(more) => batch.merge(more),
            Outcome::Absent(component, kind) => {
                self.absent.entry(component).or_default().insert(kind);
            }
            Outcome::Failed(failure) => self.failures.push(failure),
        }
    }
}

impl Gathering<'_> {
    async fn list_row(&self, row: &Kind) -> Outcome {
        let Some(kind) = self.discovery.find(row.group, row.plural) else {
            return self.not_served(row.component, row.group, row.plural);
        };
        let role = Role { component: row.component, class: row.class, extent: row.extent() };
        match row.select {
            Select::All => self.list(kind, Selector::default(), role).await,
            Select::SecretType(secret_type) => {
                self.list(kind, Selector::fields(format!("type={secret_type}")), role).await
            }
            Select::Named(names) => {
                let names = names.iter().map(|(namespace, name)| {
                    let namespace = (!namespace.is_empty()).then(|| (*namespace).to_owned());
                    (namespace, (*name).to_owned())
                });
                self.read_named(kind, names.collect(), role).await
            }
        }
    }

    async fn list_extra(&self, extra: &ExtraKind) -> Outcome {
        match self.discovery.find_kind(&extra.group, &extra.kind) {
            Some(kind) => {
                let role = Role { component: extra.component, class: Class::Config, extent: Extent::Whole };
                self.list(kind, Selector::default(), role).await
            }
            None => self.not_served(extra.component, &extra.group, &extra.kind),
        }
    }

    /// A kind that discovery lacks is absent, unless its group's server is dead: then nobody knows.
    pub(super) fn not_served(&self, component: Component, group: &str, name: &str) -> Outcome {
        let kind = if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") };
        if self.discovery.is_stale(group) {
            let why =
                format!("the server of API group {group} does not answer; see: kubectl get apiservices");
            return Outcome::Failed(Failure { component, kind, why });
        }
        Outcome::Absent(component, kind)
    }

    async fn list(&self, kind: &ApiKind, selector: Selector, role: Role) -> Outcome {
        let options = ListOptions { selector, ..ListOptions::default() };
        let mut batch = Batch::default();
        let listed = self
            .cluster
            .list(kind, &options, |listed| match listed {
                Listed::Object(object) => self.add(&mut batch, kind, object, role),
                Listed::Restarted => batch = Batch::default(),
            })
            .await;
        match listed {
            Ok(()) => Outcome::Read(batch),
            Err(refusal) => refused(role.component, kind, &refusal),
        }
    }

    /// Reads single objects; what does not exist is not there, anything else is a failure.
    pub(super) async fn read_named(&self, kind: &ApiKind, names: Names, role: Role) -> Outcome {
        let reads = names.into_iter().map(|(namespace, name)| async move {
            self.cluster.get(kind, namespace.as_deref(), &name).await
        });
        let mut reads = stream::iter(reads).buffer_unordered(READS);
        let mut batch = Batch::default();
        while let Some(answer) = reads.next().await {
            match answer {
                Ok(Some(object)) => self.add(&mut batch, kind, object, role),
                Ok(None) => {}
                Err(refusal) => return refused(role.component, kind, &refusal),
            }
        }
        Outcome::Read(batch)
    }

    /// One object becomes an item; what it names is remembered.
    pub(super) fn add(&self, batch: &mut Batch, kind: &ApiKind, object: Value, role: Role) {
        let metadata = &object["metadata"];
        let (Some(name), namespace) = (metadata["name"].as_str(), metadata["namespace"].as_str()) else {
            return;
        };
        if namespace.is_some_and(|n| self.scope.exclude_namespaces.contains(n)) {
            return;
        }
        let key = ItemKey::resource(&kind.group, &kind.plural, namespace, name);
        let class = catalog::classify(role.class, &key, &object);
        if class == Class::Generated && key.is_kind("", "secrets") {
            return; // its controller makes it again, or no restore may bring it back: it is never even stored
        }
        let seen = Precondition {
            uid: metadata["uid"].as_str().unwrap_or_default().into(),
            resource_version: metadata["resourceVersion"].as_str().unwrap_or_default().into(),
        };
        let managed_by = catalog::managed_by(&object);
        if catalog::is_autoscaled(&object) {
            batch.autoscaled.insert((role.component, key.clone()));
        }
        if class == Class::Config {
            for (named, needed) in references::references(&key, &object, &self.issuer_namespace) {
                batch.refer((role.component, named), needed.then(|| key.clone()));
            }
        }
        if role.component == Component::Certificates && object["type"] == "kubernetes.io/tls" {
            batch.warnings.extend(certificates::warnings(&key, &object, self.now));
        }
        if kind.group == TRAEFIK_V2 {
            batch.warnings.push(format!("{key} is dead: Traefik v3 does not read API group {TRAEFIK_V2}"));
        }
        // What the source has exists here too, even if all that netdr owns of it was taken away.
        let content = match self.scope.also.contains(&(role.component, key.clone())) {
            true => canonical::present(&key, role.extent, object),
            false => canonical::content(&key, role.extent, object),
        };
        let Some(content) = content else { return };
        let content = Content::Resource(Json::new(&content));
        self.push(
            batch,
            Item { key, component: role.component, class, extent: role.extent, content },
            seen,
            managed_by,
        );
    }

    pub(super) fn push(
        &self,
        batch: &mut Batch,
        item: Item,
        seen: Precondition,
        managed_by: Option<&'static str>,
    ) {
        let sha256 = item.sha256();
        let Item { key, component, class, extent, content } = item;
        let entry = IndexEntry { key, component, class, extent, sha256 };
        let content = (self.keep)(&entry).then_some(content);
        batch.captured.push(Captured { entry, content, seen, managed_by });
    }
}

/// A kind whose CRD went away between discovery and the list is absent; every other refusal is a failure.
pub(super) fn refused(component: Component, kind: &ApiKind, refusal: &Refusal) -> Outcome {
    if refusal.is_not_found() {
        return Outcome::Absent(component, kind.name());
    }
    Outcome::Failed(Failure { component, kind: kind.name(), why: refusal.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_captured_whole_and_in_part_is_kept_whole() {
        let service = |name: &str, extent| Captured {
            entry: IndexEntry {
                key: ItemKey::resource("", "services", Some("edge"), name),
                component: Component::Loadbalancer,
                class: Class::Config,
                extent,
                sha256: String::new(),
            },
            content: None,
            seen: Precondition { uid: String::new(), resource_version: String::new() },
            managed_by: None,
        };
        let (whole, fields) = (service("lb", Extent::Whole), service("lb", Extent::Fields));
        for both in [[whole.clone(), fields.clone()], [fields, whole]] {
            let kept = once([&both[..], &[service("a", Extent::Fields)]].concat());
            let kept: Vec<_> = kept.iter().map(|c| (c.entry.key.name(), c.entry.extent)).collect();
            assert_eq!(kept, [("a", Extent::Fields), ("lb", Extent::Whole)]);
        }
    }
}

//! How the live state differs from what people author in Git.
//!
//! In: sources, a cluster. Out: differences, as a restore from Git would see them, and what was not compared. Invariant:
//! nothing is written (the API server is asked by dry runs how it would store what is in Git); what could not be compared
//! is named, and never taken for equal.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::sources::{Reading, Sources};
use crate::{
    Error, Result,
    capture::{Capture, Captured, Scope, capture},
    catalog,
    cluster::Cluster,
    gitops::{self, GitSource},
    helm,
    model::{Class, Component, Content, Extent, Index, IndexEntry, ItemKey, SourceName},
    plan::{Change, Difference, FieldChange, OWN_TIERS, diff},
    signature::TrustedSigners,
};

/// What is compared.
pub struct Comparing<'a> {
    /// Where people author objects.
    pub objects: gitops::Wanted,
    /// Where they author the values of releases.
    pub values: gitops::Wanted,
    /// Whose commits are read.
    pub trusted: &'a TrustedSigners,
    /// What is live.
    pub cluster: &'a Cluster,
    /// Excluded namespaces, extra kinds and Helm releases; its components are the sources'.
    pub scope: &'a Scope,
    /// When the comparison begins.
    pub now: DateTime<Utc>,
}

/// What comparing came to.
#[derive(Debug, Default)]
pub struct Against {
    /// From Git to the cluster: what is added is on the cluster alone.
    pub differences: Vec<Difference>,
    /// What was not compared, with why.
    pub unread: Vec<String>,
    /// What a person should know of the commits.
    pub warnings: Vec<String>,
    /// The commits: URL and branch, and the id.
    pub commits: BTreeMap<(String, String), String>,
}

/// Compares.
///
/// # Errors
/// When a commit cannot be read or nobody trusted answers for it, or the cluster cannot be reached.
pub async fn against_git(comparing: &Comparing<'_>) -> Result<Against> {
    let Comparing { objects, values, scope, .. } = comparing;
    let all = || objects.sources.iter().chain(&values.sources);
    if all().next().is_none() {
        return Err(Error::usage("no Git source is configured").hint(
            "name one in netdr.yaml: git: {sources: [{url: …, branch: main, path: …, component: …}]}",
        ));
    }
    let components: BTreeSet<Component> = all().map(|source| source.component).collect();
    let authored: BTreeSet<Component> = objects.sources.iter().map(|source| source.component).collect();
    let mut found = Against::default();
    let sources = if authored.is_empty() { None } else { Some(comparing.sources(&authored).await?) };
    let also = sources.iter().flat_map(|sources| &sources.index.entries);
    let also = also.map(|entry| (entry.component, entry.key.clone())).collect();
    let scope = Scope { components, also, ..(*scope).clone() };
    let live = capture(comparing.cluster, &scope, comparing.now, &|_| true).await?;
    found.unread.extend(live.failures.iter().map(ToString::to_string));
    if let Some(sources) = sources {
        found.objects(comparing, sources, &live).await;
    }
    for source in &values.sources {
        found.values(comparing, source, &live).await?;
    }
    Ok(found)
}

impl Comparing<'_> {
    async fn sources(&self, components: &BTreeSet<Component>) -> Result<Sources> {
        let reading = Reading {
            trusted: self.trusted,
            cluster: self.cluster,
            extra: &self.scope.extra,
            known: None,
            incident_start: self.now,
            now: self.now,
        };
        let mut sources = Sources::of_git(&self.objects, &reading, components).await?;
        sources.leave_out(&self.scope.exclude_namespaces);
        Ok(sources)
    }
}

impl Against {
    async fn objects(&mut self, comparing: &Comparing<'_>, sources: Sources, live: &Capture) {
        for name in sources.source().names {
            let SourceName::Git { url, commit } = name else { continue };
            let of_it = comparing.objects.sources.iter().find(|source| source.url == url);
            self.commits.extend(of_it.map(|source| ((url, source.branch.clone()), commit)));
        }
        self.warnings.extend(sources.warnings.iter().cloned());
        let Some(stored) = sources.as_stored(comparing.cluster, live).await else { return };
        let refused: BTreeMap<_, _> = stored.refused().collect();
        self.unread.extend(
            refused
                .iter()
                .map(|((_, key), why)| format!("{key}: the API server refused a dry run of it: {why}")),
        );
        let components: BTreeSet<Component> =
            comparing.objects.sources.iter().map(|source| source.component).collect();
        let entries = live.items.iter().map(|captured| &captured.entry);
        let entries = entries.filter(|entry| components.contains(&entry.component));
        let mut differences = diff::compare(&stored.index.entries, entries, false);
        let seen: BTreeMap<(Component, &ItemKey), &Captured> =
            live.items.iter().map(|captured| (captured.id(), captured)).collect();
        let unread = |d: &Difference| {
            live.failures.iter().any(|f| f.component == d.component && f.kind == d.key.kind_name())
        };
        differences.retain(|d| match d.change {
            Change::Changed => !refused.contains_key(&(d.component, d.key.clone())),
            Change::Removed => !unread(d),
            Change::Added => {
                sources.complete()
                    && seen.get(&(d.component, &d.key)).is_some_and(|c| is_extra(c, &stored.index))
            }
        });
        if !sources.complete() {
            self.unread.push("whether the cluster has more than Git: not all that is in Git was read".into());
        }
        for difference in differences.iter_mut().filter(|d| d.change == Change::Changed) {
            let id = (difference.component, difference.key.clone());
            let after = seen.get(&(id.0, &id.1)).and_then(|captured| captured.content.as_ref());
            if let (Some(before), Some(after)) = (stored.content(&id), after) {
                difference.fields = diff::fields(&difference.key, before, after);
            }
        }
        self.differences.extend(differences);
    }

    /// Names keys of values that differ, never a value.
    async fn values(&mut self, comparing: &Comparing<'_>, source: &GitSource, live: &Capture) -> Result<()> {
        let Some((namespace, name)) = source.release.as_ref().and_then(|release| release.split_once('/'))
        else {
            return Ok(());
        };
        let read = gitops::values(source, &comparing.values, comparing.trusted, comparing.now).await?;
        self.commits.insert((source.url.clone(), source.branch.clone()), read.commit.clone());
        let key = ItemKey::Release { namespace: namespace.into(), name: name.into() };
        let mut items = live.items.iter();
        let deployed = items.find(|captured| captured.id() == (source.component, &key));
        let Some(Content::Release(release)) = deployed.and_then(|captured| captured.content.as_ref()) else {
            if live.failures.iter().all(|f| f.kind != key.kind_name()) {
                let component = source.component;
                self.differences.push(Difference {
                    key,
                    component,
                    change: Change::Removed,
                    fields: Vec::new(),
                });
            }
            return Ok(());
        };
        let differing = helm::differing_keys(&release.value(), &read.values);
        let field = |path: String| FieldChange { path, before: None, after: None, secret: true };
        let fields: Vec<FieldChange> =
            differing.into_iter().map(|differs| field(format!("values.{}", differs.path))).collect();
        if !fields.is_empty() {
            let component = source.component;
            self.differences.push(Difference { key, component, change: Change::Changed, fields });
        }
        Ok(())
    }
}

/// Whether what only the cluster has is somebody's, and missing in Git: a whole object that captures list, in a namespace
/// for which somebody authors something, and which no tool brought. Of what has no namespace, policies count always, and
/// other kinds where somebody authors one.
fn is_extra(captured: &Captured, authored: &Index) -> bool {
    let IndexEntry { key, component, class, extent, .. } = &captured.entry;
    let Some(Content::Resource(json)) = &captured.content else { return false };
    let own = key.is_kind("crd.projectcalico.org", "tiers") && OWN_TIERS.contains(&key.name());
    let somebodys = match key.namespace() {
        Some(namespace) => authored.entries.iter().any(|entry| {
            entry.key.namespace() == Some(namespace)
                || (entry.key.is_kind("", "namespaces") && entry.key.name() == namespace)
        }),
        None => {
            *component == Component::Policies
                || authored.entries.iter().any(|entry| entry.key.kind_name() == key.kind_name())
        }
    };
    *class == Class::Config
        && *extent == Extent::Whole
        && catalog::lists_all(*component, key)
        && somebodys
        && !own
        && catalog::brought_by(key, &json.value()).or(captured.managed_by).is_none()
}

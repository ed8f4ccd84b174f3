//! How the live state differs from what people author in Git.
//!
//! In: sources, a cluster. Out: differences, as a restore from Git would see them, and what was not compared. Invariant:
//! nothing is written (the API server is asked by dry runs how it would store what is in Git); what could not be compared
//! is named, and never taken for equal. Where dry runs are refused, what is written is compared, and nothing beside it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::sources::{Reading, Refused, Sources, laid_over};
use crate::{
    Error, Result,
    capture::{Capture, Captured, Scope, capture},
    catalog,
    cluster::Cluster,
    drift::Seen,
    gitops::{self, GitSource},
    helm,
    model::{Class, Component, Content, Extent, IndexEntry, ItemKey, SourceName},
    plan::{Change, Difference, FieldChange, OWN_TIERS, authors, diff},
    signature::TrustedSigners,
};

/// What is passed over is named this often, then counted.
const NAMED: usize = 8;

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
    pub seen: Vec<Seen>,
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
        sources.leave_out(&self.scope.exclude_namespaces, &BTreeSet::new());
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
        self.unread.extend(as_written(&refused));
        let components: BTreeSet<Component> =
            comparing.objects.sources.iter().map(|source| source.component).collect();
        let entries = live.items.iter().map(|captured| &captured.entry);
        let entries = entries.filter(|entry| components.contains(&entry.component));
        let captured: BTreeMap<(Component, &ItemKey), &Captured> =
            live.items.iter().map(|captured| (captured.id(), captured)).collect();
        let mut passed = Vec::new();
        for mut difference in diff::compare(&stored.index.entries, entries, false) {
            let id = (difference.component, difference.key.clone());
            let captured = captured.get(&(id.0, &id.1)).copied();
            let after = captured.and_then(|captured| captured.content.clone());
            let mut before = stored.content(&id).cloned();
            let counts = match (difference.change, &before, &after) {
                (Change::Removed, ..) => !live.may_miss(id.0, &id.1),
                (Change::Added, ..) => {
                    let extra = captured.filter(|captured| sources.complete() && is_somebodys(captured));
                    let authored = extra.is_some_and(|c| authors(&stored.index, id.0, &c.entry.key));
                    let beside = extra.filter(|c| !authored && c.entry.key.namespace().is_none());
                    passed.extend(beside.map(|captured| captured.entry.key.to_string()));
                    authored
                }
                (Change::Changed, Some(written), Some(after)) if refused.contains_key(&id) => {
                    let laid = laid_over(after, written);
                    let differs = laid != *after;
                    before = Some(laid);
                    differs
                }
                (Change::Changed, ..) => true,
            };
            if let (true, Change::Changed, Some(before), Some(after)) =
                (counts, difference.change, &before, &after)
            {
                difference.fields = diff::fields(&difference.key, before, after);
            }
            if counts {
                self.seen.push(seen(comparing, difference, before, after));
            }
        }
        self.warnings.extend(passed_over(&passed));
        if !sources.complete() {
            self.unread.push("whether the cluster has more than Git: not all that is in Git was read".into());
        }
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
                let (component, change, fields) = (source.component, Change::Removed, Vec::new());
                let difference = Difference { key, component, change, fields };
                self.seen.push(seen(comparing, difference, None, None));
            }
            return Ok(());
        };
        let after = Content::Release(release.clone());
        let differing = helm::differing_keys(&release.value(), &read.values);
        let field = |path: String| FieldChange { path, before: None, after: None, secret: true };
        let fields: Vec<FieldChange> =
            differing.into_iter().map(|differs| field(format!("values.{}", differs.path))).collect();
        if !fields.is_empty() {
            let (component, change) = (source.component, Change::Changed);
            let difference = Difference { key, component, change, fields };
            self.seen.push(seen(comparing, difference, None, Some(after)));
        }
        Ok(())
    }
}

/// A difference from Git; no controller has a part in what people author.
fn seen(
    comparing: &Comparing<'_>,
    difference: Difference,
    before: Option<Content>,
    after: Option<Content>,
) -> Seen {
    Seen { difference, before, after, stored: None, was_tls: false, autoscaled: false, since: comparing.now }
}

/// What was compared only as far as it is written, and what it takes to compare all of it: dry runs, for which the API
/// server asks the same rights as for writing.
fn as_written(refused: &BTreeMap<&(Component, ItemKey), &Refused>) -> Vec<String> {
    const BESIDE: &str = "what the cluster has beside what is written in Git";
    let (forbidden, others): (Vec<_>, Vec<_>) = refused.iter().partition(|(_, said_no)| said_no.code == 403);
    let other = |((_, key), said_no): &(&(Component, ItemKey), &Refused)| match &said_no.unknown {
        Some(unknown) => {
            format!(
                "{key}, for this cluster does not know all of what is in Git, and no restore takes it: {unknown}"
            )
        }
        None => format!("{BESIDE}, of {key}: the API server refused a dry run of it: {}", said_no.why),
    };
    let mut lines: Vec<String> = others.iter().map(|(id, said_no)| other(&(**id, **said_no))).collect();
    if let Some((_, first)) = forbidden.first() {
        let kinds: BTreeSet<String> = forbidden.iter().map(|((_, key), _)| key.kind_name()).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(",");
        // The API server's words: `User "NAME" cannot create resource …`.
        let user = first.why.split_once("User \"").and_then(|(_, rest)| rest.split_once('"'));
        let user = user.map_or("USER", |(user, _)| user);
        lines.push(format!(
            "{BESIDE}, of {kinds} ({}): the API server says in dry runs what it adds by itself, and asks for them the \
             rights to create and update, which {user} has not: {}; these are the rights to write these kinds in every \
             namespace, to be had by an account of its own alone, which an admission policy keeps to dry runs \
             (docs/git.md, Its rights); give them with: kubectl create clusterrole netdr-dry-run --verb \
             create,update --resource {kinds} && kubectl create clusterrolebinding netdr-dry-run --clusterrole \
             netdr-dry-run --user '{user}'",
            forbidden.len(),
            first.why
        ));
    }
    lines
}

/// Whether what only the cluster has is somebody's: a whole object that captures list, and which no tool brought.
fn is_somebodys(captured: &Captured) -> bool {
    let IndexEntry { key, component, class, extent, .. } = &captured.entry;
    let Some(Content::Resource(json)) = &captured.content else { return false };
    let own = key.is_kind("crd.projectcalico.org", "tiers") && OWN_TIERS.contains(&key.name());
    *class == Class::Config
        && *extent == Extent::Whole
        && catalog::lists_all(*component, key)
        && !own
        && catalog::brought_by(key, &json.value()).or(captured.managed_by).is_none()
}

/// Told apart and not counted: of a kind without namespaces of which nobody authors an object, Git says nothing.
fn passed_over(keys: &[String]) -> Option<String> {
    let more = match keys.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let named = keys.get(..NAMED).unwrap_or(keys).join(", ");
    (!keys.is_empty())
        .then(|| format!("not compared, for nobody authors an object of its kind: {named}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_nothing_of_is_named_this_often_then_counted() {
        assert_eq!(passed_over(&[]), None);
        let keys: Vec<String> = (0..NAMED + 2).map(|n| format!("k{n}")).collect();
        assert!(passed_over(&keys).unwrap().ends_with("k7, and 2 more"));
        assert!(passed_over(&keys[..1]).unwrap().ends_with(": k0"));
    }
}

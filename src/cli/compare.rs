//! Two states compared: snapshot with snapshot, or snapshot with what is live.
//!
//! In: opened snapshots, a cluster or a host root. Out: differences, and what could not be read.
//! Invariant: what could not be read is named and never shown as removed.

use std::collections::{BTreeMap, BTreeSet};

use super::{context::Context, settings::Settings, show::trusted, words::count};
use crate::{
    Error, Result,
    capture::{Scope, capture},
    catalog,
    cluster::Cluster,
    drift::Seen,
    helm::Revision,
    host,
    model::{
        Class, Component, Content, Index, IndexEntry, ItemKey, Set, SnapshotHeader, SnapshotId, SnapshotState,
    },
    plan::{Change, Difference, diff},
    repository::{Listed, Repository, Unchosen, choose},
    seal::Identities,
};

type Key = (Component, ItemKey);
type Contents = BTreeMap<Key, Content>;

/// A trusted snapshot whose index is open.
pub(super) struct Snapshot<'a> {
    repository: &'a Repository,
    pub(super) header: SnapshotHeader,
    index: Index,
}

/// Which items count.
pub(super) type Counts = fn(&IndexEntry) -> bool;

/// Those that somebody wanted.
pub(super) const INTENT: Counts = |entry| entry.class == Class::Config;
/// Also those that are only recorded, and that nothing changes in the normal course of things.
pub(super) const STEADY: Counts = |entry| catalog::stands_still(entry.class, &entry.key);

/// What a comparison came to.
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// What could not be read, with why.
    pub(super) unread: Vec<String>,
}

/// What a comparison with the live state came to.
pub(super) struct Live {
    /// Differences, with what is known of them besides.
    pub(super) seen: Vec<Seen>,
    /// What could not be read, with why.
    pub(super) unread: Vec<String>,
    /// Every revision of the Helm releases that were looked at.
    pub(super) revisions: Vec<Revision>,
}

impl<'a> Snapshot<'a> {
    pub(super) fn open(repository: &'a Repository, listed: &Listed, openers: &Identities) -> Result<Self> {
        let header = trusted(listed)?.clone();
        let index = repository.index(&header, openers)?;
        Ok(Self { repository, header, index })
    }

    pub(super) fn get(
        repository: &'a Repository,
        id: &SnapshotId,
        settings: &Settings,
        openers: &Identities,
        cx: &Context,
    ) -> Result<Self> {
        Self::open(repository, &repository.get(id, &settings.trusted()?, cx.now)?, openers)
    }

    /// The newest of its cluster, set and node that can be relied on; as for drift, none that a change occasioned.
    pub(super) fn latest(&self, settings: &Settings, cx: &Context) -> Result<SnapshotId> {
        let header = &self.header;
        let mut listed = self.repository.list(&settings.trusted()?, cx.now)?;
        listed.retain(|one| !one.is_of_a_change());
        let (name, node) = (header.cluster.name.as_str(), header.node.as_deref());
        let choice = choose(&listed, name, header.set, node, &self.components(), cx.now);
        let choice = choice.map_err(Unchosen::to_compare)?;
        cx.passed_over(&choice.passed_over);
        Ok(choice.header.id)
    }

    /// What another snapshot of the same set has that this one has not, and so on.
    pub(super) fn against(&self, after: &Self, identities: Option<&Identities>) -> Result<Compared> {
        if self.header.set != after.header.set || self.header.node != after.header.node {
            return Err(Error::usage(format!(
                "{} and {} are not of the same set and node",
                self.header.id, after.header.id
            ))
            .hint("choose two of one set from: netdr snapshots"));
        }
        let (here, there) = (self.components(), after.components());
        let mut differences = diff::compare(&self.index.entries, &after.index.entries, false);
        differences.retain(|d| here.contains(&d.component) && there.contains(&d.component));
        let only = |has: &BTreeSet<Component>, lacks: &BTreeSet<Component>, id: &SnapshotId| -> Vec<String> {
            has.difference(lacks).map(|component| format!("{component}, which only {id} has")).collect()
        };
        let unread = [only(&here, &there, &self.header.id), only(&there, &here, &after.header.id)].concat();
        if let Some(identities) = identities {
            let keys = changed(&differences);
            let (before, after) = (self.contents(&keys, identities)?, after.contents(&keys, identities)?);
            explain(&mut differences, &before, &after);
        }
        Ok(Compared { differences, unread })
    }

    fn components(&self) -> BTreeSet<Component> {
        self.header.bundles.iter().map(|bundle| bundle.component).collect()
    }

    /// How a cluster differs from this snapshot now.
    pub(super) async fn against_cluster(
        &self,
        cluster: &Cluster,
        scope: &Scope,
        identities: Option<&Identities>,
        counts: Counts,
        cx: &Context,
    ) -> Result<Live> {
        // What only a reference or a release leads to is there still when what led to it is not.
        let counted = self.index.entries.iter().filter(|entry| counts(entry));
        let also = counted.map(|entry| (entry.component, entry.key.clone())).collect();
        let scope = Scope { components: self.components(), also, ..scope.clone() };
        let stored: BTreeMap<(Component, &ItemKey), &str> =
            self.index.entries.iter().map(|e| ((e.component, &e.key), e.sha256.as_str())).collect();
        let keep =
            |e: &IndexEntry| counts(e) && stored.get(&(e.component, &e.key)).is_none_or(|s| *s != e.sha256);
        let live = capture(cluster, &scope, cx.now, &keep).await?;
        let unread = |d: &Difference| live.may_miss(d.component, &d.key);
        let after = live.items.iter().filter_map(|c| Some((key(&c.entry), c.content.clone()?))).collect();
        let entries = live.items.iter().map(|c| &c.entry);
        let mut seen = self.against_live(entries, after, identities, counts, &unread)?;
        for seen in &mut seen {
            let key = (seen.difference.component, seen.difference.key.clone());
            seen.autoscaled = live.autoscaled.contains(&key);
        }
        let unread = live.failures.iter().map(ToString::to_string).collect();
        Ok(Live { seen, unread, revisions: live.revisions })
    }

    /// How the files of this node differ from this snapshot now.
    pub(super) fn against_host(
        &self,
        identities: Option<&Identities>,
        counts: Counts,
        cx: &Context,
    ) -> Result<Live> {
        let root = &cx.flags.host_root;
        let node = host::node_name(root)?;
        if self.header.node.as_deref() != Some(node.as_str()) {
            let of = self.header.node.as_deref().unwrap_or("no node");
            return Err(Error::usage(format!("snapshot {} is of {of}, and this is {node}", self.header.id))
                .hint("run it on that node, or name its files with --host-root DIR"));
        }
        let live = host::capture(root, &node)?;
        let entries: Vec<IndexEntry> = live.items.iter().map(IndexEntry::of).collect();
        let after = live.items.into_iter().map(|i| ((i.component, i.key), i.content)).collect();
        let unread = |d: &Difference| live.failures.iter().any(|f| f.covers(d.key.name()));
        let seen = self.against_live(&entries, after, identities, counts, &unread)?;
        let unread = live.failures.into_iter().map(|unread| unread.why).collect();
        Ok(Live { seen, unread, revisions: Vec::new() })
    }

    fn against_live<'e>(
        &'e self,
        entries: impl IntoIterator<Item = &'e IndexEntry>,
        mut after: Contents,
        identities: Option<&Identities>,
        counts: Counts,
        unread: &dyn Fn(&Difference) -> bool,
    ) -> Result<Vec<Seen>> {
        let mut differences = diff::compare_those(&self.index.entries, entries, &counts);
        differences.retain(|d| d.change != Change::Removed || !unread(d));
        let mut before = Contents::new();
        if let Some(identities) = identities {
            let known = differences.iter().filter(|d| d.change != Change::Added);
            before = self.contents(&known.map(|d| (d.component, d.key.clone())).collect(), identities)?;
            explain(&mut differences, &before, &after);
        }
        let stored: BTreeMap<(Component, &ItemKey), &IndexEntry> =
            self.index.entries.iter().map(|e| ((e.component, &e.key), e)).collect();
        let seen = differences.into_iter().map(|difference| {
            let key = (difference.component, difference.key.clone());
            let secret = format!("{}/{}", key.1.namespace().unwrap_or_default(), key.1.name());
            Seen {
                was_tls: key.1.is_kind("", "secrets") && self.index.facts.certificates.contains_key(&secret),
                difference,
                before: before.remove(&key),
                after: after.remove(&key),
                stored: stored.get(&(key.0, &key.1)).map(|entry| entry.sha256.clone()),
                autoscaled: false,
                since: self.header.captured_at,
            }
        });
        Ok(seen.collect())
    }

    /// The contents of the items named.
    fn contents(&self, keys: &BTreeSet<Key>, identities: &Identities) -> Result<Contents> {
        let mut contents = Contents::new();
        let components: BTreeSet<Component> = keys.iter().map(|(component, _)| *component).collect();
        for component in components {
            let wanted = |key: &ItemKey| keys.contains(&(component, key.clone()));
            let mut take = |item: crate::model::Item| {
                contents.insert((item.component, item.key), item.content);
                Ok(())
            };
            self.repository.items(&self.header, &self.index, component, identities, &wanted, &mut take)?;
        }
        Ok(contents)
    }

    /// Says what makes this snapshot a poor yardstick.
    pub(super) fn warn(&self, cx: &Context) {
        if self.header.state != SnapshotState::Complete {
            cx.terminal.warn(format!(
                "{} is {}: what it did not read shows as added or removed",
                self.header.id,
                self.header.state.name()
            ));
        }
    }

    /// Whether it holds the item, in whichever bundle.
    pub(super) fn holds(&self, key: &ItemKey) -> bool {
        self.index.entries.iter().any(|entry| entry.key == *key)
    }

    /// Whether it is of a cluster's objects, and not of a node's files.
    pub(super) fn is_of_cluster(&self) -> bool {
        self.header.set != Set::Host
    }
}

impl Live {
    pub(super) fn merge(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.unread.extend(other.unread);
        self.revisions.extend(other.revisions);
    }
}

impl From<Live> for Compared {
    fn from(live: Live) -> Self {
        let differences = live.seen.into_iter().map(|seen| seen.difference).collect();
        Self { differences, unread: live.unread }
    }
}

impl Compared {
    /// As lines for a person.
    pub(super) fn said(&self) -> String {
        // One object may be of several components, as a namespace is; to a person it is one.
        let mut seen = BTreeSet::new();
        let shown: Vec<&Difference> =
            self.differences.iter().filter(|difference| seen.insert(diff::lines(difference))).collect();
        let mut lines: Vec<String> = shown.iter().copied().flat_map(diff::lines).collect();
        let of = |change| shown.iter().filter(|d| d.change == change).count();
        let (added, removed, changed) = (of(Change::Added), of(Change::Removed), of(Change::Changed));
        lines.push(match shown.len() as u64 {
            0 if self.unread.is_empty() => "no differences".into(),
            0 => "no differences in what could be read".into(),
            n => format!("{}: {added} added, {removed} removed, {changed} changed", count(n, "difference")),
        });
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

fn key(entry: &IndexEntry) -> Key {
    (entry.component, entry.key.clone())
}

fn changed(differences: &[Difference]) -> BTreeSet<Key> {
    let changed = differences.iter().filter(|d| d.change == Change::Changed);
    changed.map(|d| (d.component, d.key.clone())).collect()
}

fn explain(differences: &mut [Difference], before: &Contents, after: &Contents) {
    for difference in differences.iter_mut().filter(|d| d.change == Change::Changed) {
        let key = (difference.component, difference.key.clone());
        if let (Some(before), Some(after)) = (before.get(&key), after.get(&key)) {
            difference.fields = diff::fields(&difference.key, before, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_components_have_is_said_once() {
        let difference = |component| Difference {
            component,
            key: ItemKey::resource("", "namespaces", None, "app"),
            change: Change::Added,
            fields: vec![],
        };
        let differences = [Component::Cni, Component::Ingress, Component::Policies].map(difference).into();
        let said = Compared { differences, unread: vec![] }.said();
        assert_eq!(said, "+ namespaces app\n1 difference: 1 added, 0 removed, 0 changed\n");
    }
}

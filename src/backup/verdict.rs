//! Whether a capture can be relied on.
//!
//! In: what was read, and the snapshot before it. Out: complete, partial or shrunk, and why.
//! Invariant: reasons name kinds and counts, never objects: they stand in the clear header.

use std::collections::BTreeSet;

use super::{Job, Read};
use crate::{
    Result,
    capture::shrunk,
    catalog,
    model::{Component, Index, IndexEntry, SnapshotHeader, SnapshotState},
    repository::{Listed, retention::SKEW},
};

/// How many earlier snapshots to try when their indexes do not open.
const TRIES: usize = 3;

/// How far a snapshot can be relied on.
pub(super) struct Verdict {
    pub(super) state: SnapshotState,
    pub(super) reasons: Vec<String>,
    pub(super) warnings: Vec<String>,
}

impl Verdict {
    /// Judges what was read against the snapshot before it.
    pub(super) fn of(job: &Job<'_>, read: &Read) -> Result<Self> {
        let mut warnings = Vec::new();
        let listed = job.repository.list(job.trusted, job.now)?;
        warnings.extend(future(job, read, &listed));
        let before = previous(job, read, &listed, &mut warnings);
        let (mut state, mut reasons) = judge(read, before.as_ref().map_or(&[], |index| &index.entries));
        if state == SnapshotState::Shrunk && job.accept_shrunk {
            state = SnapshotState::Complete;
            warnings.extend(reasons.drain(..).map(|reason| format!("accepted as meant: {reason}")));
        }
        Ok(Self { state, reasons, warnings })
    }
}

/// Beside a snapshot from the future no new one is the newest, and none is `latest` as long as the clock is wrong.
fn future(job: &Job<'_>, read: &Read, listed: &[Listed]) -> Option<String> {
    let ours = |header: &&SnapshotHeader| header.cluster.name == job.cluster.name && header.set == read.set;
    let trusted = listed.iter().rev().filter(|l| l.trust.is_trusted());
    let newest = trusted.filter_map(|l| l.header.as_ref().ok()).find(ours)?;
    (newest.captured_at > job.now + SKEW).then(|| {
        format!(
            "snapshot {} is from the future: a clock is wrong, this one's or the one's that made it; see: timedatectl",
            newest.id
        )
    })
}

/// A kind that could not be read did not shrink, it is named as that already; nor did what only something unread leads
/// to, such as what a Helm release rendered.
fn judge(read: &Read, before: &[IndexEntry]) -> (SnapshotState, Vec<String>) {
    let failed: BTreeSet<(Component, String)> =
        read.failures.iter().map(|f| (f.component, f.kind.clone())).collect();
    let mut reasons: Vec<String> =
        failed.iter().map(|(component, kind)| format!("{component}: {kind} could not be read")).collect();
    let comparable = |entry: &&IndexEntry| {
        read.bundles.contains_key(&entry.component)
            && !failed.contains(&(entry.component, entry.key.kind_name()))
            && (catalog::lists_all(entry.component, &entry.key)
                || !failed.iter().any(|(component, _)| *component == entry.component))
    };
    let lost = shrunk(before.iter().filter(comparable), read.index.entries.iter());
    let state = match (failed.is_empty(), lost.is_empty()) {
        (false, _) => SnapshotState::Partial,
        (true, false) => SnapshotState::Shrunk,
        (true, true) => SnapshotState::Complete,
    };
    reasons.extend(lost);
    (state, reasons)
}

/// The index of the newest snapshot to compare with: trusted, of the same cluster, set and node, and with every
/// component of now. Only a complete one is a measure: what a partial one could not read would seem never to have
/// been there, and after a shrunk one the next night would call the loss normal. Nor is one that a change occasioned:
/// measured by these, a loss that goes in small steps would never be one.
fn previous(job: &Job<'_>, read: &Read, listed: &[Listed], warnings: &mut Vec<String>) -> Option<Index> {
    let comparable = |header: &&SnapshotHeader| {
        header.cluster.name == job.cluster.name
            && header.set == read.set
            && header.node == read.node
            && header.state == SnapshotState::Complete
            && header.occasion.is_backup()
            && read.bundles.keys().all(|c| header.bundles.iter().any(|b| b.component == *c))
    };
    let key = job.index_key?;
    let trusted = listed.iter().rev().filter(|l| l.trust.is_trusted());
    for header in trusted.filter_map(|l| l.header.as_ref().ok()).filter(comparable).take(TRIES) {
        match job.repository.index(header, key) {
            Ok(index) => return Some(index),
            Err(e) => warnings.push(format!("cannot compare with snapshot {}: {e}", header.id)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        capture::Failure,
        model::{Class, Extent, ItemKey, Set},
    };

    fn entries(component: Component, plural: &str, n: usize) -> Vec<IndexEntry> {
        let entry = |i| IndexEntry {
            key: ItemKey::resource("g", plural, Some("demo"), &format!("x{i}")),
            component,
            class: Class::Config,
            extent: Extent::Whole,
            sha256: String::new(),
        };
        (0..n).map(entry).collect()
    }

    fn read(failed: &[&str], entries: Vec<IndexEntry>) -> Read {
        let failure = |kind: &&str| Failure {
            component: Component::Policies,
            kind: (*kind).into(),
            why: "policies.g demo/secret-name is forbidden".into(),
        };
        Read {
            set: Set::Network,
            node: None,
            bundles: BTreeMap::from([(Component::Policies, vec![])]),
            index: Index { entries, ..Index::default() },
            absent: BTreeMap::new(),
            failures: failed.iter().map(failure).collect(),
            warnings: vec![],
        }
    }

    #[test]
    fn all_read_and_nothing_lost_is_complete_also_as_the_first_ever() {
        let now = read(&[], entries(Component::Policies, "policies", 9));
        assert_eq!(judge(&now, &[]), (SnapshotState::Complete, vec![]));
        assert_eq!(judge(&now, &entries(Component::Policies, "policies", 10)).0, SnapshotState::Complete);
    }

    #[test]
    fn what_was_lost_makes_it_shrunk_and_what_was_not_asked_for_does_not() {
        let now = read(&[], entries(Component::Policies, "policies", 3));
        let mut before = entries(Component::Policies, "policies", 40);
        before.extend(entries(Component::Cni, "pools", 5));
        let reasons = vec!["policies: policies.g had 40 items and has 3".to_owned()];
        assert_eq!(judge(&now, &before), (SnapshotState::Shrunk, reasons));
    }

    #[test]
    fn what_could_not_be_read_makes_it_partial_by_kind_once_and_is_not_lost() {
        let now = read(&["policies.g", "policies.g"], entries(Component::Policies, "sets", 1));
        let mut before = entries(Component::Policies, "policies", 40);
        before.extend(entries(Component::Policies, "sets", 10));
        let (state, reasons) = judge(&now, &before);
        assert_eq!(state, SnapshotState::Partial);
        assert_eq!(reasons, ["policies: policies.g could not be read"], "what leads to a set may be unread");
        let listed = |n| {
            let group = |mut entry: IndexEntry| {
                entry.key =
                    ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), entry.key.name());
                entry
            };
            entries(Component::Policies, "", n).into_iter().map(group).collect::<Vec<_>>()
        };
        let (_, reasons) = judge(&read(&["policies.g"], listed(1)), &listed(10));
        assert_eq!(reasons[1], "policies: networkpolicies.networking.k8s.io had 10 items and has 1");
    }
}

//! Whether anything changed since the newest snapshot, so that another is worth taking.
//!
//! In: the snapshots there are, and a look at the cluster. Out: yes or no. Invariant: what could not be read has not changed
//! as far as anybody knows, and is told; a snapshot from the future is none to measure by, for nobody would restore from it.

use std::collections::BTreeSet;

use super::Job;
use crate::{
    capture::Capture,
    model::{Component, Index, Set, SnapshotHeader},
    plan::{Change, diff},
    repository::{Listed, retention::SKEW},
};

/// The newest snapshot of the set and its index, whatever it was taken for and however complete it is; none where there is
/// none that opens. What is not whole on the disk saves nothing, so that another is taken at once.
pub(super) fn newest<'a>(
    job: &Job<'_>,
    set: Set,
    components: &BTreeSet<Component>,
    listed: &'a [Listed],
) -> Option<(&'a SnapshotHeader, Index)> {
    let of_this = |header: &&SnapshotHeader| {
        let same = header.cluster.name == job.cluster.name && header.cluster.uid == job.cluster.uid;
        let whole = components.iter().all(|c| header.bundles.iter().any(|b| b.component == *c));
        same && header.set == set && whole && header.captured_at <= job.now + SKEW
    };
    let trusted = listed.iter().filter(|one| one.trust.is_trusted() && one.damage_of(components).is_none());
    let newest = trusted.filter_map(|one| one.header.as_ref().ok()).filter(of_this);
    let newest = newest.max_by_key(|header| header.captured_at)?;
    Some((newest, job.repository.index(newest, job.index_key?).ok()?))
}

/// The newest of the set that no change occasioned, however complete it is: what it lacks is told by whoever took it.
pub(super) fn newest_backup<'a>(job: &Job<'_>, set: Set, listed: &'a [Listed]) -> Option<&'a SnapshotHeader> {
    let of_this = |header: &&SnapshotHeader| {
        let same = header.cluster.name == job.cluster.name && header.cluster.uid == job.cluster.uid;
        same && header.set == set && header.occasion.is_backup() && header.captured_at <= job.now + SKEW
    };
    let believed = listed.iter().filter_map(|one| one.believed().ok()).filter(of_this);
    believed.max_by_key(|header| header.captured_at)
}

/// Whether something that somebody wanted differs.
pub(super) fn differs(before: &Index, live: &Capture) -> bool {
    let differences = diff::compare(&before.entries, live.items.iter().map(|c| &c.entry), false);
    differences.iter().any(|d| d.change != Change::Removed || !live.may_miss(d.component, &d.key))
}

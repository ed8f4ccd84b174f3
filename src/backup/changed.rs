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
    let whole = |(one, header): &(&Listed, &SnapshotHeader)| {
        let has = |c: &Component| header.bundles.iter().any(|b| b.component == *c);
        components.iter().all(has) && one.damage_of(components).is_none()
    };
    let (_, newest) = ours(job, set, listed).filter(whole).max_by_key(|(_, header)| header.captured_at)?;
    Some((newest, job.repository.index(newest, job.index_key?).ok()?))
}

/// The newest of the set that no change occasioned, however complete it is: what it lacks is told by whoever took it.
pub(super) fn newest_backup<'a>(job: &Job<'_>, set: Set, listed: &'a [Listed]) -> Option<&'a SnapshotHeader> {
    let headers = ours(job, set, listed).map(|(_, header)| header);
    headers.filter(|header| header.occasion.is_backup()).max_by_key(|header| header.captured_at)
}

/// Those of the job's cluster and of the set that are to be relied on, with their headers; none from the future.
fn ours<'a>(
    job: &Job<'_>,
    set: Set,
    listed: &'a [Listed],
) -> impl Iterator<Item = (&'a Listed, &'a SnapshotHeader)> {
    let believed = listed.iter().filter_map(|one| Some((one, one.believed().ok()?)));
    believed.filter(move |(_, header)| {
        let same = header.cluster.name == job.cluster.name && header.cluster.uid == job.cluster.uid;
        same && header.set == set && header.captured_at <= job.now + SKEW
    })
}

/// Whether something that somebody wanted differs.
pub(super) fn differs(before: &Index, live: &Capture) -> bool {
    let differences = diff::compare(&before.entries, live.items.iter().map(|c| &c.entry), false);
    differences.iter().any(|d| d.change != Change::Removed || !live.may_miss(d.component, &d.key))
}

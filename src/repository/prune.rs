//! Deleting what a plan names.
//!
//! In: ids. Out: what is gone. Invariant: alone under the exclusive lock, and a snapshot leaves the
//! listing whole, by one rename, before any of its files goes.

mod place;

use chrono::{DateTime, Utc};

pub use place::{Doomed, PlacePlan, Rule};

use super::{
    Listed, Repository, layout,
    lock::{self, Lock, Mode},
    resealed,
    retention::PrunePlan,
    staging,
};
use crate::{Result, model::SnapshotId};

impl Repository {
    /// The plan without the deletion of those snapshots whose copy, sealed anew, is not whole: a header alone stands in for nothing.
    /// These are named, each with that copy.
    pub fn proved(
        &self,
        mut plan: PrunePlan,
        listed: &[Listed],
    ) -> (PrunePlan, Vec<(SnapshotId, SnapshotId)>) {
        let whole = |id: &SnapshotId| {
            let one = listed.iter().find(|one| one.id == *id);
            one.is_some_and(|one| self.verify(one, None).is_ok_and(|damages| damages.is_empty()))
        };
        let going = resealed(listed).into_iter().filter(|(old, _)| plan.delete.contains(old));
        let unproved = going.filter(|(_, new)| !whole(new));
        let stay: Vec<_> = unproved.map(|(old, new)| (old.clone(), new.clone())).collect();
        plan.delete.retain(|id| !stay.iter().any(|(old, _)| old == id));
        (plan, stay)
    }

    /// Deletes these under the exclusive lock, waiting a minute at most for backups to end; returns what is gone.
    ///
    /// # Errors
    /// When the lock is held for too long, or a file cannot be deleted.
    pub fn prune(&self, delete: &[SnapshotId], now: DateTime<Utc>) -> Result<Vec<SnapshotId>> {
        if delete.is_empty() {
            return Ok(Vec::new());
        }
        let _lock = Lock::take(&layout::locks(&self.root), Mode::Exclusive, None, now, lock::WAIT)?;
        let mut gone = Vec::new();
        for id in delete {
            if staging::remove(&self.root, &layout::snapshot(&self.root, id), id)? {
                gone.push(id.clone());
            }
        }
        Ok(gone)
    }
}

//! Deleting what a plan names.
//!
//! In: ids. Out: what is gone. Invariant: alone under the exclusive lock, and a snapshot leaves the
//! listing whole, by one rename, before any of its files goes.

mod place;

use chrono::{DateTime, Utc};

pub use place::{Doomed, PlacePlan, Rule};

use super::{
    Repository, layout,
    lock::{self, Lock, Mode},
    staging,
};
use crate::{Result, model::SnapshotId};

impl Repository {
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

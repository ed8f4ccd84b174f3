//! Which snapshots are kept: 7 daily, 4 weekly, 3 monthly.
//!
//! In: snapshots with their trust and state, the rule, `now`. Out: for each, why it is kept, or that it goes.
//! Invariant: pure; the newest good snapshot of a set and node always stays, and nothing from the future counts.

use chrono::{DateTime, Utc};

use super::Listed;
use crate::model::SnapshotId;

/// How many of each to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Newest per UTC day.
    pub daily: u32,
    /// Newest per ISO week, UTC.
    pub weekly: u32,
    /// Newest per month, UTC.
    pub monthly: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { daily: 7, weekly: 4, monthly: 3 }
    }
}

/// What pruning would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Kept, with the reasons.
    pub keep: Vec<(SnapshotId, Vec<String>)>,
    /// To be deleted.
    pub delete: Vec<SnapshotId>,
}

/// Decides. Untrusted and unreadable snapshots are neither kept nor deleted: they are left alone.
pub fn plan(_listed: &[Listed], _retention: Retention, _now: DateTime<Utc>) -> PrunePlan {
    PrunePlan::default()
}

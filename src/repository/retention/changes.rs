//! Which snapshots stay of those that changes occasioned (`netdr watch`): all of the last minutes, then one an hour for a day.
//!
//! In: those of one series, newest first. Out: for each why it stays, or that it goes. Invariant: pure; at most
//! [`NEWEST`] + [`HOURS`] + 1 stay, besides those from the future; the newest complete one always does.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::SKEW;
use crate::model::{SnapshotHeader, SnapshotId, SnapshotState};

/// So many of the newest stay, whatever their state: who finds the damage after a quarter of an hour goes back by minutes.
pub(super) const NEWEST: usize = 24;
/// So many hours back, the newest complete one of each stays.
pub(super) const HOURS: usize = 24;

/// Why each stays; no reason where it goes. Those that are `bad`, whose files are not whole, take no good one's place.
pub(super) fn reasons(
    headers: &[&SnapshotHeader],
    bad: &BTreeSet<&SnapshotId>,
    now: DateTime<Utc>,
) -> Vec<Vec<String>> {
    let is_good =
        |header: &SnapshotHeader| header.state == SnapshotState::Complete && !bad.contains(&header.id);
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); headers.len()];
    let future = headers.iter().take_while(|h| h.captured_at > now + SKEW).count();
    reasons[..future].iter_mut().for_each(|r| r.push("captured in the future".into()));
    reasons.iter_mut().skip(future).take(NEWEST).for_each(|r| r.push("of the newest changes".into()));
    let good = (future..headers.len()).find(|i| is_good(headers[*i]));
    if let Some(newest) = good {
        reasons[newest].push("newest".into());
    }
    let day = now - TimeDelta::hours(HOURS as i64);
    let mut hours = BTreeSet::new();
    for (header, reasons) in headers.iter().zip(&mut reasons).skip(future) {
        let hour = header.captured_at.format("hourly %FT%H").to_string();
        let counts = is_good(header) && header.captured_at > day;
        if counts && hours.len() < HOURS && hours.insert(hour.clone()) {
            reasons.push(hour);
        }
    }
    reasons
}

//! Which snapshots are kept: 7 daily, 4 weekly, 3 monthly; of those that changes occasion a day's.
//!
//! In: snapshots with their trust and state, the rule, `now`. Out: for each, why it is kept, or that it goes.
//! Invariant: pure; the newest good snapshot of a set and node always stays, and nothing from the future counts.

mod changes;
pub mod deferral;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Listed, resealed, stand_in};
use crate::model::{RunId, Series, SnapshotHeader, SnapshotId, SnapshotState};

/// What was captured within this time stays in a place outside: what becomes of it is decided when the day is over.
const FRESH: TimeDelta = TimeDelta::days(1);
/// Clocks of two servers differ by less.
pub const SKEW: TimeDelta = TimeDelta::minutes(5);

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
    /// Kept, with the reasons, oldest first.
    pub keep: Vec<(SnapshotId, Vec<String>)>,
    /// To be deleted, oldest first.
    pub delete: Vec<SnapshotId>,
}

impl PrunePlan {
    /// Keeps also what these runs restore from, as what it was sealed anew as: they can be resumed.
    #[must_use]
    pub fn needed_by(mut self, runs: &[(RunId, Vec<SnapshotId>)], listed: &[Listed]) -> Self {
        for (run, sources) in runs {
            for id in sources.iter().filter_map(|id| stand_in(listed, id)) {
                let reason = format!("run {run} needs it");
                if let Some((_, reasons)) = self.keep.iter_mut().find(|(kept, _)| kept == id) {
                    reasons.push(reason);
                } else if let Some(at) = self.delete.iter().position(|doomed| doomed == id) {
                    self.keep.push((self.delete.remove(at), vec![reason]));
                }
            }
        }
        self.keep.sort();
        self
    }
}

/// Decides. Untrusted and unreadable snapshots are neither kept nor deleted: they are left alone.
///
/// Days, weeks and months count where they have a snapshot, so that a month without backups deletes nothing.
/// They count within a series. A snapshot that was sealed anew counts once: as the new one.
pub fn plan(listed: &[Listed], retention: Retention, now: DateTime<Utc>) -> PrunePlan {
    let mut series: BTreeMap<Series<'_>, Vec<&SnapshotHeader>> = BTreeMap::new();
    let resealed = resealed(listed);
    let unseen: BTreeSet<&SnapshotId> =
        listed.iter().filter(|one| !one.unseen.is_empty()).map(|one| &one.id).collect();
    let bad: BTreeSet<&SnapshotId> = listed.iter().filter(|one| !one.is_whole()).map(|one| &one.id).collect();
    let trusted = listed.iter().filter(|l| l.trust.is_trusted() && !resealed.contains_key(&l.id));
    for header in trusted.filter_map(|l| l.header.as_ref().ok()) {
        series.entry(header.series()).or_default().push(header);
    }
    let mut plan = PrunePlan { delete: resealed.into_keys().cloned().collect(), ..PrunePlan::default() };
    for mut headers in series.into_values() {
        headers.sort_by(|a, b| (b.captured_at, &b.id).cmp(&(a.captured_at, &a.id)));
        // Apart: however many changes a day has, they displace no night's.
        let (nights, changes): (Vec<_>, Vec<_>) = headers.into_iter().partition(|h| h.occasion.is_backup());
        let kept =
            reasons(&nights, &bad, retention, now).into_iter().chain(changes::reasons(&changes, &bad, now));
        for (header, reasons) in nights.iter().chain(&changes).zip(kept) {
            if unseen.contains(&header.id) {
                // It may be whole, and a moment later be seen to be.
                plan.keep.push((header.id.clone(), vec!["a file of it cannot be looked at".into()]));
            } else if reasons.is_empty() {
                plan.delete.push(header.id.clone());
            } else {
                plan.keep.push((header.id.clone(), reasons));
            }
        }
    }
    plan.keep.sort();
    plan.delete.sort();
    plan
}

/// Decides for a place outside, for what is copied there and for what is deleted there alike: what one did and the other
/// undid would be paid for again each time.
pub fn plan_outside(listed: &[Listed], retention: Retention, now: DateTime<Utc>) -> PrunePlan {
    let mut plan = plan(listed, retention, now);
    let old = resealed(listed);
    let (fresh, delete) = std::mem::take(&mut plan.delete)
        .into_iter()
        .partition(|id| id.captured_at() >= now - FRESH && !old.contains_key(id));
    plan.delete = delete;
    let fresh: Vec<SnapshotId> = fresh;
    plan.keep.extend(fresh.into_iter().map(|id| (id, vec!["captured within a day".into()])));
    plan.keep.sort();
    plan
}

/// Why each of one series, newest first, is kept; no reason where it goes.
fn reasons(
    headers: &[&SnapshotHeader],
    bad: &BTreeSet<&SnapshotId>,
    retention: Retention,
    now: DateTime<Utc>,
) -> Vec<Vec<String>> {
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); headers.len()];
    let future = headers.iter().take_while(|h| h.captured_at > now + SKEW).count();
    reasons[..future].iter_mut().for_each(|r| r.push("captured in the future".into()));
    // One whose files are gone, for all anybody knows, is no copy, and displaces none.
    let is_good = |i: &usize| headers[*i].state == SnapshotState::Complete && !bad.contains(&headers[*i].id);
    let good: Vec<usize> = (future..headers.len()).filter(is_good).collect();
    if let Some(newest) = good.first() {
        reasons[*newest].push("newest".into());
    }
    let buckets = [
        ("daily %F", retention.daily),
        ("weekly %G-W%V", retention.weekly),
        ("monthly %Y-%m", retention.monthly),
    ];
    let mut oldest_daily = good.first().copied();
    for (format, count) in buckets {
        let mut seen = BTreeSet::new();
        for i in &good {
            let bucket = headers[*i].captured_at.format(format).to_string();
            if seen.len() < count as usize && seen.insert(bucket.clone()) {
                reasons[*i].push(bucket);
                if format.starts_with("daily") {
                    oldest_daily = Some(*i);
                }
            }
        }
    }
    // Evidence of what happened lately, and all there is where nothing is complete.
    for i in future..oldest_daily.unwrap_or(headers.len()) {
        if !is_good(&i) {
            let is = if bad.contains(&headers[i].id) { "damaged" } else { headers[i].state.name() };
            reasons[i].push(format!("{is}, younger than the oldest daily"));
        }
    }
    reasons
}

//! On how many of the last days there was a backup.
//!
//! In: what the repository lists, and the time. Out: days of each set and node. Invariant: pure; only a trusted, complete backup
//! that is whole here counts, and no snapshot of `netdr watch` does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::{
    model::{Set, SnapshotState},
    report::drill::Nights,
    repository::Listed,
};

/// Of each set, and of the files of each node, that there is a backup of at all. Daily backups are kept for as many days as are
/// looked at, so that none is missed because it was pruned; today's is one.
pub(super) fn nights(listed: &[Listed], cluster: &str, now: DateTime<Utc>) -> Vec<Nights> {
    let today = now.date_naive();
    let first = today.checked_sub_days(Days::new(Nights::OF - 1)).unwrap_or(today);
    let mut found: BTreeMap<(Set, Option<String>), BTreeSet<NaiveDate>> = BTreeMap::new();
    for one in listed.iter().filter(|one| one.is_whole()) {
        let Ok(header) = one.believed() else { continue };
        if header.cluster.name != cluster || !header.occasion.is_backup() {
            continue;
        }
        let days = found.entry((header.set, header.node.clone())).or_default();
        let day = header.captured_at.date_naive();
        if header.state == SnapshotState::Complete && (first..=today).contains(&day) {
            days.insert(day);
        }
    }
    found.into_iter().map(|((set, node), days)| Nights { set, node, days: days.len() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Occasion,
        repository::fixture::{at, listed},
        signature::Trust,
    };

    #[test]
    fn a_day_counts_once_and_only_by_what_can_be_relied_on() {
        use SnapshotState::{Complete, Partial};
        let mut all = vec![
            listed("2026-11-17T23:59:59Z", Complete), // too long ago
            listed("2026-11-18T01:00:00Z", Complete),
            listed("2026-11-18T13:00:00Z", Complete), // of the same day
            listed("2026-11-20T01:00:00Z", Partial),
            listed("2026-11-21T01:00:00Z", Complete), // edited
            listed("2026-11-22T01:00:00Z", Complete), // of a change
            listed("2026-11-23T01:00:00Z", Complete), // cut off
            listed("2026-11-24T01:00:00Z", Complete),
            listed("2026-11-25T01:00:00Z", Complete), // the clock jumped
        ];
        all[4].trust = Trust::Untrusted("edited".into());
        all[5].header.as_mut().unwrap().occasion = Occasion::Change;
        all[6].damage.push((None, "index.zst.age is missing".into()));
        let now = at("2026-11-24T03:00:00Z");
        assert_eq!(nights(&all, "c1", now), [Nights { set: Set::Network, node: None, days: 2 }]);
        assert_eq!(nights(&all, "c2", now), []);
        assert_eq!(nights(&all[..1], "c1", now)[0].days, 0, "there was one, long ago");
    }
}

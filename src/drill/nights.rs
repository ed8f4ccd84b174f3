//! On how many of the last days there was a backup, and how long at most there was none.
//!
//! In: what the repository lists, what of it is drilled, and the time. Out: days of each set and node. Invariant: pure; only a
//! trusted, complete backup that is whole here counts, no snapshot of `netdr watch` does, and none of fewer components than are
//! drilled.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::{
    model::{Set, SnapshotHeader, SnapshotState},
    report::drill::Nights,
    repository::Listed,
};

/// Of each set, and of the files of each node, that there is a backup of at all. Daily backups are kept for as many days as are
/// looked at, so that none is missed because it was pruned; today's is one.
pub(super) fn nights(
    listed: &[Listed],
    cluster: &str,
    drilled: &[&SnapshotHeader],
    now: DateTime<Utc>,
) -> Vec<Nights> {
    let has_all = |header: &SnapshotHeader| {
        let same = drilled.iter().filter(|one| (one.set, &one.node) == (header.set, &header.node));
        let mut wanted = same.flat_map(|one| &one.bundles).map(|bundle| bundle.component);
        wanted.all(|component| header.bundles.iter().any(|bundle| bundle.component == component))
    };
    let today = now.date_naive();
    let first = today.checked_sub_days(Days::new(Nights::OF - 1)).unwrap_or(today);
    let begin = first.and_time(NaiveTime::MIN).and_utc();
    let mut found: BTreeMap<(Set, Option<String>), BTreeSet<DateTime<Utc>>> = BTreeMap::new();
    for one in listed.iter().filter(|one| one.is_whole()) {
        let Ok(header) = one.believed() else { continue };
        if header.cluster.name != cluster || !header.occasion.is_backup() {
            continue;
        }
        let times = found.entry((header.set, header.node.clone())).or_default();
        if header.state == SnapshotState::Complete && header.captured_at <= now && has_all(header) {
            times.insert(header.captured_at);
        }
    }
    let nights = |((set, node), times): ((Set, Option<String>), BTreeSet<DateTime<Utc>>)| {
        let days: BTreeSet<NaiveDate> = times.range(begin..).map(DateTime::date_naive).collect();
        Nights { set, node, days: days.len(), longest_gap_s: longest_gap(&times, begin, now) }
    };
    found.into_iter().map(nights).collect()
}

/// The longest time from one to the next, and from the last to now, in seconds. It begins on the first day, or with the last one
/// before it; none where there is neither.
fn longest_gap(times: &BTreeSet<DateTime<Utc>>, begin: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
    let first = times.range(begin..).next().filter(|first| first.date_naive() == begin.date_naive());
    let first = first.or_else(|| times.range(..begin).next_back())?;
    let ends = times.range(first..).skip(1).chain([&now]);
    times.range(first..).zip(ends).map(|(one, next)| (*next - *one).num_seconds()).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{BundleEntry, Component, Occasion},
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
        // From the afternoon of the 18th to the night of the 24th.
        let longest_gap_s = Some(((5 * 24) + 12) * 3600);
        assert_eq!(
            nights(&all, "c1", &[], now),
            [Nights { set: Set::Network, node: None, days: 2, longest_gap_s }]
        );
        assert_eq!(nights(&all, "c2", &[], now), []);
        assert_eq!(nights(&all[..1], "c1", &[], now)[0].days, 0, "there was one, long ago");
    }

    #[test]
    fn a_snapshot_of_fewer_components_than_are_drilled_is_no_backup_of_them() {
        let of = |time: &str, components: &[Component]| {
            let mut one = listed(time, SnapshotState::Complete);
            let bundle = |component: &Component| BundleEntry {
                component: *component,
                sha256: String::new(),
                bytes: 0,
                items: 0,
            };
            one.header.as_mut().unwrap().bundles = components.iter().map(bundle).collect();
            one
        };
        let all = [Component::Cni, Component::Policies];
        let listed = [
            of("2026-11-18T01:00:00Z", &all),
            of("2026-11-21T01:00:00Z", &[Component::Policies]),
            of("2026-11-24T01:00:00Z", &all),
        ];
        let gap = |drilled: &[Component]| {
            let drilled = of("2026-11-24T01:00:00Z", drilled).header.unwrap();
            let night = nights(&listed, "c1", &[&drilled], at("2026-11-24T03:00:00Z")).remove(0);
            (night.days, night.longest_gap_s.map(|gap| gap / 3600))
        };
        assert_eq!(gap(&all), (2, Some(144)));
        assert_eq!(gap(&[Component::Policies]), (3, Some(72)));
    }

    #[test]
    fn the_longest_gap_is_none_that_is_shorter_than_there_was() {
        let of = |times: &[&str]| {
            let listed: Vec<_> = times.iter().map(|time| listed(time, SnapshotState::Complete)).collect();
            nights(&listed, "c1", &[], at("2026-11-24T03:00:00Z"))[0].longest_gap_s.map(|gap| gap / 3600)
        };
        let daily: Vec<String> = (18..=24).map(|day| format!("2026-11-{day}T01:00:00Z")).collect();
        let daily: Vec<&str> = daily.iter().map(String::as_str).collect();
        assert_eq!(of(&daily), Some(24));
        assert_eq!(of(&daily[..6]), Some(26), "since the last one");
        assert_eq!(of(&daily[1..]), None, "what was before the 19th nobody knows");
        // What is kept of the week before is no reason to call the first day long.
        assert_eq!(of(&[&["2026-11-12T01:00:00Z"], &daily[..]].concat()), Some(24));
        assert_eq!(of(&[&["2026-11-17T01:00:00Z"], &daily[1..]].concat()), Some(48));
    }
}

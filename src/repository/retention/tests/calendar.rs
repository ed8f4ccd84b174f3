//! Pruning every night for years: leap days, year ends, weeks 53, summer time, nights without a backup.

use chrono::{Datelike, NaiveDate, Weekday};

use super::*;
use crate::model::Set;

/// When one o'clock at night in central Europe is, in UTC (EU directive 2000/84/EC: from the last Sunday of March to the
/// last Sunday of October).
fn local_one_o_clock(day: NaiveDate) -> DateTime<Utc> {
    let last_sunday = |month| {
        let mut days =
            (25..=31).map(|day_of_month| NaiveDate::from_ymd_opt(day.year(), month, day_of_month).unwrap());
        days.rfind(|day| day.weekday() == Weekday::Sun).unwrap()
    };
    // On the Sunday itself the clock changes after one o'clock at night.
    let summer = day > last_sunday(3) && day <= last_sunday(10);
    day.and_hms_opt(1, 0, 0).unwrap().and_utc() - TimeDelta::hours(if summer { 2 } else { 1 })
}

/// What a night came to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Night {
    Good,
    Missed,
    Partial,
    Shrunk,
    Untrusted,
}

fn any_night() -> impl Strategy<Value = Night> {
    prop_oneof![
        8 => Just(Night::Good), 2 => Just(Night::Missed), 1 => Just(Night::Partial), 1 => Just(Night::Shrunk),
        1 => Just(Night::Untrusted)
    ]
}

/// The snapshots of one series that a night leaves.
fn taken(night: Night, at: DateTime<Utc>, node: Option<&str>) -> Option<Listed> {
    let state = match night {
        Night::Missed => return None,
        Night::Partial => SnapshotState::Partial,
        Night::Shrunk => SnapshotState::Shrunk,
        Night::Good | Night::Untrusted => SnapshotState::Complete,
    };
    let mut one = listed(&at.to_rfc3339(), state);
    let set = if node.is_some() { Set::Host } else { Set::Network };
    one.id = SnapshotId::new(at, set, node, 0);
    let header = one.header.as_mut().unwrap();
    (header.id, header.set, header.node) = (one.id.clone(), set, node.map(ToOwned::to_owned));
    if night == Night::Untrusted {
        one.trust = Trust::Untrusted("foreign".into());
    }
    Some(one)
}

/// Backs up and prunes every night; what is left, and all that there ever was.
fn years(
    first: NaiveDate,
    nights: &[Night],
    node: Option<&str>,
) -> (Vec<Listed>, Vec<Listed>, DateTime<Utc>) {
    let (mut left, mut ever, mut now) = (Vec::new(), Vec::new(), local_one_o_clock(first));
    for (day, night) in first.iter_days().zip(nights) {
        let at = local_one_o_clock(day);
        let one = taken(*night, at, node);
        left.extend(one.clone());
        ever.extend(one);
        now = at + TimeDelta::hours(1);
        let gone = plan(&left, Retention::default(), now).delete;
        left.retain(|l| !gone.contains(&l.id));
    }
    (left, ever, now)
}

/// How many of the reasons begin so.
fn count(plan: &PrunePlan, rule: &str) -> usize {
    plan.keep.iter().flat_map(|(_, reasons)| reasons).filter(|reason| reason.starts_with(rule)).count()
}

/// The promise, by its own arithmetic: of the good ones, the last of each of the newest 7 days, 4 weeks, 3 months that
/// have one.
fn promised(ever: &[Listed]) -> BTreeSet<SnapshotId> {
    let good = ever.iter().filter(|l| l.trust.is_trusted());
    let good = good.filter_map(|l| l.header.as_ref().ok()).filter(|h| h.state == SnapshotState::Complete);
    let good: Vec<&SnapshotHeader> = good.collect();
    let monday = |at: DateTime<Utc>| {
        let day = at.date_naive();
        day - TimeDelta::days(day.weekday().num_days_from_monday().into())
    };
    let month = |at: DateTime<Utc>| at.date_naive().with_day(1).unwrap();
    let mut kept = BTreeSet::new();
    let mut rule = |bucket: &dyn Fn(DateTime<Utc>) -> NaiveDate, count| {
        let newest: BTreeMap<NaiveDate, &SnapshotHeader> =
            good.iter().map(|header| (bucket(header.captured_at), *header)).collect();
        kept.extend(newest.into_values().rev().take(count).map(|header| header.id.clone()));
    };
    rule(&|at| at.date_naive(), 7);
    rule(&monday, 4);
    rule(&month, 3);
    kept
}

fn complete(listed: &[Listed]) -> BTreeSet<SnapshotId> {
    let good = listed.iter().filter(|l| l.trust.is_trusted());
    let good = good.filter(|l| l.header.as_ref().is_ok_and(|h| h.state == SnapshotState::Complete));
    good.map(|l| l.id.clone()).collect()
}

#[test]
fn two_years_of_nights_leave_seven_days_four_weeks_and_three_months() {
    // Through the leap day of 2028, and the 53rd week of 2026.
    for first in ["2026-09-01", "2027-03-01"] {
        let (left, _, now) = years(first.parse().unwrap(), &[Night::Good; 730], None);
        let plan = plan(&left, Retention::default(), now);
        assert_eq!((count(&plan, "daily"), count(&plan, "weekly"), count(&plan, "monthly")), (7, 4, 3));
        assert_eq!(plan.delete, []);
        assert!(left.len() <= 14, "{}", left.len());
    }
}

#[test]
fn a_week_that_lies_in_two_years_is_one_week() {
    // 2026 has 53 weeks; 1 to 3 January 2027 are of its last. 30 December 2024 is of the first week of 2025.
    for (days, week) in [
        (["2026-12-28", "2026-12-31", "2027-01-03"], "weekly 2026-W53"),
        (["2024-12-30", "2024-12-31", "2025-01-05"], "weekly 2025-W01"),
    ] {
        let all = days.map(|day| listed(&format!("{day}T01:00:00Z"), SnapshotState::Complete));
        let one = Retention { daily: 0, weekly: 4, monthly: 0 };
        let plan = plan(&all, one, at(&format!("{}T02:00:00Z", days[2])));
        assert_eq!(kept(&plan, &format!("{}T01:00:00Z", days[2])), ["newest", week]);
        assert_eq!(plan.delete.len(), 2);
    }
}

#[test]
fn a_leap_day_is_a_day_and_the_last_of_its_month() {
    let all = ["2028-02-28", "2028-02-29", "2028-03-01"]
        .map(|day| listed(&format!("{day}T01:00:00Z"), SnapshotState::Complete));
    let plan = plan(&all, Retention { daily: 2, weekly: 0, monthly: 3 }, at("2028-03-01T02:00:00Z"));
    assert_eq!(kept(&plan, "2028-02-29T01:00:00Z"), ["daily 2028-02-29", "monthly 2028-02"]);
    assert_eq!(plan.delete, [all[0].id.clone()]);
}

#[test]
fn a_night_of_summer_time_falls_on_the_day_before_and_no_day_counts_twice() {
    // One o'clock in Berlin on 30 March 2026 is 23:00 of the 29th in UTC, whose own night was at 00:00.
    let (left, _, now) = years("2026-03-01".parse().unwrap(), &[Night::Good; 30], None);
    let plan = plan(&left, Retention::default(), now);
    assert_eq!(kept(&plan, "2026-03-29T23:00:00Z")[..2], ["newest", "daily 2026-03-29"]);
    assert_eq!(kept(&plan, "2026-03-29T00:00:00Z"), [""; 0], "the earlier of that day");
    assert_eq!(count(&plan, "daily"), 7);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever nights failed: pruning each night leaves what the promise names of all there ever was, and of what is not
    /// complete only what is younger.
    #[test]
    fn pruning_every_night_leaves_what_was_promised_of_all_there_ever_was(
        start in 0..1500i64, nights in prop::collection::vec(any_night(), 1..420), host: bool
    ) {
        let first = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + TimeDelta::days(start);
        let (left, ever, _) = years(first, &nights, host.then_some("n1"));
        prop_assert_eq!(complete(&left), promised(&ever));
        let untrusted = |all: &[Listed]| all.iter().filter(|l| !l.trust.is_trusted()).count();
        prop_assert_eq!(untrusted(&left), untrusted(&ever), "left alone");
    }

    /// Sets and nodes do not take each other's places.
    #[test]
    fn every_series_is_pruned_as_if_it_were_alone(
        network in prop::collection::vec(any_night(), 1..90), one in prop::collection::vec(any_night(), 1..90),
        two in prop::collection::vec(any_night(), 1..90)
    ) {
        let first = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
        let series = [(network, None), (one, Some("n1")), (two, Some("n2"))];
        let all: Vec<Vec<Listed>> = series.iter().map(|(nights, node)| {
            first.iter_days().zip(nights).filter_map(|(day, night)| taken(*night, local_one_o_clock(day), *node)).collect()
        }).collect();
        let now = at("2027-06-01T00:00:00Z");
        let mut alone: Vec<SnapshotId> =
            all.iter().flat_map(|one| plan(one, Retention::default(), now).delete).collect();
        alone.sort();
        prop_assert_eq!(plan(&all.concat(), Retention::default(), now).delete, alone);
    }
}

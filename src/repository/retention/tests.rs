//! The rule on examples, and what must hold of it whatever the calendar and the nights are.

mod calendar;

use super::*;
use crate::{
    model::{BundleEntry, Component, Occasion},
    repository::fixture::{at, listed},
    signature::Trust,
};
use proptest::prelude::*;

const NOW: &str = "2026-11-24T12:00:00Z";

fn kept(plan: &PrunePlan, time: &str) -> Vec<String> {
    let id = listed(time, SnapshotState::Complete).id;
    plan.keep.iter().find(|(kept, _)| *kept == id).map(|(_, reasons)| reasons.clone()).unwrap_or_default()
}

#[test]
fn a_year_of_nights_becomes_seven_days_four_weeks_three_months() {
    let nights = (0..365).map(|n| at("2026-11-24T01:00:00Z") - TimeDelta::days(n));
    let all: Vec<Listed> = nights.map(|night| listed(&night.to_rfc3339(), SnapshotState::Complete)).collect();
    let plan = plan(&all, Retention::default(), at(NOW));
    assert_eq!(
        kept(&plan, "2026-11-24T01:00:00Z"),
        ["newest", "daily 2026-11-24", "weekly 2026-W48", "monthly 2026-11"]
    );
    assert_eq!(kept(&plan, "2026-11-22T01:00:00Z"), ["daily 2026-11-22", "weekly 2026-W47"]);
    assert_eq!(kept(&plan, "2026-10-31T01:00:00Z"), ["monthly 2026-10"]);
    let ids: Vec<&str> = plan.keep.iter().map(|(id, _)| &id.as_str()[..8]).collect();
    assert_eq!(
        ids,
        [
            "20260930", "20261031", "20261108", "20261115", "20261118", "20261119", "20261120", "20261121",
            "20261122", "20261123", "20261124"
        ]
    );
    assert_eq!(plan.delete.len(), 365 - plan.keep.len());
}

#[test]
fn a_snapshot_of_some_components_takes_no_place_of_one_that_has_more() {
    let mut all = [
        listed("2026-11-23T01:00:00Z", SnapshotState::Complete),
        listed("2026-11-23T15:00:00Z", SnapshotState::Complete),
    ];
    let mut bundle = |of: usize, component| {
        let bundle = BundleEntry { component, sha256: String::new(), bytes: 0, items: 0 };
        all[of].header.as_mut().unwrap().bundles.push(bundle);
    };
    bundle(0, Component::Policies);
    bundle(0, Component::Ingress);
    bundle(1, Component::Policies);
    assert_eq!(plan(&all, Retention::default(), at(NOW)).delete, []);
}

#[test]
fn the_newest_of_a_day_wins_and_what_is_not_complete_displaces_nothing() {
    let all = [
        listed("2026-11-20T01:00:00Z", SnapshotState::Partial),
        listed("2026-11-23T01:00:00Z", SnapshotState::Complete),
        listed("2026-11-23T09:00:00Z", SnapshotState::Complete),
        listed("2026-11-23T10:00:00Z", SnapshotState::Shrunk),
        listed("2026-11-24T01:00:00Z", SnapshotState::Partial),
    ];
    let plan = plan(&all, Retention::default(), at(NOW));
    assert_eq!(plan.delete, [all[0].id.clone(), all[1].id.clone()]);
    assert_eq!(kept(&plan, "2026-11-23T09:00:00Z")[0], "newest");
    assert_eq!(kept(&plan, "2026-11-24T01:00:00Z"), ["partial, younger than the oldest daily"]);
}

#[test]
fn a_damaged_one_displaces_no_whole_one() {
    let mut all = [
        listed("2026-11-23T01:00:00Z", SnapshotState::Complete),
        listed("2026-11-23T09:00:00Z", SnapshotState::Complete),
    ];
    all[1].damage = vec![(Some(Component::Policies), "policies.tar.zst.age is missing".into())];
    let plan = plan(&all, Retention::default(), at(NOW));
    assert_eq!(plan.delete, []);
    assert_eq!(kept(&plan, "2026-11-23T01:00:00Z")[0], "newest");
    assert_eq!(kept(&plan, "2026-11-23T09:00:00Z"), ["damaged, younger than the oldest daily"]);
}

/// An error of a network file system at two in the morning is no reason to delete the only one of its month.
#[test]
fn one_of_which_a_file_cannot_be_looked_at_stays_and_displaces_nothing() {
    let nights = (0..40).map(|n| at("2026-11-24T01:00:00Z") - TimeDelta::days(n));
    let mut all: Vec<Listed> =
        nights.map(|night| listed(&night.to_rfc3339(), SnapshotState::Complete)).collect();
    let monthly = "2026-10-31T01:00:00Z";
    let at_hand = all.iter().position(|one| one.id.captured_at() == at(monthly)).unwrap();
    let wrong = vec![(Some(Component::Policies), "policies.tar.zst.age cannot be looked at: ESTALE".into())];
    all[at_hand].unseen.clone_from(&wrong);
    let plan_of = |all: &[Listed]| plan(all, Retention::default(), at(NOW));
    assert_eq!(kept(&plan_of(&all), monthly), ["a file of it cannot be looked at"]);
    assert_eq!(kept(&plan_of(&all), "2026-10-30T01:00:00Z"), ["monthly 2026-10"]);
    (all[at_hand].damage, all[at_hand].unseen) = (wrong, vec![]);
    assert!(plan_of(&all).delete.contains(&all[at_hand].id), "what is known to be gone goes");
}

#[test]
fn a_damaged_one_of_a_change_takes_no_whole_ones_hour() {
    let minutes = |n: i64| (at(NOW) - TimeDelta::minutes(n)).to_rfc3339();
    let mut all: Vec<Listed> =
        (0..90).map(|n| of_a_change(listed(&minutes(n * 2), SnapshotState::Complete))).collect();
    let hour = |all: &[Listed]| kept(&plan(all, Retention::default(), at(NOW)), "2026-11-24T10:56:00Z");
    assert_eq!(hour(&all), [""; 0]);
    let newer = |one: &&mut Listed| one.id.captured_at() > at("2026-11-24T10:56:00Z");
    all.iter_mut().filter(newer).for_each(|one| one.damage = vec![(None, "index is missing".into())]);
    assert_eq!(hour(&all), ["newest", "hourly 2026-11-24T10"]);
}

#[test]
fn untrusted_and_unreadable_ones_are_left_alone_and_sets_nodes_clusters_are_apart() {
    let mut all: Vec<Listed> =
        (10..14).map(|h| listed(&format!("2026-11-23T{h}:00:00Z"), SnapshotState::Complete)).collect();
    all[0].trust = Trust::Untrusted("foreign".into());
    all[1].header = Err("broken".into());
    all[2].header.as_mut().unwrap().node = Some("n1".into());
    let kept = plan(&all, Retention::default(), at(NOW)).keep.len();
    assert_eq!((kept, plan(&all, Retention::default(), at(NOW)).delete), (2, vec![]));
}

#[test]
fn what_a_run_needs_that_can_be_resumed_stays_as_what_it_was_sealed_anew_as() {
    let run: RunId = "20261123T120000Z-traefik-5b21d0".parse().unwrap();
    let [old, day, newest] = ["2026-11-23T01:00:00Z", "2026-11-23T09:00:00Z", "2026-11-24T01:00:00Z"]
        .map(|time| listed(time, SnapshotState::Complete));
    let mut anew = old.clone();
    anew.id = SnapshotId::new(at("2026-11-23T01:00:00Z"), crate::model::Set::Network, None, 7);
    let header = anew.header.as_mut().unwrap();
    (header.id, header.reseals) = (anew.id.clone(), Some(old.id.clone()));
    let all = [old.clone(), anew.clone(), day.clone(), newest.clone()];
    let sources = vec![old.id.clone(), newest.id.clone(), "20261101T010000Z-host-n1-000000".parse().unwrap()];
    let rule = plan(&all, Retention::default(), at(NOW));
    assert_eq!(rule.delete, [old.id.clone(), anew.id.clone()]);
    let plan = rule.needed_by(&[(run.clone(), sources)], &all);
    assert_eq!(plan.delete, [old.id]);
    let reason = format!("run {run} needs it");
    assert_eq!(plan.keep[0], (anew.id, vec![reason.clone()]));
    assert_eq!(kept(&plan, "2026-11-24T01:00:00Z").last(), Some(&reason));
    assert!(!kept(&plan, "2026-11-23T09:00:00Z").contains(&reason));
}

/// A change every minute of two days, and the nights before.
#[test]
fn of_a_busy_day_the_last_minutes_and_hours_stay_and_no_night_goes_for_them() {
    let nights = (1..15).map(|n| at("2026-11-24T01:00:00Z") - TimeDelta::days(n));
    let nights: Vec<Listed> = nights.map(|at| listed(&at.to_rfc3339(), SnapshotState::Complete)).collect();
    let changes = (0..2_880).map(|n| {
        of_a_change(listed(&(at(NOW) - TimeDelta::minutes(n)).to_rfc3339(), SnapshotState::Complete))
    });
    let all: Vec<Listed> = nights.iter().cloned().chain(changes).collect();
    let rule = plan(&all, Retention::default(), at(NOW));
    let alone = plan(&nights, Retention::default(), at(NOW));
    let kept_nights: Vec<_> = rule.keep.iter().filter(|kept| alone.keep.contains(kept)).collect();
    assert_eq!(kept_nights.len(), alone.keep.len());
    let both = 2; // the newest of hours 12 and 11 are among the newest of all
    assert_eq!(rule.keep.len() - alone.keep.len(), changes::NEWEST + changes::HOURS - both);
    assert_eq!(kept(&rule, NOW), ["of the newest changes", "newest", "hourly 2026-11-24T12"]);
    assert_eq!(kept(&rule, "2026-11-24T08:59:00Z"), ["hourly 2026-11-24T08"]);
}

fn of_a_change(mut listed: Listed) -> Listed {
    listed.header.as_mut().unwrap().occasion = Occasion::Change;
    listed
}

fn any_listed() -> impl Strategy<Value = Vec<Listed>> {
    let state = prop_oneof![
        4 => Just(SnapshotState::Complete), 1 => Just(SnapshotState::Partial), 1 => Just(SnapshotState::Shrunk)
    ];
    let when = prop_oneof![-200_000i64..12_000_000, 0i64..200_000];
    let one = (when, state, 0..8u8, any::<bool>()).prop_map(|(seconds, state, luck, change)| {
        let mut one = listed(&(at(NOW) - TimeDelta::seconds(seconds)).to_rfc3339(), state);
        if luck == 0 {
            one.trust = Trust::Untrusted("unlucky".into());
        }
        if change {
            one = of_a_change(one);
        }
        one
    });
    prop::collection::vec(one, 0..120).prop_map(|mut all| {
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.dedup_by(|a, b| a.id == b.id);
        all
    })
}

proptest! {
    #[test]
    fn planning_again_on_what_is_kept_deletes_nothing(
        all in any_listed(), daily in 0..9u32, weekly in 0..5u32, monthly in 0..4u32
    ) {
        let retention = Retention { daily, weekly, monthly };
        let first = plan(&all, retention, at(NOW));
        let left: Vec<Listed> = all.into_iter().filter(|l| !first.delete.contains(&l.id)).collect();
        let again = plan(&left, retention, at(NOW));
        prop_assert_eq!(again.delete, vec![]);
        prop_assert_eq!(again.keep, first.keep);
    }

    #[test]
    fn changes_displace_no_night_and_are_never_many(all in any_listed(), daily in 0..9u32) {
        let retention = Retention { daily, weekly: 2, monthly: 2 };
        let whole = plan(&all, retention, at(NOW));
        let (changes, nights): (Vec<Listed>, Vec<Listed>) = all.into_iter().partition(Listed::is_of_a_change);
        let alone = plan(&nights, retention, at(NOW));
        let of_changes = |id: &SnapshotId| changes.iter().any(|one| one.id == *id);
        let (kept_changes, kept_nights): (Vec<_>, Vec<_>) = whole.keep.into_iter().partition(|(id, _)| of_changes(id));
        prop_assert_eq!(kept_nights, alone.keep);
        let past = kept_changes.iter().filter(|(id, _)| id.captured_at() <= at(NOW) + SKEW).count();
        prop_assert!(past <= changes::NEWEST + changes::HOURS + 1);
    }

    #[test]
    fn the_newest_complete_one_and_the_future_are_never_deleted(all in any_listed(), daily in 0..3u32) {
        let plan = plan(&all, Retention { daily, weekly: 0, monthly: 0 }, at(NOW));
        let ours = all.iter().filter(|l| l.trust.is_trusted()).filter_map(|l| l.header.as_ref().ok());
        let past = ours.clone().filter(|h| h.captured_at <= at(NOW) + SKEW && h.state == SnapshotState::Complete);
        for occasion in [Occasion::Backup, Occasion::Change] {
            let of = past.clone().filter(|h| h.occasion == occasion);
            if let Some(newest) = of.max_by_key(|h| h.captured_at) {
                prop_assert!(!plan.delete.contains(&newest.id));
            }
        }
        for future in ours.filter(|h| h.captured_at > at(NOW) + SKEW) {
            prop_assert!(!plan.delete.contains(&future.id));
        }
        for untrusted in all.iter().filter(|l| !l.trust.is_trusted()) {
            prop_assert!(!plan.delete.contains(&untrusted.id) && plan.keep.iter().all(|k| k.0 != untrusted.id));
        }
    }
}

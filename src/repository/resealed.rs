//! Snapshots whose content another one holds, sealed anew.
//!
//! In: every snapshot. Out: those that another stands in for. Invariant: pure; what is stood in for has a trusted
//! snapshot of the same content beside it, so that nobody who passes it over or deletes it loses anything.

use std::{collections::BTreeMap, iter};

use super::Listed;
use crate::model::{SnapshotHeader, SnapshotId};

/// Each snapshot that was sealed anew and is still there, with the one that stands in for it. Only between a commit
/// and the removal after it are both there, or where somebody died in between.
pub fn resealed(listed: &[Listed]) -> BTreeMap<&SnapshotId, &SnapshotId> {
    let trusted = listed.iter().filter(|l| l.trust.is_trusted()).filter_map(|l| l.header.as_ref().ok());
    let headers: BTreeMap<&SnapshotId, &SnapshotHeader> = trusted.map(|h| (&h.id, h)).collect();
    let older = |header: &SnapshotHeader| headers.get(header.reseals.as_ref()?).copied();
    let pairs = headers.values().filter_map(|new| Some((older(new)?, *new)));
    let same = |old: &SnapshotHeader, new: &SnapshotHeader| {
        old.captured_at == new.captured_at && old.series() == new.series() && old.state == new.state
    };
    // Two that claim to stand in for each other would both go.
    let in_a_circle = |new: &SnapshotHeader| {
        iter::successors(older(new), |header| older(header)).take(headers.len()).any(|old| old.id == new.id)
    };
    pairs
        .filter(|(old, new)| same(old, new) && !in_a_circle(new))
        .map(|(old, new)| (&old.id, &new.id))
        .collect()
}

/// As [`resealed`], of those that a whole one stands in for: where the new one is damaged, the old one is the good one.
/// What is damaged is a rotation's to make again, and [`Repository::proved`] keeps the old one until then.
///
/// [`Repository::proved`]: super::Repository::proved
pub fn replaced(listed: &[Listed]) -> BTreeMap<&SnapshotId, &SnapshotId> {
    let is_whole = |id: &SnapshotId| listed.iter().any(|one| one.id == *id && one.is_whole());
    resealed(listed).into_iter().filter(|(_, new)| is_whole(new)).collect()
}

/// The snapshot that is to be taken for this one: what it was sealed anew as, from one rotation to the next; itself where
/// it was not; none where neither is there.
///
/// A rotation deletes the old one, and with it what names the one before: of what is gone, only the id is left to go by,
/// and one that was sealed anew twice since is not found.
pub fn stand_in<'a>(listed: &'a [Listed], id: &'a SnapshotId) -> Option<&'a SnapshotId> {
    let there = replaced(listed);
    let found = match listed.iter().find(|l| l.id == *id) {
        Some(found) => &found.id,
        None => {
            let capture = |id: &'a SnapshotId| id.as_str().rsplit_once('-').map(|(capture, _)| capture);
            let trusted = listed.iter().filter(|l| l.trust.is_trusted());
            let mut headers = trusted.filter_map(|l| l.header.as_ref().ok());
            &headers.find(|new| new.reseals.as_ref() == Some(id) && capture(&new.id) == capture(id))?.id
        }
    };
    iter::successors(Some(found), |id| there.get(id).copied()).last() // which leads in no circle
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        model::{Set, SnapshotState},
        repository::{
            Retention, choose,
            fixture::{at, listed},
            retention,
        },
        signature::Trust,
    };

    const NIGHT: &str = "2026-11-24T01:00:00Z";

    /// A snapshot of one night with this number; of another's content, where it says so.
    fn one(number: u32, of: Option<u32>) -> Listed {
        let id = |number| SnapshotId::new(at(NIGHT), Set::Network, None, number);
        let mut one = listed(NIGHT, SnapshotState::Complete);
        one.id = id(number);
        let header = one.header.as_mut().unwrap();
        header.id = id(number);
        header.reseals = of.map(id);
        one
    }

    fn old(listed: &[Listed]) -> Vec<&str> {
        resealed(listed).into_keys().map(|id| id.as_str().rsplit_once('-').unwrap().1).collect()
    }

    #[test]
    fn a_snapshot_is_stood_in_for_by_a_trusted_one_of_the_same_capture_only() {
        assert_eq!(old(&[one(1, None), one(2, Some(1))]), ["000001"]);
        assert_eq!(old(&[one(3, None), one(2, Some(3)), one(1, Some(2))]), ["000002", "000003"]);
        assert_eq!(old(&[one(2, Some(1))]), [""; 0], "the old one is gone");
        let mut untrusted = one(2, Some(1));
        untrusted.trust = Trust::Untrusted("foreign".into());
        assert_eq!(old(&[one(1, None), untrusted]), [""; 0]);
        let mut later = one(2, Some(1));
        later.header.as_mut().unwrap().captured_at += TimeDelta::days(1);
        assert_eq!(old(&[one(1, None), later]), [""; 0], "another night's");
        assert_eq!(old(&[one(1, Some(2)), one(2, Some(1)), one(3, Some(3))]), [""; 0], "in a circle");
    }

    #[test]
    fn what_is_gone_is_led_to_what_it_was_sealed_anew_as() {
        let id = |number| one(number, None).id;
        let led = |all: &[Listed], from| stand_in(all, &id(from)).cloned();
        assert_eq!(led(&[one(1, None)], 1), Some(id(1)));
        assert_eq!(led(&[one(2, Some(1))], 1), Some(id(2)));
        assert_eq!(led(&[one(1, None), one(2, Some(1)), one(3, Some(2))], 1), Some(id(3)));
        assert_eq!(led(&[one(2, Some(1)), one(3, Some(2))], 1), Some(id(3)));
        assert_eq!(led(&[one(3, None)], 1), None);
        assert_eq!(led(&[one(1, Some(2)), one(2, Some(1))], 1), Some(id(1)), "a circle leads nowhere");
        let mut other = one(2, None);
        let night_before = SnapshotId::new(at("2026-11-23T01:00:00Z"), Set::Network, None, 1);
        other.header.as_mut().unwrap().reseals = Some(night_before.clone());
        assert_eq!(stand_in(&[other], &night_before), None, "another night's");
        let mut untrusted = one(2, Some(1));
        untrusted.trust = Trust::Untrusted("foreign".into());
        assert_eq!(led(&[untrusted], 1), None);
    }

    #[test]
    fn where_the_new_one_is_damaged_the_old_one_is_latest() {
        let mut all = [one(1, None), one(2, Some(1))];
        all[1].damage = vec![(None, "index.jsonl.zst.age is missing".into())];
        let choice = choose(&all, "c1", Set::Network, None, &[].into(), at("2026-11-25T00:00:00Z")).unwrap();
        assert_eq!(choice.header.id, all[0].id);
        assert_eq!(stand_in(&all, &all[0].id), Some(&all[0].id), "a run goes on with it");
        assert_eq!(old(&all), ["000001"], "the rotation is still to be ended");
    }

    #[test]
    fn it_is_neither_latest_nor_kept_whichever_id_is_greater() {
        for all in [[one(1, None), one(2, Some(1))], [one(1, Some(2)), one(2, None)]] {
            let (old, new) = resealed(&all).into_iter().next().unwrap();
            let choice =
                choose(&all, "c1", Set::Network, None, &[].into(), at("2026-11-25T00:00:00Z")).unwrap();
            assert_eq!((&choice.header.id, choice.passed_over.len()), (new, 0));
            let plan = retention::plan(&all, Retention::default(), at("2026-11-25T00:00:00Z"));
            assert_eq!(plan.delete.iter().collect::<Vec<_>>(), [old]);
            assert_eq!(plan.keep.iter().map(|(id, _)| id).collect::<Vec<_>>(), [new]);
        }
    }
}

//! Retention applied to a place outside.
//!
//! In: what a place has, whose snapshots are trusted, the rule. Out: what goes now, what goes later and why, and that it is
//! gone. Invariant: a header goes before anything else of its snapshot, so that nothing half-deleted is ever offered;
//! whoever dies leaves objects without a header, which the next prune finds.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};

use crate::{
    Error, Result,
    model::SnapshotId,
    repository::{
        Listed, Retention, fetch, layout,
        retention::{
            self,
            deferral::{self, Decision},
        },
        s3::{self, Bucket, Object, Stored},
        thaw,
    },
    signature::TrustedSigners,
};

/// Objects without a header are somebody's who is at work until they are this old.
const AT_WORK: TimeDelta = TimeDelta::weeks(1);
/// Snapshots that are looked at, or deleted, at once.
const PARALLEL: usize = 8;

/// How a place is pruned.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Of which cluster's snapshots, by name; of all, where none is named.
    pub cluster: Option<&'a str>,
    /// What it keeps.
    pub retention: Retention,
    /// Whether what S3 bills for anyway goes at once.
    pub early: bool,
}

/// What pruning a place would do; each list is oldest first.
#[derive(Debug, Default)]
pub struct PlacePlan {
    /// Kept, with the reasons.
    pub keep: Vec<(SnapshotId, Vec<String>)>,
    /// What goes.
    pub delete: Vec<Doomed>,
    /// What goes later: until when it is kept, and why.
    pub deferred: Vec<(SnapshotId, DateTime<Utc>, String)>,
    /// How many are untrusted, unreadable or no longer whole: they displace nothing, and are left alone.
    pub left_alone: usize,
    /// How many are of other clusters.
    pub others: usize,
}

/// Something to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether it has no header: a copy or a deletion that died left its objects.
    pub leftover: bool,
    /// Its files, the header first, then its signature.
    pub files: Vec<String>,
}

impl Bucket {
    /// Plans; headers and signatures are read and judged first. What would go now is looked at for a lock.
    ///
    /// # Errors
    /// When the place does not answer, or refuses.
    pub async fn prune_plan(
        &self,
        rule: Rule<'_>,
        trusted: &TrustedSigners,
        now: DateTime<Utc>,
    ) -> Result<PlacePlan> {
        let stored = self.stored().await?;
        let listed = self.listed(&fetch::whole(&stored), trusted, now).await?;
        let lock = self.place().object_lock.map(|lock| TimeDelta::days(lock.days.into()));
        let mut plan = planned(&stored, &listed, rule, lock, now);
        let doomed = std::mem::take(&mut plan.delete);
        let looked = stream::iter(doomed).map(async |doomed| {
            let until = self.locked_until(&doomed).await?;
            Ok((doomed, until))
        });
        for looked in looked.buffered(PARALLEL).collect::<Vec<Result<_>>>().await {
            match looked? {
                (doomed, Some((until, file))) if until > now => {
                    plan.deferred.push((doomed.id, until, deferral::retained(&file)));
                }
                (doomed, _) => plan.delete.push(doomed),
            }
        }
        plan.deferred.sort();
        Ok(plan)
    }

    /// Deletes what a plan says; `each` is told of every one that is done with. Returns what is gone, and what is not.
    pub async fn prune(
        &self,
        delete: &[Doomed],
        each: &dyn Fn(),
    ) -> (Vec<SnapshotId>, Vec<(SnapshotId, Error)>) {
        let deleting = stream::iter(delete).map(async |doomed| (doomed, self.delete_all(doomed).await));
        let mut deleting = std::pin::pin!(deleting.buffered(PARALLEL));
        let (mut gone, mut failed) = (Vec::new(), Vec::new());
        while let Some((doomed, outcome)) = deleting.next().await {
            match outcome {
                Ok(()) => gone.push(doomed.id.clone()),
                Err(error) => failed.push((doomed.id.clone(), error)),
            }
            each();
        }
        (gone, failed)
    }

    async fn delete_all(&self, doomed: &Doomed) -> Result<()> {
        for file in &doomed.files {
            self.delete(&s3::path(&doomed.id, file)).await?;
        }
        Ok(())
    }

    /// Until when Object Lock keeps one of its objects, and which.
    async fn locked_until(&self, doomed: &Doomed) -> Result<Option<(DateTime<Utc>, String)>> {
        let mut latest = None;
        for file in &doomed.files {
            let head = self.head(&s3::path(&doomed.id, file)).await?;
            let until = head.and_then(|head| head.locked_until).map(|until| (until, file.clone()));
            latest = latest.max(until);
        }
        Ok(latest)
    }
}

/// Decides by what a LIST says. Every object was put with the place's own lock, where it has one: what that is nobody needs
/// to be asked.
fn planned(
    stored: &Stored,
    listed: &[Listed],
    rule: Rule<'_>,
    lock: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> PlacePlan {
    let (others, own): (Vec<&Listed>, Vec<&Listed>) =
        listed.iter().partition(|one| one.is_of_another(rule.cluster));
    let (intact, broken): (Vec<&Listed>, Vec<&Listed>) =
        own.into_iter().partition(|one| stored.get(&one.id).is_some_and(|objects| is_intact(one, objects)));
    let intact: Vec<Listed> = intact.into_iter().cloned().collect();
    let kept = retention::plan_outside(&intact, rule.retention, now);
    let mut plan = PlacePlan {
        left_alone: broken.len() + intact.len() - kept.keep.len() - kept.delete.len(),
        others: others.len(),
        keep: kept.keep,
        ..PlacePlan::default()
    };
    let headed: BTreeSet<&SnapshotId> = listed.iter().map(|one| &one.id).collect();
    let abandoned = |objects: &[Object]| objects.iter().all(|object| object.modified < now - AT_WORK);
    for (id, objects) in stored {
        let leftover = !headed.contains(id);
        if !(kept.delete.contains(id) || leftover && abandoned(objects)) {
            continue;
        }
        let held = |object: &Object| deferral::Stored {
            name: object.name.clone(),
            since: object.modified,
            class: object.class.map(|class| class.name()).unwrap_or_default().into(),
            locked_until: lock.map(|lock| object.modified + lock),
        };
        match deferral::decide(&objects.iter().map(held).collect::<Vec<_>>(), rule.early, now) {
            Decision::Delete => plan.delete.push(Doomed { id: id.clone(), leftover, files: files(objects) }),
            Decision::Deferred { until, why } => plan.deferred.push((id.clone(), until, why)),
        }
    }
    plan
}

/// Whether all is there that a header names: what a lifecycle rule made holes in must displace no good one.
fn is_intact(one: &Listed, objects: &[Object]) -> bool {
    let changed = objects.iter().any(|object| object.name == layout::CHANGED);
    !changed && one.header.as_ref().is_ok_and(|header| thaw::wrong(header, objects).is_empty())
}

/// The names in the order in which they go.
fn files(objects: &[Object]) -> Vec<String> {
    let mut names: Vec<String> = objects.iter().map(|object| object.name.clone()).collect();
    names.sort_by_key(|name| (name != layout::HEADER, name != layout::SIGNATURE));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{BundleEntry, Component, SnapshotState},
        repository::{
            fixture::{at, listed},
            replicate,
            s3::StorageClass,
        },
        signature::Trust,
    };

    const NOW: &str = "2026-11-24T12:00:00Z";
    const ONE: Rule<'_> =
        Rule { cluster: None, retention: Retention { daily: 1, weekly: 0, monthly: 0 }, early: false };

    /// A snapshot's objects, put a moment after it was captured.
    fn objects(one: &Listed, class: StorageClass, names: &[&str]) -> (SnapshotId, Vec<Object>) {
        let object = |name: &&str| Object {
            name: (*name).into(),
            bytes: 1,
            class: Some(if name.ends_with(".tar.zst.age") { class } else { StorageClass::Standard }),
            modified: one.id.captured_at() + TimeDelta::minutes(1),
            restore: None,
        };
        (one.id.clone(), names.iter().map(object).collect())
    }

    const WHOLE: [&str; 4] = ["cni.tar.zst.age", "index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"];

    fn night(day: &str) -> Listed {
        listed(&format!("{day}T01:00:00Z"), SnapshotState::Complete)
    }

    #[test]
    fn a_snapshot_goes_when_it_is_free_and_its_header_goes_first() {
        let all = ["2026-05-28", "2026-05-29", "2026-11-24"].map(night);
        let stored = all.iter().map(|one| objects(one, StorageClass::DeepArchive, &WHOLE)).collect();
        let plan = planned(&stored, &all, ONE, None, at(NOW));
        assert_eq!(plan.keep.len(), 1);
        let doomed = |one: &Listed| Doomed {
            id: one.id.clone(),
            leftover: false,
            files: ["snapshot.json", "snapshot.json.sig", "cni.tar.zst.age", "index.jsonl.zst.age"]
                .map(ToOwned::to_owned)
                .into(),
        };
        assert_eq!(plan.delete, [doomed(&all[0])], "180 days ago");
        let (id, until, why) = &plan.deferred[0];
        assert_eq!((id, *until), (&all[1].id, at("2026-11-25T01:01:00Z")));
        assert!(why.contains("180 days in DEEP_ARCHIVE"), "{why}");
        let early = planned(&stored, &all, Rule { early: true, ..ONE }, None, at(NOW));
        assert_eq!((early.delete.len(), early.deferred.len()), (2, 0));
        let locked = planned(&stored, &all, Rule { early: true, ..ONE }, Some(TimeDelta::days(365)), at(NOW));
        assert_eq!((locked.delete.len(), locked.deferred.len()), (0, 2), "no lock is passed");
    }

    /// Two clusters may share a bucket; each configuration has a retention of its own.
    #[test]
    fn of_another_cluster_nothing_goes_but_what_is_nobodys() {
        let mut all = ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"].map(night);
        for one in &mut all[..2] {
            one.header.as_mut().unwrap().cluster.name = "c2".into();
        }
        let stored = all.iter().map(|one| objects(one, StorageClass::Standard, &WHOLE)).collect();
        let of = |cluster| {
            let plan = planned(&stored, &all, Rule { cluster, ..ONE }, None, at(NOW));
            let gone = plan.delete.into_iter().map(|doomed| doomed.id).collect::<Vec<_>>();
            (gone, plan.keep.len(), plan.others, plan.left_alone)
        };
        let [first, _, third, _] = all.each_ref().map(|one| one.id.clone());
        assert_eq!(of(Some("c1")), (vec![third.clone()], 1, 2, 0));
        assert_eq!(of(Some("c2")), (vec![first.clone()], 1, 2, 0));
        assert_eq!(of(None), (vec![first, third], 2, 0, 0));
    }

    #[test]
    fn what_the_next_replicate_would_copy_again_stays() {
        let all = ["2026-11-24T01:00:00Z", "2026-11-24T03:00:00Z", "2026-11-24T11:00:00Z"]
            .map(|at| listed(at, SnapshotState::Complete));
        let stored = all.iter().map(|one| objects(one, StorageClass::Standard, &WHOLE)).collect();
        for now in [NOW, "2026-11-25T01:00:00Z", "2026-11-25T02:00:00Z", "2026-11-26T12:00:00Z"] {
            let plan = planned(&stored, &all, ONE, None, at(now));
            let (_, expired) = replicate::wanted(&all, Some(ONE.retention), at(now));
            let doomed: Vec<&SnapshotId> = plan.delete.iter().map(|doomed| &doomed.id).collect();
            assert_eq!(doomed, expired.iter().collect::<Vec<_>>(), "{now}");
        }
        let plan = planned(&stored, &all, ONE, None, at(NOW));
        assert_eq!(plan.keep[0].1, ["captured within a day"]);
    }

    #[test]
    fn what_a_rule_made_holes_in_displaces_nothing() {
        let all = ["2026-11-22", "2026-11-23", "2026-11-24"].map(night);
        let mut stored: Stored = all.iter().map(|one| objects(one, StorageClass::Standard, &WHOLE)).collect();
        stored.get_mut(&all[2].id).unwrap().retain(|object| object.name != "index.jsonl.zst.age");
        let mut all = all;
        let bundle = BundleEntry { component: Component::Cni, sha256: String::new(), bytes: 2, items: 0 };
        all[1].header.as_mut().unwrap().bundles.push(bundle); // of which there is one byte
        let plan = planned(&stored, &all, ONE, None, at(NOW));
        assert_eq!((plan.left_alone, plan.keep[0].0.clone(), plan.delete.len()), (2, all[0].id.clone(), 0));
    }

    #[test]
    fn what_has_no_header_goes_after_a_week_and_what_is_untrusted_never() {
        let all = ["2026-11-10", "2026-11-16", "2026-11-18", "2026-11-24"].map(night);
        let halves = all[..3].iter().map(|one| objects(one, StorageClass::Standard, &WHOLE[..2]));
        let whole = objects(&all[3], StorageClass::Standard, &WHOLE);
        let mut foreign = night("2026-01-01");
        foreign.trust = Trust::Untrusted("foreign".into());
        let stored =
            halves.chain([whole, objects(&foreign, StorageClass::Standard, &WHOLE)]).collect::<Stored>();
        let plan = planned(&stored, &[foreign, all[3].clone()], ONE, None, at(NOW));
        let leftovers: Vec<(&SnapshotId, bool)> = plan.delete.iter().map(|d| (&d.id, d.leftover)).collect();
        assert_eq!(leftovers, [(&all[0].id, true), (&all[1].id, true)], "the third may be on its way");
        assert_eq!((plan.left_alone, plan.keep.len()), (1, 1));
    }
}

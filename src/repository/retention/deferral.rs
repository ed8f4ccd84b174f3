//! Whether what a place stores may go now.
//!
//! In: of each object of a snapshot, since when it is stored, in which class, and until when it is locked. Out: delete, or
//! not before when, and why. Invariant: pure; of all that stands in the way, the latest wins.

use chrono::{DateTime, TimeDelta, Utc};

/// An object as S3 lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name within the snapshot.
    pub name: String,
    /// Since when it is stored there (`LastModified`).
    pub since: DateTime<Utc>,
    /// Its storage class, as S3 spells it.
    pub class: String,
    /// Until when Object Lock retains it, where it does (`x-amz-object-lock-retain-until-date`).
    pub locked_until: Option<DateTime<Utc>>,
}

/// What is to become of a snapshot that retention does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may go.
    Delete,
    /// Not yet.
    Deferred {
        /// When it may.
        until: DateTime<Utc>,
        /// What stands in the way until then.
        why: String,
    },
}

/// Decides for a snapshot by all its objects. `early`: what S3 bills for anyway is in nobody's way.
pub fn decide(objects: &[Stored], early: bool, now: DateTime<Utc>) -> Decision {
    let billed = objects.iter().filter_map(|object| {
        let days = minimum_days(&object.class)?;
        let why = format!("{} is billed for {days} days in {} whatever happens", object.name, object.class);
        Some((object.since + TimeDelta::days(days), why))
    });
    let locked = objects.iter().filter_map(|object| Some((object.locked_until?, retained(&object.name))));
    let in_the_way = billed.filter(|_| !early).chain(locked).filter(|(until, _)| *until > now);
    match in_the_way.max_by_key(|(until, _)| *until) {
        None => Decision::Delete,
        Some((until, why)) => Decision::Deferred { until, why },
    }
}

/// That a lock stands in the way, of this object.
pub fn retained(name: &str) -> String {
    format!("Object Lock retains {name} until then")
}

/// For how many days S3 charges at least, whenever an object is deleted (https://aws.amazon.com/s3/pricing/, "minimum
/// storage duration"; https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html).
pub fn minimum_days(class: &str) -> Option<i64> {
    match class {
        "DEEP_ARCHIVE" => Some(180),
        "GLACIER" | "GLACIER_IR" => Some(90),
        "STANDARD_IA" | "ONEZONE_IA" => Some(30),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::repository::fixture::at;

    const SINCE: &str = "2026-01-01T00:00:00Z";

    fn stored(class: &str, locked_until: Option<&str>) -> Stored {
        Stored {
            name: "cni.tar.zst.age".into(),
            since: at(SINCE),
            class: class.into(),
            locked_until: locked_until.map(at),
        }
    }

    fn until(objects: &[Stored], now: &str) -> Option<(String, String)> {
        match decide(objects, false, at(now)) {
            Decision::Delete => None,
            Decision::Deferred { until, why } => Some((until.format("%F").to_string(), why)),
        }
    }

    #[test]
    fn every_class_is_kept_for_as_long_as_it_is_billed() {
        for (class, day) in [
            ("DEEP_ARCHIVE", Some("2026-06-30")),
            ("GLACIER", Some("2026-04-01")),
            ("GLACIER_IR", Some("2026-04-01")),
            ("STANDARD_IA", Some("2026-01-31")),
            ("ONEZONE_IA", Some("2026-01-31")),
            ("STANDARD", None),
            ("INTELLIGENT_TIERING", None),
            ("", None),
        ] {
            let deferred = until(&[stored(class, None)], SINCE).map(|(until, _)| until);
            assert_eq!(deferred.as_deref(), day, "{class}");
        }
        assert_eq!(until(&[stored("DEEP_ARCHIVE", None)], "2026-06-30T00:00:00Z"), None, "to the second");
    }

    #[test]
    fn of_bill_and_lock_the_later_wins_and_is_named() {
        let header = stored("STANDARD", None);
        let (_, why) =
            until(&[header.clone(), stored("DEEP_ARCHIVE", Some("2026-02-01T00:00:00Z"))], SINCE).unwrap();
        assert_eq!(why, "cni.tar.zst.age is billed for 180 days in DEEP_ARCHIVE whatever happens");
        let (day, why) =
            until(&[header, stored("DEEP_ARCHIVE", Some("2027-01-01T00:00:00Z"))], SINCE).unwrap();
        assert_eq!(
            (day.as_str(), why.as_str()),
            ("2027-01-01", "Object Lock retains cni.tar.zst.age until then")
        );
        assert_eq!(until(&[stored("STANDARD", Some(SINCE))], SINCE), None, "it has expired");
    }

    #[test]
    fn who_pays_may_delete_earlier_but_no_lock_is_passed() {
        assert_eq!(decide(&[stored("DEEP_ARCHIVE", None)], true, at(SINCE)), Decision::Delete);
        let locked = stored("DEEP_ARCHIVE", Some("2026-01-02T00:00:00Z"));
        let Decision::Deferred { until, .. } = decide(&[locked], true, at(SINCE)) else { panic!() };
        assert_eq!(until, at("2026-01-02T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn what_is_deferred_goes_at_that_moment_and_not_a_second_earlier(
            objects in prop::collection::vec((0..400i64, 0..7usize, prop::option::of(0..400i64)), 0..6),
            now in 0..500i64, early: bool,
        ) {
            const CLASSES: [&str; 7] =
                ["DEEP_ARCHIVE", "GLACIER", "GLACIER_IR", "STANDARD_IA", "ONEZONE_IA", "STANDARD", "OUTPOSTS"];
            let day = |day: i64| at(SINCE) + TimeDelta::days(day);
            let objects: Vec<Stored> = objects.into_iter().map(|(since, class, lock)| Stored {
                name: "x".into(), since: day(since), class: CLASSES[class].into(), locked_until: lock.map(day),
            }).collect();
            match decide(&objects, early, day(now)) {
                Decision::Deferred { until, .. } => {
                    prop_assert!(until > day(now));
                    prop_assert_eq!(decide(&objects, early, until), Decision::Delete);
                    let still = decide(&objects, early, until - TimeDelta::seconds(1));
                    let same = matches!(still, Decision::Deferred { until: again, .. } if again == until);
                    prop_assert!(same, "{:?}", still);
                }
                Decision::Delete => {
                    prop_assert_eq!(decide(&objects, early, day(now + 1000)), Decision::Delete);
                }
            }
        }
    }
}

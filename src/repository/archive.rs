//! Objects in an archive class of S3: in which state one is, and by when it can be read.
//!
//! In: what S3 says of an object (its storage class, `x-amz-restore`), what was asked for it, and the time. Out: a
//! state. Invariant: pure, and no promise is shorter than what the class may take.
//!
//! Archived → (RestoreObject) → Restoring → Available until the copy expires → Archived again. The storage class stays
//! what it was: the copy that can be read is beside the archived object.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html>

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::s3::{RestoreStatus, StorageClass};
use crate::{Error, Result};

/// How fast a thaw is asked to be. Expedited is not offered for DEEP_ARCHIVE, and so not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Hours; the default of S3.
    Standard,
    /// Cheapest, and slowest.
    Bulk,
}

/// A thaw that was asked for; S3 does not say when that was, so whoever asks keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The latest moment at which it can have been asked for.
    pub at: DateTime<Utc>,
    /// The slowest tier in which it can have been.
    pub tier: Tier,
}

/// The state of one object, or of all that make a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveState {
    /// Its class is read at once: it needs no thaw.
    Standard,
    /// There is a copy to read until then.
    Available {
        /// When S3 deletes the copy.
        until: DateTime<Utc>,
    },
    /// A thaw is under way.
    Restoring {
        /// When it was asked for, where that is known.
        since: Option<DateTime<Utc>>,
        /// By when it is there at the latest.
        ready_by: DateTime<Utc>,
    },
    /// It cannot be read, and nobody has asked for it.
    Archived,
}

impl Tier {
    /// Both, the fast one first.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Bulk];

    /// The name used on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Bulk => "bulk",
        }
    }

    /// The longest that a thaw of this class takes, in hours; none of a class that needs none.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects-retrieval-options.html>
    pub const fn hours(self, class: StorageClass) -> i64 {
        match (class, self) {
            (StorageClass::Glacier, Self::Standard) => 5,
            (StorageClass::Glacier, Self::Bulk) | (StorageClass::DeepArchive, Self::Standard) => 12,
            (StorageClass::DeepArchive, Self::Bulk) => 48,
            _ => 0,
        }
    }
}

impl FromStr for Tier {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let tier = Self::ALL.into_iter().find(|tier| tier.name() == s);
        tier.ok_or_else(|| Error::usage(format!("`{s}` is not a tier: standard, bulk")))
    }
}

/// Reads `x-amz-restore` of a HEAD: `ongoing-request="true"`, or
/// `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>
///
/// # Errors
/// When it is malformed; it is shown.
pub fn restore_status(header: &str) -> Result<RestoreStatus> {
    let read = || {
        let (ongoing, rest) = header.trim().strip_prefix("ongoing-request=\"")?.split_once('"')?;
        match (ongoing, rest) {
            ("true", "") => Some(RestoreStatus { in_progress: true, until: None }),
            ("false", rest) => {
                let date = rest.strip_prefix(',')?.trim_start().strip_prefix("expiry-date=\"")?;
                let until = DateTime::parse_from_rfc2822(date.strip_suffix('"')?).ok()?;
                Some(RestoreStatus { in_progress: false, until: Some(until.to_utc()) })
            }
            _ => None,
        }
    };
    read().ok_or_else(|| {
        Error::failed(format!("x-amz-restore says `{}`, which nobody can read", header.escape_debug()))
            .hint("ask the server itself: aws s3api head-object --bucket BUCKET --key KEY")
    })
}

impl Asked {
    /// By when the thaw is done at the latest.
    pub fn ready_by(self, class: StorageClass) -> DateTime<Utc> {
        self.at + TimeDelta::hours(self.tier.hours(class))
    }

    /// What is known of a thaw under way: what was kept of it, unless its time is over. Then it was another thaw's, or
    /// S3 is late; either way the object may have been asked for just now, in the slowest tier.
    pub fn or_just_now(kept: Option<Self>, class: StorageClass, now: DateTime<Utc>) -> Self {
        kept.filter(|kept| kept.ready_by(class) > now).unwrap_or(Self { at: now, tier: Tier::Bulk })
    }
}

impl ArchiveState {
    /// Of an object of this storage class, of which S3 says this; `asked` is what was kept of the thaw under way.
    pub fn of(
        class: StorageClass,
        restore: Option<RestoreStatus>,
        asked: Option<Asked>,
        now: DateTime<Utc>,
    ) -> Self {
        match restore {
            _ if !class.is_archive() => Self::Standard,
            Some(RestoreStatus { in_progress: true, .. }) => {
                let known = Asked::or_just_now(asked, class, now);
                let since = asked.filter(|asked| *asked == known).map(|asked| asked.at);
                Self::Restoring { since, ready_by: known.ready_by(class) }
            }
            Some(RestoreStatus { until: Some(until), .. }) if until > now => Self::Available { until },
            _ => Self::Archived,
        }
    }

    /// That of several objects together: no further than the one that is furthest behind.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Archived, _) | (_, Self::Archived) => Self::Archived,
            (Self::Restoring { since: a, ready_by: x }, Self::Restoring { since: b, ready_by: y }) => {
                Self::Restoring { since: a.zip(b).map(|(a, b)| a.max(b)), ready_by: x.max(y) }
            }
            (restoring @ Self::Restoring { .. }, _) | (_, restoring @ Self::Restoring { .. }) => restoring,
            (Self::Available { until: a }, Self::Available { until: b }) => {
                Self::Available { until: a.min(b) }
            }
            (available @ Self::Available { .. }, _) | (_, available @ Self::Available { .. }) => available,
            (Self::Standard, Self::Standard) => Self::Standard,
        }
    }

    /// Whether it can be read now.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Standard | Self::Available { .. })
    }

    /// The name used in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Available { .. } => "available",
            Self::Restoring { .. } => "restoring",
            Self::Archived => "archived",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::fixture::at;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    const ONGOING: RestoreStatus = RestoreStatus { in_progress: true, until: None };

    fn until(time: DateTime<Utc>) -> RestoreStatus {
        RestoreStatus { in_progress: false, until: Some(time) }
    }

    #[test]
    fn the_header_is_read_as_s3_writes_it() {
        let until = until(at("2012-12-21T00:00:00Z"));
        for (header, status) in [
            ("ongoing-request=\"true\"", ONGOING),
            ("ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"", until),
            ("ongoing-request=\"false\",expiry-date=\"Fri, 21 Dec 2012 00:00:00 +0000\"", until),
        ] {
            assert_eq!(restore_status(header).unwrap(), status, "{header}");
        }
    }

    #[test]
    fn a_header_that_nobody_can_read_is_shown() {
        for header in [
            "",
            "true",
            "ongoing-request=\"perhaps\"",
            "ongoing-request=\"false\"",
            "ongoing-request=\"false\", expiry-date=\"tomorrow\"",
            "ongoing-request=\"false\", expiry-date=\"Mon, 21 Dec 2012 00:00:00 GMT\"",
            "ongoing-request=\"true\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"",
        ] {
            let error = restore_status(header).unwrap_err();
            assert!(error.to_string().contains(&format!("`{}`", header.escape_debug())), "{error}");
        }
    }

    #[test]
    fn a_class_that_is_read_at_once_needs_no_thaw() {
        let state = |class| ArchiveState::of(class, None, None, at(NOW));
        for class in [StorageClass::Standard, StorageClass::GlacierIr, StorageClass::StandardIa] {
            assert_eq!(state(class), ArchiveState::Standard);
        }
        for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
            assert_eq!(state(class), ArchiveState::Archived);
        }
    }

    #[test]
    fn what_was_asked_for_is_promised_in_full_and_what_is_not_known_as_if_asked_in_bulk_just_now() {
        let now = at(NOW);
        let ready = |kept| match ArchiveState::of(StorageClass::DeepArchive, Some(ONGOING), kept, now) {
            ArchiveState::Restoring { since, ready_by } => (since, (ready_by - now).num_hours()),
            other => panic!("{other:?}"),
        };
        let ago = |hours, tier| Some(Asked { at: now - TimeDelta::hours(hours), tier });
        let since = |hours| Some(now - TimeDelta::hours(hours));
        assert_eq!(ready(ago(2, Tier::Standard)), (since(2), 10));
        assert_eq!(ready(ago(2, Tier::Bulk)), (since(2), 46));
        assert_eq!(ready(None), (None, 48));
        // Kept of another thaw, or S3 is late: nothing is known.
        assert_eq!(ready(ago(12, Tier::Standard)), (None, 48));
    }

    #[test]
    fn a_snapshot_is_no_further_than_the_object_that_is_furthest_behind() {
        let (early, late) = (at("2026-11-25T00:00:00Z"), at("2026-11-26T00:00:00Z"));
        let available = |until| ArchiveState::Available { until };
        let restoring = |ready_by| ArchiveState::Restoring { since: None, ready_by };
        let all =
            |states: &[ArchiveState]| states.iter().copied().fold(ArchiveState::Standard, ArchiveState::and);
        assert_eq!(all(&[]), ArchiveState::Standard);
        assert_eq!(all(&[available(late), available(early), ArchiveState::Standard]), available(early));
        assert_eq!(all(&[restoring(early), available(late), restoring(late)]), restoring(late));
        assert_eq!(all(&[restoring(early), ArchiveState::Archived, available(late)]), ArchiveState::Archived);
    }

    fn tiers() -> impl Strategy<Value = Tier> {
        prop_oneof![Just(Tier::Standard), Just(Tier::Bulk)]
    }

    fn classes() -> impl Strategy<Value = StorageClass> {
        prop_oneof![Just(StorageClass::Glacier), Just(StorageClass::DeepArchive)]
    }

    proptest! {
        /// A thaw that takes no longer than its class may, looked at every now and then.
        #[test]
        fn a_thaw_never_goes_backwards_and_is_never_late(
            class in classes(),
            tier in tiers(),
            part in 0.0..=1.0_f64,
            copy_hours in 1..200_i64,
            mut looks in prop::collection::vec(0..30_000_i64, 1..40),
        ) {
            let asked = Asked { at: at(NOW), tier };
            let taken = TimeDelta::seconds((tier.hours(class) as f64 * 3600.0 * part) as i64);
            let ready = asked.at + taken;
            let gone = ready + TimeDelta::hours(copy_hours);
            looks.sort_unstable();
            let mut furthest = 0;
            for now in looks.into_iter().map(|minutes| asked.at + TimeDelta::minutes(minutes)) {
                let status = if now < ready { ONGOING } else { until(gone) };
                let state = ArchiveState::of(class, Some(status), Some(asked), now);
                let step = match state {
                    ArchiveState::Restoring { since, ready_by } => {
                        prop_assert_eq!(since, Some(asked.at));
                        prop_assert!(ready_by >= ready && ready_by > now);
                        0
                    }
                    ArchiveState::Available { until } => {
                        prop_assert!(until == gone && now < gone);
                        1
                    }
                    ArchiveState::Archived => {
                        prop_assert!(now >= gone, "an expired copy is archived again, and only that");
                        2
                    }
                    ArchiveState::Standard => 9,
                };
                prop_assert!(step >= furthest && step < 9);
                furthest = step;
            }
        }

        /// Whatever was kept, the promise lies ahead, and covers whoever asked with that knowledge.
        #[test]
        fn a_promise_lies_ahead(class in classes(), tier in tiers(), ago in 0..10_000_i64, kept: bool) {
            let now = at(NOW);
            let asked = Asked { at: now - TimeDelta::minutes(ago), tier };
            let state = ArchiveState::of(class, Some(ONGOING), kept.then_some(asked), now);
            let ArchiveState::Restoring { ready_by, .. } = state else { panic!("{state:?}") };
            prop_assert!(ready_by > now);
            let known = kept && asked.ready_by(class) > now;
            prop_assert!(known || ready_by == now + TimeDelta::hours(Tier::Bulk.hours(class)));
        }

        /// Nothing that S3 might send makes reading it panic.
        #[test]
        fn any_header_is_read_or_refused(header in "(ongoing-request=\"(true|false)\")?[, ]{0,2}.{0,40}") {
            let _ = restore_status(&header);
        }
    }
}

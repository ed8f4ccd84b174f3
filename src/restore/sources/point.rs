//! The recovery point of a commit: the last time that it was seen equal to the cluster.
//!
//! In: a commit, and what comparisons before found. Out: a time, and whether nothing authored can be lost. Invariant: pure;
//! a comparison after the incident began says nothing, for it may have seen the damage.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::{gitops::Checkout, repository::git_seen::GitSeen};

/// Of one commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RecoveryPoint {
    pub(super) at: DateTime<Utc>,
    /// Whether it is the newest of what people author, and was never seen to differ from the cluster.
    pub(super) lossless: bool,
    /// What comparisons found, in words that end a sentence.
    pub(super) says: String,
}

impl RecoveryPoint {
    pub(super) fn of(checkout: &Checkout, known: &[GitSeen], incident_start: DateTime<Utc>) -> Self {
        // What netdr saw is in no commit's age: none is made where nothing changes.
        let captured = checkout.seen_at;
        let of_it = |seen: &&GitSeen| {
            seen.url == checkout.url && seen.branch == checkout.branch && seen.commit == checkout.commit
        };
        let before = |at: &DateTime<Utc>| *at <= incident_start;
        let seen: Vec<&GitSeen> = known.iter().filter(of_it).collect();
        let equal = seen.iter().filter_map(|seen| seen.equal_at).filter(before).max();
        let differed = seen.iter().filter(|seen| !seen.equal).map(|seen| seen.at).filter(before).max();
        let at =
            equal.into_iter().chain([captured.unwrap_or(checkout.committed_at)]).max().unwrap_or_default();
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let says = match (equal, differed) {
            (Some(equal), None) => format!("; it was seen equal to the cluster at {}", time(equal)),
            (Some(equal), Some(differed)) => format!(
                "; it was last seen equal to the cluster at {}, and to differ from it at {}",
                time(equal),
                time(differed)
            ),
            (None, Some(differed)) => {
                format!("; it was seen to differ from the cluster at {}", time(differed))
            }
            (None, None) => String::new(),
        };
        Self { at, lossless: checkout.newest && captured.is_none() && differed.is_none(), says }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap()
    }

    fn checkout(newest: bool, seen_at: Option<DateTime<Utc>>) -> Checkout {
        Checkout {
            url: "/forge/k8s".into(),
            branch: "main".into(),
            commit: "c".into(),
            committed_at: at(1),
            answers: "ada".into(),
            newest,
            seen_at,
            files: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    fn seen(commit: &str, hour: u32, equal: bool, equal_at: Option<u32>) -> GitSeen {
        GitSeen {
            url: "/forge/k8s".into(),
            branch: "main".into(),
            cluster: "c".into(),
            part: "sources".into(),
            commit: commit.into(),
            at: at(hour),
            equal,
            equal_at: equal_at.map(at),
        }
    }

    fn point(checkout: &Checkout, known: &[GitSeen]) -> (DateTime<Utc>, bool) {
        let RecoveryPoint { at, lossless, .. } = RecoveryPoint::of(checkout, known, at(10));
        (at, lossless)
    }

    #[test]
    fn the_newest_of_what_people_author_loses_nothing_unless_the_cluster_was_seen_to_have_more() {
        let newest = checkout(true, None);
        assert_eq!(point(&newest, &[]), (at(1), true));
        assert_eq!(point(&newest, &[seen("c", 8, true, Some(8))]), (at(8), true));
        assert_eq!(point(&newest, &[seen("c", 9, false, Some(8))]), (at(8), false));
        assert_eq!(point(&newest, &[seen("c", 9, false, None)]), (at(1), false));
        assert_eq!(point(&newest, &[seen("other", 9, false, None)]), (at(1), true), "of another commit");
        assert_eq!(point(&newest, &[seen("c", 11, false, Some(8))]), (at(8), true), "it may be the damage");
        let said = RecoveryPoint::of(&newest, &[seen("c", 9, false, Some(8))], at(10)).says;
        assert!(said.contains("equal to the cluster at 2026-11-24T08:00:00Z, and to differ"), "{said}");
    }

    #[test]
    fn a_commit_that_may_lag_behind_is_as_old_as_it_was_last_seen_equal() {
        let clone = checkout(false, None);
        assert_eq!(point(&clone, &[]), (at(1), false));
        assert_eq!(point(&clone, &[seen("c", 8, true, Some(8))]), (at(8), false));
    }

    #[test]
    fn what_netdr_committed_itself_is_never_taken_for_authored() {
        let own = checkout(true, Some(at(3)));
        assert_eq!(point(&own, &[]), (at(3), false));
        assert_eq!(point(&own, &[seen("c", 8, true, Some(8))]), (at(8), false));
    }
}

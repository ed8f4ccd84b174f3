//! What a run came to, in words and numbers.
//!
//! In: steps, a plan, the same plan resolved again. Out: parts of a report. Invariant: what was not looked at is said, and
//! never counts as good.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    Result,
    model::ItemKey,
    plan::{Issuance, ResolvedPlan},
    report::{NOT_READ_AGAIN, Phase},
    restore::StepOutcome,
};

/// What looking again came to.
pub(super) struct Proof {
    pub(super) left: u64,
    pub(super) remarks: Vec<String>,
    pub(super) seconds: f64,
    /// Certificates as they are; none where they could not be read.
    pub(super) issuance: Option<Issuance>,
}

/// What a report repeats of a plan; `done` is what would have been: `restored`, `put back`.
pub(super) fn remarks(plan: &ResolvedPlan, done: &str) -> Vec<String> {
    let mut remarks = plan.warnings.clone();
    remarks.extend(plan.authored.iter().filter(|values| values.is_equal()).map(|values| values.says.clone()));
    remarks.extend(plan.refused.iter().map(|(key, why)| format!("{key} was not {done}: {why}")));
    remarks.extend(plan.kept.iter().map(|(key, why)| format!("{key} was left as it is: {why}")));
    remarks
}

/// What the same plan would still have to do, resolved against the cluster as it is after the run. Items kept by
/// choice are no differences; a kind that could not be read may hold some, and counts as one.
pub(super) fn proof(again: Result<ResolvedPlan>, took: Duration) -> Proof {
    let seconds = took.as_secs_f64();
    let plan = match again {
        Ok(plan) => plan,
        Err(error) => {
            let remark = format!("{NOT_READ_AGAIN}: {error}; run: netdr drift");
            return Proof { left: 1, remarks: vec![remark], seconds, issuance: None };
        }
    };
    let refused = plan.refused.iter().map(|(key, _)| key);
    let differing = plan.differences.iter().map(|difference| &difference.key);
    let left: BTreeSet<&ItemKey> =
        plan.changes().map(|act| &act.key).chain(differing).chain(refused).collect();
    let mut remarks: Vec<String> = left.iter().map(|key| format!("{key} still differs")).collect();
    let left = (left.len() + plan.unread.len()) as u64;
    remarks.extend(plan.unread);
    Proof { left, remarks, seconds, issuance: Some(plan.issuance) }
}

/// How long the recovery took: from the incident to `now`, when netdr began, and the time since, which no wall clock measured.
pub(super) fn recovery_time(incident_start: DateTime<Utc>, now: DateTime<Utc>, since: Duration) -> Duration {
    (now - incident_start).to_std().unwrap_or_default() + since
}

/// How old the source was when the incident began, in whole seconds and rounded up: half a second lost is no
/// objective of 0 met.
pub(super) fn recovery_point(incident_start: DateTime<Utc>, captured_at: DateTime<Utc>) -> i64 {
    (incident_start - captured_at).num_milliseconds().saturating_add(999).div_euclid(1000)
}

/// The word for the run.
pub(super) fn outcome(
    nothing_to_do: bool,
    steps: &[StepOutcome],
    left: u64,
    elsewhere: bool,
) -> &'static str {
    let any = |word: &str| steps.iter().any(|step| step.outcome == word);
    if any("interrupted") {
        "interrupted"
    } else if any("failed") {
        "failed"
    } else if any("partial") || any("skipped") || left > 0 || elsewhere {
        "partial"
    } else if nothing_to_do {
        "nothing-to-do"
    } else {
        "recovered"
    }
}

/// Where the time went since the plan was shown.
pub(super) fn spent(steps: &[StepOutcome], asked: f64, saving: f64, verifying: f64) -> [Phase; 4] {
    let seconds = |action: fn(&str) -> bool, of: fn(&StepOutcome) -> f64| -> f64 {
        // Not `sum`, whose sum of nothing is minus zero.
        steps.iter().filter(|step| action(step.action)).map(of).fold(0.0, |sum, seconds| sum + seconds)
    };
    let (acting, waiting) = (|step: &StepOutcome| step.acting_s, |step: &StepOutcome| step.waiting_s);
    let looking = |step: &StepOutcome| step.acting_s + step.waiting_s;
    [
        Phase { name: "confirm", seconds: asked + seconds(|action| action == "confirm", acting) },
        Phase {
            name: "apply",
            seconds: saving + seconds(|action| !matches!(action, "confirm" | "probe"), acting),
        },
        Phase { name: "wait", seconds: seconds(|action| action != "probe", waiting) },
        Phase { name: "probe", seconds: verifying + seconds(|action| action == "probe", looking) },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: &'static str, outcome: &'static str) -> StepOutcome {
        StepOutcome {
            id: "s".into(),
            title: "S".into(),
            action,
            outcome,
            began_s: 0.0,
            acting_s: 2.0,
            waiting_s: 1.0,
            applied: 1,
            unchanged: 0,
            deleted: 0,
            failures: vec![],
            probes: vec![],
            skipped: None,
            ran: false,
            idle: false,
            unready: vec![],
            acts: vec![],
        }
    }

    #[test]
    fn a_run_is_recovered_only_when_all_is_done_and_nothing_is_left() {
        assert_eq!(outcome(false, &[step("apply", "done")], 0, false), "recovered");
        assert_eq!(outcome(false, &[step("apply", "done")], 1, false), "partial");
        assert_eq!(outcome(false, &[step("apply", "partial")], 0, false), "partial");
        assert_eq!(outcome(false, &[step("apply", "failed"), step("wait", "skipped")], 0, false), "failed");
        assert_eq!(outcome(false, &[step("confirm", "interrupted")], 3, false), "interrupted");
        assert_eq!(outcome(false, &[step("run", "skipped"), step("apply", "done")], 0, false), "partial");
        assert_eq!(outcome(true, &[], 0, false), "nothing-to-do");
        assert_eq!(outcome(true, &[step("wait", "failed")], 0, false), "failed");
        assert_eq!(outcome(true, &[], 0, true), "partial", "something is left on another node");
    }

    #[test]
    fn a_part_of_a_second_that_is_lost_is_lost() {
        let at = |ms: i64| DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap();
        assert_eq!(recovery_point(at(0), at(0)), 0);
        assert_eq!(recovery_point(at(1), at(0)), 1);
        assert_eq!(recovery_point(at(3_000), at(0)), 3);
    }

    #[test]
    fn a_recovery_takes_what_passed_before_netdr_began_and_since() {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let since = Duration::from_secs(5);
        assert_eq!(recovery_time(at(0), at(60), since), Duration::from_secs(65));
        assert_eq!(recovery_time(at(0), at(-60), since), since, "the incident is not before its recovery");
    }

    #[test]
    fn time_spent_asking_is_told_apart_from_time_spent_acting() {
        let steps = [step("apply", "done"), step("confirm", "done"), step("probe", "done")];
        let seconds: Vec<f64> = spent(&steps, 4.0, 0.5, 0.25).iter().map(|phase| phase.seconds).collect();
        assert_eq!(seconds, [6.0, 2.5, 2.0, 3.25]);
        assert!(spent(&[], 0.0, 0.0, 0.0).iter().all(|phase| phase.seconds.is_sign_positive()));
    }

    #[test]
    fn a_cluster_that_cannot_be_read_again_proves_nothing() {
        let unproved = proof(Err(crate::Error::failed("no answer")), Duration::ZERO);
        assert_eq!(outcome(false, &[step("apply", "done")], unproved.left, false), "partial");
    }
}

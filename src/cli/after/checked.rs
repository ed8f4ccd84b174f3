//! What checks found, for who is told and for metrics.
//!
//! In: checks. Out: of each subject a task that ended, and what was found. Invariant: a subject is what is always checked
//! together: its record is written anew as a whole, so that nothing stays in it that is not there any more, and a run that
//! checks less does not say that the rest is well.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value;

use super::{Context, Event, Problem};
use crate::{
    check::{Check, Status},
    cli::check::OF_CLUSTER,
    metrics::{Checked, Finding},
    model::Severity,
};

/// The subject, and the check, that says whether the cluster could be asked at all.
const CLUSTER: &str = "cluster";

/// Findings of a check that are said; its command shows them all.
const SAID: usize = 3;

impl Context {
    /// Says how checks came out: each subject is a task.
    pub(in crate::cli) fn checked(&self, checks: &[Check]) {
        for (subject, checks) in by_subject(checks) {
            self.ended(&check(subject), problem(&checks).into_iter().collect());
            let found = checks.iter().map(finding).collect();
            let (cluster, at) = (String::new(), self.now); // both are known when the verb is over
            self.tasks.told().found.checked.push(Checked { cluster, subject: subject.into(), at, found });
        }
    }
}

/// The task of a subject.
pub(in crate::cli) fn check(subject: &str) -> String {
    format!("check {subject}")
}

/// Checks by subject. Whoever could ask the cluster says so, and with it that what hindered another is over.
fn by_subject(checks: &[Check]) -> BTreeMap<&str, Vec<Check>> {
    let mut subjects: BTreeMap<&str, Vec<Check>> = BTreeMap::new();
    for check in checks {
        subjects.entry(&check.subject).or_default().push(check.clone());
    }
    if OF_CLUSTER.iter().any(|subject| subjects.contains_key(subject)) {
        subjects.entry(CLUSTER).or_insert_with(|| vec![Check::ok(CLUSTER, Value::Null, "")]);
    }
    subjects
}

/// Those that are over a threshold, or unknown, are one problem.
fn problem(checks: &[Check]) -> Option<Problem> {
    let mut crossed: Vec<&Check> = checks.iter().filter(|check| check.status.is_crossed()).collect();
    crossed.sort_by_key(|check| Reverse(check.status));
    let mut said = BTreeSet::new();
    let why = crossed.iter().map(|check| line(check, &mut said)).collect();
    let next = crossed.iter().filter_map(|check| check.next.clone()).collect();
    let graded = crossed.iter().map(|check| (check.name.clone(), severity(check.status)));
    (!crossed.is_empty()).then(|| Problem::new(Event::Check, why, next).graded(graded))
}

/// What a check found, but for what is `said` already of another.
fn line<'a>(check: &'a Check, said: &mut BTreeSet<&'a str>) -> String {
    let new: Vec<&str> = check.why.iter().map(String::as_str).filter(|why| !said.contains(why)).collect();
    said.extend(new.iter().take(SAID));
    let more = new.len().saturating_sub(SAID);
    let more = (more > 0).then(|| format!("and {more} more"));
    let same = (new.len() < check.why.len()).then_some("the same");
    let why: Vec<&str> = same.into_iter().chain(new.into_iter().take(SAID)).chain(more.as_deref()).collect();
    format!("{}: {}: {}", check.name, check.status.name(), why.join("; "))
}

const fn severity(status: Status) -> Severity {
    match status {
        Status::NotApplicable | Status::Ok => Severity::Low,
        Status::Warn => Severity::Medium,
        Status::Unknown => Severity::High,
        Status::Alert => Severity::Critical,
    }
}

fn finding(check: &Check) -> Finding {
    let status = match check.status {
        Status::Ok => 0,
        Status::Warn => 1,
        Status::Alert => 2,
        Status::Unknown => 3,
        Status::NotApplicable => 4,
    };
    Finding { name: check.name.clone(), status, value: number(&check.value) }
}

/// A number, also one of `94.9 % (379 of 400)`.
fn number(value: &Value) -> Option<f64> {
    let share = || value.as_str()?.split_once(" %")?.0.parse().ok();
    value.as_f64().or_else(share)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_measured_is_a_number_where_it_is_one() {
        for (value, is) in [
            (json!(12), Some(12.0)),
            (json!("94.9 % (379 of 400)"), Some(94.9)),
            (json!("2 of 3 ready"), None),
            (json!(null), None),
        ] {
            assert_eq!(number(&value), is, "{value}");
        }
    }

    #[test]
    fn what_is_ok_is_no_problem() {
        let (ok, no) =
            (Check::ok("cni dns", 1, ""), Check::unknown("cni dns", "nobody answered", "netdr check cni"));
        assert_eq!(problem(std::slice::from_ref(&ok)), None);
        let problem = problem(&[ok, no]).unwrap();
        assert_eq!(problem.why, ["cni dns: unknown: nobody answered"]);
        assert_eq!(problem.next, ["netdr check cni"]);
        assert_eq!((problem.severity, problem.critical.len()), (Severity::High, 0));
    }

    #[test]
    fn the_gravest_is_said_first_and_of_each_no_more_than_a_few_findings() {
        let warn = Check::ok("policies a", 1, "").found(Status::Warn, "x", "do y");
        let alert = (0..500).fold(Check::ok("policies b", 1, ""), |check, n| {
            check.found(Status::Alert, format!("pod {n}"), "do y")
        });
        let problem = problem(&[warn, alert]).unwrap();
        assert_eq!(
            problem.why,
            ["policies b: alert: pod 0; pod 1; pod 2; and 497 more", "policies a: warn: x"]
        );
        assert_eq!(problem.next, ["do y"]);
        assert_eq!(
            (problem.severity, problem.critical),
            (Severity::Critical, ["policies b".to_owned()].into())
        );
    }

    #[test]
    fn what_is_wrong_with_many_alike_is_said_of_the_first() {
        let open =
            |name: &str| Check::ok(name, 1, "").found(Status::Alert, "it is open", format!("look at {name}"));
        let problem = problem(&[open("a"), open("b").found(Status::Warn, "and old", "")]).unwrap();
        assert_eq!(problem.why, ["a: alert: it is open", "b: alert: the same; and old"]);
        assert_eq!(super::problem(&[open("a"), open("b")]).unwrap().why[1], "b: alert: the same");
    }

    /// The message that no check could be made goes by it.
    #[test]
    fn that_the_cluster_could_not_be_asked_is_a_task_by_its_name() {
        assert_eq!(check(CLUSTER), crate::task::CHECK_CLUSTER);
    }

    fn subjects(checks: &[Check]) -> Vec<String> {
        by_subject(checks).into_keys().map(ToOwned::to_owned).collect()
    }

    /// A night's `check cni` has pods, and a person's `check` has none: that one does not say that all reach each other.
    #[test]
    fn what_only_some_runs_check_is_a_subject_of_its_own() {
        let check = |name: &str| Check::ok(name, 1, "");
        let [connects, dns] = ["cni pod connectivity", "cni dns"].map(|name| check(name).apart("cni pods"));
        assert_eq!(subjects(&[check("cni canal")]), ["cluster", "cni"]);
        assert_eq!(subjects(&[check("cni canal"), connects, dns]), ["cluster", "cni", "cni pods"]);
        assert_eq!(subjects(&[check("loadbalancer failover test")]), ["cluster", "loadbalancer"]);
        let [over, back] = ["loadbalancer failover", "loadbalancer put back"]
            .map(|name| check(name).apart("loadbalancer failover"));
        assert_eq!(
            subjects(&[check("loadbalancer speakers"), over, back]),
            ["cluster", "loadbalancer", "loadbalancer failover"]
        );
        // One server's says nothing of another's, nor does a laptop's.
        let flags = check("doctor flags").apart("doctor n1");
        assert_eq!(subjects(&[check("doctor flags"), flags]), ["doctor", "doctor n1"]);
    }

    /// An API server that did not answer one night is no alert for ever.
    #[test]
    fn whoever_could_ask_the_cluster_says_so() {
        let cluster = |checks: &[Check]| by_subject(checks).remove("cluster").map(|of| of[0].status);
        let unknown = Check::unknown("cluster", "no API server", "netdr check");
        assert_eq!(cluster(std::slice::from_ref(&unknown)), Some(Status::Unknown));
        assert_eq!(cluster(&[unknown, Check::ok("recoverability drills", 1, "")]), Some(Status::Unknown));
        assert_eq!(cluster(&[Check::ok("policies audit", 1, "")]), Some(Status::Ok));
        assert_eq!(cluster(&[Check::ok("recoverability drills", 1, "")]), None, "it asks no cluster");
        assert_eq!(cluster(&[Check::ok("doctor flags", 1, "")]), None, "nor need this one");
    }
}

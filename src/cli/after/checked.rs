//! What checks found, for who is told and for metrics.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Context, Event, Problem};
use crate::{
    check::{Check, Status},
    metrics::{Checked, Finding},
};

impl Context {
    /// Says how checks came out: each subject, the first word of a check's name, is a task.
    pub(in crate::cli) fn checked(&self, checks: &[Check]) {
        let mut subjects: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
        for check in checks {
            subjects.entry(check.name.split(' ').next().unwrap_or_default()).or_default().push(check);
        }
        for (subject, checks) in subjects {
            self.ended(&check(subject), problem(&checks).into_iter().collect());
            let found = checks.iter().map(|check| finding(check)).collect();
            let (cluster, at) = (String::new(), self.now); // both are known when the verb is over
            self.tasks.told().checked.push(Checked { cluster, subject: subject.into(), at, found });
        }
    }
}

/// The task of a subject.
pub(in crate::cli) fn check(subject: &str) -> String {
    format!("check {subject}")
}

/// Those that are over a threshold, or unknown, are one problem.
fn problem(checks: &[&Check]) -> Option<Problem> {
    let crossed: Vec<&&Check> = checks.iter().filter(|check| check.status.is_crossed()).collect();
    let line = |check: &&&Check| format!("{}: {}: {}", check.name, check.status.name(), check.why.join("; "));
    let mut next: Vec<String> = crossed.iter().filter_map(|check| check.next.clone()).collect();
    next.dedup();
    (!crossed.is_empty()).then(|| Problem {
        event: Event::Check,
        why: crossed.iter().map(line).collect(),
        next,
    })
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
        assert_eq!(problem(&[&ok]), None);
        let problem = problem(&[&ok, &no]).unwrap();
        assert_eq!(problem.why, ["cni dns: unknown: nobody answered"]);
        assert_eq!(problem.next, ["netdr check cni"]);
    }
}

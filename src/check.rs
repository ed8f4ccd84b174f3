//! Routine checks: does what users of a cluster rely on, and what a recovery of it relies on, still hold?
//!
//! In: what was read of a cluster, a repository or a node, and a time. Out: [`Check`]s, each with what was found, what it
//! is judged by, and the command that it suggests. Invariant: judging is pure; what could not be read is unknown, never
//! ok.

mod addresses;
pub mod certificates;
pub mod cni;
pub mod doctor;
pub mod ingress;
pub mod loadbalancer;
pub mod policies;
mod reading;
pub mod recoverability;

pub use reading::{Reading, Source, read};

use serde::Serialize;
use serde_json::Value;

use crate::{model::ItemKey, restore::selector};

/// How a check came out, the gravest last: `max` of two is what both come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// There is nothing that it could be about, which is not the same as ok.
    NotApplicable,
    /// Within its threshold.
    Ok,
    /// Somebody should see to it in time.
    Warn,
    /// It could not be told.
    Unknown,
    /// Somebody should see to it now.
    Alert,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What is always checked together with it, for records of what was found: the first word of its name, where it is not
    /// set apart.
    #[serde(skip)]
    pub subject: String,
    /// What was checked, the same from one time to the next: `certificates secrets traefik/wildcard-tls`.
    pub name: String,
    /// How it came out.
    pub status: Status,
    /// What was found: a number in the unit of the threshold, or words; null where nothing could be.
    pub value: Value,
    /// What it is judged by, in words: `warn < 14 days, alert < 7 days`.
    pub threshold: String,
    /// Why it is not ok; empty where it is.
    pub why: Vec<String>,
    /// The command to go on with, where something is to be done.
    pub next: Option<String>,
}

impl Status {
    /// The name used in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Alert => "alert",
        }
    }

    /// Whether somebody is to be told (exit code 8).
    pub const fn is_crossed(self) -> bool {
        matches!(self, Self::Warn | Self::Unknown | Self::Alert)
    }
}

impl Check {
    /// One that found nothing wrong, so far.
    pub fn ok(name: impl Into<String>, value: impl Into<Value>, threshold: impl Into<String>) -> Self {
        let (name, value, threshold) = (name.into(), value.into(), threshold.into());
        let subject = name.split(' ').next().unwrap_or_default().to_owned();
        Self { subject, name, status: Status::Ok, value, threshold, why: Vec::new(), next: None }
    }

    /// Of a subject of its own: only some runs make it, or only on this node.
    #[must_use]
    pub fn apart(self, subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), ..self }
    }

    /// One that could not be made, and the command that shows why.
    pub fn unknown(name: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self::ok(name, Value::Null, "readable").found(Status::Unknown, why, next)
    }

    /// One that there is nothing for.
    pub fn not_applicable(name: impl Into<String>, why: impl Into<String>) -> Self {
        let check = Self::ok(name, Value::Null, "");
        Self { status: Status::NotApplicable, why: vec![why.into()], ..check }
    }

    /// Adds what is wrong. Of several commands the gravest finding's is suggested, of these the first.
    #[must_use]
    pub fn found(mut self, status: Status, why: impl Into<String>, next: impl Into<String>) -> Self {
        if status > self.status || self.next.is_none() {
            self.next = Some(next.into());
        }
        self.status = self.status.max(status);
        self.why.push(why.into());
        self
    }
}

/// The command that shows a workload's pods: which of them does not run, and where.
fn pods_of(key: &ItemKey, workload: &Value) -> String {
    let namespace = key.namespace().unwrap_or_default();
    match selector(workload) {
        Some(labels) => format!("kubectl get pods -n {namespace} -l {labels} -o wide"),
        None => describe(key),
    }
}

/// The command that shows an object in words.
fn describe(key: &ItemKey) -> String {
    let namespace = key.namespace().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    format!("kubectl describe{namespace} {} {}", key.kind_name(), key.name())
}

/// What several checks come to.
pub fn worst(checks: &[Check]) -> Status {
    checks.iter().map(|check| check.status).max().unwrap_or(Status::NotApplicable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_never_ok_and_an_alert_is_never_hidden() {
        let of = |statuses: &[Status]| {
            let check = |status| Check { status, ..Check::ok("x", 1, "") };
            worst(&statuses.iter().copied().map(check).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), Status::NotApplicable);
        assert_eq!(of(&[Status::Ok, Status::NotApplicable]), Status::Ok);
        assert_eq!(of(&[Status::Warn, Status::Unknown, Status::Ok]), Status::Unknown);
        assert_eq!(of(&[Status::Unknown, Status::Alert, Status::Warn]), Status::Alert);
        let crossed = [Status::Warn, Status::Unknown, Status::Alert];
        assert!(crossed.iter().all(|status| status.is_crossed()));
        assert!(!Status::Ok.is_crossed() && !Status::NotApplicable.is_crossed());
    }

    #[test]
    fn of_several_findings_the_gravest_says_what_to_do() {
        let check = Check::ok("x", 1, "none")
            .found(Status::Warn, "a", "do a")
            .found(Status::Alert, "b", "do b")
            .found(Status::Warn, "c", "do c");
        assert_eq!((check.status, check.next.as_deref()), (Status::Alert, Some("do b")));
        assert_eq!(check.why, ["a", "b", "c"]);
    }

    #[test]
    fn names_in_json_are_those_of_tables() {
        for status in [Status::NotApplicable, Status::Ok, Status::Warn, Status::Unknown, Status::Alert] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
    }
}

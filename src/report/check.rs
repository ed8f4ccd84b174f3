//! Something that was looked at after a run, whose result stands in the report.
//!
//! In: what is checked, and what was found. Out: its outcome. Invariant: a check that was not made never passed.

use serde::Serialize;

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should be so, in words.
    pub what: String,
    /// `passed`, `failed`, `not made`.
    pub outcome: &'static str,
    /// What was found, a line each; what failed comes first.
    pub details: Vec<String>,
}

impl Check {
    /// One that has found nothing so far.
    pub fn new(what: &str) -> Self {
        Self { what: what.into(), outcome: "passed", details: Vec::new() }
    }

    /// One that could not be made, and why.
    pub fn not_made(what: &str, why: &str) -> Self {
        Self { what: what.into(), outcome: "not made", details: vec![why.into()] }
    }

    /// Something that is as it should be.
    pub fn passed(&mut self, detail: String) {
        self.details.push(detail);
    }

    /// Something that is not.
    pub fn failed(&mut self, detail: String) {
        self.details.insert(0, detail);
        self.outcome = "failed";
    }

    /// Whether it leaves something to be done.
    pub fn is_failure(&self) -> bool {
        self.outcome != "passed"
    }
}

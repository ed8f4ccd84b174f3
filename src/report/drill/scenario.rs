//! One scenario of a drill: what was broken, what came back, how long that took, with the evidence.
//!
//! In: the reports of its runs. Out: its outcome. Invariant: pure; what was not done, not seen or not equal afterwards never
//! counts as recovered.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::report::{Check, RecoveryReport};

/// What it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// The plan's name.
    pub name: String,
    /// The plan's title.
    pub title: String,
    /// Responsible role.
    pub role: String,
    /// `recovered`, `partial`, `failed`, `not tested`, `interrupted`.
    pub outcome: &'static str,
    /// Why not, where it is not recovered.
    pub why: Option<String>,
    /// What netdr itself took, without waiting for anything to become ready.
    pub own_time_s: f64,
    /// From the failure to the last proof.
    pub recovery_time_s: f64,
    /// Objective.
    pub rto_s: u64,
    /// Whether it was met; none in a sandbox, where readiness is played.
    pub rto_met: Option<bool>,
    /// How old the oldest source was when the failure was caused.
    pub recovery_point_s: i64,
    /// Objective.
    pub rpo_s: u64,
    /// Whether it was met; none where nothing was restored.
    pub rpo_met: Option<bool>,
    /// What was played.
    pub simulated: Vec<String>,
    /// What could not be tested.
    pub not_tested: Vec<String>,
    /// What was broken.
    pub caused: Vec<String>,
    /// What was checked, with what was found.
    pub checks: Vec<Check>,
    /// The restores: one, and one more for each further node whose files came back.
    pub runs: Vec<RecoveryReport>,
}

/// The word for it, why not, and the checks that it rests on. `nodes` are those that a run was made for.
pub fn judge(
    caused: &[String],
    runs: &[RecoveryReport],
    nodes: &BTreeSet<String>,
) -> (&'static str, Option<String>, Vec<Check>) {
    let mut seen = Check::new("the failure was seen: the plan had something to do");
    let changed: u64 = runs.iter().flat_map(|run| &run.steps).map(|step| step.applied + step.deleted).sum();
    match (caused.len(), changed) {
        (0, _) => seen.failed("nothing could be broken, so nothing is proved".into()),
        (n, 0) => seen.failed(format!("{n} failures were caused, and the plan changed nothing")),
        (n, changed) => seen
            .passed(format!("{n} failures were caused, {changed} objects and files were written or deleted")),
    }
    let mut done = Check::new("every step was done");
    let mut equal = Check::new("nothing differs from the snapshot afterwards");
    for run in runs {
        for step in run.steps.iter().filter(|step| step.outcome != "done") {
            let why = step.failures.first().or(step.skipped.as_ref()).cloned().unwrap_or_default();
            done.failed(format!("step `{}` {}: {why}", step.id, step.outcome));
        }
        for part in &run.not_done {
            match &part.node {
                Some(node) if nodes.contains(node) => {
                    done.passed(format!("files of {node}: by a run of their own"))
                }
                _ => done.failed(part.what.clone()),
            }
        }
        match run.differences_left {
            0 => equal.passed(format!("run {}: read again, 0 differences", run.run)),
            n => {
                equal.failed(format!("run {}: {n} differences are left", run.run));
                equal
                    .details
                    .extend(run.remarks.iter().filter(|line| line.ends_with("still differs")).cloned());
            }
        }
    }
    if runs.is_empty() {
        equal = Check::not_made(&equal.what, "nothing was restored");
    }
    let mut checks = vec![seen, done, equal];
    for run in runs {
        checks.extend(run.checks.iter().cloned());
        for probed in &run.probes {
            checks.push(match probed.result {
                outcome @ ("passed" | "failed") => {
                    Check { what: probed.name.clone(), outcome, details: vec![probed.detail.clone()] }
                }
                _ => Check::not_made(&probed.name, &probed.detail),
            });
        }
    }
    // What could not be probed is said, and is no failure: in a sandbox nothing answers.
    let failed = checks.iter().find(|check| check.outcome == "failed");
    let stopped = |run: &RecoveryReport| matches!(run.outcome, "failed" | "interrupted");
    let outcome = match (failed, runs) {
        (None, [_, ..]) => "recovered",
        (_, runs) if runs.is_empty() || runs.iter().any(stopped) => "failed",
        _ => "partial",
    };
    let why =
        failed.map(|check| format!("{}: {}", check.what, check.details.first().cloned().unwrap_or_default()));
    (outcome, why, checks)
}

impl Scenario {
    /// One in which nothing came back, with why; the objectives are those of recovery time and point, in seconds.
    pub fn without(
        outcome: &'static str,
        name: &str,
        title: &str,
        role: &str,
        (rto_s, rpo_s): (u64, u64),
        why: String,
    ) -> Self {
        Self {
            name: name.into(),
            title: title.into(),
            role: role.into(),
            outcome,
            why: Some(why),
            own_time_s: 0.0,
            recovery_time_s: 0.0,
            rto_s,
            rto_met: None,
            recovery_point_s: 0,
            rpo_s,
            rpo_met: None,
            simulated: Vec::new(),
            not_tested: Vec::new(),
            caused: Vec::new(),
            checks: Vec::new(),
            runs: Vec::new(),
        }
    }
}

/// What runs took of netdr itself: waiting for others, and for a person, is not its own.
pub fn own_time(runs: &[RecoveryReport]) -> f64 {
    let phases = runs.iter().flat_map(|run| &run.phases);
    // Not `sum`, whose sum of nothing is minus zero.
    phases
        .filter(|phase| !matches!(phase.name, "wait" | "confirm"))
        .fold(0.0, |sum, phase| sum + phase.seconds)
}

//! One scenario of a drill: what was broken, what came back, how long that took, with the evidence.
//!
//! In: the reports of its runs. Out: its outcome. Invariant: pure; what was not done, not seen or not equal afterwards never
//! counts as recovered.

use serde::Serialize;

use crate::report::{Check, NOT_READ_AGAIN, RecoveryReport, words};

/// The check that nothing is left to do.
const COMPARED: &str = "nothing differs from the snapshot afterwards";

/// Which plan was replayed: the procedure that is documented.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Procedure {
    /// The file; none where it is built in.
    pub file: Option<String>,
    /// The digest of its text.
    pub sha256: String,
}

impl Procedure {
    /// For people.
    pub(super) fn says(&self, name: &str) -> String {
        let from = match &self.file {
            Some(file) => format!("of `{file}`"),
            None => format!("built in, as `netdr plan show {name}` prints it"),
        };
        format!("{from}; sha256 {}", self.sha256)
    }
}

/// How much of a kind was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The kind.
    pub kind: String,
    /// How many were lost or corrupted.
    pub broken: usize,
    /// How many the snapshots have that the plan brings back.
    pub of: usize,
    /// How many slipped in besides.
    pub slipped_in: usize,
}

impl Broken {
    /// For people.
    pub(super) fn says(&self) -> String {
        let besides = match self.slipped_in {
            0 => String::new(),
            n => format!(", and {n} slipped in"),
        };
        format!("{}: {} of {}{besides}", self.kind, self.broken, self.of)
    }
}

/// What it came to.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// The plan's name.
    pub name: String,
    /// The plan's title.
    pub title: String,
    /// Responsible role.
    pub role: String,
    /// The plan.
    pub procedure: Procedure,
    /// `recovered`, `partial`, `failed`, `not tested`, `interrupted`, `not begun`.
    pub outcome: &'static str,
    /// Why not, where it is not recovered.
    pub why: Option<String>,
    /// What netdr itself took, without waiting for anything to become ready; none where no plan was replayed to an end.
    pub own_time_s: Option<f64>,
    /// From the failure to the last proof; as `own_time_s`.
    pub recovery_time_s: Option<f64>,
    /// Objective.
    pub rto_s: u64,
    /// Whether it was met: see [`super::rto_met`]; none in a sandbox, where readiness is played.
    pub rto_met: Option<bool>,
    /// How old the oldest source was when the failure was caused; as `own_time_s`.
    pub recovery_point_s: Option<i64>,
    /// Objective.
    pub rpo_s: u64,
    /// Whether it was met: see [`rpo_met`]; none where nothing was restored, too.
    pub rpo_met: Option<bool>,
    /// The longest of [`super::Nights::longest_gap_s`] of what was restored; none where one is not known.
    pub longest_gap_s: Option<i64>,
    /// What was played.
    pub simulated: Vec<String>,
    /// Why nobody could see whether anything was, where that is so.
    pub unseen: Vec<String>,
    /// What could not be tested.
    pub not_tested: Vec<String>,
    /// What was broken.
    pub caused: Vec<String>,
    /// How much that is of what there is.
    pub broken: Vec<Broken>,
    /// What was checked, with what was found.
    pub checks: Vec<Check>,
    /// The restores: one, and one more for each further node whose files came back.
    pub runs: Vec<RecoveryReport>,
    /// The node of each run, in their order; empty where no files of nodes came back.
    pub nodes: Vec<String>,
}

/// The word for it, why not, and the checks that it rests on. `nodes` are those that the runs were made for, in their order;
/// `left` is what was broken and is not as it was, or why nobody could look.
pub fn judge(
    caused: &[String],
    runs: &[RecoveryReport],
    nodes: &[String],
    left: Result<Vec<String>, String>,
) -> (&'static str, Option<String>, Vec<Check>) {
    let mut seen = Check::new("the failure was seen: the plan had something to do");
    let failures = words::count(caused.len() as u64, "failure");
    match (caused.len(), changes(runs)) {
        (0, _) => seen.failed("nothing could be broken, so nothing is proved".into()),
        (_, (0, _)) => seen.failed(format!("{failures} caused, and the plan changed nothing")),
        (_, (writes, steps)) => seen.passed(format!(
            "{failures} caused; {} of objects and files, by step: {}",
            words::count(writes, "write"),
            steps.join(", ")
        )),
    }
    let mut done = Check::new("every step that was drilled was done");
    let mut equal = Check::new(COMPARED);
    let mut unread = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let of = label(run, nodes.get(number));
        for step in run.steps.iter().filter(|step| step.outcome != "done") {
            let why = step.failures.first().or(step.skipped.as_ref()).cloned().unwrap_or_default();
            done.failed(format!("step `{}` {}: {why}", step.id, step.outcome));
        }
        done.passed(format!("{of}: {}", steps_done(run)));
        for part in &run.not_done {
            // Files of a node that had a run of its own were that run's.
            if part.node.as_ref().is_none_or(|node| !nodes.contains(node)) {
                done.failed(part.what.clone());
            }
        }
        let not_read = run.remarks.iter().find(|line| line.starts_with(NOT_READ_AGAIN));
        match (not_read, run.differences_left) {
            (Some(why), _) => unread.push(format!("{of}: {why}")),
            (None, 0) => equal.passed(format!("{of}: read again, 0 differences")),
            (None, n) => {
                equal.failed(format!("{of}: {} left", words::count(n, "difference")));
                equal
                    .details
                    .extend(run.remarks.iter().filter(|line| line.ends_with("still differs")).cloned());
            }
        }
    }
    if runs.is_empty() {
        unread.push("nothing was restored".into());
    }
    match (unread.is_empty(), equal.outcome) {
        (true, _) => {}
        (false, "failed") => equal.details.append(&mut unread),
        (false, _) => {
            equal.outcome = "not made";
            equal.details.splice(..0, unread);
        }
    }
    let mut undone = Check::new("what was broken is as it was");
    match left {
        Ok(left) if left.is_empty() => undone.passed(format!("{failures}, looked at again one by one")),
        Ok(left) => left.into_iter().rev().for_each(|what| undone.failed(what)),
        Err(why) => undone.failed(format!("it could not be looked at: {why}")),
    }
    let mut checks = vec![seen, done, equal, undone];
    checks.extend(once_each(runs, nodes));
    // What could not be probed is said, and is no failure: in a sandbox nothing answers.
    let proof = |check: &Check| check.what == COMPARED && check.is_failure();
    let failed = checks.iter().find(|check| check.outcome == "failed" || proof(check));
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

/// How many steps did their work, and which did or looked at nothing.
fn steps_done(run: &RecoveryReport) -> String {
    let steps = |word| run.steps.iter().filter(move |step| step.word() == word).map(|step| step.id.as_str());
    let mut said = format!("{} done", words::count(steps("done").count() as u64, "step"));
    for word in ["not probed", "nothing to do"] {
        let those: Vec<&str> = steps(word).collect();
        if !those.is_empty() {
            said += &format!("; {word}: {}", those.join(", "));
        }
    }
    said
}

/// How much was written or deleted, and by which steps.
fn changes(runs: &[RecoveryReport]) -> (u64, Vec<String>) {
    let mut steps: Vec<(&str, u64)> = Vec::new();
    for step in runs.iter().flat_map(|run| &run.steps) {
        let writes = step.applied + step.deleted;
        match steps.iter_mut().find(|(id, _)| *id == step.id) {
            Some((_, sum)) => *sum += writes,
            None => steps.push((step.id.as_str(), writes)),
        }
    }
    steps.retain(|(_, writes)| *writes > 0);
    let said = steps.iter().map(|(id, writes)| format!("`{id}` {writes}")).collect();
    (steps.iter().map(|(_, writes)| writes).sum(), said)
}

/// A run, for people.
pub(super) fn label(run: &RecoveryReport, node: Option<&String>) -> String {
    match node {
        Some(node) => format!("run {}, node {node}", run.run),
        None => format!("run {}", run.run),
    }
}

/// What was looked at in each run, as one check however many runs made it: the worst outcome, and what each found. What one
/// run could not make did not pass.
fn once_each(runs: &[RecoveryReport], nodes: &[String]) -> Vec<Check> {
    let of_run = |run: &RecoveryReport| {
        let probes = run.probes.iter().map(|probed| match probed.result {
            outcome @ ("passed" | "failed") => {
                Check { what: probed.name.clone(), outcome, details: vec![probed.detail.clone()] }
            }
            _ => Check::not_made(&probed.name, &probed.detail),
        });
        run.checks.iter().cloned().chain(probes).collect::<Vec<Check>>()
    };
    let [first, others @ ..] = runs else { return Vec::new() };
    if others.is_empty() {
        return of_run(first);
    }
    let mut found: Vec<(Check, Vec<String>)> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let of = nodes.get(number).map_or_else(|| run.run.to_string(), |node| format!("node {node}"));
        for check in of_run(run) {
            let same = |(one, _): &&mut (Check, _)| {
                (&one.what, one.outcome, &one.details) == (&check.what, check.outcome, &check.details)
            };
            match found.iter_mut().find(same) {
                Some((_, by)) if by.last() == Some(&of) => {}
                Some((_, by)) => by.push(of.clone()),
                None => found.push((check, vec![of.clone()])),
            }
        }
    }
    let mut checks: Vec<Check> = Vec::new();
    for (mut one, by) in found {
        let which = if by.len() < runs.len() { format!(": {}", by.join(", ")) } else { String::new() };
        let said = one.details.first().filter(|detail| !detail.is_empty());
        let said = said.map_or(one.outcome, String::as_str);
        let first = format!("{said} ({} of {} runs{which})", by.len(), runs.len());
        one.details.splice(..one.details.len().min(1), [first]);
        let grave = |outcome: &str| ["failed", "not made", "passed"].iter().position(|word| *word == outcome);
        match checks.iter_mut().find(|check| check.what == one.what) {
            Some(check) if grave(one.outcome) < grave(check.outcome) => {
                one.details.append(&mut check.details);
                *check = one;
            }
            Some(check) => check.details.append(&mut one.details),
            None => checks.push(one),
        }
    }
    checks
}

impl Scenario {
    /// Whether it came back.
    pub fn is_back(&self) -> bool {
        self.outcome == "recovered"
    }

    /// Whether it missed an objective.
    pub fn is_late(&self) -> bool {
        is_late(self.rto_met, self.rpo_met)
    }

    /// Whether what was restored was read again, and compared with the snapshots.
    pub(super) fn is_compared(&self) -> bool {
        self.checks.iter().any(|check| check.what == COMPARED && check.outcome != "not made")
    }

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
            procedure: Procedure::default(),
            outcome,
            why: Some(why),
            own_time_s: None,
            recovery_time_s: None,
            rto_s,
            rto_met: None,
            recovery_point_s: None,
            rpo_s,
            rpo_met: None,
            longest_gap_s: None,
            simulated: Vec::new(),
            unseen: Vec::new(),
            not_tested: Vec::new(),
            caused: Vec::new(),
            broken: Vec::new(),
            checks: Vec::new(),
            runs: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

/// Whether the objective of recovery point was met. How old the snapshots were when somebody drilled tells that it was missed; that it
/// was met, only the longest gap between backups does. None where that is longer, or not known; and of an objective of 0, for
/// whether nothing at all is lost is up to Git or to whoever watches.
pub fn rpo_met(age_s: i64, rpo_s: u64, longest_gap_s: Option<i64>) -> Option<bool> {
    let within = |seconds: i64| u64::try_from(seconds).unwrap_or_default() <= rpo_s;
    match (rpo_s, within(age_s)) {
        (0, _) => None,
        (_, false) => Some(false),
        (_, true) => longest_gap_s.filter(|gap| within(*gap)).map(|_| true),
    }
}

/// Whether an objective was missed: it took too long, or what it brought back is too old.
pub(super) fn is_late(rto_met: Option<bool>, rpo_met: Option<bool>) -> bool {
    [rto_met, rpo_met].contains(&Some(false))
}

/// What runs took of netdr itself: waiting for others, and for a person, is not its own.
pub fn own_time(runs: &[RecoveryReport]) -> f64 {
    let phases = runs.iter().flat_map(|run| &run.phases);
    let own = phases.filter(|phase| !matches!(phase.name, "wait" | "confirm")).map(|phase| phase.seconds);
    // The phase of probes has their waiting in it.
    let probes = runs.iter().flat_map(|run| &run.steps).filter(|step| step.action == "probe");
    let waited = probes.map(|step| -step.waiting_s);
    // Not `sum`, whose sum of nothing is minus zero.
    own.chain(waited).fold(0.0, |sum, seconds| sum + seconds)
}

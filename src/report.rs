//! The recovery report: JSON, Markdown, and one self-contained HTML file.
//!
//! In: what a run did and how long it took. Out: text. Invariant: pure; no content of any object is in it, and
//! what was simulated or not probed is said.

mod check;
pub mod drill;
pub mod html;
pub mod markdown;
mod markup;
pub mod timeline;
mod undone;
mod verdict;
pub mod words;

pub use check::Check;
pub(crate) use verdict::NO_NODE;
pub use verdict::Verdict;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::{
    model::{ClusterIdentity, RunId, SourceName},
    plan::NotDone,
    restore::{Probed, StepOutcome},
};

/// How a remark begins by which a run says that it could not look whether anything is left.
pub(crate) const NOT_READ_AGAIN: &str = "whether anything is left could not be looked at";

/// One part of the recovery time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// `open`, `plan`, `confirm`, `apply`, `wait`, `probe`.
    pub name: &'static str,
    /// Wall time.
    pub seconds: f64,
}

/// What `netdr restore --json` prints, and what the report shows.
#[derive(Clone, Debug, Serialize)]
pub struct RecoveryReport {
    /// The run.
    pub run: RunId,
    /// The plan's name.
    pub scenario: String,
    /// The run that it put back, where it is an undo: that has no objectives.
    pub undoes: Option<RunId>,
    /// The plan's title.
    pub title: String,
    /// Responsible role.
    pub role: String,
    /// The cluster restored.
    pub cluster: ClusterIdentity,
    /// Where the wanted state came from.
    pub source: Vec<SourceName>,
    /// Who answers for it.
    pub signed_by: String,
    /// When the source was captured.
    pub captured_at: DateTime<Utc>,
    /// When the incident began.
    pub incident_start: DateTime<Utc>,
    /// When the command began and ended.
    pub started_at: DateTime<Utc>,
    /// See `started_at`.
    pub ended_at: DateTime<Utc>,
    /// netdr: see [`tool`].
    pub tool: String,
    /// Who ran it.
    pub operator: String,
    /// `recovered` (of an undo `undone`), `partial`, `failed`, `interrupted`, `nothing-to-do`.
    pub outcome: &'static str,
    /// Incident start to the last proof.
    pub recovery_time_s: f64,
    /// Objective.
    pub rto_s: u64,
    /// Whether what was measured is within it; see [`RecoveryReport::rto_proved`].
    pub rto_met: bool,
    /// Incident start − captured-at.
    pub recovery_point_s: i64,
    /// Objective.
    pub rpo_s: u64,
    /// Whether it was met; not judged where nothing was restored.
    pub rpo_met: Option<bool>,
    /// Where the time went.
    pub phases: Vec<Phase>,
    /// What was done.
    #[serde(serialize_with = "steps")]
    pub steps: Vec<StepOutcome>,
    /// Items that still differ afterwards, in the plan's scope.
    pub differences_left: u64,
    /// Steps that were not begun, because no API server answered that could say what they come to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_begun: Vec<String>,
    /// What the plan is about and cannot be done from here: files of other nodes.
    pub not_done: Vec<NotDone>,
    /// What was looked at besides.
    pub checks: Vec<Check>,
    /// Their names, and everything a person must still do.
    pub remarks: Vec<String>,
    /// What was probed, and what came of it.
    pub probes: Vec<Probed>,
    /// What was simulated.
    pub simulated: Vec<String>,
    /// Why nobody could see whether anything was, where that is so.
    pub unseen: Vec<String>,
    /// What could not be proved.
    pub not_probed: Vec<String>,
    /// What to do next, where the run did not come to its end or something is left.
    pub next: Vec<Next>,
}

/// Something to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What it is for.
    pub what: String,
    /// The command that does it.
    pub command: String,
}

impl Phase {
    /// What belongs to it, for people.
    pub(crate) fn meaning(&self) -> &'static str {
        match self.name {
            "open" => "reading and checking the snapshot, unsealing what differs",
            "plan" => "reading the cluster, working out what to do",
            "confirm" => "waiting for the operator’s yes",
            "apply" => "sealing what will be overwritten, changing the cluster",
            "wait" => "waiting for what was changed to become ready",
            "probe" => "reading the cluster again, checking that it works",
            _ => "",
        }
    }
}

impl RecoveryReport {
    /// The JSON of `netdr restore --json`.
    pub fn to_json(&self) -> Value {
        let mut document = serde_json::to_value(self).unwrap_or_default();
        let point = |(snapshot, seconds)| json!({"snapshot": snapshot, "recovery_point_s": seconds});
        document["recovery_points"] = self.recovery_points().map(point).collect();
        document["rto_met"] = self.rto_proved().into();
        if self.undoes.is_some() {
            undone::without_objectives(&mut document);
        }
        for (number, step) in self.steps.iter().enumerate() {
            document["steps"][number]["seconds"] = (step.acting_s + step.waiting_s).into();
            document["steps"][number]["failed"] = step.failed().into();
        }
        document
    }

    /// Whether the objective of recovery time was met, where that can be said: see [`rto_met`].
    pub(crate) fn rto_proved(&self) -> Option<bool> {
        rto_met(true, self.rto_met, self.why_open().is_none())
    }

    /// Why the objective of recovery time stays open where it was not missed, in words that fit after "because"; none where nodes
    /// were seen to be real.
    pub fn why_open(&self) -> Option<&'static str> {
        verdict::why_open(!self.simulated.is_empty(), &self.unseen)
    }

    /// How much of the recovery time had passed when netdr was called, and how much it waited for a person: both count.
    fn before_start(&self) -> String {
        let before = (self.started_at - self.incident_start).as_seconds_f64();
        let before = match before {
            b if b < 1.0 => "counted from the start of the command".into(),
            b => format!("{} of it before the command began", words::duration(b)),
        };
        let asked =
            self.phases.iter().find(|phase| phase.name == "confirm").map_or(0.0, |phase| phase.seconds);
        match asked {
            a if a < 1.0 => before,
            a => format!("{before}, {} of it waiting for a person’s yes", words::duration(a)),
        }
    }

    fn is_authored(&self) -> bool {
        self.source.iter().any(|name| matches!(name, SourceName::Git { .. }))
    }

    /// How the source came to be as it is: nobody captures what people author.
    fn taken(&self) -> &'static str {
        if self.is_authored() { "committed" } else { "captured" }
    }

    /// What the recovery point means.
    fn lost(&self) -> String {
        match self.recovery_point_s {
            s if s < 0 => format!("the source was {} after the incident began", self.taken()),
            0 if self.is_authored() => {
                "nothing that was authored is lost; what was changed on the cluster alone is not in Git"
                    .into()
            }
            0 => "the source was captured as the incident began".into(),
            s => format!(
                "changes of the last {} before the incident are not in the source",
                words::duration(s as f64)
            ),
        }
    }

    /// How old each source was when the incident began, in seconds: the oldest is the run's recovery point.
    fn recovery_points(&self) -> impl Iterator<Item = (&SourceName, i64)> {
        let age = |name: &SourceName| match name {
            SourceName::Snapshot(id) => (self.incident_start - id.captured_at()).num_seconds(),
            SourceName::Git { .. } | SourceName::Velero { .. } => self.recovery_point_s,
        };
        self.source.iter().map(move |name| (name, age(name)))
    }

    /// What the steps did to objects, in sum.
    fn changes(&self) -> String {
        let sum = |of: fn(&StepOutcome) -> u64| self.steps.iter().map(of).sum::<u64>();
        format!(
            "{} applied, {} deleted, {} unchanged, {}",
            sum(|s| s.applied),
            sum(|s| s.deleted),
            sum(|s| s.unchanged),
            words::count(sum(StepOutcome::failed), "failure"),
        )
    }

    /// The step that stopped the run; else the first that did not do all of its work.
    pub(crate) fn cause(&self) -> Option<&StepOutcome> {
        let first = |words: &[&str]| self.steps.iter().find(|step| words.contains(&step.outcome));
        first(&["failed", "interrupted"]).or_else(|| first(&["partial"]))
    }

    /// The steps that were not tried, and why: one line, however many.
    pub(crate) fn skipped(&self) -> Option<String> {
        let because = self.steps.iter().find_map(|step| step.skipped.as_ref())?;
        let steps = self.steps.iter().filter(|step| step.skipped.is_some());
        let steps: Vec<&str> = steps.map(|step| step.id.as_str()).collect();
        Some(format!("skipped because {because}: {}", steps.join(", ")))
    }

    /// What to do next, a line each.
    fn nexts(&self) -> Vec<String> {
        self.next.iter().map(|next| format!("{}: `{}`", next.what, next.command)).collect()
    }

    /// What was probed and passed or failed; what was not is among what was not probed.
    fn probed(&self) -> Vec<String> {
        let looked = self.probes.iter().filter(|probed| probed.result != "not probed");
        let line = |probed: &Probed| match probed.detail.as_str() {
            "" => format!("{}: {}", probed.result, probed.name),
            detail => format!("{}: {}; {detail}", probed.result, probed.name),
        };
        looked.map(line).collect()
    }

    /// What was checked, each with what was found.
    fn checked(&self) -> Vec<String> {
        let lines = |check: &Check| {
            let found = check.details.iter().take(html::NAMED).cloned();
            let more = check.details.len().saturating_sub(html::NAMED);
            let more = (more > 0).then(|| format!("and {more} more, in the report's JSON"));
            std::iter::once(format!("{}: {}", check.outcome, check.what))
                .chain(found)
                .chain(more)
                .collect::<Vec<_>>()
        };
        self.checks.iter().flat_map(lines).collect()
    }

    /// Who, what, when, from where: what makes the report evidence.
    fn evidence(&self) -> Vec<(&'static str, String)> {
        let (source, incident) = match &self.undoes {
            Some(run) => (vec![("Source", format!("the safety snapshot of run {run}"))], None),
            None => {
                let source: Vec<String> = self.source.iter().map(ToString::to_string).collect();
                let taken = if self.is_authored() { "Source committed" } else { "Source captured" };
                let source = vec![("Source", source.join(", ")), (taken, words::time(self.captured_at))];
                (source, Some(("Incident began", words::time(self.incident_start))))
            }
        };
        let mut rows = vec![
            ("Run", self.run.to_string()),
            ("Scenario", self.scenario.clone()),
            ("Responsible role", self.role.clone()),
            ("Operator", self.operator.clone()),
            ("Cluster", self.cluster.name.clone()),
            ("Cluster identity", format!("{} (uid of namespace kube-system)", self.cluster.uid)),
            ("Kubernetes", self.cluster.kubernetes.clone()),
        ];
        rows.extend(source);
        rows.push(("Source signed by", self.signed_by.clone()));
        rows.extend(incident);
        rows.extend([
            ("Command began", words::time(self.started_at)),
            ("Command ended", words::time(self.ended_at)),
            ("netdr", self.tool.clone()),
        ]);
        rows
    }
}

/// The version of netdr, and the commit that it was built from, where whoever built it said so (`NETDR_COMMIT`).
pub fn tool() -> String {
    let commit = option_env!("NETDR_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!(", commit {commit}")).unwrap_or_default();
    format!("{}{commit}", env!("CARGO_PKG_VERSION"))
}

/// Whether the objective of recovery time was met; none where that stays open: what was in time where nodes are only played may
/// take longer where they are not.
pub fn rto_met(recovered: bool, in_time: bool, real: bool) -> Option<bool> {
    (real || !in_time).then_some(recovered && in_time)
}

/// What the reasons of a step that is not plainly done are reasons for.
fn failures_of(step: &StepOutcome) -> &'static str {
    match step.outcome {
        "skipped" => "Why nothing was done in step",
        "interrupted" => "Why the run ended in step",
        _ => "Failures of step",
    }
}

/// Steps as scripts read them: one time and one number of failures besides their parts.
fn steps<S: Serializer>(steps: &[StepOutcome], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(|step| {
        json!({
            "id": step.id,
            "title": step.title,
            "action": step.action,
            "outcome": step.word(),
            "began_s": step.began_s,
            "seconds": step.acting_s + step.waiting_s,
            "acting_s": step.acting_s,
            "waiting_s": step.waiting_s,
            "applied": step.applied,
            "unchanged": step.unchanged,
            "deleted": step.deleted,
            "failed": step.failed(),
            "skipped": step.skipped,
            "failures": step.failures,
        })
    }))
}

#[cfg(test)]
pub(crate) mod tests;

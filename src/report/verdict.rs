//! The verdict: what a reader must know before anything else.
//!
//! In: a report. Out: one of five verdicts, and the sentence that explains it. Invariant: an outcome that is not
//! known to be good is never shown as good.

use super::{RecoveryReport, undone, words};

/// Why an objective of recovery time stays open where readiness was simulated.
const OWN_TIME: &str = "readiness was simulated, so the time is netdr’s own";
/// The same where nobody could see whether it was.
const UNSEEN: &str = "whether the nodes are real could not be seen";
/// The same where there is none: what is said to be ready was never started, and nobody played it either.
pub(crate) const NO_NODE: &str = "the cluster has no node: nothing runs there";

/// Why whether an objective of recovery time can be met stays open, in words that fit after "because"; none where nodes were seen to
/// be real.
pub(super) fn why_open(is_simulated: bool, unseen: &[String]) -> Option<&'static str> {
    match (is_simulated, unseen) {
        (true, _) => Some(OWN_TIME),
        (false, []) => None,
        (false, lines) if lines.iter().all(|line| line == NO_NODE) => Some(NO_NODE),
        (false, _) => Some(UNSEEN),
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Recovered, and no objective was missed.
    Recovered,
    /// Recovered, but it took too long or the source was too old.
    OverObjective,
    /// Some of it is not back.
    Partial,
    /// It is not back.
    Failed,
    /// Source and cluster were equal already.
    NothingToDo,
}

impl Verdict {
    /// Reads it off a report.
    pub fn of(report: &RecoveryReport) -> Self {
        match report.outcome {
            "recovered" if report.rto_met && report.rpo_met != Some(false) => Self::Recovered,
            "recovered" => Self::OverObjective,
            "undone" => Self::Recovered,
            "partial" => Self::Partial,
            "nothing-to-do" => Self::NothingToDo,
            _ => Self::Failed,
        }
    }

    /// In two or three words.
    pub const fn headline(self) -> &'static str {
        match self {
            Self::Recovered => "Recovered",
            Self::OverObjective => "Recovered, over objective",
            Self::Partial => "Recovered in part",
            Self::Failed => "Not recovered",
            Self::NothingToDo => "Nothing to do",
        }
    }

    /// Whether all of it is back.
    pub(super) const fn is_back(self) -> bool {
        matches!(self, Self::Recovered | Self::OverObjective | Self::NothingToDo)
    }

    /// Whether the objective of recovery time was met; none where that stays open.
    pub(super) fn rto_met(self, report: &RecoveryReport) -> Option<bool> {
        if self.is_back() { report.rto_proved() } else { Some(false) }
    }

    /// What the measured time is: a run that did not recover has no recovery time.
    pub(super) const fn time_name(self) -> &'static str {
        if self.is_back() { "Recovery time" } else { "Time spent, not recovered" }
    }

    /// A sign that carries the verdict without colour.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Recovered => "✓",
            Self::OverObjective | Self::Partial => "!",
            Self::Failed => "✕",
            Self::NothingToDo => "=",
        }
    }

    /// Why, in a sentence or two.
    pub(super) fn sentence(self, report: &RecoveryReport) -> String {
        let taken = format!("{} at {}", report.taken(), words::time(report.captured_at));
        let failures: u64 = report.steps.iter().map(crate::restore::StepOutcome::failed).sum();
        let left = report.differences_left;
        let elsewhere = match report.not_done.len() as u64 {
            0 => String::new(),
            n => format!(" {} must be done on other nodes.", words::count(n, "part")),
        };
        let unproved = report.checks.iter().filter(|check| check.is_failure()).count() as u64;
        let unproved = match unproved {
            0 => String::new(),
            n => format!(" {} did not pass.", words::count(n, "check")),
        };
        let not_begun = match report.not_begun.len() as u64 {
            0 => String::new(),
            n => format!(" {} not begun.", words::count(n, "step")),
        };
        let open = format!(
            "{} and {} left in the plan’s scope.{not_begun}{elsewhere}{unproved}",
            words::count(failures, "failure"),
            words::count(left, "difference")
        );
        if let Some(said) = undone::sentence(self, report, &open) {
            return said;
        }
        let equal = match left {
            0 => format!("The cluster equals the source {taken} in the plan’s scope"),
            _ => format!("The source was {taken}; {} left", words::count(left, "difference")),
        };
        match self {
            Self::Recovered => match (report.why_open(), report.rpo_met) {
                (None, Some(_)) => format!("{equal}. Both objectives were met."),
                (None, None) => format!("{equal}. The objective of recovery time was met."),
                (Some(why), point) => {
                    let point = point.map_or("", |_| " The objective of recovery point was met.");
                    format!("{equal}.{point} Whether that of recovery time can be met stays open: {why}.")
                }
            },
            Self::OverObjective => {
                let late = (!report.rto_met).then(|| {
                    let over = words::duration(report.recovery_time_s - report.rto_s as f64);
                    format!("the recovery took {over} longer than its objective")
                });
                let old = (report.rpo_met == Some(false)).then(|| {
                    match report.recovery_point_s - report.rpo_s as i64 {
                        over if over > 0 => {
                            format!(
                                "the source was {} older than its objective",
                                words::duration(over as f64)
                            )
                        }
                        _ => "a release came back with other values than are authored in Git".into(),
                    }
                });
                let over: Vec<String> = late.into_iter().chain(old).collect();
                format!("{equal}, but {}.", over.join(", and "))
            }
            Self::Partial => format!("Part of it is back: {open}"),
            Self::Failed => match report.steps.iter().find(|s| matches!(s.outcome, "failed" | "interrupted"))
            {
                Some(step) if step.outcome == "failed" => format!("Step “{}” failed: {open}", step.id),
                Some(step) => format!("The run was interrupted in step “{}”: {open}", step.id),
                None => format!("The run did not end well: {open}"),
            },
            Self::NothingToDo => format!(
                "The cluster already equalled the source {taken}, so nothing was changed. If it still \
                 misbehaves, the source may hold the same fault: try an older snapshot."
            ),
        }
    }
}

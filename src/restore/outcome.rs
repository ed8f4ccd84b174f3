//! What became of acts and steps.
//!
//! In: an act's outcome. Out: counts, the word for its step, lines for the journal. Invariant: pure; every act counts
//! once, and what was not done is named with why.

use std::time::Duration;

use serde::Serialize;

use super::{Probed, journal::Entry};
use crate::{
    model::ItemKey,
    plan::{Gate, Step, Verb},
};

/// What became of one act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ActOutcome {
    /// Done.
    Done,
    /// The live object was as wanted already when its turn came.
    Unchanged,
    /// The object changed after the plan was made, so it was left alone.
    ChangedSincePlanned,
    /// Not done: the API server's words, and what to do.
    Failed(String),
}

/// One act that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Which object.
    pub key: ItemKey,
    /// What was to be done.
    pub verb: Verb,
    /// What became of it.
    pub outcome: ActOutcome,
}

/// One step that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct StepOutcome {
    /// From the plan.
    pub id: String,
    /// From the plan.
    pub title: String,
    /// `apply`, `helmRelease`, `scale`, …
    pub action: &'static str,
    /// `done`, `partial`, `failed`, `skipped`, `interrupted`; shown and kept as [`StepOutcome::word`].
    pub outcome: &'static str,
    /// When it began, in seconds since the run began.
    pub began_s: f64,
    /// Wall time of acting, or of asking.
    pub acting_s: f64,
    /// Wall time of waiting for gates.
    pub waiting_s: f64,
    /// Acts that changed the cluster by POST, PUT, PATCH.
    pub applied: u64,
    /// Acts that found nothing to do.
    pub unchanged: u64,
    /// Deletes done.
    pub deleted: u64,
    /// Acts that failed or were left alone, and gates that did not hold: each with why.
    pub failures: Vec<String>,
    /// What was looked at.
    pub probes: Vec<Probed>,
    /// Why it was not tried: what became of the step that stopped the run.
    pub skipped: Option<String>,
    /// Whether its program was run.
    #[serde(skip)]
    pub ran: bool,
    /// Whether it came to nothing that could be done or looked at: nothing differs, or the source has none of what it is about.
    #[serde(skip)]
    pub idle: bool,
    /// What did not hold by the deadline.
    #[serde(skip)]
    pub unready: Vec<Gate>,
    /// Every act.
    #[serde(skip)]
    pub acts: Vec<Done>,
}

impl Done {
    /// Whether it was not done although something was to be done.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, ActOutcome::ChangedSincePlanned | ActOutcome::Failed(_))
    }

    pub(super) fn entry(&self, step: &str) -> Entry {
        let (outcome, why) = match &self.outcome {
            ActOutcome::Done => ("done", None),
            ActOutcome::Unchanged => ("unchanged", None),
            ActOutcome::ChangedSincePlanned => ("changed-since-planned", None),
            ActOutcome::Failed(why) => ("failed", Some(why.clone())),
        };
        let (step, key, verb) = (step.to_owned(), self.key.clone(), self.verb);
        Entry::Outcome { step, key, verb, outcome: outcome.into(), why }
    }
}

impl StepOutcome {
    pub(super) fn new(step: &Step, began: Duration) -> Self {
        let acts = step.batches.iter().any(|batch| !batch.acts.is_empty());
        let asks = step.question.is_some() || step.command.is_some();
        let idle = !acts && !asks && step.gates.is_empty() && step.looks.is_empty();
        Self { idle, ..Self::named(&step.id, &step.title, step.action, began) }
    }

    /// Of a step that is in no plan file.
    pub(super) fn named(id: &str, title: &str, action: &'static str, began: Duration) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            action,
            outcome: "done",
            began_s: began.as_secs_f64(),
            acting_s: 0.0,
            waiting_s: 0.0,
            applied: 0,
            unchanged: 0,
            deleted: 0,
            failures: Vec::new(),
            probes: Vec::new(),
            skipped: None,
            ran: false,
            idle: false,
            unready: Vec::new(),
            acts: Vec::new(),
        }
    }

    /// How many acts, waits and looks came to nothing; what was not tried did not fail.
    pub fn failed(&self) -> u64 {
        failed(self.outcome, &self.failures)
    }

    /// The word for it where it is shown or kept: what did or looked at nothing is not called done.
    pub fn word(&self) -> &'static str {
        let nothing = self.probes.iter().all(|probed| probed.result == "not probed");
        match self.outcome {
            "done" if self.action == "probe" && nothing && !self.probes.is_empty() => "not probed",
            "done" if self.idle => "nothing to do",
            outcome => outcome,
        }
    }

    /// Why no step after this one is tried, where none is.
    pub(super) fn stops(&self) -> Option<String> {
        match self.outcome {
            "failed" => Some(format!("step `{}` failed", self.id)),
            "interrupted" => Some(format!("step `{}` was declined", self.id)),
            _ => None,
        }
    }

    /// It is not tried.
    pub(super) fn skip(&mut self, step: &Step, because: &str) {
        let why = format!("not tried, because {because}");
        self.outcome = "skipped";
        self.probes = step.looks.iter().map(|look| Probed::not(look, &why)).collect();
        self.skipped = Some(because.to_owned());
    }

    pub(super) fn count(&mut self, done: Done) {
        match &done.outcome {
            ActOutcome::Done if done.verb == Verb::Delete => self.deleted += 1,
            ActOutcome::Done => self.applied += 1,
            ActOutcome::Unchanged => self.unchanged += 1,
            ActOutcome::ChangedSincePlanned => self.failures.push(format!(
                "{}: changed since the plan was made, so it was left alone; run the same command again for a new plan",
                done.key
            )),
            ActOutcome::Failed(why) => self.failures.push(format!("{}: {why}", done.key)),
        }
        self.acts.push(done);
    }

    /// The word for the step: failed ends the run, partial does not.
    pub(super) fn judge(&mut self, gates_held: bool) {
        let failed = self.probes.iter().any(|probed| probed.result == "failed");
        let all_done = !failed && !self.acts.iter().any(Done::is_failure);
        self.outcome = match (gates_held, all_done) {
            (false, _) => "failed",
            (true, true) => "done",
            (true, false) => "partial",
        };
    }

    pub(super) fn entry(&self) -> Entry {
        Entry::Step {
            step: self.id.clone(),
            action: self.action.into(),
            outcome: self.word().into(),
            seconds: self.acting_s + self.waiting_s,
            failures: match &self.skipped {
                Some(because) => vec![format!("not tried, because {because}")],
                None => self.failures.clone(),
            },
        }
    }
}

/// How many of a step's failures are some: a step that was skipped, or that somebody declined, has only a reason.
pub(super) fn failed(outcome: &str, failures: &[String]) -> u64 {
    if matches!(outcome, "failed" | "partial") { failures.len() as u64 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(verb: Verb, outcome: ActOutcome) -> Done {
        Done { key: ItemKey::resource("", "secrets", Some("demo"), "x"), verb, outcome }
    }

    #[test]
    fn every_act_counts_once_and_a_failure_names_its_object() {
        let step = Step {
            id: "s".into(),
            title: "S".into(),
            action: "apply",
            question: None,
            command: None,
            batches: vec![],
            gates: vec![],
            looks: vec![],
            timeout_s: 1,
        };
        let mut outcome = StepOutcome::new(&step, Duration::ZERO);
        assert_eq!(outcome.word(), "nothing to do");
        let asked = Step { question: Some("Go on?".into()), ..step.clone() };
        assert_eq!(StepOutcome::new(&asked, Duration::ZERO).word(), "done");
        outcome.count(done(Verb::Create, ActOutcome::Done));
        outcome.count(done(Verb::Delete, ActOutcome::Done));
        outcome.count(done(Verb::Replace, ActOutcome::Unchanged));
        outcome.judge(true);
        assert_eq!((outcome.applied, outcome.deleted, outcome.unchanged, outcome.outcome), (1, 1, 1, "done"));
        outcome.count(done(Verb::Replace, ActOutcome::ChangedSincePlanned));
        outcome.count(done(Verb::Replace, ActOutcome::Failed("no (403)".into())));
        outcome.judge(true);
        assert_eq!((outcome.failures.len(), outcome.outcome), (2, "partial"));
        assert_eq!(outcome.failures[1], "secrets demo/x: no (403)");
        outcome.judge(false);
        assert_eq!(outcome.outcome, "failed");
    }
}

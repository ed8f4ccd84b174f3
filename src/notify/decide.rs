//! What is said to whom, and what is remembered. Pure.
//!
//! A new problem is told at once, and so is one whose severity rose; one that lasts once a day, one that is over once. A
//! task that failed says nothing of the problems that it would have found, and one that was done in part nothing of those
//! that it no longer finds: these stay as they are. Tasks of one run that failed for one cause are told of in one message.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Kind, Message};
use crate::{
    model::Severity,
    task::{Ended, Event, Problem},
};

/// A problem that lasts is told of again after so long: less than a day, so that a nightly job says it every night.
const AGAIN: TimeDelta = TimeDelta::hours(20);

/// A problem that was told of, or could not be: it is remembered until its end has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whose.
    pub cluster: String,
    /// As `backup network`.
    pub task: String,
    /// Which kind.
    pub event: Event,
    /// When it was first seen: its thread begins then.
    pub since: DateTime<Utc>,
    /// When somebody was told last; nobody was yet, where none.
    pub at: Option<DateTime<Utc>>,
    /// Its severity when it was seen last.
    #[serde(default)]
    pub severity: Severity,
    /// What of it was critical then, by name.
    #[serde(default)]
    pub critical: BTreeSet<String>,
    /// The highest severity that somebody was told of.
    #[serde(default)]
    pub peak: Severity,
    /// The task whose message told of it, too; none where it has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
}

/// What comes of tasks that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be sent, each with what to remember once somebody took it: nothing, where a problem is over. Its own problem comes
    /// first, then those that it tells of, too.
    pub messages: Vec<(Message, Vec<Told>)>,
    /// Problems that last and are not told of again yet: what is remembered of them is how they are now, so that what
    /// became less severe and then more severe again is told.
    pub changed: Vec<Told>,
    /// Problems that are over and of which nobody was told: they are not remembered any more.
    pub over: Vec<Told>,
}

impl Told {
    /// What it is called among the records.
    pub fn subject(&self) -> String {
        format!("{} {}", self.task, self.event.name())
    }

    /// As it is now; `known` is what is remembered of it.
    fn now(cluster: &str, task: &str, problem: &Problem, known: Option<&Self>, now: DateTime<Utc>) -> Self {
        Self {
            cluster: cluster.into(),
            task: task.into(),
            event: problem.event,
            since: known.map_or(now, |known| known.since),
            at: known.and_then(|known| known.at),
            severity: problem.severity,
            critical: problem.critical.clone(),
            peak: known.filter(|known| known.at.is_some()).map(Self::reached).unwrap_or_default(),
            with: known.and_then(|known| known.with.clone()),
        }
    }

    /// The highest severity that somebody was told of: who wants to know of that was told. What rises is told at once, so that
    /// it was never higher than this when nobody was.
    pub(super) fn reached(&self) -> Severity {
        self.peak.max(self.severity)
    }

    /// Whether its severity rose, or something else of it is critical.
    fn is_escalated(&self, before: &Self) -> bool {
        self.severity > before.severity || !self.critical.is_subset(&before.critical)
    }
}

/// Decides. `told` are the problems of this cluster that are remembered.
pub fn decide(cluster: &str, ended: &[Ended], told: &[Told], now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::default();
    let mut messages = Vec::new();
    for ended in ended {
        let of_task = || told.iter().filter(|told| told.task == ended.task);
        let current = || ended.problems.iter().filter(|problem| !problem.is_taken_over);
        for problem in current() {
            let known = of_task().find(|told| told.event == problem.event);
            let seen = Told::now(cluster, &ended.task, problem, known, now);
            let kind = match known.and_then(|known| Some((known, known.at?))) {
                None => Some(Kind::New),
                Some((known, _)) if seen.is_escalated(known) => Some(Kind::Escalated),
                Some((_, at)) => (now - at >= AGAIN).then_some(Kind::Lasting),
            };
            match kind {
                Some(kind) => messages.push((Message::of(&seen, kind, Some(problem), now), seen)),
                None => decision.changed.extend((known != Some(&seen)).then_some(seen)),
            }
        }
        let lasts = |told: &Told| current().any(|problem| problem.event == told.event);
        let found = |told: &Told| match told.event {
            Event::Failed => true,
            Event::Partial => !ended.has_failed(),
            _ => ended.is_done(),
        };
        for told in of_task().filter(|told| !lasts(told) && found(told)) {
            if told.at.is_some() {
                let left = ended.problems.iter().find(|problem| problem.event == told.event);
                let kind = if left.is_some() { Kind::TakenOver } else { Kind::Recovered };
                messages.push((Message::of(told, kind, left, now), told.clone()));
            } else {
                decision.over.push(told.clone());
            }
        }
    }
    decision.messages = one_of_each_cause(messages);
    decision
}

/// One message where several say the same: that tasks failed, and why; that they are well again of which one message told.
fn one_of_each_cause(mut messages: Vec<(Message, Told)>) -> Vec<(Message, Vec<Told>)> {
    messages.sort_by_key(|(message, told)| message.kind == Kind::Recovered && told.with.is_some());
    let mut one: Vec<(Message, Vec<Told>)> = Vec::new();
    for (message, told) in messages {
        match one.iter_mut().find(|(leading, _)| leading.says(&message, told.with.as_deref())) {
            Some((leading, all)) => {
                all.push(Told { with: Some(leading.task.clone()), ..told });
                leading.also.push(message.task);
            }
            None => one.push((message, vec![Told { with: None, ..told }])),
        }
    }
    one
}

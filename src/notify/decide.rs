//! What is said to whom, and what is remembered. Pure.
//!
//! A new problem is told at once, one that lasts once a day, one that is over once. A task that failed says nothing of the
//! problems that it would have found, so these stay as they are.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::message::{Kind, Message};
use crate::task::{Ended, Event, Problem};

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
}

/// What comes of tasks that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be sent, each with what to remember once somebody took it: nothing, where a problem is over.
    pub messages: Vec<(Message, Told)>,
    /// Problems that are over and of which nobody was told: they are not remembered any more.
    pub over: Vec<Told>,
}

impl Told {
    /// What it is called among the records.
    pub fn subject(&self) -> String {
        format!("{} {}", self.task, self.event.name())
    }
}

/// Decides. `told` are the problems of this cluster that are remembered.
pub fn decide(cluster: &str, ended: &[Ended], told: &[Told], now: DateTime<Utc>) -> Decision {
    let mut decision = Decision::default();
    for ended in ended {
        let of_task = || told.iter().filter(|told| told.task == ended.task);
        for problem in &ended.problems {
            let known = of_task().find(|told| told.event == problem.event);
            let fresh = Told {
                cluster: cluster.into(),
                task: ended.task.clone(),
                event: problem.event,
                since: now,
                at: None,
            };
            let told = known.cloned().unwrap_or(fresh);
            if told.at.is_none_or(|at| now - at >= AGAIN) {
                let kind = if told.at.is_none() { Kind::New } else { Kind::Lasting };
                decision.messages.push((Message::of(&told, kind, Some(problem), now), told));
            }
        }
        let lasts = |told: &Told| ended.problems.iter().any(|problem: &Problem| problem.event == told.event);
        let found = |told: &Told| told.event == Event::Failed || !ended.has_failed();
        for told in of_task().filter(|told| !lasts(told) && found(told)) {
            if told.at.is_some() {
                decision.messages.push((Message::of(told, Kind::Recovered, None, now), told.clone()));
            } else {
                decision.over.push(told.clone());
            }
        }
    }
    decision
}

//! The engine: steps in order, batches in order, acts of a batch in parallel, then gates.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Journal;
use crate::{
    Result,
    cluster::Cluster,
    model::ItemKey,
    plan::{ResolvedPlan, Verb},
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
    /// Refused by the API server, with its words.
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
    /// `apply`, `helmRelease`, `wait`, `confirm`.
    pub action: &'static str,
    /// `done`, `partial`, `failed`, `skipped`.
    pub outcome: &'static str,
    /// When it began, in seconds since the run began.
    pub began_s: f64,
    /// Wall time of acting.
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
    /// Every act.
    #[serde(skip)]
    pub acts: Vec<Done>,
}

/// What the caller is told while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step begins; how many acts it has.
    Step {
        /// Its number, from 0.
        number: usize,
        /// Its title.
        title: &'a str,
        /// How many acts.
        acts: usize,
    },
    /// One more act is done.
    Act,
    /// Waiting, for what.
    Waiting(&'a str),
    /// A step ended.
    Ended(&'a StepOutcome),
}

/// What the engine needs besides the plan.
pub struct Engine<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The run's journal.
    pub journal: &'a Journal,
    /// The wall clock, for the journal's times.
    pub clock: &'a (dyn Fn() -> DateTime<Utc> + Sync),
    /// Told what happens.
    pub event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Answers `confirm` steps; false ends the run.
    pub confirm: &'a (dyn Fn(&str) -> Result<bool> + Sync),
    /// Acts in flight.
    pub parallel: usize,
    /// Pause between looks at a gate.
    pub poll: Duration,
}

/// Executes the plan. A failing act never stops independent ones; a step whose gates do not hold ends the run.
///
/// # Errors
/// Only when the journal cannot be written (nothing is done that is not journalled) or the operator stops it.
pub async fn execute(_engine: &Engine<'_>, _plan: &ResolvedPlan) -> Result<Vec<StepOutcome>> {
    Err(crate::Error::failed("seam"))
}

//! The recovery report: JSON, Markdown, and one self-contained HTML file.
//!
//! In: what a run did and how long it took. Out: text. Invariant: pure; no content of any object is in it, and
//! what was simulated or not probed is said.

pub mod html;
pub mod markdown;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    model::{ClusterIdentity, RunId, SnapshotId},
    restore::StepOutcome,
};

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
    /// The plan's title.
    pub title: String,
    /// Responsible role.
    pub role: String,
    /// The cluster restored.
    pub cluster: ClusterIdentity,
    /// The source snapshots.
    pub source: Vec<SnapshotId>,
    /// Their signer.
    pub signed_by: String,
    /// When the source was captured.
    pub captured_at: DateTime<Utc>,
    /// When the incident began.
    pub incident_start: DateTime<Utc>,
    /// When the command began and ended.
    pub started_at: DateTime<Utc>,
    /// See `started_at`.
    pub ended_at: DateTime<Utc>,
    /// netdr's version.
    pub tool: String,
    /// Who ran it.
    pub operator: String,
    /// `recovered`, `partial`, `failed`, `nothing-to-do`.
    pub outcome: &'static str,
    /// Incident start to the last proof.
    pub recovery_time_s: f64,
    /// Objective.
    pub rto_s: u64,
    /// Whether it was met.
    pub rto_met: bool,
    /// Incident start − captured-at.
    pub recovery_point_s: i64,
    /// Objective.
    pub rpo_s: u64,
    /// Whether it was met.
    pub rpo_met: bool,
    /// Where the time went.
    pub phases: Vec<Phase>,
    /// What was done.
    pub steps: Vec<StepOutcome>,
    /// Items that still differ afterwards, in the plan's scope.
    pub differences_left: u64,
    /// Their names, and everything a person must still do.
    pub remarks: Vec<String>,
    /// What was simulated.
    pub simulated: Vec<String>,
    /// What could not be proved.
    pub not_probed: Vec<String>,
}

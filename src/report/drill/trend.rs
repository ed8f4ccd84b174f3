//! Earlier drills, and which of them was the last good one.
//!
//! In: the JSON of reports. Out: what of them later ones show. Invariant: pure; a report that does not say that it was good
//! was not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Place;
use crate::model::{ClusterIdentity, RunId};

/// An earlier drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Past {
    /// Its id.
    pub report: RunId,
    /// Whose snapshots were drilled.
    pub cluster: ClusterIdentity,
    /// Where.
    pub place: Place,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Whether it was a good one.
    pub good: bool,
    /// What each scenario came to.
    pub scenarios: Vec<PastScenario>,
}

/// A scenario of an earlier drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PastScenario {
    /// The plan's name.
    pub name: String,
    /// `recovered`, `partial`, `failed`, `not tested`, `interrupted`.
    pub outcome: String,
    /// What netdr itself took.
    pub own_time_s: f64,
    /// From the failure to the last proof.
    pub recovery_time_s: f64,
    /// How long it may take.
    pub rto_s: u64,
    /// Whether the objective was met; none of a sandbox.
    pub rto_met: Option<bool>,
}

impl PastScenario {
    /// Whether it was drilled to an end: of what was not tested, or interrupted, nothing is known.
    pub fn has_ended(&self) -> bool {
        matches!(self.outcome.as_str(), "recovered" | "partial" | "failed")
    }
}

/// The newest good drill; of this cluster alone where it is named.
pub fn last<'a>(drills: &'a [Past], cluster: Option<&str>) -> Option<&'a Past> {
    let good = drills.iter().filter(|past| past.good && cluster.is_none_or(|name| past.cluster.name == name));
    good.max_by_key(|past| past.ended_at)
}

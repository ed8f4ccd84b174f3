//! Earlier drills, and which of them was the last good one.
//!
//! In: the JSON of reports. Out: what of them later ones show. Invariant: pure; a report that does not say that it was good
//! was not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Place, scenario::is_late};
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
    /// What was played, or may have been.
    #[serde(default)]
    pub simulated: Vec<String>,
    /// What each scenario came to.
    pub scenarios: Vec<PastScenario>,
}

/// A scenario of an earlier drill.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PastScenario {
    /// The plan's name.
    pub name: String,
    /// `recovered`, `partial`, `failed`, `not tested`, `interrupted`, `not begun`.
    pub outcome: String,
    /// What netdr itself took; none where no plan was replayed (0, in reports of netdr before that was said).
    pub own_time_s: Option<f64>,
    /// From the failure to the last proof; as `own_time_s`.
    pub recovery_time_s: Option<f64>,
    /// How long it may take.
    pub rto_s: u64,
    /// Whether the objective was met; none of a sandbox.
    pub rto_met: Option<bool>,
    /// The same of the recovery point; none where it is open.
    pub rpo_met: Option<bool>,
}

impl Past {
    /// Whether its times are those of real workloads, as [`super::DrillReport::is_measured`].
    pub fn is_measured(&self) -> bool {
        self.place == Place::DrillCluster && self.simulated.is_empty()
    }

    /// What a scenario came to.
    pub(super) fn of(&self, name: &str) -> Option<&PastScenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    /// Of how many plans it was, where they came back in time and it is no good one only because it was not of every plan.
    pub(super) fn part(&self) -> Option<usize> {
        let in_time =
            |scenario: &PastScenario| scenario.is_back() && !is_late(scenario.rto_met, scenario.rpo_met);
        let back = !self.scenarios.is_empty() && self.scenarios.iter().all(in_time);
        (!self.good && back).then_some(self.scenarios.len())
    }

    /// Whether somebody stopped it before its end.
    fn is_stopped(&self) -> bool {
        self.scenarios.iter().any(|scenario| matches!(scenario.outcome.as_str(), "interrupted" | "not begun"))
    }

    /// What it counts for.
    pub(super) fn word(&self) -> String {
        match self.part() {
            _ if self.good => "good".into(),
            _ if self.is_stopped() => "stopped".into(),
            Some(1) => "one plan".into(),
            Some(n) => format!("{n} plans"),
            None => "not good".into(),
        }
    }
}

impl PastScenario {
    /// Whether it came back.
    pub fn is_back(&self) -> bool {
        self.outcome == "recovered"
    }

    /// Whether it was drilled to an end: of what was not tested, or interrupted, nothing is known.
    pub fn has_ended(&self) -> bool {
        matches!(self.outcome.as_str(), "recovered" | "partial" | "failed")
    }

    /// How long the recovery took, where it came back.
    pub(super) fn took(&self) -> Option<f64> {
        self.recovery_time_s.filter(|_| self.is_back())
    }
}

/// The newest good drill; of this cluster alone where it is named.
pub fn last<'a>(drills: &'a [Past], cluster: Option<&str>) -> Option<&'a Past> {
    let good = drills.iter().filter(|past| past.good && cluster.is_none_or(|name| past.cluster.name == name));
    good.max_by_key(|past| past.ended_at)
}

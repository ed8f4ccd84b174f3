//! The verification report: what a drill proved, and what it did not. JSON, Markdown, and one self-contained HTML file.
//!
//! In: what each scenario came to, and what was looked at besides. Out: text. Invariant: pure; a drill in a sandbox never
//! says that an objective of time was met, for readiness was simulated there; and nothing claims conformity.

mod chart;
mod compliance;
pub mod html;
pub mod markdown;
mod scenario;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod trend;

pub use super::rto_met;
pub use compliance::{CONTROLS, Control};
pub use scenario::{Broken, Procedure, Scenario, judge, own_time, rpo_met};
pub use target::Target;
pub use trend::{Past, PastScenario, last};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, RecoveryReport, verdict, words};
use crate::{
    model::{ClusterIdentity, RunId, Set, SnapshotId, SnapshotState},
    plan::shell_word,
    signature::REPORT,
};

/// Where a drill took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A disposable control plane of its own.
    Sandbox,
    /// A cluster that is marked as one for drills.
    DrillCluster,
}

/// A snapshot that was drilled.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// Which.
    pub snapshot: SnapshotId,
    /// What was captured.
    pub set: Set,
    /// The node, of set `host`.
    pub node: Option<String>,
    /// When.
    pub captured_at: DateTime<Utc>,
    /// Whether all of it was read then.
    pub state: SnapshotState,
    /// The trusted signer who answers for it.
    pub signed_by: String,
    /// Fingerprints of the recipients whose identities opened all of it; none where its header names no recipients.
    pub opened_by: Vec<String>,
}

/// Whose key signs a report, and how anybody sees that it did.
#[derive(Clone, Debug, Serialize)]
pub struct Signer {
    /// The key's fingerprint, as OpenSSH shows it.
    pub key: String,
    /// What it is called by whoever trusts it.
    pub principal: String,
    /// The file that says so, where the report was written.
    pub trusted_signers: String,
}

impl Signer {
    /// What verifies a file of the report that lies beside its signature; of several names in a line of the file OpenSSH takes one.
    fn verify(&self, file: &str) -> String {
        let principal = self.principal.split(',').next().unwrap_or_default();
        let [signers, principal] = [self.trusted_signers.as_str(), principal].map(shell_word);
        format!("ssh-keygen -Y verify -f {signers} -I {principal} -n {REPORT} -s {file}.sig < {file}")
    }
}

/// On how many of the last days, in UTC, there is a complete backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Nights {
    /// Of which set.
    pub set: Set,
    /// The node, of set `host`.
    pub node: Option<String>,
    /// 0 to [`Nights::OF`].
    pub days: usize,
    /// The longest time without one in these days, in seconds, the time since the last one too: of those that are still kept, so
    /// that it was no longer. None where they do not reach back that far.
    pub longest_gap_s: Option<i64>,
}

impl Nights {
    /// How many days are looked at: daily backups are kept for seven.
    pub const OF: u64 = 7;
}

/// Until when a certificate is valid.
#[derive(Clone, Debug, Serialize)]
pub struct Expiry {
    /// Its Secret.
    pub secret: String,
    /// The last moment; none where it does not read.
    pub not_after: Option<DateTime<Utc>>,
    /// Why it does not.
    pub wrong: Option<String>,
}

/// What `netdr drill --json` prints, and what the report shows.
#[derive(Clone, Debug, Serialize)]
pub struct DrillReport {
    /// Its id: the name of its files.
    pub report: RunId,
    /// Where it took place.
    pub place: Place,
    /// The cluster that was drilled; none in a sandbox.
    pub target: Option<Target>,
    /// Whose snapshots were drilled.
    pub cluster: ClusterIdentity,
    /// Kubernetes' version where they were.
    pub kubernetes: String,
    /// netdr: see [`crate::report::tool`].
    pub tool: String,
    /// Who ran it.
    pub operator: String,
    /// Who signs it.
    pub signed_by: Signer,
    /// When it began and ended.
    pub started_at: DateTime<Utc>,
    /// See `started_at`.
    pub ended_at: DateTime<Utc>,
    /// Whether every plan was drilled, each to its end.
    pub complete: bool,
    /// Whether somebody stopped it before its end.
    pub interrupted: bool,
    /// Whether it is a good one: see [`DrillReport::judge`].
    pub good: bool,
    /// The snapshots.
    pub sources: Vec<Source>,
    /// How regularly the repository was given such.
    pub nights: Vec<Nights>,
    /// What each scenario came to.
    pub scenarios: Vec<Scenario>,
    /// What was played.
    pub simulated: Vec<String>,
    /// Why nobody could see whether anything was, where that is so.
    pub unseen: Vec<String>,
    /// What could not be tested.
    pub not_tested: Vec<String>,
    /// The certificates in the snapshots.
    pub certificates: Vec<Expiry>,
    /// What was looked at besides: the copies outside.
    pub checks: Vec<Check>,
    /// Earlier drills, oldest first.
    pub trend: Vec<Past>,
}

impl DrillReport {
    /// Whether it counts as a good drill: every plan was drilled, every scenario came back, and no objective was missed of
    /// those that could be judged.
    pub fn judge(complete: bool, scenarios: &[Scenario]) -> bool {
        let in_time = |scenario: &Scenario| scenario.is_back() && !scenario.is_late();
        complete && !scenarios.is_empty() && scenarios.iter().all(in_time)
    }

    /// The JSON of `netdr drill --json`, which the report's file has too.
    pub fn to_json(&self) -> Value {
        let mut document = serde_json::to_value(self).unwrap_or_default();
        document["kind"] = "drill".into();
        document["simulated"] = self.not_real().into();
        document["signed_by"]["verify"] = self.signed_by.verify(&format!("{}.json", self.report)).into();
        document["controls"] = CONTROLS.iter().map(|control| control.to_json(self)).collect();
        for (number, scenario) in self.scenarios.iter().enumerate() {
            let runs = scenario.runs.iter().map(|run| self.run(scenario, run));
            document["scenarios"][number]["runs"] = runs.collect();
        }
        document
    }

    /// A run, of which nobody can take for an objective that was met what was measured where readiness was simulated, or how old
    /// the snapshots were when somebody drilled.
    fn run(&self, scenario: &Scenario, run: &RecoveryReport) -> Value {
        let mut document = run.to_json();
        let proved = run.rto_proved().filter(|_| self.place != Place::Sandbox);
        document["rto_met"] = proved.into();
        let point =
            run.rpo_met.filter(|met| if *met { scenario.rpo_met == Some(true) } else { scenario.rpo_s > 0 });
        document["rpo_met"] = point.into();
        document
    }

    /// What was played, and what may have been: whoever reads a report without knowing `unseen` must not take its times for those
    /// of real workloads.
    fn not_real(&self) -> Vec<String> {
        [&self.simulated[..], &self.unseen[..]].concat()
    }

    /// Why no place outside was asked for the snapshots, where none was.
    pub(super) fn unasked(&self) -> Option<&'static str> {
        match (self.checks.is_empty(), self.interrupted) {
            (false, _) => None,
            (true, true) => Some("the drill was interrupted before places outside were asked"),
            (true, false) => Some("no place outside is configured"),
        }
    }

    /// What later ones show of it.
    pub(super) fn as_past(&self) -> Past {
        let scenario = |scenario: &Scenario| PastScenario {
            name: scenario.name.clone(),
            outcome: scenario.outcome.into(),
            own_time_s: scenario.own_time_s,
            recovery_time_s: scenario.recovery_time_s,
            rto_s: scenario.rto_s,
            rto_met: scenario.rto_met,
            rpo_met: scenario.rpo_met,
        };
        Past {
            report: self.report.clone(),
            cluster: self.cluster.clone(),
            place: self.place,
            ended_at: self.ended_at,
            good: self.good,
            simulated: self.not_real(),
            scenarios: self.scenarios.iter().map(scenario).collect(),
        }
    }

    /// The places outside that lack what was drilled, or could not be asked.
    pub fn lacking(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome == "failed")
    }

    /// How many scenarios ended so.
    fn ended(&self, outcome: &str) -> usize {
        self.scenarios.iter().filter(|scenario| scenario.outcome == outcome).count()
    }

    /// Whether nothing that was drilled to its end failed to come back, and something came back.
    pub(super) fn nothing_lost(&self) -> bool {
        self.ended("failed") + self.ended("partial") == 0 && self.ended("recovered") > 0
    }

    /// Whether its times are those of real workloads.
    pub fn is_measured(&self) -> bool {
        self.why_open().is_none()
    }

    /// Why objectives of recovery time stay open where they were not missed, in words that fit after "because"; none where times are
    /// those of real workloads.
    pub fn why_open(&self) -> Option<&'static str> {
        let sandbox = self.place == Place::Sandbox;
        verdict::why_open(sandbox || !self.simulated.is_empty(), &self.unseen)
    }

    /// What is said of a scenario's objectives, of time and of point, where they were neither met nor missed: what did not
    /// come back is not judged.
    pub fn unjudged(&self, scenario: &Scenario) -> [&'static str; 2] {
        let back = scenario.is_back();
        [back && !self.is_measured(), back].map(|open| if open { "open" } else { "not judged" })
    }

    /// What a reader must know before anything else.
    pub(super) fn headline(&self) -> &'static str {
        let all = self.ended("recovered") == self.scenarios.len();
        match self.nothing_lost() {
            true if self.good => "Recovery proved",
            true if self.complete && all => "Recovered, over objective",
            true => "Recovery proved in part",
            false => "Recovery not proved",
        }
    }

    /// Why, in a sentence or two.
    pub(super) fn sentence(&self) -> String {
        let back = self.ended("recovered");
        let untested = self.ended("not tested");
        let broke_off =
            self.scenarios.iter().filter(|one| one.outcome == "failed" && one.recovery_time_s.is_none());
        let which = match (self.complete, self.interrupted, untested) {
            (true, _, 0) => match broke_off.count() {
                0 => "every plan was drilled".to_owned(),
                n => format!("every plan was begun, and {n} broke off"),
            },
            (true, _, 1) => "one could not be tested, and nothing is proved of it".to_owned(),
            (true, _, n) => format!("{n} could not be tested, and nothing is proved of them"),
            (false, true, _) => {
                "the drill was interrupted, so this counts as no drill of the whole".to_owned()
            }
            (false, false, _) => {
                "not every plan was drilled, so this counts as no drill of the whole".to_owned()
            }
        };
        let time = match (self.place, self.why_open()) {
            (_, None) => "Times are those of real workloads on a drill cluster.".into(),
            (Place::Sandbox, Some(_)) => {
                "In a sandbox readiness is simulated: the times are netdr’s own, and whether a recovery time objective can be \
                 met stays open."
                    .to_owned()
            }
            (Place::DrillCluster, Some(why)) => format!(
                "Whether a recovery time objective that was not missed can be met on this drill cluster stays open: {why}."
            ),
        };
        let of = words::count(self.scenarios.len() as u64, "scenario");
        let places = match self.lacking().count() {
            0 => String::new(),
            n => format!(" {} outside: not seen to have what was drilled.", words::count(n as u64, "place")),
        };
        let same = match &self.target {
            Some(target) if target.same_cluster => {
                " What was broken has the identity of a cluster that the repository has snapshots of: it is that cluster, or a copy of it."
            }
            _ => "",
        };
        format!("{back} of {of} came back without a difference; {which}. {time}{same}{places}")
    }

    /// Who, what, when, from where: what makes the report evidence. `form` is the ending of the file that says it.
    pub(super) fn evidence(&self, form: &str) -> Vec<(&'static str, String)> {
        let Signer { key, principal, .. } = &self.signed_by;
        let place = match self.place {
            Place::Sandbox => {
                "a disposable control plane in memory, encrypted at rest under a key that went with it"
            }
            Place::DrillCluster => {
                "a cluster that is marked as one for drills; what was restored is still on it, private keys of certificates too"
            }
        };
        let mut rows = vec![
            ("Report", self.report.to_string()),
            (
                "Signed by",
                format!(
                    "key {key}, whom the trusted signers call {principal}; without a good signature it is no evidence"
                ),
            ),
            ("To verify", format!("`{}`", self.signed_by.verify(&format!("{}.{form}", self.report)))),
            ("Place", place.into()),
            ("Cluster", self.cluster.name.clone()),
            ("Cluster identity", format!("{} (uid of namespace kube-system)", self.cluster.uid)),
            ("Kubernetes, captured", self.cluster.kubernetes.clone()),
            ("Kubernetes, drilled", self.kubernetes.clone()),
            ("Operator", self.operator.clone()),
            ("Began", words::time(self.started_at)),
            ("Ended", words::time(self.ended_at)),
            ("netdr", self.tool.clone()),
        ];
        let target = self.target.iter().map(|target| ("Cluster, drilled", target.says()));
        let at = rows.iter().position(|(name, _)| *name == "Kubernetes, captured").unwrap_or(rows.len());
        rows.splice(at..at, target);
        let drilled = self.scenarios.iter().filter(|scenario| !scenario.runs.is_empty());
        rows.extend(drilled.map(|one| ("Plan", format!("{}: {}", one.name, one.procedure.says(&one.name)))));
        rows.extend(self.sources.iter().map(|source| {
            let node = source.node.as_ref().map(|node| format!(" of node {node}")).unwrap_or_default();
            let captured = words::time(source.captured_at);
            let opened = match &source.opened_by[..] {
                [] => String::new(),
                all => format!("; opened by the identity of recipient {}", all.join(", and of ")),
            };
            let says = format!(
                "{}: set {}{node}, captured {captured}, {}; signature good, by {}{opened}",
                source.snapshot,
                source.set,
                source.state.name(),
                source.signed_by
            );
            ("Snapshot", says)
        }));
        rows
    }
}

impl Expiry {
    /// For people.
    pub(super) fn says(&self, now: DateTime<Utc>) -> String {
        match (self.not_after, &self.wrong) {
            (Some(at), _) if at < now => format!("{}, expired", words::time(at)),
            (Some(at), _) => format!("{}, {} days left", words::time(at), (at - now).num_days()),
            (None, Some(why)) => why.clone(),
            (None, None) => "unknown".into(),
        }
    }
}

//! What a monitoring system asks of a repository, as Prometheus' text.
//!
//! In: what the repository holds and what its records say. Out: samples, each with its help. Invariant: pure, and made anew
//! from the repository every time, so that nothing is lost with a process; what somebody is woken for is a point in time,
//! so that an older copy of the text on another node says nothing wrong, only less.

mod names;
mod publish;
mod recovery;
#[cfg(test)]
mod tests;
mod text;

pub use names::{METRICS, Metric};
pub use publish::{can_write, push, textfile};
pub use recovery::Recovery;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    config::LOCAL,
    model::{Set, Severity, SnapshotHeader, SnapshotId, SnapshotState},
    report::drill::{Past, PastScenario, last},
    repository::{Listed, Retention, replaced, retention},
    task::{Ran, Watched},
};
use names as metric;
use text::Text;

/// What is known of one cluster.
#[derive(Debug)]
pub struct Known<'a> {
    /// Its name.
    pub cluster: &'a str,
    /// Every snapshot here; none where no repository is at hand, which is not the same as an empty one.
    pub listed: Option<&'a [Listed]>,
    /// What is kept here.
    pub retention: Retention,
    /// Places outside, each with the snapshots that are whole there; none of one that did not answer.
    pub places: &'a [(String, Option<BTreeSet<SnapshotId>>)],
    /// Until when the certificates in the newest complete snapshot are valid, by `namespace/name` of their Secret.
    pub certificates: &'a BTreeMap<String, DateTime<Utc>>,
    /// Restores that were run.
    pub recoveries: &'a [Recovery],
    /// Drills on record that a trusted signer answers for, oldest first.
    pub drills: &'a [Past],
    /// How tasks ended lately.
    pub tasks: &'a [Ran],
    /// What checks found.
    pub checks: &'a [Checked],
    /// What was found of drift.
    pub drifted: &'a [Drifted],
    /// How channels and the Pushgateway took what was sent.
    pub deliveries: &'a [Delivery],
    /// What `netdr watch` last did, where it runs and nobody is at its terminal.
    pub watched: Option<&'a Watched>,
}

impl<'a> Known<'a> {
    /// Nothing but which cluster it is.
    pub fn nothing(cluster: &'a str) -> Self {
        static NO_CERTIFICATES: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        Self {
            cluster,
            listed: None,
            retention: Retention::default(),
            places: &[],
            certificates: &NO_CERTIFICATES,
            recoveries: &[],
            drills: &[],
            tasks: &[],
            checks: &[],
            drifted: &[],
            deliveries: &[],
            watched: None,
        }
    }
}

/// What a check found last, of one subject as `certificates`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// Of which cluster.
    pub cluster: String,
    /// The subject.
    pub subject: String,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub found: Vec<Finding>,
}

/// One check of a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub name: String,
    /// 0 ok, 1 warn, 2 alert, 3 unknown, 4 not applicable.
    pub status: u8,
    /// What was measured, where it is a number.
    pub value: Option<f64>,
}

/// What was found of drift last, in a set of a cluster, in the files of a node, or beside Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// Of which cluster.
    pub cluster: String,
    /// A set's name, or `git`.
    pub set: String,
    /// Whose files, in set host; else empty.
    pub node: String,
    /// When.
    pub at: DateTime<Utc>,
    /// How many items are that grave, or may be.
    pub items: BTreeMap<Severity, u64>,
}

impl Drifted {
    /// What it is called among the records.
    pub fn subject(&self) -> String {
        format!("{} {}", self.set, self.node).trim_end().into()
    }
}

/// How a channel took what was sent to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Of which cluster.
    pub cluster: String,
    /// The channel.
    pub channel: String,
    /// When it last took something.
    pub taken_at: Option<DateTime<Utc>>,
    /// When it last did not.
    pub refused_at: Option<DateTime<Utc>>,
}

/// The metrics, in Prometheus' text format 0.0.4.
pub fn of(known: &Known<'_>, now: DateTime<Utc>) -> String {
    let mut text = Text::of(known.cluster);
    // Of a part that stands beside the whole these would be there twice, and would hide that the whole is old.
    if let Some(listed) = known.listed {
        text.add(&metric::INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        text.time(&metric::WRITTEN, &[], now);
        snapshots(known, listed, now, &mut text);
        recoveries(known, &mut text);
    }
    for (place, answer) in known.places {
        text.add(&metric::PLACE_UP, &[place], f64::from(u8::from(answer.is_some())));
    }
    for (secret, not_after) in known.certificates {
        let (namespace, name) = secret.split_once('/').unwrap_or(("", secret));
        text.time(&metric::CERTIFICATE_NOT_AFTER, &[namespace, name], *not_after);
    }
    for task in known.tasks {
        let name = [task.task.as_str()];
        text.time(&metric::TASK_TIME, &name, task.at);
        text.time(&metric::TASK_DONE, &name, task.done_at.unwrap_or_default());
        text.time(&metric::TASK_FAILED, &name, task.failed_at.unwrap_or_default());
        text.add(&metric::TASK_DURATION, &name, task.seconds);
        text.add(&metric::TASK_EXIT, &name, f64::from(task.exit_code));
        text.add(&metric::TASK_PROBLEMS, &name, task.problems as f64);
    }
    for Checked { subject, at, found, .. } in known.checks {
        text.time(&metric::CHECK_TIME, &[subject], *at);
        for Finding { name, status, value } in found {
            text.add(&metric::CHECK_STATUS, &[subject, name], f64::from(*status));
            if let Some(value) = value {
                text.add(&metric::CHECK_VALUE, &[subject, name], *value);
            }
        }
    }
    for Drifted { set, node, at, items, .. } in known.drifted {
        text.time(&metric::DRIFT_TIME, &[set, node], *at);
        for severity in Severity::ALL {
            let found = items.get(&severity).copied().unwrap_or_default();
            text.add(&metric::DRIFT_ITEMS, &[set, node, severity.name()], found as f64);
        }
    }
    if let Some(watched) = known.watched {
        text.time(&metric::WATCH_LOOKED, &[], watched.looked_at);
        text.time(&metric::WATCH_DUE, &[], watched.due_at);
        text.time(&metric::WATCH_TAKEN, &[], watched.taken_at.unwrap_or_default());
    }
    for delivery in known.deliveries {
        let name = [delivery.channel.as_str()];
        text.time(&metric::DELIVERY_TAKEN, &name, delivery.taken_at.unwrap_or_default());
        text.time(&metric::DELIVERY_REFUSED, &name, delivery.refused_at.unwrap_or_default());
    }
    text.end()
}

/// Snapshots that stand in for each other, whatever their components.
type Kind<'a> = (Set, &'a str);

fn snapshots(known: &Known<'_>, listed: &[Listed], now: DateTime<Utc>, text: &mut Text) {
    let replaced = replaced(listed);
    let is_ours = |header: &&SnapshotHeader| header.cluster.name == known.cluster;
    let trusted = listed.iter().filter(|one| one.trust.is_trusted() && !replaced.contains_key(&one.id));
    let headers: Vec<&SnapshotHeader> =
        trusted.filter_map(|one| one.header.as_ref().ok()).filter(is_ours).collect();
    let untrusted = listed.iter().filter(|one| !one.trust.is_trusted()).count();
    text.add(&metric::UNTRUSTED, &[], untrusted as f64);
    // Those that every cluster has are there from the first night on: none at all is the worst of all.
    let mut kinds: BTreeMap<Kind<'_>, Vec<&SnapshotHeader>> =
        BTreeMap::from([((Set::Network, ""), vec![]), ((Set::Certificates, ""), vec![])]);
    for header in headers {
        kinds.entry((header.set, header.node.as_deref().unwrap_or_default())).or_default().push(header);
    }
    let plan = retention::plan(listed, known.retention, now);
    let here: BTreeSet<SnapshotId> =
        listed.iter().filter(|one| one.is_whole()).map(|one| one.id.clone()).collect();
    for ((set, node), mut headers) in kinds {
        headers.sort_by_key(|header| header.captured_at);
        let labels = [set.name(), node];
        if let Some(newest) = headers.iter().rev().find(|header| has_its_set(header)) {
            newest_of(newest, &labels, text);
        }
        let outside =
            known.places.iter().filter_map(|(place, there)| Some((place.as_str(), there.as_ref()?)));
        for (place, there) in [(LOCAL, &here)].into_iter().chain(outside) {
            let there: Vec<&SnapshotHeader> =
                headers.iter().filter(|header| there.contains(&header.id)).copied().collect();
            in_place(&there, &[set.name(), node, place], now, text);
        }
        text.add(&metric::BYTES_SUM, &labels, headers.iter().map(|header| bytes(header)).sum());
        let ids: BTreeSet<&SnapshotId> = headers.iter().map(|header| &header.id).collect();
        for rule in ["daily", "weekly", "monthly"] {
            let by_rule = |why: &String| why.split(' ').next() == Some(rule);
            let kept =
                plan.keep.iter().filter(|(id, why)| ids.contains(id) && why.iter().any(by_rule)).count();
            text.add(&metric::KEPT, &[set.name(), node, rule], kept as f64);
        }
        let expired = plan.delete.iter().filter(|id| ids.contains(id)).count();
        text.add(&metric::EXPIRED, &labels, expired as f64);
    }
}

/// The newest snapshot, whatever its state.
fn newest_of(newest: &SnapshotHeader, labels: &[&str; 2], text: &mut Text) {
    let [set, node] = *labels;
    text.add(&metric::BYTES, labels, bytes(newest));
    for bundle in &newest.bundles {
        text.add(&metric::ITEMS, &[set, node, bundle.component.name()], bundle.items as f64);
    }
    text.add(&metric::FAILURES, labels, newest.reasons.len() as f64);
    for state in STATES {
        let is = f64::from(u8::from(newest.state == state));
        text.add(&metric::STATE, &[set, node, state.name()], is);
    }
}

/// What a place has of a kind.
fn in_place(headers: &[&SnapshotHeader], labels: &[&str; 3], now: DateTime<Utc>, text: &mut Text) {
    let [set, node, place] = *labels;
    for state in STATES {
        let count = headers.iter().filter(|header| header.state == state).count();
        text.add(&metric::SNAPSHOTS, &[set, node, place, state.name()], count as f64);
    }
    // One from the future would hide that no other comes, and one that a change occasioned that no night is backed up.
    let is_past = |header: &SnapshotHeader| {
        header.captured_at <= now + retention::SKEW && header.occasion.is_backup() && has_its_set(header)
    };
    let past = || headers.iter().filter(|header| is_past(header));
    let complete = past().filter(|header| header.state == SnapshotState::Complete);
    let newest = |times: &mut dyn Iterator<Item = DateTime<Utc>>| times.max().unwrap_or_default();
    text.time(&metric::LAST, labels, newest(&mut past().map(|header| header.captured_at)));
    text.time(&metric::LAST_COMPLETE, labels, newest(&mut complete.map(|header| header.captured_at)));
}

/// One of some components may be complete in itself, and restores nothing of the others.
fn has_its_set(header: &SnapshotHeader) -> bool {
    header.set.components().all(|component| header.bundles.iter().any(|bundle| bundle.component == component))
}

const STATES: [SnapshotState; 3] = [SnapshotState::Complete, SnapshotState::Partial, SnapshotState::Shrunk];

fn bytes(header: &SnapshotHeader) -> f64 {
    header.bundles.iter().map(|bundle| bundle.bytes).sum::<u64>() as f64
}

/// The last of each scenario: restores of the cluster, and drills of its snapshots.
fn recoveries<'a>(known: &Known<'a>, text: &mut Text) {
    let mut restores: BTreeMap<&str, &Recovery> = BTreeMap::new();
    for recovery in known.recoveries.iter().filter(|recovery| recovery.cluster == known.cluster) {
        let newest = restores.entry(&recovery.scenario).or_insert(recovery);
        if recovery.at > newest.at {
            *newest = recovery;
        }
    }
    for (scenario, restore) in restores {
        let [time, success, took, objective] = metric::RESTORE;
        text.time(&time, &[scenario], restore.at);
        text.add(&success, &[scenario], f64::from(u8::from(restore.succeeded)));
        for (metric, seconds) in [(took, restore.recovery_time_s), (objective, restore.rto_s)] {
            if let Some(seconds) = seconds {
                text.add(&metric, &[scenario], seconds);
            }
        }
    }
    let drills = known.drills.iter().filter(|drill| drill.cluster.name == known.cluster);
    let scenarios = |drill: &'a Past| {
        let ended = drill.scenarios.iter().filter(|of| of.has_ended());
        ended.map(move |of| (of.name.as_str(), (drill, of)))
    };
    // They come oldest first.
    let newest: BTreeMap<&str, (&Past, &PastScenario)> = drills.flat_map(scenarios).collect();
    for (scenario, (drill, of)) in newest {
        let [time, success, took, objective] = metric::DRILL;
        text.time(&time, &[scenario], drill.ended_at);
        text.add(&success, &[scenario], f64::from(u8::from(of.is_back())));
        if let Some(seconds) = of.recovery_time_s {
            let readiness = if drill.is_measured() { "real" } else { "simulated" };
            text.add(&took, &[scenario, readiness], seconds);
        }
        text.add(&objective, &[scenario], of.rto_s as f64);
    }
    let good = last(known.drills, Some(known.cluster)).map(|drill| drill.ended_at);
    text.time(&metric::DRILL_DONE, &[], good.unwrap_or_default());
}

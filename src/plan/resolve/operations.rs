//! Operations: restarting and scaling workloads.
//!
//! In: the workloads that a step names, as they are and as the steps before leave them. Out: acts, and the gates that
//! follow them. Invariant: an operation restores nothing; a workload that neither the cluster nor the source has is
//! passed over and said.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use serde_json::{Value, json};

use super::Resolver;
use crate::{
    cluster::Precondition,
    model::{Class, Component, Content, Extent, Item, ItemKey, Json},
    plan::{Act, Batch, Gate, Replicas, RestorePlan, Verb},
};

/// What earlier processes of a run did, as its journal says: what would not be seen on the cluster, and must not be
/// done again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Operations that were done, by step; of scalings those that a later one followed.
    pub done: BTreeSet<(String, ItemKey, Verb)>,
    /// Steps that changed something, or meant to.
    pub changed: BTreeSet<String>,
    /// `run` steps whose program ended well.
    pub ran: BTreeSet<String>,
    /// How many replicas a workload had before the run's first `scale` of it.
    pub replicas: BTreeMap<ItemKey, u32>,
}

/// What `kubectl rollout restart` writes into the pods' template.
pub(crate) const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

impl Resolver<'_> {
    /// The acts and gates of a `rolloutRestart` step.
    pub(super) fn restart(
        &mut self,
        step: &str,
        plan: &RestorePlan,
        workloads: &[ItemKey],
    ) -> (Vec<Batch>, Vec<Gate>) {
        let (mut acts, mut gates) = (Vec::new(), Vec::new());
        let at = mark(self.run).unwrap_or_else(|| self.now.to_rfc3339());
        for key in workloads {
            if !self.is_there(key) {
                self.passed_over(key, "restarted");
                continue;
            }
            gates.push(Gate::RolledOut(key.clone()));
            let template =
                |live: &Value| live["spec"]["template"]["metadata"]["annotations"][RESTARTED] == *at;
            let done = self.earlier.done.contains(&(step.to_owned(), key.clone(), Verb::Restart));
            if done || self.workloads.get(key).is_some_and(template) {
                continue; // by an earlier process of this run
            }
            let annotations = json!({"template": {"metadata": {"annotations": {RESTARTED: at}}}});
            acts.push(self.operation(plan, key, Verb::Restart, annotations));
        }
        (vec![Batch { note: "restarted as kubectl rollout restart does", acts }], gates)
    }

    /// The act and gate of a `scale` step.
    pub(super) fn scale(
        &mut self,
        step: &str,
        plan: &RestorePlan,
        key: &ItemKey,
        replicas: Replicas,
    ) -> (Vec<Batch>, Vec<Gate>) {
        let live = self.workloads.get(key);
        let Some(from) = self.replicas.get(key).copied().or_else(|| live.map(count)) else {
            self.passed_over(key, "scaled");
            return (Vec::new(), Vec::new());
        };
        let before = *self.before.entry(key.clone()).or_insert(from);
        let to = match replicas {
            Replicas::Count(count) => count,
            Replicas::Before => before,
        };
        let gates = if to == 0 { Vec::new() } else { vec![Gate::RolledOut(key.clone())] };
        let done = self.earlier.done.contains(&(step.to_owned(), key.clone(), Verb::Scale));
        if from == to || done && !self.replicas.contains_key(key) {
            return (Vec::new(), gates);
        }
        let mut act = self.operation(plan, key, Verb::Scale, json!({"replicas": to}));
        act.remarks = vec![format!("from {from} to {to} replicas")];
        let former = fields(key, json!({"replicas": from}));
        act.live_sha256 = Some(item(key, act.component, former.clone()).sha256());
        act.live = Some(former);
        // What an earlier step leaves is no live state yet: undoing that step brings back what is live now.
        let live = self.workloads.get(key).filter(|_| !self.replicas.contains_key(key));
        act.seen = live.map(Precondition::of);
        self.replicas.insert(key.clone(), to);
        (vec![Batch { note: "scaled", acts: vec![act] }], gates)
    }

    /// Whether the workload is on the cluster, or will be: the source has it.
    fn is_there(&self, key: &ItemKey) -> bool {
        self.workloads.contains_key(key) || self.index.entries.iter().any(|entry| entry.key == *key)
    }

    pub(super) fn passed_over(&mut self, key: &ItemKey, what: &str) {
        let said = format!("{key} is not {what}: neither the cluster nor the source has it");
        if !self.warnings.contains(&said) {
            self.warnings.push(said); // a plan may scale it up and back
        }
    }

    fn operation(&self, plan: &RestorePlan, key: &ItemKey, verb: Verb, spec: Value) -> Act {
        let stored = self.index.entries.iter().chain(self.live.items.iter().map(|live| &live.entry));
        let mut stored = stored.filter(|entry| entry.key == *key).map(|entry| entry.component);
        let component = stored.next().or_else(|| plan.components().into_iter().next());
        let component = component.unwrap_or(Component::Cni); // a plan of nothing but operations
        let item = item(key, component, fields(key, spec));
        // Whatever is there when its turn comes: a step before may have made it anew.
        Act { item: Some(item), ..Act::of(key.clone(), component, verb) }
    }
}

/// The replicas that a workload's content gives it; none for anything else.
pub(crate) fn replicas(key: &ItemKey, content: Option<&Content>) -> Option<u32> {
    let scaled = key.is_kind("apps", "deployments") || key.is_kind("apps", "statefulsets");
    match content? {
        Content::Resource(json) if scaled => Some(count(&json.value())),
        _ => None,
    }
}

fn count(workload: &Value) -> u32 {
    workload["spec"]["replicas"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or(1)
}

/// What a run marks its restarts with, by its id: a resumed run restarts nothing again. It is when the run began, and the
/// id's random part as a fraction of that second, for another run may have begun in it.
fn mark(run: &str) -> Option<String> {
    let time = NaiveDateTime::parse_from_str(run.split('-').next()?, "%Y%m%dT%H%M%SZ").ok()?;
    let random = u32::from_str_radix(run.rsplit('-').next()?, 16).ok()?;
    Some(format!("{}.{random:08}Z", time.format("%Y-%m-%dT%H:%M:%S")))
}

/// The part of a workload that an operation changes.
fn fields(key: &ItemKey, spec: Value) -> Content {
    let kind = match key {
        key if key.is_kind("apps", "deployments") => "Deployment",
        key if key.is_kind("apps", "statefulsets") => "StatefulSet",
        _ => "DaemonSet",
    };
    Content::Resource(Json::new(&json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": key.name(), "namespace": key.namespace()},
        "spec": spec,
    })))
}

fn item(key: &ItemKey, component: Component, content: Content) -> Item {
    Item { key: key.clone(), component, class: Class::Config, extent: Extent::Fields, content }
}

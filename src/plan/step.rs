//! The resolved plan: data that says exactly what will be done.
//!
//! In: what resolving found. Out: its counts, its digest and its JSON. Invariant: no content of any item is in them,
//! only names, digests and the fields that differ; and the digest is the same for the same acts in any run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Difference, RestorePlan, guard};
use crate::{
    cluster::Precondition,
    model::{Class, Component, Content, Extent, Item, ItemKey, SnapshotId, hex},
};

/// Where the wanted state comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The snapshots, with what each was used for.
    pub snapshots: Vec<SnapshotId>,
    /// The oldest of their capture times: the recovery point.
    pub captured_at: DateTime<Utc>,
}

/// What will be done, in order. Its JSON and `Debug` show names and digests, never content.
#[derive(Clone, Debug)]
pub struct ResolvedPlan {
    /// The authored plan.
    pub plan: RestorePlan,
    /// Where the wanted state comes from.
    pub source: Source,
    /// Which cluster it is for: uid of its namespace kube-system.
    pub cluster: String,
    /// The steps.
    pub steps: Vec<Step>,
    /// Items in the plan's scope that are equal already.
    pub unchanged: u64,
    /// Items left as they are by the plan's choice, with why: `existing: keep`, extras reported, generated.
    pub kept: Vec<(ItemKey, String)>,
    /// Items that cannot be restored, with why and the way out: a kind the cluster does not serve, …
    pub refused: Vec<(ItemKey, String)>,
    /// Kinds of the cluster that could not be read, with why: of them nothing is proved.
    pub unread: Vec<String>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
    /// Every difference, from live to source, that the plan removes or is refused to: for display, and resolved again
    /// after a run for `differences_left`. What is in `kept` differs by the plan's choice and is not in here.
    pub differences: Vec<Difference>,
}

/// One step: batches one after the other, acts within a batch in parallel, then the gates.
#[derive(Clone, Debug)]
pub struct Step {
    /// From the authored step.
    pub id: String,
    /// From the authored step.
    pub title: String,
    /// `apply`, `helmRelease`, `wait`, `confirm`: the authored word.
    pub action: &'static str,
    /// The question of a `confirm` step.
    pub question: Option<String>,
    /// What is done.
    pub batches: Vec<Batch>,
    /// What must hold afterwards.
    pub gates: Vec<Gate>,
    /// How long the gates may take, in seconds.
    pub timeout_s: u64,
}

/// Acts that may run in parallel.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Why they are together, for example "denies last".
    pub note: &'static str,
    /// The acts.
    pub acts: Vec<Act>,
}

/// One change of one object. `Debug` never shows content.
#[derive(Clone, Debug)]
pub struct Act {
    /// Which object.
    pub key: ItemKey,
    /// Its component in the source.
    pub component: Component,
    /// What is done.
    pub verb: Verb,
    /// The wanted item; none for a delete.
    pub item: Option<Item>,
    /// The very live object the plan saw; none for a create.
    pub seen: Option<Precondition>,
    /// sha256 of the live canonical content the plan saw.
    pub live_sha256: Option<String>,
    /// The live content the act overwrites or deletes: what goes into the safety snapshot.
    pub live: Option<Content>,
    /// Class of the item, for the safety snapshot.
    pub class: Class,
    /// A remark for people: "RBAC", "managed by Argo CD, which will revert it", …
    pub remarks: Vec<String>,
}

/// What an act does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// POST.
    Create,
    /// PUT over the live one.
    Replace,
    /// Merge patch of owned fields.
    Merge,
    /// Delete, wait until gone, create: immutable fields.
    Recreate,
    /// DELETE with uid and resourceVersion.
    Delete,
}

/// A condition that must hold before the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Gate {
    /// A CustomResourceDefinition's `Established` is true; discovery is read again afterwards.
    Established(String),
    /// A workload's newest generation is rolled out and available.
    RolledOut(ItemKey),
}

/// Numbers of a plan, as in the JSON of `restore --dry-run`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// POSTs.
    pub create: u64,
    /// PUTs and merges.
    pub replace: u64,
    /// Delete and create.
    pub recreate: u64,
    /// Deletes.
    pub delete: u64,
    /// Equal already.
    pub unchanged: u64,
    /// Cannot be restored.
    pub refused: u64,
}

impl ResolvedPlan {
    /// Every act, in order.
    pub fn acts(&self) -> impl Iterator<Item = &Act> {
        self.steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts)
    }

    /// Counts of what will be done.
    pub fn counts(&self) -> Counts {
        let mut counts =
            Counts { unchanged: self.unchanged, refused: self.refused.len() as u64, ..Counts::default() };
        for act in self.acts() {
            *match act.verb {
                Verb::Create => &mut counts.create,
                Verb::Replace | Verb::Merge => &mut counts.replace,
                Verb::Recreate => &mut counts.recreate,
                Verb::Delete => &mut counts.delete,
            } += 1;
        }
        counts
    }

    /// sha256 over everything that will be done, and to which cluster (names, verbs, digests, preconditions' uids, what is
    /// asked and waited for): what `--expect` compares.
    ///
    /// The run and its guards' names are not in it: a dry run and the run that follows must agree.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut line = |parts: &[&str]| hash.update(format!("{}\n", parts.join("\t")));
        line(&["cluster", &self.cluster]);
        for step in &self.steps {
            line(&["step", &step.id, step.action, step.question.as_deref().unwrap_or_default()]);
            for batch in &step.batches {
                line(&["batch"]);
                for act in &batch.acts {
                    let guard = guard::is_guard(&act.key);
                    let key = match guard {
                        true => format!("guard {}", act.key.namespace().unwrap_or_default()),
                        false => act.key.to_path(),
                    };
                    let wanted = act.item.as_ref().filter(|_| !guard).map(Item::sha256).unwrap_or_default();
                    let uid = act.seen.as_ref().map(|seen| seen.uid.as_str()).unwrap_or_default();
                    line(&[
                        &key,
                        act.verb.name(),
                        &wanted,
                        act.live_sha256.as_deref().unwrap_or_default(),
                        uid,
                    ]);
                }
            }
            for gate in &step.gates {
                line(&["gate", &json!(gate).to_string()]);
            }
        }
        hex(&hash.finalize())
    }

    /// The JSON of `restore --dry-run --json`.
    pub fn to_json(&self) -> Value {
        let changes: BTreeMap<(Component, &ItemKey), &Difference> =
            self.differences.iter().map(|d| ((d.component, &d.key), d)).collect();
        let act = |act: &Act| {
            let fields = changes.get(&(act.component, &act.key)).map(|d| d.fields.as_slice());
            json!({
                "key": act.key, "component": act.component, "verb": act.verb,
                "fields": fields.unwrap_or_default(), "remarks": act.remarks,
            })
        };
        let step = |step: &Step| {
            let acts: Vec<Value> = step.batches.iter().flat_map(|batch| &batch.acts).map(act).collect();
            json!({
                "id": step.id, "title": step.title, "action": step.action, "question": step.question,
                "acts": acts, "gates": step.gates, "timeout_s": step.timeout_s,
            })
        };
        let why = |(key, why): &(ItemKey, String)| json!({"key": key, "why": why});
        let counts = self.counts();
        json!({
            "scenario": self.plan.name,
            "source": self.source,
            "digest": self.digest(),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "create": counts.create,
            "replace": counts.replace,
            "recreate": counts.recreate,
            "delete": counts.delete,
            "unchanged": counts.unchanged,
            "refused": counts.refused,
            "refusals": self.refused.iter().map(why).collect::<Vec<_>>(),
            "kept": self.kept.iter().map(why).collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }

    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.acts().next().is_none()
    }

    /// Live contents that would be overwritten or deleted, by component: the safety snapshot.
    pub fn overwritten(&self) -> BTreeMap<Component, Vec<Item>> {
        let mut overwritten: BTreeMap<Component, Vec<Item>> = BTreeMap::new();
        // A guard is nobody's intent: put back by undo, it would open its namespace.
        for act in self.acts().filter(|act| !guard::is_guard(&act.key)) {
            overwritten.entry(act.component).or_default().extend(act.overwritten());
        }
        overwritten
    }
}

impl Act {
    /// The live item that it overwrites or deletes.
    pub fn overwritten(&self) -> Option<Item> {
        Some(Item {
            key: self.key.clone(),
            component: self.component,
            class: self.class,
            extent: self.item.as_ref().map_or(Extent::Whole, |item| item.extent),
            content: self.live.clone()?,
        })
    }
}

impl Verb {
    /// The name used in JSON, tables and the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
            Self::Recreate => "recreate",
            Self::Delete => "delete",
        }
    }
}

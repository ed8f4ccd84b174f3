//! The resolved plan: data that says exactly what will be done.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Difference, RestorePlan};
use crate::{
    cluster::Precondition,
    model::{Class, Component, Content, Item, ItemKey, SnapshotId},
};

/// Where the wanted state comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The snapshots, with what each was used for.
    pub snapshots: Vec<SnapshotId>,
    /// The oldest of their capture times: the recovery point.
    pub captured_at: DateTime<Utc>,
}

/// What will be done, in order. `Serialize` and `Debug` show names and digests, never content.
#[derive(Clone, Debug)]
pub struct ResolvedPlan {
    /// The authored plan.
    pub plan: RestorePlan,
    /// Where the wanted state comes from.
    pub source: Source,
    /// The steps.
    pub steps: Vec<Step>,
    /// Items in the plan's scope that are equal already.
    pub unchanged: u64,
    /// Items left as they are by the plan's choice, with why: `existing: keep`, extras reported, generated.
    pub kept: Vec<(ItemKey, String)>,
    /// Items that cannot be restored, with why and the way out: a kind the cluster does not serve, …
    pub refused: Vec<(ItemKey, String)>,
    /// What a person should know before saying yes.
    pub warnings: Vec<String>,
    /// Every difference between source and live in scope, for display and for `differences_left`.
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
    /// Why they are together, for example "allows before default-deny".
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// Counts of what will be done.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
    /// sha256 over everything that will be done (names, verbs, digests, preconditions' uids): what `--expect` compares.
    pub fn digest(&self) -> String {
        String::new()
    }
    /// The JSON of `restore --dry-run --json`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        true
    }
    /// Live contents that would be overwritten or deleted, by component: the safety snapshot.
    pub fn overwritten(&self) -> BTreeMap<Component, Vec<Item>> {
        BTreeMap::new()
    }
}

//! The resolved plan: data that says exactly what will be done.
//!
//! In: what resolving found. Out: its acts, its counts, what it overwrites. Invariant: what an act does to an object
//! is a verb of its own, and an operation restores nothing: it is no difference, and is looked for nowhere afterwards.

mod command;
mod digest;
mod gate;

pub use command::Command;
pub(crate) use command::shell_word;
pub use gate::Gate;

use std::{collections::BTreeMap, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Compared, Difference, Issuance, Look, RestorePlan, guard};
use crate::{
    cluster::Precondition,
    model::{Class, Component, Content, Extent, Item, ItemKey, SourceName},
};

/// Where the wanted state comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Every one, in words that find it again.
    pub names: Vec<SourceName>,
    /// The oldest of their capture times: the recovery point.
    pub captured_at: DateTime<Utc>,
    /// Whether nothing that should come back can be newer: it is the newest of what people author.
    pub lossless: bool,
}

impl Source {
    /// Whether people wrote it.
    pub fn is_authored(&self) -> bool {
        self.names.iter().any(|name| matches!(name, SourceName::Git { .. }))
    }

    /// Whether Velero made it.
    pub fn is_veleros(&self) -> bool {
        self.names.iter().any(|name| matches!(name, SourceName::Velero { .. }))
    }
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
    /// Releases that come back, beside the values that people author of them.
    pub authored: Vec<Compared>,
    /// What the plan means for certificates.
    pub issuance: Issuance,
    /// What the plan is about and cannot be done from here.
    pub not_done: Vec<NotDone>,
    /// Ids of steps that are resolved, shown and asked for when the API server answers, which it does not now.
    pub later: Vec<String>,
}

/// A part of a plan that somebody must do elsewhere: while there is one, the whole is done in part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotDone {
    /// What it is, in words.
    pub what: String,
    /// The node it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What does it, on that node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One step: batches one after the other, acts within a batch in parallel, then the gates.
#[derive(Clone, Debug)]
pub struct Step {
    /// From the authored step.
    pub id: String,
    /// From the authored step.
    pub title: String,
    /// `apply`, `helmRelease`, `scale`, …: the authored word.
    pub action: &'static str,
    /// The question of a `confirm` step.
    pub question: Option<String>,
    /// The program of a `run` step.
    pub command: Option<Command>,
    /// What is done.
    pub batches: Vec<Batch>,
    /// What must hold afterwards.
    pub gates: Vec<Gate>,
    /// What is looked at in a `probe` step.
    pub looks: Vec<Look>,
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

impl Act {
    /// One that writes no item, goes by nothing that was seen, and leaves nothing for a safety snapshot.
    pub(crate) fn of(key: ItemKey, component: Component, verb: Verb) -> Self {
        Self {
            key,
            component,
            verb,
            item: None,
            seen: None,
            live_sha256: None,
            live: None,
            class: Class::Config,
            remarks: Vec::new(),
        }
    }
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
    /// An operation: the workload's pods are made anew, one after the other.
    Restart,
    /// An operation: merge patch of the number of replicas.
    Scale,
    /// An operation: a certificate is issued anew.
    Renew,
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
    /// Restarts, scalings, renewals, and programs that will be run.
    pub operations: u64,
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

    /// Every act that restores something: all but operations.
    pub fn changes(&self) -> impl Iterator<Item = &Act> {
        self.acts().filter(|act| act.verb.restores())
    }

    /// Every program that will be run.
    fn runs(&self) -> impl Iterator<Item = &Command> {
        self.steps.iter().filter_map(|step| step.command.as_ref()).filter(|command| command.runs())
    }

    /// Counts of what will be done.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            operations: self.runs().count() as u64,
            unchanged: self.unchanged,
            refused: self.refused.len() as u64,
            ..Counts::default()
        };
        for act in self.acts() {
            *match act.verb {
                Verb::Create => &mut counts.create,
                Verb::Replace | Verb::Merge => &mut counts.replace,
                Verb::Recreate => &mut counts.recreate,
                Verb::Delete => &mut counts.delete,
                Verb::Restart | Verb::Scale | Verb::Renew => &mut counts.operations,
            } += 1;
        }
        counts
    }

    /// Whether nothing would be done.
    pub fn is_empty(&self) -> bool {
        self.acts().next().is_none() && self.runs().next().is_none()
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

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.node, &self.command) {
            (Some(node), Some(command)) => write!(f, "; on {node}: {command}"),
            _ => Ok(()),
        }
    }
}

impl Act {
    /// The live item that it overwrites or deletes.
    pub fn overwritten(&self) -> Option<Item> {
        // What is scaled after an earlier step wrote it is not live yet.
        self.seen.as_ref()?;
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
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Renew => "renew",
        }
    }

    /// Whether it brings an object to what the source has. The others are operations: done when their turn comes, and
    /// no difference afterwards.
    pub const fn restores(self) -> bool {
        match self {
            Self::Create | Self::Replace | Self::Merge | Self::Recreate | Self::Delete => true,
            Self::Restart | Self::Scale | Self::Renew => false,
        }
    }
}

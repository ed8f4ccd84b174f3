//! The order of a step's acts: by kind, and for policies by what isolates (field guide §4).
//!
//! In: acts. Out: batches. Invariant: a batch holds acts that need nothing of each other; what takes a permission away
//! never comes before what grants the one that replaces it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Resolver;
use crate::{
    helm,
    model::{Component, Content, ItemKey},
    plan::{Act, Batch, Isolation, Verb, guard},
};

const CALICO: &str = "crd.projectcalico.org";
const KUBERNETES: &str = "networking.k8s.io";

/// One batch a kind, in the order named; where none are named, in Helm's install order.
pub(super) fn by_kind(kinds: &[String], acts: Vec<Act>) -> Vec<Batch> {
    let mut batches: BTreeMap<usize, Vec<Act>> = BTreeMap::new();
    for act in acts {
        batches.entry(rank(kinds, &act)).or_default().push(act);
    }
    let note = if kinds.is_empty() { "in Helm's install order" } else { "in the plan's order of kinds" };
    batches.into_values().map(|acts| Batch { note, acts }).collect()
}

/// Deletes, the last kind first: policies before the tiers and sets they are in and name. Of policies, those that allow
/// nothing go first: without the allows beside them they would cut what the source lets through.
pub(super) fn away(kinds: &[String], deletes: Vec<Act>) -> Vec<Batch> {
    let (denies, others): (Vec<_>, Vec<_>) = deletes.into_iter().partition(only_denies);
    let mut batches = by_kind(kinds, others);
    batches.reverse();
    batches.insert(0, Batch { note: "", acts: denies });
    batches.into_iter().map(|batch| Batch { note: "extras last", ..batch }).collect()
}

fn rank(kinds: &[String], act: &Act) -> usize {
    let named = || kinds.iter().position(|kind| *kind == act.key.kind_name());
    match kinds {
        [] => helm::install_rank(content(act)["kind"].as_str().unwrap_or_default()),
        _ => named().unwrap_or(kinds.len()),
    }
}

impl Resolver<'_> {
    /// Policies: what is there is replaced in place; what allows comes before what only denies, for that would cut what
    /// an allow is about to let through; extras go when all of the source is there. Guarded, every namespace of which a
    /// policy is written stays open until then.
    pub(super) fn isolated(
        &self,
        kinds: &[String],
        acts: Vec<Act>,
        deletes: Vec<Act>,
        isolation: Isolation,
    ) -> Vec<Batch> {
        let (denies, others): (Vec<_>, Vec<_>) = acts.into_iter().partition(only_denies);
        let (up, down) = self.guards(kinds, others.iter().chain(&denies), isolation);
        let mut batches = vec![Batch { note: "allow-all guards while policies come back", acts: up }];
        batches.extend(
            by_kind(kinds, others)
                .into_iter()
                .map(|batch| Batch { note: "replaced in place, allows before denies", ..batch }),
        );
        batches.push(Batch { note: "denies last", acts: denies });
        batches.extend(away(kinds, deletes));
        batches.push(Batch { note: "guards away", acts: down });
        batches
    }

    /// Guards to put up and to take down; among the latter those that an interrupted run left.
    fn guards<'b>(
        &self,
        kinds: &[String],
        acts: impl Iterator<Item = &'b Act>,
        isolation: Isolation,
    ) -> (Vec<Act>, Vec<Act>) {
        let ours = |plural: &str| kinds.iter().any(|kind| kind == plural);
        let left = self.live.items.iter().filter(|live| guard::is_guard(&live.entry.key));
        let mut down: Vec<Act> = left
            .filter(|_| ours("networkpolicies.networking.k8s.io"))
            .map(|live| Act { seen: Some(live.seen.clone()), ..act(live.entry.key.clone(), Verb::Delete) })
            .collect();
        // Also where policies are left: what they allow need not be what the source's first ones allow.
        let written: BTreeSet<&str> = acts
            .filter(|act| isolation == Isolation::Guarded && is_policy(&act.key))
            .filter_map(|act| act.key.namespace())
            .collect();
        let up: Vec<Act> = written
            .into_iter()
            .map(|namespace| {
                let item = guard::guard(self.run, namespace);
                Act { item: Some(item.clone()), ..act(item.key, Verb::Create) }
            })
            .collect();
        down.extend(up.iter().map(|up| act(up.key.clone(), Verb::Delete)));
        (up, down)
    }
}

/// An act about a guard: nothing of it belongs into a safety snapshot, or undo would open the namespace.
fn act(key: ItemKey, verb: Verb) -> Act {
    Act::of(key, Component::Policies, verb)
}

/// A policy of a namespace, Kubernetes' or Calico's.
fn is_policy(key: &ItemKey) -> bool {
    key.is_kind(KUBERNETES, "networkpolicies") || key.is_kind(CALICO, "networkpolicies")
}

/// Whether a policy allows nothing to what it selects. Kubernetes' rules allow; Calico's and the admin's say what they do.
fn only_denies(act: &Act) -> bool {
    let ItemKey::Resource { plural, .. } = &act.key else { return false };
    if !plural.ends_with("networkpolicies") {
        return false;
    }
    let spec = content(act)["spec"].take();
    let mut rules = ["ingress", "egress"].iter().flat_map(|d| spec[*d].as_array().into_iter().flatten());
    rules.all(|rule| rule["action"] == "Deny")
}

/// The content an act is about: the wanted one, or the live one of a delete.
fn content(act: &Act) -> Value {
    let content = act.item.as_ref().map(|item| &item.content).or(act.live.as_ref());
    match content {
        Some(Content::Resource(json) | Content::Release(json)) => json.value(),
        _ => Value::Null,
    }
}

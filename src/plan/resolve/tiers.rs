//! Names of Calico's policies: `default.NAME` before Calico 3.32, which names them NAME and renames what it finds
//! (Calico docs, migration of policy names).
//!
//! In: names of the source and of the cluster. Out: the kinds that Calico renamed in between, and what a person should
//! know. Invariant: pure; what was only renamed is neither missing nor extra, so of such a kind nothing is written.

use std::collections::BTreeSet;

use super::Inputs;
use crate::model::{Index, ItemKey};

const CALICO: &str = "crd.projectcalico.org";
/// What Calico put in front of the name of a policy that is in no tier of its own.
const TIER: &str = "default.";
const POLICIES: [&str; 4] =
    ["globalnetworkpolicies", "networkpolicies", "stagedglobalnetworkpolicies", "stagednetworkpolicies"];

/// Why nothing of a renamed kind is written.
pub(super) const RENAMED: &str = "Calico renamed its policies between the source and now (3.32 stores them without \
    their tier), so that a restore would make every policy twice: take a snapshot that was made since, or rename by \
    hand: netdr extract, then kubectl apply";

/// The kinds of which a policy has its tier in its name on one side, and on the other has not.
pub(super) fn renamed<'a>(index: &Index, live: impl Iterator<Item = &'a ItemKey>) -> BTreeSet<&'static str> {
    let stored: BTreeSet<&ItemKey> =
        index.entries.iter().map(|entry| &entry.key).filter(|key| is_policy(key)).collect();
    let live: BTreeSet<&ItemKey> = live.filter(|key| is_policy(key)).collect();
    let twins = |some: &BTreeSet<&ItemKey>, others: &BTreeSet<&ItemKey>| -> Vec<&'static str> {
        let renamed = some.difference(others).filter(|key| {
            let other = |name: &str| match key {
                ItemKey::Resource { group, plural, namespace, .. } => {
                    ItemKey::resource(group, plural, namespace.as_deref(), name)
                }
                _ => (**key).clone(),
            };
            key.name().strip_prefix(TIER).is_some_and(|name| {
                let twin = other(name);
                others.contains(&twin) && !some.contains(&twin)
            })
        });
        renamed.filter_map(|key| POLICIES.into_iter().find(|plural| key.is_kind(CALICO, plural))).collect()
    };
    twins(&stored, &live).into_iter().chain(twins(&live, &stored)).collect()
}

/// Another definition is another Calico, which may name its policies otherwise: nobody but a person can tell where none
/// of them is left to compare with.
pub(super) fn notices(inputs: &Inputs<'_>) -> Vec<String> {
    let differing = |plural: &&&str| {
        let definition = format!("{plural}.{CALICO}");
        let defines = |key: &ItemKey| {
            key.is_kind("apiextensions.k8s.io", "customresourcedefinitions") && key.name() == definition
        };
        let stored = inputs.index.entries.iter().find(|entry| defines(&entry.key));
        let live = inputs.live.items.iter().map(|live| &live.entry).find(|entry| defines(&entry.key));
        let written = inputs.items.keys().any(|(_, key)| key.is_kind(CALICO, plural));
        written && stored.zip(live).is_some_and(|(stored, live)| stored.sha256 != live.sha256)
    };
    let words = |plural: &&str| {
        format!(
            "{plural}.{CALICO} is defined otherwise on the cluster than in the source, so its Calico is another one: \
             3.32 and later name a policy NAME that was stored as {TIER}NAME before; compare the names before you go on"
        )
    };
    POLICIES.iter().filter(differing).map(words).collect()
}

fn is_policy(key: &ItemKey) -> bool {
    POLICIES.iter().any(|plural| key.is_kind(CALICO, plural))
}

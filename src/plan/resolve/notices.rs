//! What a person should know of a source before saying yes, although nothing is refused for it.
//!
//! In: what a plan is resolved from. Out: sentences. Invariant: pure; names objects and keys, never values.

use std::collections::BTreeMap;

use super::{Inputs, tiers};
use crate::{
    catalog::TRAEFIK_V2,
    helm,
    model::{Component, Item, ItemKey},
    plan::{Action, RestorePlan},
};

/// Every notice.
pub(super) fn notices(inputs: &Inputs<'_>) -> Vec<String> {
    let mut notices: Vec<String> = released(inputs).filter_map(misfits).collect();
    notices.extend(dead(inputs));
    notices.extend(tiers::notices(inputs));
    notices.extend(inputs.dangling.iter().map(|(by, named)| {
        format!("{by} names {named}, which neither the source nor the cluster has: it will not work until that is there")
    }));
    notices
}

/// The releases that steps bring back.
fn released<'a>(inputs: &'a Inputs<'_>) -> impl Iterator<Item = &'a Item> {
    let wanted = move |item: &&Item| match &item.key {
        ItemKey::Release { namespace, name } => {
            brings_back(&inputs.plan, item.component, &format!("{namespace}/{name}"))
        }
        _ => false,
    };
    inputs.items.values().filter(wanted)
}

/// Whether a step brings back a release of this component, `namespace/name`.
pub(super) fn brings_back(plan: &RestorePlan, component: Component, release: &str) -> bool {
    plan.steps.iter().any(|step| match &step.action {
        Action::HelmRelease { component: of, releases } => {
            *of == component && (releases.is_empty() || releases.iter().any(|named| named == release))
        }
        _ => false,
    })
}

/// What it rendered is stored, so values that its chart no longer takes keep nothing from coming back; but the next
/// upgrade begins with this very check.
fn misfits(release: &Item) -> Option<String> {
    let key = &release.key;
    match helm::misfits(&release.json()?.value()) {
        Ok(misfits) if misfits.is_empty() => None,
        Ok(misfits) => Some(format!(
            "{key}: its own chart does not take these of its values: {}. What it rendered comes back all the same, but \
             the next `helm upgrade` refuses them: correct them then, or add --skip-schema-validation",
            misfits.join(", ")
        )),
        Err(error) => Some(format!("{key}: its values cannot be checked: {error}")),
    }
}

/// Objects of Traefik v2's group, in the source or on the cluster.
fn dead(inputs: &Inputs<'_>) -> Vec<String> {
    let dead = |key: &&ItemKey| matches!(key, ItemKey::Resource { group, .. } if group == TRAEFIK_V2);
    let stored = inputs.index.entries.iter().map(|entry| &entry.key).filter(dead);
    let live = inputs.live.items.iter().map(|live| &live.entry.key).filter(dead);
    let mut places: BTreeMap<&ItemKey, &str> = stored.map(|key| (key, "in the source")).collect();
    for key in live {
        places
            .entry(key)
            .and_modify(|place| *place = "in the source and on the cluster")
            .or_insert("on the cluster");
    }
    let words = |(key, place): (&ItemKey, &str)| {
        format!("{key}, {place}, is dead and not restored: Traefik v3 does not read API group {TRAEFIK_V2}")
    };
    places.into_iter().map(words).collect()
}

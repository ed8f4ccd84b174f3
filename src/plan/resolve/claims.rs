//! Which step acts on which item.
//!
//! In: the plan's steps and the source's items. Out: the items of each step, in order of their keys.
//! Invariant: an item goes to one step at most, whatever bundles it is in and however steps overlap.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    helm,
    model::{Class, Component, Content, Index, IndexEntry, Item, ItemKey},
    plan::{Action, RestorePlan, guard},
};

/// How strongly a step asks for an item; the strongest wins, then the earliest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// Namespaces and CustomResourceDefinitions where a step names them: they come before what a release renders.
    Ground,
    /// A release, and what it renders.
    Release,
    /// A kind the step names.
    Named,
    /// Every other kind.
    Rest,
}

type Items = BTreeMap<(Component, ItemKey), Item>;

/// The items of each step, and warnings about items that two bundles have in different versions.
pub(super) fn claims<'a>(
    plan: &RestorePlan,
    index: &'a Index,
    items: &Items,
) -> (Vec<Vec<&'a IndexEntry>>, Vec<String>) {
    let rendered = rendered(plan, || items.values());
    let mut best: BTreeMap<&ItemKey, (Claim, usize, &IndexEntry)> = BTreeMap::new();
    let mut warnings = Vec::new();
    // A guard that a backup saw in the midst of a restore is nobody's intent.
    let wanted = |entry: &&IndexEntry| entry.class == Class::Config && !guard::is_guard(&entry.key);
    for entry in index.entries.iter().filter(wanted) {
        let (kind, release) = (entry.key.kind_name(), rendered.get(&(entry.component, &entry.key)));
        let Some((claim, number)) = strongest(plan, (entry.component, &entry.key), &kind, release) else {
            continue;
        };
        match best.get(&entry.key) {
            Some((held, at, other)) => {
                let first = (*held, *at) <= (claim, number);
                let (taken, left) = if first { (*other, entry) } else { (entry, *other) };
                if taken.sha256 != left.sha256 && taken.extent == left.extent {
                    warnings.push(format!(
                        "{} is not the same in {} and {}: taken from {}",
                        entry.key, taken.component, left.component, taken.component
                    ));
                }
                if !first {
                    best.insert(&entry.key, (claim, number, entry));
                }
            }
            None => drop(best.insert(&entry.key, (claim, number, entry))),
        }
    }
    let mut steps = vec![Vec::new(); plan.steps.len()];
    for (_, number, entry) in best.into_values() {
        steps[number].push(entry);
    }
    (steps, warnings)
}

/// The steps that act on items, by key, and which item each takes: as [`claims`], of those that several bundles have, too. What
/// no step acts on is not among them. All items are at hand.
pub(crate) fn taken<'a, 'p>(
    plan: &'p RestorePlan,
    items: &'a [Item],
) -> BTreeMap<&'a ItemKey, (&'p Action, &'a Item)> {
    let rendered = rendered(plan, || items.iter());
    let wanted = items.iter().filter(|item| item.class == Class::Config && !guard::is_guard(&item.key));
    let mut best: BTreeMap<&ItemKey, ((Claim, usize), &Item)> = BTreeMap::new();
    for item in wanted {
        let of = (item.component, &item.key);
        let Some(claim) = strongest(plan, of, &item.key.kind_name(), rendered.get(&of)) else { continue };
        if best.get(&item.key).is_none_or(|(held, _)| claim < *held) {
            best.insert(&item.key, (claim, item));
        }
    }
    best.into_iter().map(|(key, ((_, number), item))| (key, (&plan.steps[number].action, item))).collect()
}

/// The step that asks for an item most strongly, by its number.
fn strongest(
    plan: &RestorePlan,
    of: (Component, &ItemKey),
    kind: &String,
    rendered_by: Option<&ItemKey>,
) -> Option<(Claim, usize)> {
    let steps = plan.steps.iter().enumerate();
    steps.filter_map(|(number, step)| Some((claim(&step.action, of, kind, rendered_by)?, number))).min()
}

fn claim(
    action: &Action,
    (component, key): (Component, &ItemKey),
    kind: &String,
    rendered_by: Option<&ItemKey>,
) -> Option<Claim> {
    if action.component() != Some(component) {
        return None;
    }
    match action {
        Action::Apply { kinds, .. } if kinds.is_empty() => {
            let rest = !is_ground(key) && !matches!(key, ItemKey::Release { .. });
            rest.then_some(Claim::Rest)
        }
        Action::Apply { kinds, .. } => {
            let named = kinds.contains(kind);
            named.then_some(if is_ground(key) { Claim::Ground } else { Claim::Named })
        }
        // What helm-controller renders for the CNI is not brought back with its release.
        Action::HelmRelease { component: Component::Cni, .. } => None,
        Action::HelmRelease { releases, .. } => {
            let release = match key {
                key @ ItemKey::Release { .. } => key,
                _ => rendered_by?,
            };
            let name = format!("{}/{}", release.namespace().unwrap_or_default(), release.name());
            (releases.is_empty() || releases.contains(&name)).then_some(Claim::Release)
        }
        Action::HostFiles => matches!(key, ItemKey::File { .. }).then_some(Claim::Rest),
        Action::RenewCertificates
        | Action::RolloutRestart { .. }
        | Action::Scale { .. }
        | Action::Run { .. }
        | Action::Wait(_)
        | Action::Probe(_)
        | Action::Confirm { .. } => None,
    }
}

/// What everything else stands on; touched only where a step names it.
pub(super) fn is_ground(key: &ItemKey) -> bool {
    key.is_kind("", "namespaces") || key.is_kind("apiextensions.k8s.io", "customresourcedefinitions")
}

/// Which release rendered which item, of those whose content is at hand: by the release's stored manifest where that
/// is at hand too (it is when the release differs), else by the annotations Helm puts on what it makes.
fn rendered<'a, I: Iterator<Item = &'a Item>>(
    plan: &RestorePlan,
    items: impl Fn() -> I,
) -> BTreeMap<(Component, &'a ItemKey), ItemKey> {
    let released = |component: Component| {
        let mut actions = plan.steps.iter().map(|step| &step.action);
        actions.any(|action| matches!(action, Action::HelmRelease { component: c, .. } if *c == component))
    };
    let items = || items().filter(|item| released(item.component));
    let manifests: Vec<(&Item, Vec<Value>)> = items()
        .filter(|item| matches!(item.key, ItemKey::Release { .. }))
        .filter_map(|item| Some((item, helm::manifest_objects(&item.json()?.value()).ok()?)))
        .collect();
    let listed = |item: &Item, object: &Value| {
        let same = |rendering: &Value, release: &Item| {
            let own = rendering["metadata"]["namespace"].as_str().or(release.key.namespace());
            item.component == release.component
                && group(rendering) == group(object)
                && rendering["kind"] == object["kind"]
                && rendering["metadata"]["name"] == object["metadata"]["name"]
                && item.key.namespace().is_none_or(|namespace| own == Some(namespace))
        };
        let mut manifests = manifests.iter();
        let found = manifests.find(|(release, objects)| objects.iter().any(|object| same(object, release)));
        found.map(|(release, _)| release.key.clone())
    };
    let resources = items().filter(|item| matches!(item.content, Content::Resource(_)));
    resources
        .filter_map(|item| {
            let object = item.json()?.value();
            Some(((item.component, &item.key), listed(item, &object).or_else(|| annotated(&object))?))
        })
        .collect()
}

/// The release that Helm's ownership annotations name (pkg/action/validate.go).
fn annotated(object: &Value) -> Option<ItemKey> {
    let annotations = &object["metadata"]["annotations"];
    let text = |name: &str| annotations[name].as_str().map(str::to_owned);
    Some(ItemKey::Release {
        namespace: text("meta.helm.sh/release-namespace")?,
        name: text("meta.helm.sh/release-name")?,
    })
}

fn group(object: &Value) -> &str {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group)
}

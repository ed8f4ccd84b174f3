//! What a `wait` step waits for.
//!
//! In: the source and the steps before. Out: gates. Invariant: nothing is waited for that is refused, or that nobody has.

use std::collections::BTreeSet;

use super::Resolver;
use crate::{
    model::{Class, Component, ItemKey},
    plan::{Act, Gate, Target, Verb},
};

impl Resolver<'_> {
    /// The workloads of a component that are, or will be, on the cluster. The CNI's are evidence: helm-controller
    /// renders them.
    pub(super) fn rollouts(&self, component: Component) -> Vec<Gate> {
        let workload = |key: &ItemKey| {
            ["deployments", "daemonsets", "statefulsets"].iter().any(|plural| key.is_kind("apps", plural))
        };
        let evidence = component == Component::Cni;
        let keys = self.stored(component, move |class| class == Class::Config || evidence);
        let keys: BTreeSet<&ItemKey> = keys.filter(|key| workload(key)).collect();
        let restored =
            keys.into_iter().filter(|key| !self.tally.refused.iter().any(|(refused, _)| refused == *key));
        restored.map(|key| Gate::RolledOut(key.clone())).collect()
    }

    /// The webhooks that the component's objects must pass.
    pub(super) fn webhooks(&self, component: Component) -> Vec<Gate> {
        let targets = Target::of(self.stored(component, |class| class == Class::Config));
        if targets.is_empty() { Vec::new() } else { vec![Gate::Webhooks { component, targets }] }
    }

    fn stored(&self, component: Component, of: impl Fn(Class) -> bool) -> impl Iterator<Item = &ItemKey> {
        let entries = self.index.entries.iter().filter(move |e| e.component == component && of(e.class));
        entries.map(|entry| &entry.key)
    }
}

/// What must hold before objects of a kind just defined can be written.
pub(super) fn established(act: &Act) -> Option<Gate> {
    let defines = act.key.is_kind("apiextensions.k8s.io", "customresourcedefinitions");
    (defines && act.verb == Verb::Create).then(|| Gate::Established(act.key.name().to_owned()))
}

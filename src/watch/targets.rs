//! What is followed of a cluster: the catalog's kinds of configuration that it serves.
//!
//! In: what the cluster serves, the scope, the sets. Out: targets. Invariant: pure; nothing is followed that a capture does
//! not list. What only a reference or a release leads to is no target: it is looked at now and then.

use std::collections::BTreeSet;

use crate::{
    capture::Scope,
    catalog::{self, Kind, Select},
    cluster::{ApiKind, Discovery, ListOptions, Selector},
    model::{Class, Set},
};

/// One watch.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// What is said of it: the kind, and which of its objects.
    pub(super) name: String,
    /// The sets that capture it.
    pub(super) sets: BTreeSet<Set>,
    pub(super) kind: ApiKind,
    pub(super) options: ListOptions,
    /// Whether its objects define kinds.
    pub(super) defines: bool,
}

/// Every target.
pub(super) fn targets(discovery: &Discovery, scope: &Scope, sets: &BTreeSet<Set>) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |set: &Set, kind: &ApiKind, options: ListOptions| {
        let name = name(kind, &options);
        match targets.iter_mut().find(|target| target.name == name) {
            Some(target) => _ = target.sets.insert(*set),
            None => targets.push(Target {
                name,
                sets: [*set].into(),
                kind: kind.clone(),
                options,
                defines: kind.plural == "customresourcedefinitions",
            }),
        }
    };
    for set in sets.iter().filter(|set| **set != Set::Host) {
        for row in set.components().flat_map(catalog::rows).filter(|row| row.class == Class::Config) {
            let Some(kind) = discovery.find(row.group, row.plural) else { continue };
            options(row).into_iter().for_each(|options| add(set, kind, options));
        }
        for extra in scope.extra.iter().filter(|extra| extra.component.set() == *set) {
            if let Some(kind) = discovery.find_kind(&extra.group, &extra.kind) {
                add(set, kind, ListOptions::default());
            }
        }
        for (group, plural, selector) in [
            ("", "namespaces", Selector::default()),
            ("apiextensions.k8s.io", "customresourcedefinitions", Selector::default()),
            ("", "secrets", Selector::releases()),
        ] {
            if let Some(kind) = discovery.find(group, plural) {
                add(set, kind, ListOptions { selector, ..ListOptions::default() });
            }
        }
    }
    targets
}

/// One watch of a kind, or one of each object that is named.
fn options(row: &Kind) -> Vec<ListOptions> {
    match row.select {
        Select::All => vec![ListOptions::default()],
        Select::SecretType(kind) => {
            let selector = Selector::fields(format!("type={kind}"));
            vec![ListOptions { selector, ..ListOptions::default() }]
        }
        Select::Named(names) => {
            let one = |(namespace, name): &(&str, &str)| ListOptions {
                namespace: (!namespace.is_empty()).then(|| (*namespace).to_owned()),
                selector: Selector::fields(format!("metadata.name={name}")),
                ..ListOptions::default()
            };
            names.iter().map(one).collect()
        }
    }
}

fn name(kind: &ApiKind, options: &ListOptions) -> String {
    let Selector { labels, fields } = &options.selector;
    let which = [options.namespace.as_deref(), labels.as_deref(), fields.as_deref()];
    let which: Vec<&str> = which.into_iter().flatten().collect();
    if which.is_empty() { kind.name() } else { format!("{} ({})", kind.name(), which.join(", ")) }
}

#[cfg(test)]
pub(super) fn any_target(name: &str) -> Target {
    let (group, version, plural) = (String::new(), "v1".into(), name.to_owned());
    let kind = ApiKind { group, version, kind: "X".into(), plural, namespaced: true };
    let (sets, options) = ([Set::Network].into(), ListOptions::default());
    Target { name: name.into(), sets, kind, options, defines: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, plural: &str) -> ApiKind {
        ApiKind {
            group: group.into(),
            version: "v1".into(),
            kind: "X".into(),
            plural: plural.into(),
            namespaced: true,
        }
    }

    #[test]
    fn what_is_served_and_somebodys_intent_is_followed_and_no_secret_of_an_application() {
        let served = [
            kind("networking.k8s.io", "networkpolicies"),
            kind("crd.projectcalico.org", "ipamblocks"),
            kind("helm.cattle.io", "helmchartconfigs"),
            kind("", "secrets"),
            kind("", "namespaces"),
            kind("example.org", "widgets"),
        ];
        let sets = [Set::Network, Set::Certificates].into();
        let targets = targets(&served.into_iter().collect(), &Scope::default(), &sets);
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        assert!(names.contains(&"networkpolicies.networking.k8s.io") && names.contains(&"namespaces"));
        assert!(names.contains(&"helmchartconfigs.helm.cattle.io (kube-system, metadata.name=rke2-canal)"));
        assert!(!names.iter().any(|name| name.contains("ipamblocks") || name.contains("widgets")));
        let secrets: Vec<&&str> = names.iter().filter(|name| name.starts_with("secrets")).collect();
        assert_eq!(secrets.len(), 2, "{secrets:?}");
        assert!(secrets.iter().all(|name| name.contains("type=")), "{secrets:?}");
        let both = targets.iter().find(|target| target.name == "namespaces").unwrap();
        assert_eq!(both.sets, sets);
    }
}

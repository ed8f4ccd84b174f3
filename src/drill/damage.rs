//! What goes wrong in a drill of any snapshot: the operations guide's failures, chosen by what the snapshot has.
//!
//! In: a plan, the items of a snapshot. Out: what to lose and to corrupt; and what is like it and stays whole, because the plan
//! would not bring it back. Invariant: pure; nothing is chosen but what a step of the plan restores.

mod breakage;
mod caused;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use self::breakage::Breakage;
pub(super) use self::caused::{Caused, broken, cause, left};
use crate::{
    model::{Class, Component, Extent, Item, ItemKey},
    plan::{Action, Existing, Extras, RestorePlan, taken},
};

/// Where a policy slips in that no snapshot has.
const STRAY: &str = "netdr-drill-allow-all";
const POLICIES: (&str, &str) = ("networking.k8s.io", "networkpolicies");

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Damage {
    /// It is lost.
    Lost(ItemKey),
    /// It is corrupted.
    Corrupted {
        /// What.
        key: ItemKey,
        /// How, as a merge patch; of a file the new text.
        to: Value,
        /// In words.
        says: &'static str,
    },
    /// It was never there.
    Stray(ItemKey),
}

/// What is chosen.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chosen {
    /// What goes wrong, in order of components and keys: the same snapshot fails in the same way each time.
    pub(super) damage: Vec<Damage>,
    /// What does not, though it is of a component of the plan: a line each.
    pub(super) not_broken: Vec<String>,
}

/// Chooses.
pub(super) fn choose(plan: &RestorePlan, items: &[Item]) -> Chosen {
    let taken = taken(plan, items);
    let mut not_broken = BTreeSet::new();
    let mut damage = Vec::new();
    for component in plan.components() {
        let of = items.iter().filter(|item| item.component == component && !is_definition(&item.key));
        let (found, others): (BTreeMap<&ItemKey, &Item>, BTreeMap<_, _>) =
            of.map(|item| (&item.key, item)).partition(|(key, _)| taken.contains_key(*key));
        let others = others.into_values().filter(|item| item.class == Class::Config);
        not_broken.extend(others.map(|item| kept(&item.key, "no step of the plan brings them back")));
        let whole = found.values().filter(|item| item.extent == Extent::Whole).map(|item| &item.key);
        match component {
            Component::Host => damage.extend(files(whole)),
            Component::Cni => damage.extend(whole.map(|key| match key {
                key if key.is_kind("helm.cattle.io", "helmchartconfigs") => Damage::Corrupted {
                    key: key.clone(),
                    to: json!({"spec": {"valuesContent": "flannel: {iface: lost}\n"}}),
                    says: "has other values",
                },
                key => Damage::Lost(key.clone()),
            })),
            Component::Ingress | Component::Loadbalancer | Component::Certificates => {
                damage.extend(whole.map(|key| Damage::Lost(key.clone())));
            }
            Component::Policies => {
                damage.extend(policies(whole));
                let restored = found.keys().filter_map(|key| taken.get(*key));
                damage.extend(restored.filter_map(|(_, item)| unlabelled(item)).next());
            }
        }
    }
    let mut seen = BTreeSet::new();
    damage.retain(|damage| seen.insert(damage.key().clone())); // a Secret may be of two components
    damage.retain(|damage| {
        let why = not_undone(damage, &taken).map(|why| kept(damage.key(), why));
        why.map(|why| not_broken.insert(why)).is_none()
    });
    Chosen { damage, not_broken: not_broken.into_iter().collect() }
}

/// Why the step that takes it would leave it as it is, where it would: of what slips in, the step that takes what is like it.
fn not_undone(damage: &Damage, taken: &BTreeMap<&ItemKey, (&Action, &Item)>) -> Option<&'static str> {
    let like = |key: &ItemKey| match damage {
        Damage::Stray(stray) => (key.kind_name(), key.namespace()) == (stray.kind_name(), stray.namespace()),
        Damage::Lost(own) | Damage::Corrupted { key: own, .. } => key == own,
    };
    let action = taken.iter().find(|(key, _)| like(key)).map(|(_, (action, _))| *action);
    let Some(Action::Apply { existing, extras, .. }) = action else { return None };
    match (damage, existing, extras) {
        (Damage::Corrupted { .. }, Existing::Keep, _) => Some("the plan keeps those that differ as they are"),
        (Damage::Stray(_), _, Extras::Report) => Some("the plan leaves those alone that slip in"),
        _ => None,
    }
}

/// A kind that is not broken, or not in that way.
fn kept(key: &ItemKey, why: &str) -> String {
    format!("{}: {why}", key.kind_name())
}

impl Damage {
    fn key(&self) -> &ItemKey {
        match self {
            Self::Lost(key) | Self::Corrupted { key, .. } | Self::Stray(key) => key,
        }
    }
}

fn is_definition(key: &ItemKey) -> bool {
    key.is_kind("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The first file is corrupted, the second lost. RKE2's own configuration names the node, and so stays readable.
fn files<'a>(keys: impl Iterator<Item = &'a ItemKey>) -> Vec<Damage> {
    let mut nodes: BTreeMap<&str, Vec<&ItemKey>> = BTreeMap::new();
    for key in keys {
        if let ItemKey::File { node, .. } = key {
            nodes.entry(node).or_default().push(key);
        }
    }
    let of_node = |keys: Vec<&ItemKey>| {
        let lost = keys.get(1).map(|key| Damage::Lost((*key).clone()));
        let corrupted = keys.first().map(|key| Damage::Corrupted {
            key: (*key).clone(),
            to: "# lost in a drill\n".into(),
            says: "has another content",
        });
        corrupted.into_iter().chain(lost).collect::<Vec<_>>()
    };
    nodes.into_values().flat_map(of_node).collect()
}

/// Every other policy is lost; of those that stay, the first of Kubernetes' own lets everything out, and beside it one slips
/// in that lets everything in.
fn policies<'a>(keys: impl Iterator<Item = &'a ItemKey>) -> Vec<Damage> {
    let (lost, stay): (Vec<_>, Vec<_>) = keys.enumerate().partition(|(number, _)| number % 2 == 0);
    let mut chosen: Vec<Damage> = lost.into_iter().map(|(_, key)| Damage::Lost(key.clone())).collect();
    let first = stay.into_iter().map(|(_, key)| key).find(|key| key.is_kind(POLICIES.0, POLICIES.1));
    if let Some(key) = first {
        chosen.push(Damage::Corrupted {
            key: key.clone(),
            to: json!({"spec": {"egress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
            says: "lets everything out",
        });
        chosen.push(Damage::Stray(ItemKey::resource(POLICIES.0, POLICIES.1, key.namespace(), STRAY)));
    }
    chosen
}

/// A namespace whose labels go: policies select by them.
fn unlabelled(item: &Item) -> Option<Damage> {
    if !item.key.is_kind("", "namespaces") || item.key.name().starts_with("kube-") {
        return None;
    }
    let object = item.json()?.value();
    let labels = object["metadata"]["labels"].as_object()?.keys();
    let labels: serde_json::Map<String, Value> = labels.map(|name| (name.clone(), Value::Null)).collect();
    (!labels.is_empty()).then(|| Damage::Corrupted {
        key: item.key.clone(),
        to: json!({"metadata": {"labels": labels}}),
        says: "lost its labels",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Json};

    fn item(component: Component, key: &str, class: Class, extent: Extent, object: Value) -> Item {
        Item {
            key: key.parse().unwrap(),
            component,
            class,
            extent,
            content: Content::Resource(Json::new(&object)),
        }
    }

    fn items() -> Vec<Item> {
        let policy = |name: &str| {
            item(
                Component::Policies,
                &format!("resources/networking.k8s.io/networkpolicies/demo/{name}"),
                Class::Config,
                Extent::Whole,
                json!({}),
            )
        };
        let namespace = json!({"metadata": {"labels": {"team": "a"}}});
        vec![
            policy("a"),
            policy("b"),
            policy("c"),
            item(
                Component::Policies,
                "resources/core/namespaces/_cluster/demo",
                Class::Config,
                Extent::Fields,
                namespace,
            ),
            item(
                Component::Cni,
                "resources/apps/daemonsets/kube-system/rke2-canal",
                Class::Evidence,
                Extent::Whole,
                json!({}),
            ),
            item(
                Component::Cni,
                "resources/apiextensions.k8s.io/customresourcedefinitions/_cluster/ippools.crd.projectcalico.org",
                Class::Config,
                Extent::Whole,
                json!({}),
            ),
            item(
                Component::Cni,
                "resources/helm.cattle.io/helmchartconfigs/kube-system/rke2-canal",
                Class::Config,
                Extent::Whole,
                json!({}),
            ),
        ]
    }

    fn builtin(name: &str) -> RestorePlan {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(named, _)| *named == name).unwrap();
        RestorePlan::parse(text, name).unwrap()
    }

    /// A plan of policies with one step.
    fn own(apply: &str) -> RestorePlan {
        let text = format!(
            "{{apiVersion: netdr/v1, kind: RestorePlan, name: own, title: Own, rto: 1h, rpo: 24h, role: Anybody, runbook: none.md, \
             steps: [{{id: own, title: Own, apply: {{component: policies, {apply}}}}}]}}"
        );
        RestorePlan::parse(&text, "own").unwrap()
    }

    #[test]
    fn what_a_plan_would_not_bring_back_stays_whole_and_is_named() {
        let of = |apply: &str| choose(&own(apply), &items());
        let Chosen { damage, not_broken } = of("kinds: [namespaces]");
        assert!(matches!(&damage[..], [Damage::Corrupted { key, .. }] if key.is_kind("", "namespaces")));
        let mut lines = vec!["networkpolicies.networking.k8s.io: no step of the plan brings them back"];
        assert_eq!(not_broken, lines);

        // By default a step lists what slipped in, and replaces what differs.
        let Chosen { damage, not_broken } = of("kinds: [networkpolicies.networking.k8s.io]");
        assert!(damage.len() == 3 && !damage.iter().any(|one| matches!(one, Damage::Stray(_))), "{damage:?}");
        lines = vec![
            "namespaces: no step of the plan brings them back",
            "networkpolicies.networking.k8s.io: the plan leaves those alone that slip in",
        ];
        assert_eq!(not_broken, lines);

        let Chosen { damage, not_broken } =
            of("kinds: [networkpolicies.networking.k8s.io], existing: keep, extras: delete");
        let lost = |one: &Damage| matches!(one, Damage::Lost(_));
        let stray = |one: &Damage| matches!(one, Damage::Stray(_));
        assert!(damage.len() == 3 && damage.iter().all(|one| lost(one) || stray(one)), "{damage:?}");
        lines[1] = "networkpolicies.networking.k8s.io: the plan keeps those that differ as they are";
        assert_eq!(not_broken, lines);
    }

    /// A namespace is in the bundle of every component that has something in it.
    #[test]
    fn what_two_bundles_have_is_judged_by_the_step_that_takes_it() {
        let of = |component: Component, team: &str| {
            let labels = json!({"metadata": {"labels": {"team": team}}});
            let key = "resources/core/namespaces/_cluster/demo";
            item(component, key, Class::Config, Extent::Fields, labels)
        };
        // A namespace of its own, which is not asked for `demo`, and comes first.
        let mut items = vec![of(Component::Certificates, "later")];
        items[0].key = "resources/core/namespaces/_cluster/aa".parse().unwrap();
        items.extend([of(Component::Certificates, "certificates"), of(Component::Policies, "policies")]);
        let plan = |steps: [(&str, &str); 2]| {
            let step = |(component, existing): (&str, &str)| {
                format!(
                    "{{id: of-{component}, title: Own, apply: {{component: {component}, kinds: [namespaces], existing: {existing}}}}}"
                )
            };
            let text = format!(
                "{{apiVersion: netdr/v1, kind: RestorePlan, name: own, title: Own, rto: 1h, rpo: 24h, role: Anybody, \
                 runbook: none.md, steps: [{}]}}",
                steps.map(step).join(", ")
            );
            RestorePlan::parse(&text, "own").unwrap()
        };
        let demo = items[1].key.clone();
        let corrupted = |plan: &RestorePlan| {
            let chosen = choose(plan, &items);
            chosen.damage.iter().any(|one| matches!(one, Damage::Corrupted { key, .. } if *key == demo))
        };
        let taken_from = |plan: &RestorePlan| taken(plan, &items)[&demo].1.component;
        let policies_first = plan([("policies", "replace"), ("certificates", "keep")]);
        assert_eq!(taken_from(&policies_first), Component::Policies);
        assert!(corrupted(&policies_first), "it would be brought back");
        let certificates_first = plan([("certificates", "keep"), ("policies", "replace")]);
        assert_eq!(taken_from(&certificates_first), Component::Certificates);
        assert!(!corrupted(&certificates_first), "nobody would bring it back");
        let replaced = plan([("certificates", "replace"), ("policies", "keep")]);
        assert_eq!(taken_from(&replaced), Component::Certificates);
        assert!(corrupted(&replaced));
    }

    #[test]
    fn policies_are_lost_opened_and_slipped_in_and_a_namespace_loses_its_labels() {
        let Chosen { damage: chosen, not_broken } = choose(&builtin("network-policies"), &items());
        assert_eq!(not_broken, Vec::<String>::new());
        let said: Vec<String> = chosen.iter().map(|damage| damage.key().to_path()).collect();
        let policy = |name: &str| format!("resources/networking.k8s.io/networkpolicies/demo/{name}");
        assert_eq!(
            said,
            [
                policy("a"),
                policy("c"),
                policy("b"),
                policy(STRAY),
                "resources/core/namespaces/_cluster/demo".into()
            ]
        );
        assert!(
            matches!(&chosen[4], Damage::Corrupted { to, .. } if to["metadata"]["labels"] == json!({"team": null}))
        );
    }

    #[test]
    fn neither_evidence_nor_definitions_are_touched_and_nothing_of_other_components() {
        let chosen = choose(&builtin("cni"), &items());
        assert!(
            matches!(&chosen.damage[..], [Damage::Corrupted { key, .. }] if key.name() == "rke2-canal"),
            "{chosen:?}"
        );
        assert_eq!(choose(&builtin("traefik"), &items()), Chosen::default());
    }

    #[test]
    fn of_every_node_one_file_is_corrupted_and_one_lost() {
        let file = |path: &str| item(Component::Host, path, Class::Config, Extent::Whole, json!({}));
        let files = [file("host/n1/a"), file("host/n1/b"), file("host/n1/c"), file("host/n2/a")];
        let chosen = choose(&builtin("cni"), &files).damage;
        assert_eq!(chosen.len(), 3, "{chosen:?}");
        assert!(matches!(chosen[1], Damage::Lost(_)));
    }
}

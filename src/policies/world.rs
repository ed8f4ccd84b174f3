//! What the audit looks at, and the meaning of its parts (Kubernetes, "Network Policies").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Rule, selector};
use crate::model::ItemKey;

/// Namespaces, pods and policies of a cluster.
#[derive(Debug, Default)]
pub struct World {
    /// By name: the metadata.
    pub namespaces: BTreeMap<String, Value>,
    /// By namespace; None where they are not known.
    pub pods: Option<BTreeMap<String, Vec<Pod>>>,
    /// NetworkPolicies of networking.k8s.io.
    pub policies: Vec<(ItemKey, Value)>,
    /// NetworkPolicies and GlobalNetworkPolicies of Calico.
    pub calico: Vec<(ItemKey, Value)>,
    /// Namespaces that nothing is said of: the configuration excludes them.
    pub exempt: BTreeSet<String>,
}

/// A pod, as far as policies are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: Value,
    /// Whether it is on its node's network: no policy selects it, and its traffic has the node's address.
    pub on_host: bool,
}

/// Which traffic of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

use Direction::{Egress, Ingress};

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Ingress, Egress];

    /// The field of a policy that holds its rules.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Ingress => "ingress",
            Egress => "egress",
        }
    }

    /// As `policyTypes` has it.
    pub(super) const fn policy_type(self) -> &'static str {
        match self {
            Ingress => "Ingress",
            Egress => "Egress",
        }
    }

    /// The peers of a rule.
    pub(super) fn peers(self, rule: &Value) -> &[Value] {
        list(
            &rule[match self {
                Ingress => "from",
                Egress => "to",
            }],
        )
    }

    pub(super) fn rules(self, policy: &Value) -> &[Value] {
        list(&policy["spec"][self.name()])
    }

    /// Whether a policy isolates the pods that it selects. Without `policyTypes` each does for ingress, and for egress one
    /// that has rules for it.
    pub(super) fn is_isolated_by(self, policy: &Value) -> bool {
        match policy["spec"]["policyTypes"].as_array() {
            Some(types) if !types.is_empty() => types.iter().any(|name| name == self.policy_type()),
            _ => self == Ingress || !self.rules(policy).is_empty(),
        }
    }
}

impl World {
    /// The rules that can be run.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        let known = self.pods.is_some();
        Rule::ALL.into_iter().filter(move |rule| known || !rule.needs_pods())
    }

    /// The policies that are judged.
    pub(super) fn judged(&self) -> impl Iterator<Item = (&ItemKey, &Value)> {
        let policies = self.policies.iter().map(|(key, policy)| (key, policy));
        policies.filter(|(key, _)| !key.namespace().is_some_and(|namespace| self.exempt.contains(namespace)))
    }

    pub(super) fn policies_of<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        let own = self.policies.iter().filter(move |(key, _)| key.namespace() == Some(namespace));
        own.map(|(_, policy)| policy)
    }

    pub(super) fn pods_of(&self, namespace: &str) -> &[Pod] {
        self.pods.as_ref().and_then(|pods| pods.get(namespace)).map_or(&[], Vec::as_slice)
    }

    /// The namespaces that a peer of a policy in `own` means.
    pub(super) fn namespaces_of<'a>(&'a self, peer: &'a Value, own: &'a str) -> Vec<&'a str> {
        let Some(wanted) = peer.get("namespaceSelector").filter(|selector| selector.is_object()) else {
            return vec![own];
        };
        let all = self.namespaces.iter();
        let selected = all.filter(|(_, metadata)| selector::selects(wanted, &metadata["labels"]));
        selected.map(|(name, _)| name.as_str()).collect()
    }

    /// The pods that a peer of a policy in `own` means.
    pub(super) fn peers_pods<'a>(&'a self, peer: &'a Value, own: &'a str) -> Vec<(&'a str, &'a Pod)> {
        let namespaces = self.namespaces_of(peer, own).into_iter();
        let pods = namespaces.flat_map(|name| self.pods_of(name).iter().map(move |pod| (name, pod)));
        pods.filter(|(_, pod)| selector::selects(&peer["podSelector"], &pod.labels)).collect()
    }
}

/// A field that holds a list; an absent one holds none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

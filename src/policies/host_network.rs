//! No allow relies on a selector that pods on their node's network never match.
//!
//! Their traffic has the address of a node: its own, or that of its flannel.1, the first of the node's pod CIDR. Only an
//! ipBlock matches that (RKE2 makes `rke2-flannel-host-networking` for this). From its own node such a pod reaches every
//! pod all the same, so that it works here and there.

use serde_json::Value;

use super::{
    Finding, Rule,
    Severity::{Alert, Warn},
    World, selector,
    world::{Direction, list},
};
use crate::model::ItemKey;

const ADDRESSES: &str = "kubectl get nodes -o \
                         custom-columns=NODE:.metadata.name,ADDRESS:.status.addresses[0].address,PODS:.spec.podCIDR";

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, policy) in world.judged() {
        let own = key.namespace().unwrap_or_default();
        let peers = Direction::Ingress.rules(policy).iter().flat_map(|rule| Direction::Ingress.peers(rule));
        for peer in peers.filter(|peer| !peer["ipBlock"].is_object() && !is_whole_cluster(peer)) {
            found.extend(of_peer(world, key, policy, peer, own));
        }
        let pods = &policy["spec"]["podSelector"];
        let selected = world.pods_of(own).iter().filter(|pod| selector::selects(pods, &pod.labels));
        let (on_host, others): (Vec<_>, Vec<_>) = selected.partition(|pod| pod.on_host);
        if !selector::is_empty(pods) && !on_host.is_empty() && others.is_empty() {
            found.push(Finding {
                rule: Rule::HostNetwork,
                severity: Warn,
                object: key.to_string(),
                what: "its pods are on the host's network".into(),
                why: format!(
                    "no policy applies to {}/{} and the like: it does nothing; a firewall of the nodes, or Calico's \
                     HostEndpoint, would",
                    own, on_host[0].name
                ),
                next: format!("kubectl get pods -n {own} -o wide"),
            });
        }
    }
    found
}

fn of_peer(world: &World, key: &ItemKey, policy: &Value, peer: &Value, own: &str) -> Option<Finding> {
    let (on_host, others): (Vec<_>, Vec<_>) =
        world.peers_pods(peer, own).into_iter().partition(|(_, pod)| pod.on_host);
    let (namespace, first) = on_host.first()?;
    if is_let_in_by_address(world, policy, own) {
        return None;
    }
    let (severity, which) = match others.is_empty() {
        true => (Alert, "all"),
        false => (Warn, "some"),
    };
    Some(Finding {
        rule: Rule::HostNetwork,
        severity,
        object: key.to_string(),
        what: format!("{which} pods it lets in from {namespace} are on the host's network"),
        why: format!(
            "traffic of {namespace}/{} has the address of its node, which no selector matches: from other nodes it is \
             denied; allow beside it, by ipBlock, each node's address and the first of its pod CIDR",
            first.name
        ),
        next: ADDRESSES.into(),
    })
}

/// Every pod there is: some of these are always on a host's network, and nobody means them.
fn is_whole_cluster(peer: &Value) -> bool {
    selector::is_empty(&peer["namespaceSelector"]) && selector::is_empty(&peer["podSelector"])
}

/// Whether a policy for the same pods, or for all, allows addresses or everyone.
fn is_let_in_by_address(world: &World, policy: &Value, own: &str) -> bool {
    let pods = |policy: &Value| policy["spec"]["podSelector"].clone();
    let same = |other: &&Value| pods(other) == pods(policy) || selector::is_empty(&pods(other));
    let mut rules = world.policies_of(own).filter(same).flat_map(|other| list(&other["spec"]["ingress"]));
    rules.any(|rule| {
        let peers = Direction::Ingress.peers(rule);
        peers.is_empty() || peers.iter().any(|peer| peer["ipBlock"].is_object())
    })
}

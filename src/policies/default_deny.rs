//! Every namespace denies by default: one policy selects every pod, for ingress and for egress.
//!
//! A pod is isolated in a direction as soon as any policy for it selects the pod; what such a policy allows is judged by
//! the other rules.

use super::{
    Finding, Rule,
    Severity::{Alert, Warn},
    World, opens,
    world::Direction,
};
use crate::model::ItemKey;

/// Kubernetes' own, in which RKE2's `profile: cis` has policies of its own.
const KUBERNETES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let judged = world.namespaces.keys().map(String::as_str);
    let judged = judged.filter(|name| !KUBERNETES.contains(name) && !world.exempt.contains(*name));
    judged.filter_map(|name| finding(world, name)).collect()
}

fn finding(world: &World, namespace: &str) -> Option<Finding> {
    let concerns = |key: &ItemKey| key.namespace().is_none_or(|own| own == namespace);
    let denied = |direction: &Direction| {
        let mut all = world.policies.iter().chain(&world.calico).filter(|(key, _)| concerns(key));
        all.any(|(key, policy)| opens::denies(key, policy, *direction))
    };
    let open: Vec<Direction> = Direction::BOTH.into_iter().filter(|direction| !denied(direction)).collect();
    if open.is_empty() {
        return None;
    }
    let maybe = world.calico.iter().find(|(key, policy)| {
        concerns(key)
            && !opens::selects_all(&policy["spec"])
            && open.iter().any(|direction| opens::isolates(policy, *direction))
    });
    let empty = world.pods.is_some() && world.pods_of(namespace).is_empty();
    let doubt = maybe.map(|(key, _)| format!("; {key} may, whose selector netdr does not evaluate"));
    let open = open.iter().map(|direction| direction.name()).collect::<Vec<_>>().join(" and ");
    Some(Finding {
        rule: Rule::DefaultDeny,
        severity: if empty || doubt.is_some() { Warn } else { Alert },
        object: format!("namespaces {namespace}"),
        what: format!("{open} is open"),
        why: format!(
            "no policy selects all of its pods for {open}, so what no other policy selects is open{}; a policy with \
             podSelector {{}} and both policyTypes denies by default: allow first what its pods need",
            doubt.unwrap_or_default()
        ),
        next: format!("kubectl get networkpolicies -n {namespace}"),
    })
}

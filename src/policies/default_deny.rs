//! Every namespace denies by default: one policy selects every pod, for ingress and for egress.
//!
//! A pod is isolated in a direction as soon as any policy for it selects the pod; what such a policy allows is judged by
//! the other rules.

use serde_json::Value;

use super::{
    Finding, Rule,
    Severity::{Alert, Warn},
    World,
    allow_all::is_bare,
    selector,
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
    let denied = |direction: &Direction| {
        let whole = |policy: &Value| selector::is_empty(&policy["spec"]["podSelector"]);
        world.policies_of(namespace).any(|policy| whole(policy) && direction.is_isolated_by(policy))
            || world.calico.iter().any(|(key, policy)| {
                is_global(key) && is_all(&policy["spec"]) && isolates(policy, *direction)
            })
    };
    let open: Vec<Direction> = Direction::BOTH.into_iter().filter(|direction| !denied(direction)).collect();
    if open.is_empty() {
        return None;
    }
    let maybe = world.calico.iter().find(|(key, policy)| {
        is_global(key)
            && !is_all(&policy["spec"])
            && open.iter().any(|direction| isolates(policy, *direction))
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

fn is_global(key: &ItemKey) -> bool {
    key.is_kind("crd.projectcalico.org", "globalnetworkpolicies")
}

/// Whether a GlobalNetworkPolicy selects every pod: without selectors, or with `all()`.
fn is_all(spec: &Value) -> bool {
    ["selector", "namespaceSelector", "serviceAccountSelector"].iter().all(|field| {
        let text = spec[field].as_str().unwrap_or_default().trim();
        text.is_empty() || text == "all()"
    })
}

/// Whether it denies what it does not name. Calico's default of `types` is what there are rules for, and ingress where
/// there are none; a rule that lets everything pass leaves it to what comes after (GlobalNetworkPolicy).
fn isolates(policy: &Value, direction: Direction) -> bool {
    let spec = &policy["spec"];
    let has = |direction: Direction| !direction.rules(policy).is_empty();
    let typed = match spec["types"].as_array() {
        Some(types) if !types.is_empty() => types.iter().any(|name| name == direction.policy_type()),
        _ => has(direction) || direction == Direction::Ingress && !has(Direction::Egress),
    };
    let through = |rule: &Value| is_bare(rule, "Pass") || is_bare(rule, "Allow");
    typed && !direction.rules(policy).iter().any(through)
}

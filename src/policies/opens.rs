//! What a policy opens and what it shuts: the change that an attacker, or somebody in a hurry, makes, and what keeps it shut.
//!
//! In: a policy of Kubernetes, of Calico or of an administrator. Out: yes or no, of a direction. Invariant: pure; a rule that
//! names a port, or one peer, allows something and not everything. The audit and drift judge by the same.

use serde_json::Value;

use super::{
    selector,
    world::{Direction, list},
};
use crate::model::ItemKey;

const KUBERNETES: &str = "networking.k8s.io";
const CALICO: &str = "crd.projectcalico.org";
/// Everywhere, in either family.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Whether it allows all traffic of any direction to or from the pods that it selects.
pub(crate) fn everything(key: &ItemKey, policy: &Value) -> bool {
    let opens =
        |direction: Direction| direction.rules(policy).iter().any(|rule| everyone(key, rule, direction));
    Direction::BOTH.into_iter().any(opens)
}

/// Whether a rule allows all traffic of its direction.
pub(super) fn everyone(key: &ItemKey, rule: &Value, direction: Direction) -> bool {
    let ItemKey::Resource { group, .. } = key else { return false };
    match group.as_str() {
        KUBERNETES => kubernetes(rule, direction),
        "policy.networking.k8s.io" => administrator(rule, direction),
        CALICO => rule["action"] == "Allow" && is_unnarrowed(rule),
        _ => false,
    }
}

/// Whether it denies by default: it selects every pod of its namespace, or of the cluster, and isolates it. What such a
/// policy allows beside is judged on its own.
pub(crate) fn denies(key: &ItemKey, policy: &Value, direction: Direction) -> bool {
    let spec = &policy["spec"];
    if key.is_kind(KUBERNETES, "networkpolicies") {
        selector::is_empty(&spec["podSelector"]) && direction.is_isolated_by(policy)
    } else {
        let calico =
            ["networkpolicies", "globalnetworkpolicies"].iter().any(|plural| key.is_kind(CALICO, plural));
        calico && selects_all(spec) && isolates(policy, direction)
    }
}

/// Calico: whether it selects every pod: without selectors, or with `all()`.
pub(super) fn selects_all(spec: &Value) -> bool {
    ["selector", "namespaceSelector", "serviceAccountSelector"].iter().all(|field| {
        let text = spec[field].as_str().unwrap_or_default().trim();
        text.is_empty() || text == "all()"
    })
}

/// Calico: whether it denies what it does not name. The default of `types` is what there are rules for, and ingress where
/// there are none; a rule that lets everything pass leaves it to what comes after (GlobalNetworkPolicy).
pub(super) fn isolates(policy: &Value, direction: Direction) -> bool {
    let has = |direction: Direction| !direction.rules(policy).is_empty();
    let typed = match policy["spec"]["types"].as_array() {
        Some(types) if !types.is_empty() => types.iter().any(|name| name == direction.policy_type()),
        _ => has(direction) || direction == Direction::Ingress && !has(Direction::Egress),
    };
    let through =
        |rule: &Value| (rule["action"] == "Allow" || rule["action"] == "Pass") && is_unnarrowed(rule);
    typed && !direction.rules(policy).iter().any(through)
}

/// Kubernetes: whether a peer is every address.
pub(super) fn is_everywhere(peer: &Value) -> bool {
    let block = &peer["ipBlock"];
    ANYWHERE.iter().any(|anywhere| block["cidr"] == *anywhere) && empty(&block["except"])
}

/// Absent, null, `{}` or `[]`.
fn empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(empty),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn contains_anywhere(nets: &Value) -> bool {
    nets.as_array().into_iter().flatten().any(|net| ANYWHERE.iter().any(|anywhere| net == anywhere))
}

/// A rule without ports whose peers are none, all pods of all namespaces, or every address.
fn kubernetes(rule: &Value, direction: Direction) -> bool {
    let every_pod = |peer: &Value| {
        let namespaces = &peer["namespaceSelector"];
        namespaces.is_object() && selector::is_empty(namespaces) && selector::is_empty(&peer["podSelector"])
    };
    let peers = direction.peers(rule);
    let all = peers.is_empty() || peers.iter().any(|peer| is_everywhere(peer) || every_pod(peer));
    list(&rule["ports"]).is_empty() && all
}

/// The same of AdminNetworkPolicy and its successors.
fn administrator(rule: &Value, direction: Direction) -> bool {
    let all = |peer: &Value| {
        let namespaces = peer["namespaces"].is_object() && empty(&peer["namespaces"]);
        let pods = peer["pods"].is_object() && empty(&peer["pods"]);
        namespaces || pods || contains_anywhere(&peer["networks"])
    };
    let allows = rule["action"] == "Allow" || rule["action"] == "Accept";
    allows && empty(&rule["ports"]) && direction.peers(rule).iter().any(all)
}

/// Calico: whether a rule is about any protocol and whoever it is. What narrows it, netdr need not know: any other field does.
fn is_unnarrowed(rule: &Value) -> bool {
    let Some(fields) = rule.as_object() else { return false };
    let anybody = |side: &Value| {
        side.as_object().is_none_or(|side| {
            side.iter().all(|(name, value)| match name.as_str() {
                "nets" => contains_anywhere(value) || empty(value),
                "selector" | "namespaceSelector" => value == "all()" || value == "",
                _ => empty(value),
            })
        })
    };
    let narrows = |(name, value): (&String, &Value)| match name.as_str() {
        "action" | "metadata" | "ipVersion" => false,
        "source" | "destination" => !anybody(value),
        _ => !empty(value),
    };
    !fields.iter().any(narrows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn opens(group: &str, spec: Value) -> bool {
        everything(&ItemKey::resource(group, "networkpolicies", Some("demo"), "x"), &json!({"spec": spec}))
    }

    #[test]
    fn a_policy_of_kubernetes_opens_by_an_empty_rule_or_every_address() {
        let k8s = |spec| opens("networking.k8s.io", spec);
        for spec in [
            json!({"podSelector": {}, "ingress": [{}]}),
            json!({"egress": [{"to": []}]}),
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}),
            json!({"ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}, {"namespaceSelector": {}}]}]}),
            json!({"ingress": [{"from": [{"ipBlock": {"cidr": "::/0", "except": []}}]}]}),
        ] {
            assert!(k8s(spec.clone()), "{spec}");
        }
        for spec in [
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            json!({"ingress": [{"ports": [{"port": 80}]}]}),
            json!({"ingress": [{"from": [{"podSelector": {}}]}]}),
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]}),
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}),
        ] {
            assert!(!k8s(spec.clone()), "{spec}");
        }
    }

    #[test]
    fn a_policy_of_calico_or_an_administrator_opens_by_allowing_whoever_it_is() {
        let calico = |rule: Value| opens("crd.projectcalico.org", json!({"egress": [rule]}));
        assert!(calico(json!({"action": "Allow"})));
        assert!(calico(json!({"action": "Allow", "source": {}, "destination": {"nets": ["0.0.0.0/0"]}})));
        assert!(!calico(json!({"action": "Pass"})));
        assert!(!calico(json!({"action": "Allow", "protocol": "TCP"})));
        assert!(!calico(json!({"action": "Allow", "destination": {"ports": [443]}})));
        assert!(!calico(json!({"action": "Allow", "source": {"selector": "role == 'telescope'"}})));
        let administrator = |rule: Value| opens("policy.networking.k8s.io", json!({"ingress": [rule]}));
        for all in [json!({}), json!({"namespaceSelector": {}})] {
            assert!(administrator(json!({"action": "Allow", "from": [{"namespaces": all}]})));
        }
        assert!(!administrator(json!({"action": "Deny", "from": [{"namespaces": {}}]})));
        assert!(!administrator(
            json!({"action": "Allow", "from": [{"namespaces": {"matchLabels": {"a": "b"}}}]})
        ));
    }

    #[test]
    fn default_deny_is_of_a_direction_and_selects_all() {
        let denied = |group: &str, spec: Value| {
            let key = ItemKey::resource(group, "networkpolicies", Some("demo"), "x");
            Direction::BOTH.map(|direction| denies(&key, &json!({"spec": spec}), direction))
        };
        let some = json!({"matchLabels": {"a": "b"}});
        for (spec, wanted) in [
            (json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}), [true, true]),
            (json!({"podSelector": {}}), [true, false]),
            (json!({"podSelector": {}, "policyTypes": ["Egress"]}), [false, true]),
            (json!({"podSelector": some, "policyTypes": ["Ingress"]}), [false, false]),
        ] {
            assert_eq!(denied(KUBERNETES, spec.clone()), wanted, "{spec}");
        }
        for (spec, wanted) in [
            (json!({"selector": "all()", "types": ["Ingress", "Egress"]}), [true, true]),
            (json!({"selector": "a == 'b'", "types": ["Ingress"]}), [false, false]),
            (
                json!({"types": ["Egress"], "egress": [{"action": "Allow", "destination": {"nets": ["0.0.0.0/0"]}}]}),
                [false, false],
            ),
            (json!({"types": ["Egress"], "egress": [{"action": "Allow", "protocol": "TCP"}]}), [false, true]),
        ] {
            assert_eq!(denied(CALICO, spec.clone()), wanted, "{spec}");
        }
    }
}

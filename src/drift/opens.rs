//! Whether a policy allows everything, in any direction: the change that an attacker, or somebody in a hurry, makes.
//!
//! In: a policy. Out: yes or no. Invariant: pure; a rule that names a port, or one peer, allows something and not
//! everything.

use serde_json::Value;

use crate::model::ItemKey;

/// Everywhere, in either family.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Whether it allows all traffic of a direction to or from the pods that it selects.
pub(super) fn everything(key: &ItemKey, policy: &Value) -> bool {
    let spec = &policy["spec"];
    let rules = |direction: &str| spec[direction].as_array().cloned().unwrap_or_default();
    let any = |to: &str, from: &str, opens: &dyn Fn(&Value, &str) -> bool| {
        rules("ingress").iter().any(|rule| opens(rule, from))
            || rules("egress").iter().any(|rule| opens(rule, to))
    };
    match key {
        ItemKey::Resource { group, .. } if group == "networking.k8s.io" => any("to", "from", &kubernetes),
        ItemKey::Resource { group, .. } if group == "policy.networking.k8s.io" => {
            any("to", "from", &administrator)
        }
        ItemKey::Resource { group, .. } if group == "crd.projectcalico.org" => {
            any("", "", &|rule, _| calico(rule))
        }
        _ => false,
    }
}

/// Whether it selects every pod and allows nothing in the directions that it is of: what keeps a namespace shut.
pub(super) fn is_default_deny(key: &ItemKey, policy: &Value) -> bool {
    let spec = &policy["spec"];
    key.is_kind("networking.k8s.io", "networkpolicies")
        && empty(&spec["podSelector"])
        && empty(&spec["ingress"])
        && empty(&spec["egress"])
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
fn kubernetes(rule: &Value, peers: &str) -> bool {
    let all = |peer: &Value| {
        let block = &peer["ipBlock"];
        let pods = peer["namespaceSelector"].is_object()
            && empty(&peer["namespaceSelector"])
            && empty(&peer["podSelector"]);
        pods || (ANYWHERE.iter().any(|anywhere| block["cidr"] == *anywhere) && empty(&block["except"]))
    };
    let peers = &rule[peers];
    empty(&rule["ports"]) && (empty(peers) || peers.as_array().is_some_and(|peers| peers.iter().any(all)))
}

/// The same of AdminNetworkPolicy and its successors.
fn administrator(rule: &Value, peers: &str) -> bool {
    let all = |peer: &Value| {
        let namespaces = peer["namespaces"].is_object() && empty(&peer["namespaces"]);
        let pods = peer["pods"].is_object() && empty(&peer["pods"]);
        namespaces || pods || contains_anywhere(&peer["networks"])
    };
    let allows = rule["action"] == "Allow" || rule["action"] == "Accept";
    allows && empty(&rule["ports"]) && rule[peers].as_array().is_some_and(|peers| peers.iter().any(all))
}

/// A rule that allows, of any protocol, whoever it is. What narrows it, netdr need not know: any other field does.
fn calico(rule: &Value) -> bool {
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
    rule["action"] == "Allow" && !fields.iter().any(narrows)
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
    fn default_deny_selects_all_and_allows_nothing() {
        let key = ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), "x");
        let deny = |spec: Value| is_default_deny(&key, &json!({"spec": spec}));
        assert!(deny(json!({"podSelector": {}, "policyTypes": ["Ingress"]})));
        assert!(!deny(json!({"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]})));
        assert!(!deny(json!({"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]})));
    }
}

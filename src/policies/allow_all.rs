//! No policy allows everyone: an empty rule, or every address there is.

use serde_json::Value;

use super::{
    Finding, Rule,
    Severity::{self, Alert, Warn},
    World, selector,
    world::{Direction, list},
};
use crate::model::ItemKey;

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, policy) in world.judged() {
        for direction in Direction::BOTH {
            for rule in direction.rules(policy) {
                found.extend(
                    wide(rule, policy, direction).map(|(severity, whom)| {
                        finding(key, severity, format!("{} {whom}", direction.name()))
                    }),
                );
            }
        }
    }
    for (key, policy) in &world.calico {
        let exempt = key.namespace().is_some_and(|namespace| world.exempt.contains(namespace));
        for direction in Direction::BOTH.into_iter().filter(|_| !exempt) {
            if direction.rules(policy).iter().any(|rule| is_bare(rule, "Allow")) {
                found.push(finding(key, Alert, format!("{} of everyone", direction.name())));
            }
        }
    }
    found
}

/// How grave it is that a rule allows so many, and whom.
fn wide(rule: &Value, policy: &Value, direction: Direction) -> Option<(Severity, &'static str)> {
    let (peers, ports) = (direction.peers(rule), list(&rule["ports"]));
    let everyone = peers.is_empty() || peers.iter().any(is_everywhere);
    let every_pod = peers.iter().any(|peer| {
        peer.get("namespaceSelector")
            .is_some_and(|namespaces| namespaces.is_object() && selector::is_empty(namespaces))
            && selector::is_empty(&peer["podSelector"])
    });
    // A port of one application that everyone may use is what an ingress is made of; so is a name server.
    let application = !selector::is_empty(&policy["spec"]["podSelector"]);
    let names = direction == Direction::Egress && ports.iter().all(|port| port["port"] == 53);
    match (everyone, ports.is_empty()) {
        (true, true) => Some((Alert, "of everyone")),
        (true, false) if !application && !names => Some((Warn, "of everyone, on some ports, of every pod")),
        (false, true) if every_pod => Some((Warn, "of every pod of the cluster")),
        _ => None,
    }
}

fn is_everywhere(peer: &Value) -> bool {
    let block = &peer["ipBlock"];
    matches!(block["cidr"].as_str(), Some("0.0.0.0/0" | "::/0")) && list(&block["except"]).is_empty()
}

/// Calico: whether a rule says nothing but its action.
pub(super) fn is_bare(rule: &Value, action: &str) -> bool {
    let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty) || value.is_null();
    let mut others = rule.as_object().into_iter().flatten();
    rule["action"] == action
        && others.all(|(name, value)| matches!(name.as_str(), "action" | "metadata") || empty(value))
}

fn finding(key: &ItemKey, severity: Severity, what: String) -> Finding {
    let scope = key.namespace().map(|namespace| format!("-n {namespace} ")).unwrap_or_default();
    Finding {
        rule: Rule::AllowAll,
        severity,
        object: key.to_string(),
        why: format!(
            "it allows {what}, and policies add up: no other policy takes that back; name who is meant, or see whether it \
             was there before: netdr drift"
        ),
        what,
        next: format!("kubectl get {} {scope}{} -o yaml", key.kind_name(), key.name()),
    }
}

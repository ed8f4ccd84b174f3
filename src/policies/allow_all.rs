//! No policy allows everyone: an empty rule, every address there is, or every pod.

use serde_json::Value;

use super::{
    Finding, Rule,
    Severity::{self, Alert, Warn},
    World, opens, selector,
    world::{Direction, list},
};
use crate::model::ItemKey;

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, policy) in world.judged() {
        for direction in Direction::BOTH {
            for rule in direction.rules(policy) {
                found.extend(
                    wide(key, rule, policy, direction).map(|(severity, whom)| {
                        finding(key, severity, format!("{} {whom}", direction.name()))
                    }),
                );
            }
        }
    }
    for (key, policy) in &world.calico {
        let exempt = key.namespace().is_some_and(|namespace| world.exempt.contains(namespace));
        for direction in Direction::BOTH.into_iter().filter(|_| !exempt) {
            if direction.rules(policy).iter().any(|rule| opens::everyone(key, rule, direction)) {
                found.push(finding(key, Alert, format!("{} of everyone", direction.name())));
            }
        }
    }
    found
}

/// How grave it is that a rule allows so many, and whom.
fn wide(
    key: &ItemKey,
    rule: &Value,
    policy: &Value,
    direction: Direction,
) -> Option<(Severity, &'static str)> {
    let (peers, ports) = (direction.peers(rule), list(&rule["ports"]));
    let everywhere = peers.is_empty() || peers.iter().any(opens::is_everywhere);
    if opens::everyone(key, rule, direction) {
        return Some((Alert, if everywhere { "of everyone" } else { "of every pod of the cluster" }));
    }
    // A port of one application that everyone may use is what an ingress is made of; so is a name server.
    let application = !selector::is_empty(&policy["spec"]["podSelector"]);
    let names = direction == Direction::Egress && ports.iter().all(|port| port["port"] == 53);
    (everywhere && !application && !names).then_some((Warn, "of everyone, on some ports, of every pod"))
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

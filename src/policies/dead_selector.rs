//! Every selector selects something.
//!
//! Pods are only missed where there are any: a namespace that is empty for the moment says nothing.

use serde_json::Value;

use super::{Finding, Rule, Severity::Warn, World, selector, world::Direction};
use crate::model::ItemKey;

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for (key, policy) in world.judged() {
        let own = key.namespace().unwrap_or_default();
        let pods = &policy["spec"]["podSelector"];
        if selects_none(world, &[own], pods) {
            let why =
                "it does nothing: the pods it was made for are isolated by other policies or not at all";
            found.push(finding(key, format!("no pod is {}", selector::words(pods)), why, show_pods(own)));
        }
        for direction in Direction::BOTH {
            let peers = direction.rules(policy).iter().flat_map(|rule| direction.peers(rule));
            found.extend(peers.filter_map(|peer| of_peer(world, key, peer, direction)));
        }
    }
    found
}

fn of_peer(world: &World, key: &ItemKey, peer: &Value, direction: Direction) -> Option<Finding> {
    if peer["ipBlock"].is_object() {
        return None;
    }
    let own = key.namespace().unwrap_or_default();
    let namespaces = world.namespaces_of(peer, own);
    let direction = direction.name();
    if namespaces.is_empty() {
        let what = format!("no namespace is {}", selector::words(&peer["namespaceSelector"]));
        let why = format!("the {direction} it is to allow does not come about: was a label lost?");
        return Some(finding(key, what, &why, "kubectl get namespaces --show-labels".into()));
    }
    let pods = &peer["podSelector"];
    selects_none(world, &namespaces, pods).then(|| {
        let what = format!("no pod is {} in {}", selector::words(pods), some(&namespaces));
        let why = format!("the {direction} it is to allow does not come about: was a label changed?");
        finding(key, what, &why, show_pods(namespaces[0]))
    })
}

/// Whether there are pods, and none is selected.
fn selects_none(world: &World, namespaces: &[&str], pods: &Value) -> bool {
    let mut all = namespaces.iter().flat_map(|namespace| world.pods_of(namespace)).peekable();
    !selector::is_empty(pods) && all.peek().is_some() && !all.any(|pod| selector::selects(pods, &pod.labels))
}

fn some(namespaces: &[&str]) -> String {
    match namespaces {
        [one] => (*one).to_owned(),
        many => format!("{} namespaces", many.len()),
    }
}

fn show_pods(namespace: &str) -> String {
    format!("kubectl get pods -n {namespace} --show-labels")
}

fn finding(key: &ItemKey, what: String, why: &str, next: String) -> Finding {
    let (rule, object, why) = (Rule::DeadSelector, key.to_string(), why.to_owned());
    Finding { rule, severity: Warn, object, what, why, next }
}

//! Whether every node takes pods and has a network, as far as its conditions and taints say.
//!
//! In: live nodes. Out: they do, or the nodes that do not, with why. Invariant: pure.
//!
//! NetworkUnavailable alone proves little: flannel sets it once at its start and never takes it back, and Canal's Calico
//! does not set it at all. Without a CNI the kubelet says Ready=False ("cni plugin not initialized").

use serde_json::Value;

use super::rollout::{condition, text};

/// Taints of a node that takes no pods (Kubernetes docs, well-known labels, annotations and taints).
const TAINTS: [&str; 2] = ["node.kubernetes.io/network-unavailable", "node.kubernetes.io/not-ready"];
/// More than this many nodes are counted, not named.
const NAMED: usize = 8;

/// Whether all of them are ready.
pub(crate) fn ready(nodes: &[Value]) -> Result<(), String> {
    if nodes.is_empty() {
        return Err("the cluster has none".into());
    }
    let mut lines: Vec<String> = nodes
        .iter()
        .filter_map(|node| Some(format!("{}: {}", text(&node["metadata"]["name"]), trouble(node)?)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    lines.sort();
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    Err(format!("{}{more}", lines.join(", ")))
}

/// What keeps a node from being ready.
fn trouble(node: &Value) -> Option<String> {
    let said = |condition: &Value| {
        let (reason, message) = (text(&condition["reason"]), text(&condition["message"]));
        if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
    };
    let Some(ready) = condition(node, "Ready") else {
        return Some("its kubelet has said nothing yet".into());
    };
    if ready["status"] != "True" {
        return Some(format!("Ready is {} ({})", text(&ready["status"]), said(ready)));
    }
    if let Some(network) = condition(node, "NetworkUnavailable").filter(|c| c["status"] != "False") {
        return Some(format!("NetworkUnavailable is {} ({})", text(&network["status"]), said(network)));
    }
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten().map(|taint| text(&taint["key"]));
    taints.find(|key| TAINTS.contains(key)).map(|key| format!("it has taint {key}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, conditions: Value, taints: Value) -> Value {
        json!({"metadata": {"name": name}, "spec": {"taints": taints}, "status": {"conditions": conditions}})
    }

    fn healthy(name: &str) -> Value {
        node(name, json!([{"type": "Ready", "status": "True"}]), json!([{"key": "CriticalAddonsOnly"}]))
    }

    #[test]
    fn each_node_that_is_not_ready_is_named_with_why() {
        let up =
            json!([{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "False"}]);
        assert_eq!(ready(&[healthy("a"), node("b", up.clone(), Value::Null)]), Ok(()));
        let dead = json!([{"type": "Ready", "status": "False", "reason": "KubeletNotReady",
            "message": "container runtime network not ready: cni plugin not initialized"}]);
        let cut = json!([{"type": "Ready", "status": "True"},
            {"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated"}]);
        let tainted = json!([{"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}]);
        let why = ready(&[
            node("n3", up, tainted),
            healthy("n9"),
            node("n1", dead, Value::Null),
            node("n2", cut, Value::Null),
            node("n4", json!([]), Value::Null),
        ])
        .unwrap_err();
        assert_eq!(
            why,
            "n1: Ready is False (KubeletNotReady: container runtime network not ready: cni plugin not initialized), \
             n2: NetworkUnavailable is True (NoRouteCreated), \
             n3: it has taint node.kubernetes.io/network-unavailable, n4: its kubelet has said nothing yet"
        );
    }

    #[test]
    fn a_cluster_without_nodes_is_not_ready_and_a_hundred_are_not_all_named() {
        assert!(ready(&[]).is_err());
        let all: Vec<Value> = (0..100).map(|n| node(&format!("n{n:02}"), json!([]), Value::Null)).collect();
        let why = ready(&all).unwrap_err();
        assert!(why.contains("n07") && !why.contains("n08") && why.ends_with("and 92 more"), "{why}");
    }
}

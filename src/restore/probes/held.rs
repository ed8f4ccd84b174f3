//! What is seen where a condition holds: that it passed is no evidence.
//!
//! In: a condition that was waited for, and held. Out: what there is, in words. Invariant: nodes that are only played are called
//! that.

use serde_json::Value;

use super::{is_played, nodes};
use crate::{
    cluster::{Cluster, Discovery},
    model::ItemKey,
    plan::Gate,
    report::words::count,
    restore::gates::available,
};

/// More than this many nodes are counted, not named.
const NAMED: usize = 8;

/// How many nodes there are and which, or how many pods.
pub(super) async fn evidence(cluster: &Cluster, discovery: &Discovery, gate: &Gate) -> String {
    let seen = match gate {
        Gate::Nodes => nodes(cluster, discovery).await.map(|nodes| said_of(&nodes)),
        Gate::RolledOut(workload) => pods(cluster, discovery, workload).await,
        _ => Ok(String::new()),
    };
    seen.unwrap_or_else(|why| format!("it held, and could not be counted afterwards: {why}"))
}

/// How many pods a workload has of those that it wants.
async fn pods(cluster: &Cluster, discovery: &Discovery, workload: &ItemKey) -> Result<String, String> {
    let ItemKey::Resource { group, plural, namespace, name } = workload else { return Ok(String::new()) };
    let kind = discovery.served(group, plural)?;
    let live = cluster.get(kind, namespace.as_deref(), name).await.map_err(|refusal| refusal.to_string())?;
    let [available, wanted] = available(plural, &live.ok_or("it does not exist")?);
    Ok(format!("{available} of {wanted} pods are available"))
}

fn said_of(nodes: &[Value]) -> String {
    let all: Vec<&str> = nodes.iter().map(name).collect();
    let played: Vec<&str> = nodes.iter().filter(|node| is_played(node)).map(name).collect();
    let count = count(all.len() as u64, "node");
    let played = match played.len() {
        0 => String::new(),
        n if n == all.len() => "; kwok plays all of them, so that no kubelet was started".into(),
        n => format!("; kwok plays {n} of them: {}", listed(&played)),
    };
    format!("{count}: {}{played}", listed(&all))
}

fn name(node: &Value) -> &str {
    node["metadata"]["name"].as_str().unwrap_or_default()
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED { format!("{shown}, and {} more", names.len() - NAMED) } else { shown }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, played: bool) -> Value {
        let annotations = if played { json!({"kwok.x-k8s.io/node": "fake"}) } else { Value::Null };
        json!({"metadata": {"name": name, "annotations": annotations}})
    }

    #[test]
    fn nodes_are_counted_and_named_and_those_that_are_played_are_called_that() {
        let (real, played) = (node("a", false), node("b", true));
        assert_eq!(said_of(std::slice::from_ref(&real)), "1 node: a");
        let all = "1 node: b; kwok plays all of them, so that no kubelet was started";
        assert_eq!(said_of(std::slice::from_ref(&played)), all);
        assert_eq!(said_of(&[real, played]), "2 nodes: a, b; kwok plays 1 of them: b");
        let many: Vec<Value> = (0..10).map(|n| node(&format!("n{n}"), false)).collect();
        assert_eq!(said_of(&many), "10 nodes: n0, n1, n2, n3, n4, n5, n6, n7, and 2 more");
    }
}

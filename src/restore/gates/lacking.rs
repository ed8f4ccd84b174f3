//! What a cluster lacks of what a plan waits for: a drill asks before it changes anything there.
//!
//! In: a plan resolved on a cluster as it is. Out: what can never hold there, a line for each step. Invariant: nothing is changed;
//! what the plan itself makes is not missed, and what could not be looked at may be there.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

use super::{
    Waiting, object,
    rollout::{condition, text},
};
use crate::{
    Result,
    cluster::{Answer, Cluster, Discovery, ListOptions, Selector},
    model::{Content, Item, ItemKey},
    plan::{Gate, ResolvedPlan, Verb},
};

/// cert-manager's controller: what its chart and its manifests label it with.
const CONTROLLER: [(&str, &str); 2] =
    [("app.kubernetes.io/name", "cert-manager"), ("app.kubernetes.io/component", "controller")];

/// What the cluster has besides the objects that are waited for. What could not be looked at is none.
struct Ground {
    nodes: Option<usize>,
    /// Whether cert-manager's controller is there, or the plan brings it.
    cert_manager: Option<bool>,
}

/// What is seen of an object.
enum Seen {
    There(Value),
    /// The plan makes it.
    Made,
    Absent,
    Unknown,
}

/// What the plan would wait for in vain, a line for each step that would.
///
/// # Errors
/// When the API server does not say what it serves.
pub(crate) async fn lacking(cluster: &Cluster, plan: &ResolvedPlan) -> Result<Vec<String>> {
    let none = Duration::ZERO;
    let waiting = Waiting { cluster, timeout: none, poll: none, event: &|_| () };
    let mut discovery = cluster.discover().await?;
    let acts = plan.steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts);
    let acts = acts.filter(|act| act.verb != Verb::Delete);
    let made: BTreeSet<&ItemKey> = acts.clone().map(|act| &act.key).collect();
    let brings = acts.filter_map(|act| act.item.as_ref()).any(is_controller);
    let count = |listed: Answer<Vec<Value>>| listed.ok().map(|found| found.len());
    let controllers = count(list(cluster, &discovery, "apps", "deployments", Some(labels())).await);
    let ground = Ground {
        nodes: count(list(cluster, &discovery, "", "nodes", None).await),
        cert_manager: if brings { Some(true) } else { controllers.map(|found| found > 0) },
    };
    let mut lines = Vec::new();
    for step in &plan.steps {
        let mut lacks = Vec::new();
        for gate in &step.gates {
            let seen = match object(gate) {
                Some(key) => waiting.see(&key, &made, &mut discovery).await,
                None => Seen::Unknown,
            };
            lacks.extend(lack(gate, &seen, &ground).map(|why| format!("{gate}: {why}")));
        }
        let more = lacks.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!(", and {more} more") };
        lines.extend(lacks.first().map(|first| format!("step `{}`: {first}{more}", step.id)));
    }
    Ok(lines)
}

/// Why it can never hold, where it cannot.
fn lack(gate: &Gate, seen: &Seen, ground: &Ground) -> Option<String> {
    if matches!(gate, Gate::Established(_)) {
        return matches!(seen, Seen::Absent).then(|| "it does not exist, and no step makes it".into());
    }
    if ground.nodes == Some(0) {
        return Some("the cluster has no node, and nothing runs there".into());
    }
    match (gate, seen) {
        (_, Seen::Absent) => Some("it does not exist, and no step makes it".into()),
        (Gate::HelmChart { .. }, Seen::There(chart)) if text(&chart["status"]["jobName"]).is_empty() => {
            Some("helm-controller has never installed it; is that running?".into())
        }
        (Gate::Ready(_), Seen::There(live)) if condition(live, "Ready").is_some() => None,
        (Gate::Ready(_), Seen::There(_) | Seen::Made) if ground.cert_manager == Some(false) => {
            let [(name, is), (part, of)] = CONTROLLER;
            Some(format!(
                "no cert-manager is there to look at it (a Deployment labelled {name}={is},{part}={of})"
            ))
        }
        _ => None,
    }
}

impl Waiting<'_> {
    async fn see(&self, key: &ItemKey, made: &BTreeSet<&ItemKey>, discovery: &mut Discovery) -> Seen {
        let live = self.read(key, discovery).await;
        let served = match key {
            ItemKey::Resource { group, plural, .. } => discovery.find(group, plural).is_some(),
            ItemKey::Release { .. } | ItemKey::File { .. } => true,
        };
        match live {
            Ok(Some(live)) => Seen::There(live),
            _ if made.contains(key) => Seen::Made,
            Ok(None) => Seen::Absent,
            Err(_) if !served => Seen::Absent,
            Err(_) => Seen::Unknown,
        }
    }
}

fn is_controller(item: &Item) -> bool {
    let Content::Resource(json) = &item.content else { return false };
    let labels = || json.value()["metadata"]["labels"].clone();
    item.key.is_kind("apps", "deployments")
        && CONTROLLER.iter().all(|(name, is)| labels()[name].as_str() == Some(is))
}

fn labels() -> String {
    CONTROLLER.map(|(name, is)| format!("{name}={is}")).join(",")
}

async fn list(
    cluster: &Cluster,
    discovery: &Discovery,
    group: &str,
    plural: &str,
    labels: Option<String>,
) -> Answer<Vec<Value>> {
    let Some(kind) = discovery.find(group, plural) else { return Ok(Vec::new()) };
    let selector = Selector { labels, fields: None };
    cluster.list_all(kind, &ListOptions { namespace: None, selector, metadata_only: true }).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ground(nodes: usize, cert_manager: bool) -> Ground {
        Ground { nodes: Some(nodes), cert_manager: Some(cert_manager) }
    }

    fn key(group: &str, plural: &str) -> ItemKey {
        ItemKey::resource(group, plural, Some("a"), "b")
    }

    #[test]
    fn a_chart_that_nobody_installs_is_not_waited_for() {
        let gate =
            Gate::HelmChart { chart: key("helm.cattle.io", "helmcharts"), changed: true, replaces: None };
        let of = |seen: &Seen| lack(&gate, seen, &ground(1, false));
        assert!(of(&Seen::Absent).unwrap().contains("does not exist"));
        assert!(of(&Seen::There(json!({}))).unwrap().contains("helm-controller has never"));
        assert_eq!(of(&Seen::There(json!({"status": {"jobName": "helm-install-b"}}))), None);
        assert_eq!(of(&Seen::Unknown), None, "it may be there");
    }

    #[test]
    fn what_cert_manager_must_look_at_needs_a_cert_manager() {
        let gate = Gate::Ready(key("cert-manager.io", "certificates"));
        let of = |seen: &Seen, is_there| lack(&gate, seen, &ground(1, is_there));
        for seen in [Seen::Made, Seen::There(json!({}))] {
            assert!(of(&seen, false).unwrap().contains("no cert-manager is there"));
            assert_eq!(of(&seen, true), None);
        }
        let looked_at = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
        assert_eq!(of(&Seen::There(looked_at), false), None, "somebody looks at them, under whatever label");
        let unseen = Ground { nodes: None, cert_manager: None };
        assert_eq!(lack(&gate, &Seen::Made, &unseen), None);
    }

    #[test]
    fn without_a_node_nothing_is_waited_for_but_definitions() {
        let made = Seen::Made;
        for gate in [Gate::Nodes, Gate::RolledOut(key("apps", "deployments"))] {
            assert!(lack(&gate, &made, &ground(0, true)).unwrap().contains("no node"));
            assert_eq!(lack(&gate, &made, &ground(1, true)), None);
        }
        assert_eq!(lack(&Gate::Established("a.b".into()), &made, &ground(0, true)), None);
        assert!(lack(&Gate::Established("a.b".into()), &Seen::Absent, &ground(1, true)).is_some());
    }
}

//! Rollouts that would never end: pods that hold ports of their nodes, and no node that has room for one more.
//!
//! In: a Deployment as it is and as it is wanted, the nodes. Out: whether its strategy waits for a node that is not there;
//! the same Deployment rolled one pod at a time. Invariant: pure; where it cannot be told, it counts as crowded, for one
//! pod at a time always gets through.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Resolver, judge};
use crate::{
    model::{Component, Content, Item, Json},
    plan::{Act, Action, Batch, RestorePlan, Step, StepSpec, Verb, Wait},
};

const SLOWLY: &str =
    "no node is free for its host ports: one pod at a time, its own strategy after the rollout";

impl Resolver<'_> {
    /// Acts of a step, such that no rollout of theirs waits for ever. What a Deployment's own strategy is comes back when
    /// the rollout was waited for.
    pub(super) fn uncrowd(&mut self, plan: &RestorePlan, spec: &StepSpec, acts: Vec<Act>) -> Vec<Act> {
        let Some(component) = spec.action.component() else { return acts };
        let mut now = Vec::with_capacity(acts.len());
        for mut act in acts {
            let Some(gently) = self.gently(&act) else {
                now.push(act);
                continue;
            };
            if !is_waited_for(plan, spec, component) {
                self.warnings.push(format!(
                    "{}: no node is free for its host ports, so its rollout waits for one until somebody deletes an old \
                     pod; a later step `wait: {{rollout: {{component: {component}}}}}` has netdr see to it",
                    act.key
                ));
                now.push(act);
                continue;
            }
            act.remarks.push(SLOWLY.into());
            let rolls = Some(gently.sha256()) != act.live_sha256; // or an interrupted run has written it
            if rolls {
                let back = Act {
                    seen: None, // known by its content: what this run will have written
                    live_sha256: Some(gently.sha256()),
                    live: None,
                    remarks: vec!["its own strategy again".into()],
                    ..act.clone()
                };
                act.item = Some(gently);
                now.push(act);
                self.strategies.push((component, back));
            } else {
                self.strategies.push((component, act));
            }
        }
        now
    }

    /// The step that follows the wait for a component's rollout: the strategies that were held back.
    pub(super) fn strategies(&mut self, waited: &StepSpec) -> Option<Step> {
        let Action::Wait(Wait::Rollout { component }) = waited.action else { return None };
        let (ours, others) =
            std::mem::take(&mut self.strategies).into_iter().partition(|(c, _)| *c == component);
        self.strategies = others;
        let acts: Vec<Act> = ours.into_iter().map(|(_, act): (Component, Act)| act).collect();
        (!acts.is_empty()).then(|| Step {
            id: format!("{}-strategy", waited.id),
            title: "Strategies of what was rolled one pod at a time".into(),
            action: "apply",
            question: None,
            command: None,
            batches: vec![Batch { note: "when their rollout is done", acts }],
            gates: Vec::new(),
            looks: Vec::new(),
            timeout_s: waited.timeout.as_secs(),
        })
    }

    /// The act's Deployment rolled one pod at a time, where its own strategy would deadlock.
    fn gently(&self, act: &Act) -> Option<Item> {
        if act.verb != Verb::Replace || !act.key.is_kind("apps", "deployments") {
            return None;
        }
        let item = act.item.as_ref()?;
        let (mut wanted, live) = (item.json()?.value(), judge::resource(act.live.as_ref()?));
        crowded(&wanted, &live, self.nodes).then(|| {
            wanted["spec"]["strategy"] =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
            Item { content: Content::Resource(Json::new(&wanted)), ..item.clone() }
        })
    }
}

fn is_waited_for(plan: &RestorePlan, spec: &StepSpec, component: Component) -> bool {
    let later = plan.steps.iter().skip_while(|step| step.id != spec.id);
    later.into_iter().any(|step| step.action == Action::Wait(Wait::Rollout { component }))
}

/// Whether a rollout from `live` to `wanted` would wait for a node that is not there: its strategy takes no old pod away
/// before a new one is ready, new ones need ports that old ones hold, and there are no more nodes than old pods.
pub(crate) fn crowded(wanted: &Value, live: &Value, nodes: &[Value]) -> bool {
    let replicas = |deployment: &Value| deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let (old, pod) = (replicas(live), &wanted["spec"]["template"]["spec"]);
    let nodes = nodes.iter().filter(|node| takes(node, pod)).count() as u64;
    waits_for_new(&wanted["spec"]["strategy"], replicas(wanted))
        && share_ports(pod, &live["spec"]["template"]["spec"])
        && old > 0
        && nodes <= old
}

/// Whether no old pod may go before a new one is ready (apps/v1 RollingUpdateDeployment: a share of pods that may be
/// unavailable is rounded down, 25 % where none is given).
fn waits_for_new(strategy: &Value, replicas: u64) -> bool {
    if strategy["type"] == "Recreate" {
        return false;
    }
    let unavailable = match &strategy["rollingUpdate"]["maxUnavailable"] {
        Value::String(share) => {
            share.trim_end_matches('%').parse::<u64>().map_or(0, |percent| replicas * percent / 100)
        }
        Value::Null => replicas * 25 / 100,
        number => number.as_u64().unwrap_or(0),
    };
    unavailable == 0
}

/// Whether two pods cannot be on one node. What a pod on the host's network listens on it need not declare.
fn share_ports(one: &Value, other: &Value) -> bool {
    let on_host = |pod: &Value| pod["hostNetwork"] == true;
    on_host(one) && on_host(other) || !host_ports(one).is_disjoint(&host_ports(other))
}

fn host_ports(pod: &Value) -> BTreeSet<(u64, &str)> {
    let containers = pod["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|container| container["ports"].as_array().into_iter().flatten());
    let on_host = pod["hostNetwork"] == true;
    let number =
        |port: &Value| port["hostPort"].as_u64().or(port["containerPort"].as_u64().filter(|_| on_host));
    ports.filter_map(|port| Some((number(port)?, port["protocol"].as_str().unwrap_or("TCP")))).collect()
}

/// Whether a node takes pods like this one: ready, open, with the labels it asks for and no taint it does not bear.
/// Affinity is not looked at.
fn takes(node: &Value, pod: &Value) -> bool {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let ready =
        list(&node["status"]["conditions"]).iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
    let mut wanted = pod["nodeSelector"].as_object().into_iter().flatten();
    let labelled = wanted.all(|(name, value)| node["metadata"]["labels"][name] == *value);
    let tolerations = list(&pod["tolerations"]);
    let borne = |taint: &Value| {
        taint["effect"] == "PreferNoSchedule"
            || tolerations.iter().any(|toleration| tolerates(toleration, taint))
    };
    ready
        && node["spec"]["unschedulable"] != true
        && labelled
        && list(&node["spec"]["taints"]).iter().all(borne)
}

/// core/v1 Toleration: an empty key with `Exists` bears everything, no effect every effect.
fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let exists = toleration["operator"] == "Exists";
    let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
    (effect.is_empty() || taint["effect"] == effect)
        && (taint["key"] == key || key.is_empty() && exists)
        && (exists || text(&toleration["value"]) == text(&taint["value"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(replicas: u64, strategy: Value, pod: Value) -> Value {
        json!({"spec": {"replicas": replicas, "strategy": strategy, "template": {"spec": pod}}})
    }

    fn on_host() -> Value {
        json!({"hostNetwork": true, "containers": [{"ports": [{"containerPort": 443}]}]})
    }

    fn node(more: Value) -> Value {
        let mut node = json!({"metadata": {"labels": {"edge": "yes"}}, "spec": {},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        for (part, value) in more.as_object().into_iter().flatten() {
            node[part] = value.clone();
        }
        node
    }

    fn surge() -> Value {
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
    }

    #[test]
    fn as_many_nodes_as_pods_leave_no_room_for_one_more() {
        let nodes = [(); 3].map(|()| node(json!({})));
        let stuck = |replicas: u64| {
            let one = deployment(replicas, surge(), on_host());
            crowded(&one, &one, &nodes)
        };
        assert_eq!([0, 1, 2, 3, 4].map(stuck), [false, false, false, true, true]);
        let cannot_be_told = deployment(1, surge(), on_host());
        assert!(crowded(&cannot_be_told, &cannot_be_told, &[]));
    }

    #[test]
    fn only_nodes_that_take_the_pod_count() {
        let mut pod = on_host();
        pod["nodeSelector"] = json!({"edge": "yes"});
        pod["tolerations"] = json!([{"key": "edge", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "team", "value": "a"}]);
        let taint = |key: &str, value: &str, effect: &str| {
            node(json!({"spec": {"taints": [{"key": key, "value": value, "effect": effect}]}}))
        };
        for (spare, counts) in [
            (node(json!({})), true),
            (taint("edge", "x", "NoSchedule"), true),
            (taint("team", "a", "NoExecute"), true),
            (taint("other", "", "PreferNoSchedule"), true),
            (taint("edge", "x", "NoExecute"), false),
            (taint("team", "b", "NoExecute"), false),
            (node(json!({"metadata": {"labels": {}}})), false),
            (node(json!({"spec": {"unschedulable": true}})), false),
            (node(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})), false),
        ] {
            let one = deployment(1, surge(), pod.clone());
            assert_eq!(crowded(&one, &one, &[node(json!({})), spare.clone()]), !counts, "{spare}");
        }
    }

    #[test]
    fn a_strategy_that_lets_an_old_pod_go_first_does_not_wait() {
        let rolling =
            |unavailable: Value| json!({"rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": 1}});
        for (strategy, replicas, waits) in [
            (surge(), 2, true),
            (Value::Null, 3, true),  // 25 % of 3, rounded down
            (Value::Null, 4, false), // 25 % of 4
            (rolling(json!("34%")), 2, true),
            (rolling(json!("50%")), 2, false),
            (rolling(json!(1)), 2, false),
            (json!({"type": "Recreate"}), 2, false),
        ] {
            assert_eq!(waits_for_new(&strategy, replicas), waits, "{strategy} {replicas}");
        }
    }

    #[test]
    fn pods_are_in_each_others_way_by_the_ports_of_their_node() {
        let pod = |port: Value| json!({"containers": [{"ports": [port]}]});
        let https = pod(json!({"containerPort": 8443, "hostPort": 443}));
        assert!(share_ports(&https, &https));
        assert!(share_ports(&https, &on_host()));
        assert!(!share_ports(
            &https,
            &pod(json!({"containerPort": 8443, "hostPort": 443, "protocol": "UDP"}))
        ));
        assert!(!share_ports(&https, &pod(json!({"containerPort": 443}))));
        assert!(share_ports(&json!({"hostNetwork": true}), &json!({"hostNetwork": true})));
    }
}

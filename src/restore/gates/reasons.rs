//! Why a workload is not ready: what its conditions, its pods and the events about it say.
//!
//! In: a workload, its pods, warnings of its namespace. Out: short lines, the cause first. Invariant: pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rollout::{condition, text};

/// More than this many lines hide the cause instead of naming it.
const LINES: usize = 6;

/// What is wrong, each line once.
pub(super) fn reasons(name: &str, workload: &Value, pods: &[Value], events: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = conditions(workload).collect();
    let mut waiting = BTreeSet::new();
    for pod in pods {
        waiting.extend(pod_reason(pod));
    }
    lines.extend(waiting);
    // ReplicaSets and pods carry their workload's name in front of their own.
    let mut about: Vec<&Value> = events
        .iter()
        .filter(|event| {
            let object = text(&event["involvedObject"]["name"]);
            object == name || object.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
        })
        .collect();
    about.sort_by_key(|event| std::cmp::Reverse(text(&event["lastTimestamp"])));
    for event in about {
        let line = format!("{}: {}", text(&event["reason"]), text(&event["message"]));
        if !lines.iter().any(|known| known.contains(text(&event["message"]))) {
            lines.push(line);
        }
    }
    lines.truncate(LINES);
    lines
}

fn conditions(workload: &Value) -> impl Iterator<Item = String> {
    let failing = [("ReplicaFailure", "True"), ("Progressing", "False")];
    let found = failing.into_iter().filter_map(|(name, bad)| {
        let condition = condition(workload, name).filter(|condition| condition["status"] == bad)?;
        Some(format!("{}: {}", text(&condition["reason"]), text(&condition["message"])))
    });
    found.collect::<Vec<_>>().into_iter()
}

/// The first thing that keeps a pod from being ready.
fn pod_reason(pod: &Value) -> Option<String> {
    if condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True") {
        return None;
    }
    if let Some(unscheduled) = condition(pod, "PodScheduled").filter(|c| c["status"] == "False") {
        return Some(format!("{}: {}", text(&unscheduled["reason"]), text(&unscheduled["message"])));
    }
    let statuses = ["initContainerStatuses", "containerStatuses"].into_iter();
    let mut containers = statuses.flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    containers.find_map(|container| {
        let waiting = container["state"].get("waiting")?;
        let message = text(&waiting["message"]);
        let reason = format!("container {} is {}", text(&container["name"]), text(&waiting["reason"]));
        Some(if message.is_empty() { reason } else { format!("{reason}: {message}") })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cause_is_named_once_and_foreign_events_are_not() {
        let workload = json!({"status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "forbidden: no account"},
            {"type": "Progressing", "status": "True"}]}});
        let pending = json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes have free ports"}]}});
        let pulling = json!({"status": {"containerStatuses": [
            {"name": "traefik", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no route"}}}]}});
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let event = |object: &str, message: &str| json!({"involvedObject": {"name": object}, "reason": "FailedCreate", "message": message});
        let lines = reasons(
            "traefik",
            &workload,
            &[pending.clone(), pending, pulling, ready],
            &[
                event("traefik-7d9", "forbidden: no account"),
                event("traefik-7d9-abc", "quota is used up"),
                event("traefiker", "something else"),
            ],
        );
        assert_eq!(
            lines,
            [
                "FailedCreate: forbidden: no account",
                "Unschedulable: 0/3 nodes have free ports",
                "container traefik is ImagePullBackOff: no route",
                "FailedCreate: quota is used up",
            ]
        );
    }
}

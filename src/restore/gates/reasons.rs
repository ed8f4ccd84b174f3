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
    // ReplicaSets and pods carry their workload's name in front of their own; what was said of a workload of the same
    // name before this one was made is not about it. Why a pod is not scheduled, its condition says already.
    let born = text(&workload["metadata"]["creationTimestamp"]);
    let mut about: Vec<&Value> = events
        .iter()
        .filter(|event| {
            let object = text(&event["involvedObject"]["name"]);
            let ours = object == name || object.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
            ours && event["reason"] != "FailedScheduling" && when(event) >= born
        })
        .collect();
    about.sort_by_key(|event| std::cmp::Reverse(when(event)));
    let mut reasons = BTreeSet::new();
    for event in about.into_iter().filter(|event| reasons.insert(text(&event["reason"]))) {
        let (reason, message) = (text(&event["reason"]), text(&event["message"]));
        if !lines.iter().any(|known| known.contains(message)) {
            lines.push(format!("{reason}: {message}"));
        }
    }
    lines.truncate(LINES);
    lines
}

/// When an event was last seen, as the server writes times: they sort as text.
fn when(event: &Value) -> &str {
    let times = [&event["lastTimestamp"], &event["eventTime"], &event["metadata"]["creationTimestamp"]];
    times.into_iter().find_map(Value::as_str).unwrap_or_default()
}

fn conditions(workload: &Value) -> impl Iterator<Item = String> {
    let failing = [("ReplicaFailure", "True"), ("Progressing", "False")];
    let found = failing.into_iter().filter_map(|(name, bad)| {
        let condition = condition(workload, name).filter(|condition| condition["status"] == bad)?;
        Some(format!("{}: {}", text(&condition["reason"]), text(&condition["message"])))
    });
    found.collect::<Vec<_>>().into_iter()
}

/// Whether a pod takes traffic.
pub(crate) fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// The first thing that keeps a pod from being ready.
pub(crate) fn pod_reason(pod: &Value) -> Option<String> {
    if is_ready(pod) {
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
        let workload = json!({"metadata": {"creationTimestamp": "2026-11-24T03:00:00Z"}, "status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "forbidden: no account"},
            {"type": "Progressing", "status": "True"}]}});
        let pending = json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes have free ports"}]}});
        let pulling = json!({"status": {"containerStatuses": [
            {"name": "traefik", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no route"}}}]}});
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let event = |object: &str, reason: &str, time: &str, message: &str| json!({"involvedObject": {"name": object}, "reason": reason, "message": message, "lastTimestamp": time});
        let lines = reasons(
            "traefik",
            &workload,
            &[pending.clone(), pending, pulling, ready],
            &[
                event("traefik-7d9", "FailedCreate", "2026-11-24T03:00:09Z", "forbidden: no account"),
                event("traefik-7d9-abc", "FailedMount", "2026-11-24T03:00:01Z", "no secret a"),
                event("traefik-7d9-abc", "FailedMount", "2026-11-24T03:00:02Z", "no secret b"),
                event("traefik-7d9-abc", "BackOff", "2026-11-23T00:00:00Z", "of the one before"),
                event("traefiker", "BackOff", "2026-11-24T03:00:02Z", "something else"),
            ],
        );
        assert_eq!(
            lines,
            [
                "FailedCreate: forbidden: no account",
                "Unschedulable: 0/3 nodes have free ports",
                "container traefik is ImagePullBackOff: no route",
                "FailedMount: no secret b",
            ]
        );
    }
}

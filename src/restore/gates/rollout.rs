//! Whether a workload is rolled out, by the rules of `kubectl rollout status` (kubectl pkg/polymorphichelpers,
//! rollout_status.go), and whether a CustomResourceDefinition is served.
//!
//! In: a live object. Out: it is, or what is missing in words. Invariant: pure.

use serde_json::Value;

/// Whether the workload's newest generation runs everywhere and is available.
pub(crate) fn rolled_out(plural: &str, live: &Value) -> Result<(), String> {
    let status = |field: &str| live["status"][field].as_u64().unwrap_or(0);
    let generation = live["metadata"]["generation"].as_u64().unwrap_or(0);
    if status("observedGeneration") < generation {
        return Err("its controller has not seen the new generation yet".into());
    }
    let updated = if plural == "daemonsets" { "updatedNumberScheduled" } else { "updatedReplicas" };
    let [available, replicas] = available(plural, live);
    let strategy = &live["spec"]["updateStrategy"];
    // Pods below a partition, and under OnDelete all of them, keep their old revision on purpose.
    let kept_old = match (strategy["type"].as_str(), strategy["rollingUpdate"]["partition"].as_u64()) {
        (Some("OnDelete"), _) => replicas,
        (_, Some(partition)) => partition.min(replicas),
        _ => 0,
    };
    if status(updated) < replicas - kept_old {
        return Err(format!("{} of {} pods are of the new revision", status(updated), replicas - kept_old));
    }
    if plural == "deployments" && status("replicas") > status(updated) {
        return Err(format!("{} pods of the old revision still run", status("replicas") - status(updated)));
    }
    if available < replicas {
        return Err(format!("{available} of {replicas} pods are available"));
    }
    Ok(())
}

/// How many pods of a workload are available, and how many it wants.
pub(crate) fn available(plural: &str, live: &Value) -> [u64; 2] {
    let status = |field: &str| live["status"][field].as_u64().unwrap_or(0);
    match plural {
        "daemonsets" => [status("numberAvailable"), status("desiredNumberScheduled")],
        _ => [status("availableReplicas"), live["spec"]["replicas"].as_u64().unwrap_or(1)],
    }
}

/// Whether the API server has taken the definition's names and serves it.
pub(super) fn established(live: &Value) -> Result<(), String> {
    match condition(live, "Established") {
        Some(condition) if condition["status"] == "True" => Ok(()),
        _ => match condition(live, "NamesAccepted").filter(|c| c["status"] == "False") {
            Some(refused) => Err(format!("its names are not accepted: {}", text(&refused["message"]))),
            None => Err("it is not established yet".into()),
        },
    }
}

/// A condition of an object's status.
pub(crate) fn condition<'a>(live: &'a Value, name: &str) -> Option<&'a Value> {
    live["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

/// The label selector of a workload's pods.
pub(crate) fn selector(live: &Value) -> Option<String> {
    let labels = live["spec"]["selector"]["matchLabels"].as_object()?;
    let pairs = labels.iter().map(|(name, value)| format!("{name}={}", text(value)));
    Some(pairs.collect::<Vec<_>>().join(","))
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deployment_is_out_when_the_new_pods_are_available_and_the_old_are_gone() {
        let deployment = |observed: u64, replicas: u64, updated: u64, available: u64| {
            let live = json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {
                "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
                "availableReplicas": available}});
            rolled_out("deployments", &live).err().unwrap_or_default()
        };
        assert_eq!(deployment(2, 2, 2, 2), "");
        assert!(deployment(1, 2, 2, 2).contains("generation"));
        assert_eq!(deployment(2, 3, 1, 3), "1 of 2 pods are of the new revision");
        assert_eq!(deployment(2, 3, 2, 3), "1 pods of the old revision still run");
        assert_eq!(deployment(2, 2, 2, 1), "1 of 2 pods are available");
        assert_eq!(rolled_out("deployments", &json!({})).unwrap_err(), "0 of 1 pods are of the new revision");
        assert_eq!(rolled_out("deployments", &json!({"spec": {"replicas": 0}})), Ok(()));
    }

    #[test]
    fn a_daemon_set_counts_nodes() {
        let daemon_set = |updated: u64, available: u64| {
            let live = json!({"status": {"desiredNumberScheduled": 3, "updatedNumberScheduled": updated,
                "numberAvailable": available}});
            rolled_out("daemonsets", &live)
        };
        assert_eq!(daemon_set(3, 3), Ok(()));
        assert!(daemon_set(2, 3).is_err());
        assert!(daemon_set(3, 2).is_err());
    }

    #[test]
    fn a_partition_keeps_old_pods_on_purpose() {
        let live = json!({"spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
            "status": {"updatedReplicas": 1, "availableReplicas": 3}});
        assert_eq!(rolled_out("statefulsets", &live), Ok(()));
    }

    #[test]
    fn a_definition_whose_names_collide_says_so() {
        let refused = json!({"status": {"conditions": [
            {"type": "NamesAccepted", "status": "False", "message": "taken by x"}, {"type": "Established", "status": "False"}]}});
        assert_eq!(established(&refused).unwrap_err(), "its names are not accepted: taken by x");
        assert_eq!(
            established(&json!({"status": {"conditions": [{"type": "Established", "status": "True"}]}})),
            Ok(())
        );
        assert!(established(&json!({})).is_err());
    }
}

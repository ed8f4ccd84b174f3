//! Which node announces a Service in layer 2.
//!
//! In: MetalLB's ServiceL2Status objects, which came with 0.14.9, or the events of its speakers. Out: nodes. Invariant: pure.

use serde_json::Value;

use super::{ASSIGNED, L2_STATUSES};
use crate::{check::Reading, model::ItemKey};

/// The nodes that say they announce it: one, but for the moment in which it moves.
pub(super) fn nodes<'a>(reading: &'a Reading, service: &ItemKey) -> Vec<&'a str> {
    let of_service = |namespace: &Value, name: &Value| {
        namespace.as_str() == service.namespace() && name.as_str() == Some(service.name())
    };
    let statuses = reading.objects(L2_STATUSES).iter().map(|object| &object["status"]);
    let said: Vec<&str> = statuses
        .filter(|status| of_service(&status["serviceNamespace"], &status["serviceName"]))
        .filter_map(|status| status["node"].as_str())
        .collect();
    if !said.is_empty() {
        return said;
    }
    let events = reading.objects(ASSIGNED).iter().filter(|event| {
        let object = &event["involvedObject"];
        object["kind"] == "Service" && of_service(&object["namespace"], &object["name"])
    });
    events.max_by_key(|event| when(event)).and_then(by).into_iter().collect()
}

/// `announcing from node "n1" with protocol "layer2"` (speaker/main.go).
fn by(event: &Value) -> Option<&str> {
    let message = event["message"].as_str()?;
    let (node, rest) = message.strip_prefix("announcing from node \"")?.split_once('"')?;
    // Before 0.13 there was no protocol in it.
    (!rest.contains("bgp")).then_some(node)
}

/// As the server writes times: they sort as text.
fn when(event: &Value) -> &str {
    ["lastTimestamp", "eventTime", "firstTimestamp"]
        .into_iter()
        .find_map(|field| event[field].as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(node: &str, time: &str, protocol: &str) -> Value {
        json!({"involvedObject": {"kind": "Service", "namespace": "edge", "name": "web"}, "lastTimestamp": time,
            "message": format!("announcing from node \"{node}\" with protocol \"{protocol}\"")})
    }

    #[test]
    fn a_status_counts_before_the_last_event() {
        let service = ItemKey::resource("", "services", Some("edge"), "web");
        let events = vec![
            event("n1", "2026-11-24T01:00:02Z", "layer2"),
            event("n2", "2026-11-24T01:00:01Z", "layer2"),
        ];
        let reading = Reading::of([(ASSIGNED, events.clone()), (L2_STATUSES, vec![])]);
        assert_eq!(nodes(&reading, &service), ["n1"]);
        let status =
            |name: &str| json!({"status": {"node": "n3", "serviceNamespace": "edge", "serviceName": name}});
        let reading = Reading::of([(ASSIGNED, events), (L2_STATUSES, vec![status("web"), status("other")])]);
        assert_eq!(nodes(&reading, &service), ["n3"]);
        let other = ItemKey::resource("", "services", Some("x"), "web");
        assert!(nodes(&reading, &other).is_empty());
    }

    #[test]
    fn what_bgp_announces_is_announced_by_no_single_node() {
        let reading = Reading::of([(ASSIGNED, vec![event("n1", "2026-11-24T01:00:02Z", "bgp")])]);
        assert!(nodes(&reading, &ItemKey::resource("", "services", Some("edge"), "web")).is_empty());
    }
}

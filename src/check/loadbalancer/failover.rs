//! What a failover test would do, decided before anything is done.
//!
//! In: what was read. Out: the node whose speaker goes, and the Services that must move; or why there is nothing to test.
//! Invariant: pure; nothing is planned that could not be put back, or would leave an address with no node at all.

use serde_json::Value;

use super::{
    L2_STATUSES, MetalLb, NODES, Off, Service, TAINT, announced,
    services::{self, list},
};
use crate::{
    check::{Check, Reading},
    model::ItemKey,
    restore::{nodes_ready, selector},
};

pub(super) const NAME: &str = "loadbalancer failover";

/// A test of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Whose speaker goes.
    pub node: String,
    /// The DaemonSet of the speakers.
    pub speakers: ItemKey,
    /// What the node announces, and another must.
    pub services: Vec<Service>,
    /// Of the speakers' pods.
    pub(super) labels: Option<String>,
}

/// Plans the test of the node that announces this Service (`namespace/name`), or the first that is announced.
///
/// # Errors
/// A check that says why there is nothing to test, or that it would be dangerous.
pub fn plan(reading: &Reading, service: Option<&str>) -> Result<Planned, Box<Check>> {
    let unknown = |why: String, next: &str| Box::new(Check::unknown(NAME, why, next));
    let metal_lb = MetalLb::find(reading).map_err(|off| match off {
        Off::Unread(check) => Box::new(Check { name: NAME.into(), ..*check }),
        Off::Disabled(why) => Box::new(Check::not_applicable(NAME, why)),
    })?;
    let none =
        || unknown("there is no speaker, so no node announces anything".into(), "netdr check loadbalancer");
    let (speakers, live) = metal_lb.speakers.ok_or_else(none)?;
    let template = &live["spec"]["template"]["spec"];
    if list(&template["tolerations"]).any(tolerates) {
        let why = format!("{speakers} tolerates every taint: its pod cannot be kept from a node");
        return Err(unknown(why, &super::describe(&speakers)));
    }
    let ready =
        reading.objects(NODES).iter().filter(|node| nodes_ready(std::slice::from_ref(*node)).is_ok()).count();
    let available = live["status"]["numberAvailable"].as_u64().unwrap_or(0);
    if ready.min(usize::try_from(available).unwrap_or(usize::MAX)) < 2 {
        let why =
            format!("{available} speakers are available on {ready} ready nodes: no other could take over");
        return Err(unknown(why, &super::describe(&speakers)));
    }
    let named = |key: &ItemKey| format!("{}/{}", key.namespace().unwrap_or_default(), key.name());
    let announced =
        |wanted: &Service| announced::nodes(reading, &wanted.key).first().map(|node| (*node).to_owned());
    let all: Vec<Service> =
        services::of_metal_lb(reading).filter(|service| !service.addresses.is_empty()).collect();
    let mut candidates =
        all.iter().filter(|candidate| service.is_none_or(|service| service == named(&candidate.key)));
    let Some(node) = candidates.find_map(announced) else {
        let which = service.map_or_else(|| "any Service".into(), |service| format!("Service {service}"));
        let why = format!("no node says that it announces {which} in layer 2");
        let old = !reading.has(L2_STATUSES) && reading.unread(NAME, &[L2_STATUSES]).is_empty();
        return Err(if old {
            let why = why
                + ": before MetalLB 0.14.9, which brought ServiceL2Status, only events nodeAssigned tell, and the API \
                   server keeps these for an hour; speakers that start announce anew, addresses may move to another node";
            let namespace = speakers.namespace().unwrap_or_default();
            let next = format!("kubectl -n {namespace} rollout restart daemonset {}", speakers.name());
            unknown(why, &next)
        } else {
            unknown(why + " (ServiceL2Status)", "kubectl get servicel2statuses.metallb.io -A")
        });
    };
    let services = all.into_iter().filter(|service| announced(service).as_deref() == Some(&node)).collect();
    Ok(Planned { labels: selector(live), node, speakers, services })
}

/// Whether it tolerates a taint that nobody has heard of (Kubernetes docs, "Taints and Tolerations").
fn tolerates(toleration: &Value) -> bool {
    let text = |field: &str| toleration[field].as_str().unwrap_or_default();
    matches!(text("effect"), "" | "NoSchedule") && (text("key") == TAINT || text("key").is_empty())
}

/// Of the nodes those that an unfinished test keeps their speaker from.
pub(super) fn tainted(nodes: &[Value]) -> impl Iterator<Item = &str> {
    let tainted = nodes.iter().filter(|node| is_tainted(node));
    tainted.filter_map(|node| node["metadata"]["name"].as_str())
}

pub(super) fn is_tainted(node: &Value) -> bool {
    list(&node["spec"]["taints"]).any(|taint| taint["key"] == TAINT)
}

/// A node's taints with ours among them, or without it.
pub(super) fn taints(node: &Value, with: bool) -> Vec<Value> {
    let others = list(&node["spec"]["taints"]).filter(|taint| taint["key"] != TAINT).cloned();
    // NoSchedule ends no pod: what runs there stays, but for the speaker that is deleted.
    let ours = with.then(|| serde_json::json!({"key": TAINT, "effect": "NoSchedule"}));
    others.chain(ours).collect()
}

/// Of the Services those that another node announces by now, and by which.
pub(super) fn moved<'a>(planned: &'a Planned, reading: &'a Reading) -> Vec<(&'a Service, &'a str)> {
    let other = |service: &'a Service| {
        let nodes = announced::nodes(reading, &service.key);
        Some((service, nodes.into_iter().find(|node| *node != planned.node)?))
    };
    planned.services.iter().filter_map(other).collect()
}

//! The CNI: is Canal rolled out, do the nodes have a network, and do pods of different nodes reach each other?
//!
//! In: what was read of a cluster, and what probe pods answered. Out: a check of each. Invariant: judging is pure; a
//! connection that nobody told of is neither made nor refused.

mod answers;
mod pods;
mod probing;

pub use answers::{Answers, Told};
pub use pods::{ACCOUNT, NAMESPACE};
pub use probing::{Probe, Swept, Whose, sweep};

use serde_json::Value;

use super::{
    Check, Reading, Source,
    Status::{Alert, Warn},
    addresses::Range,
    pods_of,
};
use crate::{
    model::ItemKey,
    restore::{is_played, nodes_ready, rolled_out},
};

const NODES: Source = Source::all("", "nodes");
const IP_POOLS: Source = Source::all("crd.projectcalico.org", "ippools");
/// Canal's DaemonSet, whatever its release is called.
const CANAL: Source = Source::all("apps", "daemonsets").labels("k8s-app=canal");
/// What its release rendered: the network that flannel knows.
const CONFIG: Source = Source::all("", "configmaps").fields("metadata.name=rke2-canal-config");
/// The Service of CoreDNS, which keeps the label of kube-dns.
const DNS: Source = Source::all("", "services").labels("k8s-app=kube-dns");
/// What is read.
pub const SOURCES: [Source; 5] = [NODES, IP_POOLS, CANAL, CONFIG, DNS];

const RESTORE: &str = "netdr restore --scenario cni --dry-run";
const GET_NODES: &str = "kubectl get nodes -o wide";

/// Judges what stands in the API server.
pub fn judge(reading: &Reading) -> Vec<Check> {
    let mut checks = reading.unread("cni", &SOURCES);
    if reading.has(CANAL) {
        checks.push(canal(reading.objects(CANAL)));
    }
    if reading.has(NODES) {
        let nodes = reading.objects(NODES);
        let check = Check::ok("cni nodes", nodes.len(), "every node is ready and has a network");
        checks.push(match nodes_ready(nodes) {
            Ok(()) => check,
            Err(why) => check.found(Alert, why, GET_NODES),
        });
        if reading.has(CONFIG) {
            checks.push(networks(nodes, network(reading), reading.objects(IP_POOLS)));
        }
    }
    checks
}

fn canal(found: &[Value]) -> Check {
    let check = |value: Value| Check::ok("cni canal", value, "its DaemonSet is rolled out");
    let Some(daemon_set) = found.first() else {
        return check(Value::Null).found(Alert, "there is no DaemonSet with label k8s-app=canal", RESTORE);
    };
    let text = |field: &str| daemon_set["metadata"][field].as_str();
    let pods = |field: &str| daemon_set["status"][field].as_u64().unwrap_or(0);
    let check = check(
        format!("{} of {} pods available", pods("numberAvailable"), pods("desiredNumberScheduled")).into(),
    );
    if pods("desiredNumberScheduled") == 0 {
        return check.found(Alert, "it runs on no node", RESTORE);
    }
    match rolled_out("daemonsets", daemon_set) {
        Ok(()) => check,
        Err(why) => {
            let key =
                ItemKey::resource("apps", "daemonsets", text("namespace"), text("name").unwrap_or_default());
            check.found(Alert, why, pods_of(&key, daemon_set))
        }
    }
}

/// `Network` of flannel's configuration; of two families the one of IPv6 stands beside it.
fn network(reading: &Reading) -> Vec<Range> {
    let config =
        reading.objects(CONFIG).iter().find(|config| config["metadata"]["namespace"] == "kube-system");
    let text = config.and_then(|config| config["data"]["net-conf.json"].as_str());
    let network: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let ranges = ["Network", "IPv6Network"].into_iter().filter_map(|field| network[field].as_str());
    ranges.filter_map(Range::parse).collect()
}

/// Whether each node's pods have addresses that flannel routes and Calico knows, and no other node's.
fn networks(nodes: &[Value], network: Vec<Range>, pools: &[Value]) -> Check {
    const NEXT: &str = "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.spec.podCIDRs";
    let ranges: Vec<(&str, &str, Option<Range>)> = nodes.iter().flat_map(pod_ranges).collect();
    let threshold = "each node's is its own, and within flannel's network and an IPPool";
    let mut check = Check::ok("cni pod networks", ranges.len(), threshold);
    if network.is_empty() {
        let next = "kubectl -n kube-system get configmap rke2-canal-config -o yaml";
        return Check::unknown("cni pod networks", "rke2-canal-config names no network of flannel's", next);
    }
    for node in nodes.iter().filter(|node| pod_ranges(node).next().is_none()) {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        check = check.found(Alert, format!("{name} has no pod CIDR: no pod on it gets an address"), NEXT);
    }
    let pools: Vec<Range> =
        pools.iter().filter(|pool| pool["spec"]["disabled"] != true).filter_map(pool).collect();
    for (number, (node, text, range)) in ranges.iter().enumerate() {
        let Some(range) = range else {
            check = check.found(Alert, format!("{node} has pod CIDR {text}, which is none"), NEXT);
            continue;
        };
        if !network.iter().any(|network| network.contains(range)) {
            check =
                check.found(Alert, format!("{node} has pod CIDR {text}, outside of flannel's network"), NEXT);
        }
        // Without pools Calico is not asked for addresses nor for NAT.
        if pools.iter().any(|pool| pool.is_v4() == range.is_v4())
            && !pools.iter().any(|pool| pool.contains(range))
        {
            let next = "kubectl get ippools.crd.projectcalico.org -o yaml";
            check = check.found(Warn, format!("{node} has pod CIDR {text}, which no IPPool holds"), next);
        }
        for (other, theirs, _) in
            ranges[..number].iter().filter(|(.., other)| other.is_some_and(|o| o.meets(range)))
        {
            check =
                check.found(Alert, format!("pod CIDR {text} of {node} overlaps {theirs} of {other}"), NEXT);
        }
    }
    check
}

fn pod_ranges(node: &Value) -> impl Iterator<Item = (&str, &str, Option<Range>)> {
    let name = node["metadata"]["name"].as_str().unwrap_or_default();
    let ranges = node["spec"]["podCIDRs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ranges.map(move |text| (name, text, Range::parse(text)))
}

fn pool(pool: &Value) -> Option<Range> {
    Range::parse(pool["spec"]["cidr"].as_str()?)
}

/// Where the cluster's own DNS answers.
pub fn dns(reading: &Reading) -> Option<std::net::SocketAddr> {
    let service =
        reading.objects(DNS).iter().find(|service| service["metadata"]["namespace"] == "kube-system")?;
    Some((service["spec"]["clusterIP"].as_str()?.parse::<std::net::IpAddr>().ok()?, 53).into())
}

/// The nodes on which a pod can be started, and why it cannot on the others.
pub fn nodes(reading: &Reading) -> (Vec<String>, Vec<String>) {
    let (mut real, mut left_out) = (Vec::new(), Vec::new());
    for node in reading.objects(NODES) {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        if is_played(node) {
            left_out.push(format!("{name} is played by kwok: nothing answers there"));
        } else if let Err(why) = nodes_ready(std::slice::from_ref(node)) {
            left_out.push(format!("no pod is started on {why}"));
        } else {
            real.push(name.to_owned());
        }
    }
    (real, left_out)
}

#[cfg(test)]
mod tests;

//! Whoever is denied egress by default may ask for names.
//!
//! Where a name server is among addresses (an ipBlock) is not looked at: it counts as allowed.

use serde_json::{Value, json};

use super::{
    Finding, Pod, Rule,
    Severity::{Alert, Warn},
    World, selector,
    world::{Direction, list},
};

/// Where the cluster's name servers run; RKE2's CoreDNS keeps the label of kube-dns.
const NAMESPACE: &str = "kube-system";
const LABEL: (&str, &str) = ("k8s-app", "kube-dns");
/// Pods that are named.
const SHOWN: usize = 3;

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let judged = world.namespaces.keys().filter(|name| *name != NAMESPACE && !world.exempt.contains(*name));
    judged.filter_map(|name| finding(world, name)).collect()
}

fn finding(world: &World, namespace: &str) -> Option<Finding> {
    let servers = servers(world);
    // Of a namespace without pods the next one is judged that comes, whatever its labels.
    let next = [Pod { name: "a pod without labels".into(), labels: json!({}), on_host: false }];
    let pods = world.pods_of(namespace);
    let none = pods.is_empty();
    let pods = if none { &next } else { pods };
    let without = |protocol: &str| -> Vec<&str> {
        let cut =
            pods.iter().filter(|pod| !pod.on_host && is_cut_off(world, namespace, pod, protocol, &servers));
        cut.map(|pod| pod.name.as_str()).collect()
    };
    let (udp, tcp) = (without("UDP"), without("TCP"));
    let (pods, severity, protocol, effect) = match (udp.is_empty(), tcp.is_empty()) {
        (false, _) => (udp, Alert, "UDP", "they resolve no name"),
        (true, false) => (tcp, Warn, "TCP", "answers that do not fit into a datagram do not reach them"),
        (true, true) => return None,
    };
    // Calico's own policies add to these, and may allow it.
    let allows =
        |policy: &Value| Direction::Egress.rules(policy).iter().any(|rule| rule["action"] == "Allow");
    let maybe = world.calico.iter().find(|(_, policy)| allows(policy));
    let doubt = maybe.map(|(key, _)| format!("; unless {key} lets them, which netdr does not evaluate"));
    let more = if pods.len() > SHOWN { format!(" and {} more", pods.len() - SHOWN) } else { String::new() };
    Some(Finding {
        rule: Rule::Dns,
        severity: if doubt.is_some() || none { Warn } else { severity },
        object: format!("namespaces {namespace}"),
        what: format!("no way to {protocol} port 53"),
        why: format!(
            "egress of {}{more} is denied by default and no policy allows port 53 of the name servers ({NAMESPACE}, \
             {}={}) by {protocol}: {effect}{}",
            pods[..pods.len().min(SHOWN)].join(", "),
            LABEL.0,
            LABEL.1,
            doubt.unwrap_or_default()
        ),
        next: format!("kubectl get networkpolicies -n {namespace} -o yaml"),
    })
}

/// The labels of the name servers; those that they have as a rule where none is there.
fn servers(world: &World) -> Vec<Value> {
    let usual = json!({LABEL.0: LABEL.1, "app.kubernetes.io/name": "rke2-coredns"});
    let there = world.pods_of(NAMESPACE).iter().filter(|pod| pod.labels[LABEL.0] == LABEL.1);
    let there: Vec<Value> = there.map(|pod| pod.labels.clone()).collect();
    if there.is_empty() { vec![usual] } else { there }
}

fn is_cut_off(world: &World, namespace: &str, pod: &Pod, protocol: &str, servers: &[Value]) -> bool {
    let selecting = |policy: &&Value| {
        Direction::Egress.is_isolated_by(policy)
            && selector::selects(&policy["spec"]["podSelector"], &pod.labels)
    };
    let mut policies = world.policies_of(namespace).filter(selecting).peekable();
    policies.peek().is_some()
        && !policies.flat_map(|policy| Direction::Egress.rules(policy)).any(|rule| {
            let (peers, ports) = (Direction::Egress.peers(rule), list(&rule["ports"]));
            (ports.is_empty() || ports.iter().any(|port| is_dns(port, protocol)))
                && (peers.is_empty() || peers.iter().any(|peer| reaches(world, peer, namespace, servers)))
        })
}

fn is_dns(port: &Value, protocol: &str) -> bool {
    let number = match (&port["port"], port["endPort"].as_u64()) {
        (Value::Null, _) => true,
        (Value::String(name), _) => name.starts_with("dns"),
        (first, Some(last)) => first.as_u64().is_some_and(|first| (first..=last).contains(&53)),
        (first, None) => *first == 53,
    };
    number && port["protocol"].as_str().unwrap_or("TCP") == protocol
}

fn reaches(world: &World, peer: &Value, own: &str, servers: &[Value]) -> bool {
    peer["ipBlock"].is_object()
        || world.namespaces_of(peer, own).contains(&NAMESPACE)
            && servers.iter().any(|labels| selector::selects(&peer["podSelector"], labels))
}

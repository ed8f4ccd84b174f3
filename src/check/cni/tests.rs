use serde_json::json;

use super::*;
use crate::check::Status::{self, Ok, Unknown};

fn node(name: &str, pods: &[&str]) -> Value {
    json!({"metadata": {"name": name}, "spec": {"podCIDRs": pods},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

fn daemon_set(wanted: u64, available: u64) -> Value {
    json!({"metadata": {"name": "rke2-canal", "namespace": "kube-system", "generation": 1}, "status": {
        "observedGeneration": 1, "desiredNumberScheduled": wanted, "updatedNumberScheduled": wanted,
        "numberAvailable": available}})
}

fn config(network: &str) -> Value {
    json!({"metadata": {"namespace": "kube-system"}, "data": {"net-conf.json": network}})
}

const NETWORK: &str = r#"{"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan"}}"#;

fn reading(nodes: &[Value], pools: &[Value]) -> Reading {
    Reading::of([
        (NODES, nodes.to_vec()),
        (IP_POOLS, pools.to_vec()),
        (CANAL, vec![daemon_set(2, 2)]),
        (CONFIG, vec![config(NETWORK)]),
        (DNS, vec![]),
    ])
}

fn found(reading: &Reading, name: &str) -> (Status, Vec<String>) {
    let check = judge(reading).into_iter().find(|check| check.name == name).unwrap();
    assert!(check.status == Ok || check.next.is_some(), "{check:?}");
    (check.status, check.why)
}

#[test]
fn a_sound_cluster_is_ok() {
    let pool = json!({"spec": {"cidr": "10.42.0.0/16"}});
    let sound = reading(&[node("a", &["10.42.0.0/24"]), node("b", &["10.42.1.0/24"])], &[pool]);
    let checks = judge(&sound);
    assert_eq!(
        checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>(),
        ["cni canal", "cni nodes", "cni pod networks"]
    );
    assert!(checks.iter().all(|check| check.status == Ok), "{checks:#?}");
}

#[test]
fn canal_is_there_and_rolled_out_or_it_is_an_alert() {
    assert_eq!(canal(&[]).status, Alert);
    assert_eq!(canal(&[daemon_set(3, 2)]).why, ["2 of 3 pods are available"]);
    assert_eq!(canal(&[daemon_set(0, 0)]).status, Alert, "of no pod none is missing");
}

#[test]
fn pod_networks_are_their_nodes_own_and_routed() {
    const NAME: &str = "cni pod networks";
    let pool = |cidr: &str| json!({"spec": {"cidr": cidr}});
    let whole = [pool("10.42.0.0/16")];
    let of = |nodes: &[Value], pools: &[Value]| found(&reading(nodes, pools), NAME);
    let (status, why) = of(&[node("a", &["10.42.0.0/24"]), node("b", &["10.42.0.128/25"])], &whole);
    assert_eq!(
        (status, why),
        (Alert, vec!["pod CIDR 10.42.0.128/25 of b overlaps 10.42.0.0/24 of a".into()])
    );
    let (status, why) = of(&[node("a", &["10.99.0.0/24"])], &[]);
    assert_eq!(
        (status, why),
        (Alert, vec!["a has pod CIDR 10.99.0.0/24, outside of flannel's network".into()])
    );
    assert_eq!(of(&[node("a", &[])], &whole).0, Alert);
    let (status, why) = of(&[node("a", &["10.42.0.0/24"])], &[pool("10.42.128.0/17")]);
    assert_eq!((status, why), (Warn, vec!["a has pod CIDR 10.42.0.0/24, which no IPPool holds".into()]));
    assert_eq!(of(&[node("a", &["10.42.0.0/24"])], &[]).0, Ok, "Canal needs no pool");
    let disabled = json!({"spec": {"cidr": "10.42.128.0/17", "disabled": true}});
    assert_eq!(of(&[node("a", &["10.42.0.0/24"])], &[disabled]).0, Ok);
}

#[test]
fn what_is_not_known_of_the_network_is_unknown() {
    let nodes = vec![node("a", &["10.42.0.0/24"])];
    let no_config = Reading::of([(NODES, nodes.clone()), (CONFIG, vec![]), (CANAL, vec![daemon_set(1, 1)])]);
    assert_eq!(found(&no_config, "cni pod networks").0, Unknown);
    let dead = reading(&nodes, &[]).without(CANAL, "403");
    assert_eq!(found(&dead, "cni daemonsets.apps").0, Unknown);
    assert!(judge(&dead).iter().all(|check| check.name != "cni canal"), "it is not said to be missing");
}

#[test]
fn only_real_nodes_that_are_ready_get_a_pod() {
    let mut played = node("p", &[]);
    played["metadata"]["annotations"] = json!({"kwok.x-k8s.io/node": "fake"});
    let mut down = node("d", &[]);
    down["status"]["conditions"][0]["status"] = "Unknown".into();
    let mut cordoned = node("c", &[]);
    cordoned["spec"]["unschedulable"] = true.into();
    let (real, left_out) = nodes(&reading(&[played, down, cordoned], &[]));
    assert_eq!(real, ["c"], "it has a network, too");
    assert!(left_out[0].contains("kwok") && left_out[1].contains("d: Ready is Unknown"), "{left_out:?}");
}

#[test]
fn dns_is_where_its_service_is() {
    let service =
        |namespace: &str, ip: &str| json!({"metadata": {"namespace": namespace}, "spec": {"clusterIP": ip}});
    let of = |services: Vec<Value>| dns(&Reading::of([(DNS, services)]));
    let both = of(vec![service("x", "10.43.0.9"), service("kube-system", "10.43.0.10")]);
    assert_eq!(both, Some("10.43.0.10:53".parse().unwrap()));
    assert_eq!(of(vec![service("kube-system", "None")]), None);
}

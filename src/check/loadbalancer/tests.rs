use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::check::Status::{self, NotApplicable, Ok, Unknown, Warn};

fn labels(component: &str) -> Value {
    json!({"app": "metallb", "component": component})
}

fn controller(replicas: u64) -> Value {
    json!({"metadata": {"name": "controller", "namespace": "metallb-system", "labels": labels("controller")},
        "spec": {"replicas": replicas}, "status": {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": replicas}})
}

fn speakers(available: u64) -> Value {
    json!({"metadata": {"name": "metallb-speaker", "namespace": "metallb-system", "labels":
            {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "speaker"}},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"tolerations": [
            {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}]}}},
        "status": {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": available}})
}

fn node(name: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
}

fn pool(name: &str, addresses: &[&str]) -> Value {
    json!({"metadata": {"name": name, "namespace": "metallb-system"}, "spec": {"addresses": addresses}})
}

fn service(name: &str, address: Option<&str>) -> Value {
    let ingress: Vec<Value> = address.iter().map(|ip| json!({"ip": ip})).collect();
    json!({"metadata": {"name": name, "namespace": "edge"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 443}, {"port": 53, "protocol": "UDP"}]},
        "status": {"loadBalancer": {"ingress": ingress}}})
}

fn announces(node: &str, name: &str) -> Value {
    json!({"status": {"node": node, "serviceName": name, "serviceNamespace": "edge"}})
}

/// A sound load balancer, but for what is put in its place.
fn reading(other: impl IntoIterator<Item = (Source, Vec<Value>)>) -> Reading {
    let mut found = BTreeMap::from([
        (DEPLOYMENTS, vec![controller(1)]),
        (DAEMON_SETS, vec![speakers(3)]),
        (NODES, vec![node("n1"), node("n2"), node("n3")]),
        (SERVICES, vec![service("web", Some("10.25.10.31"))]),
        (POOLS, vec![pool("default", &["10.25.10.30-10.25.10.35"])]),
        (L2_ADVERTISEMENTS, vec![json!({"spec": {"ipAddressPools": ["default"]}})]),
        (BGP_ADVERTISEMENTS, vec![]),
        (L2_STATUSES, vec![announces("n2", "web")]),
        (ASSIGNED, vec![]),
    ]);
    found.extend(other);
    Reading::of(found)
}

fn found(reading: &Reading, name: &str) -> (Status, String) {
    let checks = judge(reading, &Asked::new());
    let check =
        checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name}: {checks:#?}"));
    assert!(!check.status.is_crossed() || check.next.is_some(), "{check:?}");
    (check.status, check.why.join("; "))
}

const POOL: &str = "loadbalancer ipaddresspools.metallb.io metallb-system/default";
const WEB: &str = "loadbalancer services edge/web";

#[test]
fn a_sound_load_balancer_is_ok_throughout() {
    let checks = judge(&reading([]), &Asked::new());
    assert_eq!(checks.len(), 4);
    assert!(checks.iter().all(|check| check.status == Ok), "{checks:#?}");
    assert_eq!(addresses(&reading([])), ["10.25.10.31:443".parse().unwrap()], "UDP answers to nobody");
}

#[test]
fn where_metallb_is_absent_or_disabled_nothing_is_ok() {
    let idle = vec![service("web", None)];
    let absent = Reading::of([(DEPLOYMENTS, vec![]), (DAEMON_SETS, vec![]), (SERVICES, idle.clone())]);
    let scaled = reading([(DEPLOYMENTS, vec![controller(0)]), (SERVICES, idle)]);
    for reading in [absent, scaled] {
        let checks = judge(&reading, &Asked::new());
        assert_eq!(
            checks.iter().map(|check| check.status).collect::<Vec<_>>(),
            [NotApplicable],
            "{checks:#?}"
        );
        assert!(checks[0].why[1].contains("edge/web has no address"), "{checks:#?}");
        assert!(addresses(&reading).is_empty());
        assert_eq!(plan(&reading, None).unwrap_err().status, NotApplicable);
    }
    // But somebody relies on it.
    let used = reading([(DEPLOYMENTS, vec![controller(0)])]);
    assert_eq!(found(&used, "loadbalancer metallb").0, Alert);
    // Another load balancer's address is not its concern.
    let other =
        reading([(DEPLOYMENTS, vec![controller(0)]), (SERVICES, vec![service("web", Some("192.0.2.7"))])]);
    assert_eq!(found(&other, "loadbalancer metallb").0, NotApplicable);
}

#[test]
fn with_one_half_gone_it_is_broken_and_not_disabled() {
    let silent = reading([(DAEMON_SETS, vec![])]);
    let (status, why) = found(&silent, "loadbalancer speakers");
    assert!(status == Alert && why.ends_with("addresses are not announced"), "{why}");
    assert_eq!(found(&silent, "loadbalancer controller").0, Ok);
    assert_eq!(addresses(&silent).len(), 1, "whether they answer all the same is asked");
    assert_eq!(plan(&silent, None).unwrap_err().status, Unknown);
    // Whether a Service has an address yet or not, and whoever there is.
    for services in [vec![service("web", None)], vec![]] {
        let idle = reading([(DAEMON_SETS, vec![]), (SERVICES, services)]);
        assert_eq!(found(&idle, "loadbalancer speakers").0, Alert);
    }
    let headless = reading([(DEPLOYMENTS, vec![])]);
    let (status, why) = found(&headless, "loadbalancer controller");
    assert!(status == Alert && why.ends_with("no Service gets an address"), "{why}");
    // Scaled to 0 it is disabled, whatever became of its speakers.
    let seed = reading([
        (DEPLOYMENTS, vec![controller(0)]),
        (DAEMON_SETS, vec![]),
        (SERVICES, vec![service("web", None)]),
    ]);
    assert_eq!(found(&seed, "loadbalancer metallb").0, NotApplicable);
}

#[test]
fn what_could_not_be_read_is_unknown_and_never_absent() {
    let dead = reading([]).without(DEPLOYMENTS, "403");
    let checks = judge(&dead, &Asked::new());
    assert_eq!(checks.iter().map(|check| check.status).collect::<Vec<_>>(), [Unknown], "{checks:#?}");
    // Of which pool an address is, nobody knows; without the kind there is none.
    let without = reading([]).without(POOLS, "403");
    assert_eq!(found(&without, "loadbalancer ipaddresspools.metallb.io").0, Unknown);
    assert_eq!(found(&without, WEB).0, Ok);
    let kinds = [DEPLOYMENTS, DAEMON_SETS, NODES, SERVICES];
    let unserved = Reading::of(kinds.map(|kind| (kind, reading([]).objects(kind).to_vec())));
    assert_eq!(found(&unserved, WEB).0, Alert);
}

#[test]
fn pods_that_are_missing_are_an_alert() {
    let (status, why) = found(&reading([(DAEMON_SETS, vec![speakers(2)])]), "loadbalancer speakers");
    assert_eq!((status, why.as_str()), (Alert, "2 of 3 pods are available: addresses are not announced"));
}

#[test]
fn a_pool_has_addresses_left_and_none_of_another() {
    let full = |waiting: bool| {
        let mut services = vec![service("web", Some("10.25.10.31")), service("shared", Some("10.25.10.31"))];
        services.extend(waiting.then(|| service("late", None)));
        reading([(POOLS, vec![pool("default", &["10.25.10.31/32"])]), (SERVICES, services)])
    };
    assert_eq!(found(&full(false), POOL).0, Warn);
    assert_eq!(found(&full(true), POOL).0, Alert);
    let two = reading([(
        POOLS,
        vec![pool("a", &["10.25.10.0/24"]), pool("default", &["10.25.10.30-10.25.10.35"])],
    )]);
    let (status, why) = found(&two, POOL);
    assert_eq!(status, Alert);
    assert!(why.contains("its 10.25.10.30-10.25.10.35 overlaps 10.25.10.0/24 of a"), "{why}");
    assert_eq!(found(&reading([(POOLS, vec![])]), "loadbalancer pools").0, Alert);
    assert_eq!(found(&reading([(POOLS, vec![pool("default", &["10.25.10.30"])])]), POOL).0, Alert);
    assert_eq!(
        found(&reading([(POOLS, vec![pool("default", &[])])]), POOL),
        (Alert, "it has no range of addresses".into())
    );
    let silent = reading([(L2_ADVERTISEMENTS, vec![json!({"spec": {"ipAddressPools": ["other"]}})])]);
    assert_eq!(found(&silent, POOL).0, Warn);
    assert_eq!(found(&reading([(L2_ADVERTISEMENTS, vec![json!({})])]), POOL).0, Ok, "it is about all pools");
}

#[test]
fn a_service_has_an_address_of_a_pool_that_is_announced_and_answers() {
    assert_eq!(
        found(&reading([(SERVICES, vec![service("web", None)])]), WEB),
        (Alert, "it has no address".into())
    );
    assert_eq!(found(&reading([(SERVICES, vec![service("web", Some("192.0.2.7"))])]), WEB).0, Alert);
    assert_eq!(found(&reading([(L2_STATUSES, vec![])]), WEB).0, Warn);
    let by_bgp = reading([(L2_STATUSES, vec![]), (BGP_ADVERTISEMENTS, vec![json!({})])]);
    assert_eq!(found(&by_bgp, WEB).0, Ok);
    let asked = Asked::from([("10.25.10.31:443".parse().unwrap(), Err("nobody answers".into()))]);
    let check = judge(&reading([]), &asked).into_iter().find(|check| check.name == WEB).unwrap();
    assert_eq!((check.status, check.why), (Alert, vec!["10.25.10.31:443: nobody answers".to_owned()]));
    let none = judge(&reading([(SERVICES, vec![])]), &Asked::new());
    assert_eq!(none.last().unwrap().status, NotApplicable);
    let mut other = service("web", None);
    other["spec"]["loadBalancerClass"] = "io.cilium/node".into();
    assert_eq!(
        judge(&reading([(SERVICES, vec![other])]), &Asked::new()).last().unwrap().status,
        NotApplicable
    );
}

#[test]
fn a_failover_is_of_the_node_that_announces_with_all_that_it_announces() {
    let services = ["web", "mail", "dns"].map(|name| service(name, Some("10.25.10.31"))).to_vec();
    let statuses = vec![announces("n2", "web"), announces("n1", "mail"), announces("n2", "dns")];
    let three = reading([(SERVICES, services), (L2_STATUSES, statuses)]);
    let names =
        |planned: &Planned| planned.services.iter().map(|s| s.key.name().to_owned()).collect::<Vec<_>>();
    let planned = plan(&three, None).unwrap();
    assert_eq!((planned.node.as_str(), names(&planned)), ("n2", vec!["web".to_owned(), "dns".into()]));
    let planned = plan(&three, Some("edge/mail")).unwrap();
    assert_eq!((planned.node.as_str(), names(&planned)), ("n1", vec!["mail".to_owned()]));
    assert_eq!(planned.labels.as_deref(), Some("a=b"));
    assert_eq!(plan(&three, Some("edge/none")).unwrap_err().status, Unknown);
    // It has moved when another node says so, whatever the first one's last word was.
    let moved = |statuses: Vec<Value>| {
        let later = reading([(L2_STATUSES, statuses)]);
        failover::moved(&planned, &later).into_iter().map(|(_, node)| node.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(moved(vec![announces("n1", "mail")]), [""; 0]);
    assert_eq!(moved(vec![announces("n1", "mail"), announces("n3", "mail")]), ["n3"]);
}

#[test]
fn a_failover_is_over_when_another_node_announces_and_answers() {
    let mut local = service("web", Some("10.25.10.31"));
    local["spec"]["externalTrafficPolicy"] = "Local".into();
    let before = reading([(SERVICES, vec![local])]);
    let planned = plan(&before, None).unwrap();
    let socket = "10.25.10.31:443".parse().unwrap();
    let silent = Asked::from([(socket, Err("nobody answers".into()))]);
    let left = failing::still(&planned, &before, &silent);
    assert!(
        left[0].starts_with("no other node than n2 announces services edge/web (externalTrafficPolicy Local"),
        "{left:?}"
    );
    assert_eq!(left[1], "services edge/web at 10.25.10.31:443: nobody answers");
    let after = reading([(L2_STATUSES, vec![announces("n3", "web")])]);
    assert_eq!(failing::still(&planned, &after, &silent).len(), 1, "it is announced, and still silent");
    assert!(failing::still(&planned, &after, &Asked::from([(socket, Result::Ok(()))])).is_empty());
}

#[test]
fn a_failover_that_nobody_could_take_over_is_not_tested() {
    let why = |other: (Source, Vec<Value>)| {
        let check = plan(&reading([other]), None).unwrap_err();
        assert_eq!(check.status, Unknown, "{check:?}");
        check.why.join("; ")
    };
    assert!(why((NODES, vec![node("n1")])).contains("1 ready nodes"));
    assert!(why((DAEMON_SETS, vec![speakers(1)])).contains("1 speakers"));
    assert!(why((L2_STATUSES, vec![])).contains("no node says that it announces any Service"));
    // Before 0.14.9, an hour after anything happened.
    let kinds = [DEPLOYMENTS, DAEMON_SETS, NODES, SERVICES];
    let sound = reading([]);
    let quiet = Reading::of(kinds.map(|kind| (kind, sound.objects(kind).to_vec())));
    let check = plan(&quiet, None).unwrap_err();
    assert!(check.why[0].contains("keeps these for an hour"), "{check:?}");
    let next = "kubectl -n metallb-system rollout restart daemonset metallb-speaker";
    assert_eq!((check.status, check.next.as_deref()), (Unknown, Some(next)));
    let mut everywhere = speakers(3);
    everywhere["spec"]["template"]["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    assert!(why((DAEMON_SETS, vec![everywhere])).contains("tolerates every taint"));
}

#[test]
fn what_an_unfinished_test_has_left_is_said_and_taken_back_alone() {
    let mut left = node("n1");
    left["spec"]["taints"] = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    left["spec"]["taints"] = failover::taints(&left, true).into();
    assert_eq!(failover::taints(&left, true).len(), 2, "once");
    let (status, why) =
        found(&reading([(NODES, vec![left.clone(), node("n2")])]), "loadbalancer failover test");
    assert_eq!(status, Alert);
    assert!(why.ends_with("from n1"), "{why}");
    assert_eq!(failover::taints(&left, false), [json!({"key": "dedicated", "effect": "NoSchedule"})]);
    let absent = Reading::of([(DEPLOYMENTS, vec![]), (DAEMON_SETS, vec![]), (NODES, vec![left])]);
    assert_eq!(found(&absent, "loadbalancer failover test").0, Alert, "even where MetalLB is gone");
}

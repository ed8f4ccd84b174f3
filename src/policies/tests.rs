use serde_json::{Value, json};

use super::{Rule::*, Severity::*, *};
use crate::model::ItemKey;

/// A world of namespaces that deny by default and allow DNS, with one pod each.
fn world() -> World {
    let mut world = World { pods: Some(Default::default()), ..World::default() };
    for name in ["kube-system", "edge", "shop"] {
        let labels = json!({"kubernetes.io/metadata.name": name});
        world.namespaces.insert(name.into(), json!({"name": name, "labels": labels}));
    }
    for name in ["edge", "shop"] {
        world.policy(
            name,
            "default-deny-all",
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        );
        world.policy(name, "allow-dns", allow_dns(json!({}), &["UDP", "TCP"]));
        world.pod(name, "web", false);
    }
    world.pod("kube-system", "coredns", false);
    world.pods.as_mut().unwrap().get_mut("kube-system").unwrap()[0].labels = json!({"k8s-app": "kube-dns"});
    world
}

fn allow_dns(pods: Value, protocols: &[&str]) -> Value {
    let ports: Vec<Value> = protocols.iter().map(|name| json!({"protocol": name, "port": 53})).collect();
    json!({"podSelector": pods, "policyTypes": ["Egress"], "egress": [{"ports": ports, "to": [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
         "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}]}]})
}

impl World {
    fn policy(&mut self, namespace: &str, name: &str, spec: Value) {
        let key = ItemKey::resource("networking.k8s.io", "networkpolicies", Some(namespace), name);
        self.policies.retain(|(known, _)| *known != key);
        self.policies.push((key, json!({"spec": spec})));
    }

    fn forget(&mut self, namespace: &str, name: &str) {
        self.policies.retain(|(key, _)| (key.namespace(), key.name()) != (Some(namespace), name));
    }

    /// A pod whose label `app` is its name.
    fn pod(&mut self, namespace: &str, name: &str, on_host: bool) {
        let pod = Pod { name: name.into(), labels: json!({"app": name}), on_host };
        self.pods.as_mut().unwrap().entry(namespace.into()).or_default().push(pod);
    }

    fn calico(&mut self, plural: &str, namespace: Option<&str>, name: &str, spec: Value) {
        let key = ItemKey::resource("crd.projectcalico.org", plural, namespace, name);
        self.calico.push((key, json!({"spec": spec})));
    }
}

/// What is found, shortly.
fn found(world: &World) -> Vec<(Rule, Severity, String, String)> {
    let all = audit(world).into_iter();
    all.map(|finding| {
        assert!(finding.why.len() > 20 && !finding.next.is_empty(), "{finding:?}");
        let object = finding.object.replace("networkpolicies.networking.k8s.io ", "");
        (finding.rule, finding.severity, object, finding.what)
    })
    .collect()
}

#[track_caller]
fn finds(world: &World, wanted: &[(Rule, Severity, &str, &str)]) {
    let wanted: Vec<_> =
        wanted.iter().map(|(r, s, o, w)| (*r, *s, (*o).to_owned(), (*w).to_owned())).collect();
    assert_eq!(found(world), wanted);
}

#[test]
fn a_cluster_as_the_operations_guide_wants_it_is_in_order() {
    finds(&world(), &[]);
    finds(&World::default(), &[]);
}

#[test]
fn a_namespace_is_closed_in_both_directions_or_it_is_named() {
    let mut open = world();
    open.forget("shop", "default-deny-all");
    finds(&open, &[(DefaultDeny, Alert, "namespaces shop", "ingress is open")]); // egress is cut by allow-dns
    open.forget("shop", "allow-dns");
    finds(&open, &[(DefaultDeny, Alert, "namespaces shop", "ingress and egress is open")]);
    // Without policyTypes a policy is for ingress alone.
    open.policy("shop", "deny", json!({"podSelector": {}}));
    finds(&open, &[(DefaultDeny, Alert, "namespaces shop", "egress is open")]);
    // Some pods are not all of them.
    open.policy("shop", "deny", json!({"podSelector": {"matchLabels": {"app": "web"}}}));
    finds(&open, &[(DefaultDeny, Alert, "namespaces shop", "ingress and egress is open")]);
    open.pods.as_mut().unwrap().remove("shop");
    finds(&open, &[(DefaultDeny, Warn, "namespaces shop", "ingress and egress is open")]);
    open.exempt.insert("shop".into());
    finds(&open, &[]);
}

#[test]
fn calicos_policies_deny_for_all_that_they_are_about() {
    let mut world = world();
    world.forget("shop", "default-deny-all");
    let mut maybe = world.policies.clone();
    world.calico(
        "globalnetworkpolicies",
        None,
        "deny",
        json!({"selector": "all()", "types": ["Ingress", "Egress"]}),
    );
    finds(&world, &[]);
    let pass = json!([{"action": "Deny", "protocol": "TCP"}, {"action": "Pass"}]);
    world.calico[0].1 = json!({"spec": {"selector": "all()", "types": ["Ingress"], "ingress": pass}});
    finds(&world, &[(DefaultDeny, Alert, "namespaces shop", "ingress is open")]);
    std::mem::swap(&mut world.policies, &mut maybe);
    world.calico[0].1 = json!({"spec": {"selector": "tier == 'edge'", "types": ["Ingress"]}});
    finds(&world, &[(DefaultDeny, Warn, "namespaces shop", "ingress is open")]);
    assert!(audit(&world)[0].why.contains("globalnetworkpolicies.crd.projectcalico.org deny may"));
    // One of the namespace, and one of another.
    for (namespace, open) in [("shop", false), ("edge", true)] {
        world.calico.clear();
        let spec = json!({"selector": "all()", "types": ["Ingress"]});
        world.calico("networkpolicies", Some(namespace), "deny", spec);
        let wanted = [(DefaultDeny, Alert, "namespaces shop", "ingress is open")];
        finds(&world, if open { &wanted } else { &[] });
    }
}

#[test]
fn whoever_allows_everyone_is_named() {
    let web = json!({"matchLabels": {"app": "web"}});
    let everywhere = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}]);
    let but = json!([{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]);
    let pods = json!([{"namespaceSelector": {}}]);
    let port = |number: u16| json!([{"port": number}]);
    for (field, pods_of, rule, wanted) in [
        ("ingress", json!({}), json!({}), Some((Alert, "ingress of everyone"))),
        ("ingress", web.clone(), json!({"from": []}), Some((Alert, "ingress of everyone"))),
        ("egress", json!({}), json!({"to": everywhere}), Some((Alert, "egress of everyone"))),
        ("egress", json!({}), json!({"to": but}), None),
        ("ingress", json!({}), json!({"from": pods}), Some((Alert, "ingress of every pod of the cluster"))),
        ("ingress", json!({}), json!({"from": pods, "ports": port(80)}), None),
        ("ingress", web.clone(), json!({"ports": port(443)}), None), // an application that is there for everyone
        (
            "ingress",
            json!({}),
            json!({"ports": port(443)}),
            Some((Warn, "ingress of everyone, on some ports, of every pod")),
        ),
        ("egress", json!({}), json!({"ports": port(53)}), None), // any name server
    ] {
        let mut world = world();
        let types = if field == "ingress" { "Ingress" } else { "Egress" };
        world.policy("shop", "wide", json!({"podSelector": pods_of, "policyTypes": [types], field: [rule]}));
        let wanted: Vec<_> =
            wanted.into_iter().map(|(severity, what)| (AllowAll, severity, "shop/wide", what)).collect();
        finds(&world, &wanted);
    }
    let mut world = world();
    world.calico(
        "networkpolicies",
        Some("shop"),
        "wide",
        json!({"ingress": [{"action": "Allow", "source": {}}]}),
    );
    let object = "networkpolicies.crd.projectcalico.org shop/wide";
    finds(&world, &[(AllowAll, Alert, object, "ingress of everyone")]);
    world.calico[0].1 =
        json!({"spec": {"ingress": [{"action": "Allow", "source": {"nets": ["0.0.0.0/0"]}}]}});
    finds(&world, &[(AllowAll, Alert, object, "ingress of everyone")]);
    world.calico[0].1 =
        json!({"spec": {"ingress": [{"action": "Allow", "source": {"selector": "a"}}, {"action": "Deny"}]}});
    finds(&world, &[]);
}

#[test]
fn selectors_that_select_nothing_are_named_where_there_is_something_to_select() {
    let mut world = world();
    let lost = json!({"matchLabels": {"app": "lost"}});
    world.policy("shop", "dead", json!({"podSelector": lost, "policyTypes": ["Ingress"]}));
    finds(&world, &[(DeadSelector, Warn, "shop/dead", "no pod is app=lost")]);
    let from = |peer: Value| json!({"podSelector": {}, "ingress": [{"from": [peer]}]});
    world.policy("shop", "dead", from(json!({"namespaceSelector": {"matchLabels": {"tier": "edge"}}})));
    finds(&world, &[(DeadSelector, Warn, "shop/dead", "no namespace is tier=edge")]);
    let edge = json!({"matchLabels": {"kubernetes.io/metadata.name": "edge"}});
    world.policy("shop", "dead", from(json!({"namespaceSelector": edge, "podSelector": lost})));
    finds(&world, &[(DeadSelector, Warn, "shop/dead", "no pod is app=lost in edge")]);
    world.pods.as_mut().unwrap().remove("edge");
    finds(&world, &[]);
}

#[test]
fn pods_that_can_ask_no_name_server_are_named() {
    let mut world = world();
    world.forget("shop", "allow-dns");
    finds(&world, &[(Dns, Alert, "namespaces shop", "no way to UDP port 53")]);
    world.policy("shop", "allow-dns", allow_dns(json!({}), &["UDP"]));
    finds(&world, &[(Dns, Warn, "namespaces shop", "no way to TCP port 53")]);
    // It is allowed to one of two pods.
    world.pod("shop", "worker", false);
    world.policy("shop", "allow-dns", allow_dns(json!({"matchLabels": {"app": "web"}}), &["UDP", "TCP"]));
    finds(&world, &[(Dns, Alert, "namespaces shop", "no way to UDP port 53")]);
    assert!(audit(&world)[0].why.contains("egress of worker is denied"), "{:?}", audit(&world));
    // By another way: anything to kube-system, a range of ports, addresses.
    for rule in [
        json!({"to": [{"namespaceSelector": {}}]}),
        json!({"ports": [{"port": 1, "endPort": 1024, "protocol": "UDP"}, {"port": "dns-tcp"}]}),
        json!({"to": [{"ipBlock": {"cidr": "10.43.0.10/32"}}]}),
    ] {
        let spec = json!({"podSelector": {"matchLabels": {"app": "worker"}}, "policyTypes": ["Egress"], "egress": [rule]});
        world.policy("shop", "worker", spec);
        assert!(found(&world).iter().all(|(rule, ..)| *rule != Dns), "{:?}", found(&world));
    }
    // Of a namespace without pods the next one is meant.
    world.pods.as_mut().unwrap().remove("shop");
    world.forget("shop", "worker");
    finds(&world, &[(Dns, Warn, "namespaces shop", "no way to UDP port 53")]);
}

#[test]
fn an_allow_for_pods_on_the_hosts_network_does_not_come_about() {
    let mut world = world();
    let edge = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}});
    let allow =
        |peers: Value| json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": peers}]});
    world.policy("shop", "allow-ingress", allow(json!([edge])));
    finds(&world, &[]);
    world.pod("edge", "traefik", true);
    let what = |which: &str| format!("{which} pods it lets in from edge are on the host's network");
    finds(&world, &[(HostNetwork, Warn, "shop/allow-ingress", &what("some"))]);
    world.pods.as_mut().unwrap().get_mut("edge").unwrap().remove(0);
    finds(&world, &[(HostNetwork, Alert, "shop/allow-ingress", &what("all"))]);
    // Beside it, as it should be.
    world.policy("shop", "allow-nodes", allow(json!([{"ipBlock": {"cidr": "10.25.20.0/24"}}])));
    finds(&world, &[]);
    world.forget("shop", "allow-nodes");
    world.forget("shop", "allow-ingress");
    // A policy for such pods does nothing; one for all of a namespace is not meant for them alone.
    world.policy("edge", "traefik", json!({"podSelector": {"matchLabels": {"app": "traefik"}}}));
    finds(&world, &[(HostNetwork, Warn, "edge/traefik", "its pods are on the host's network")]);
}

#[test]
fn what_rke2_marked_and_does_not_make_again_is_there() {
    let mut world = world();
    world.namespaces.get_mut("kube-system").unwrap()["annotations"] =
        json!({"np.rke2.io": "resolved", "np.rke2.io/dns": "resolved", "np.rke2.iox": "no mark"});
    world.policy("kube-system", "default-network-policy", json!({"podSelector": {}}));
    finds(&world, &[(Rke2, Alert, "kube-system/default-network-dns-policy", "is gone")]);
}

#[test]
fn without_pods_only_what_needs_none_is_judged() {
    let mut world = world();
    world.pods = None;
    world.forget("shop", "allow-dns");
    world.policy("shop", "dead", json!({"podSelector": {"matchLabels": {"app": "lost"}}, "ingress": [{}]}));
    finds(&world, &[(AllowAll, Alert, "shop/dead", "ingress of everyone")]);
    assert_eq!(world.rules().collect::<Vec<_>>(), [DefaultDeny, AllowAll, Rke2]);
}

//! What netdr may not or cannot read: named, and never mistaken for nothing.

use std::path::Path;

use netdr::drill::Options;
use serde_json::Value;

use crate::support::{Home, fresh, shared};

/// What could not be read of a component, as `backup --json` says it.
fn failures<'a>(snapshot: &'a Value, component: &str) -> Vec<&'a str> {
    let components = snapshot["components"].as_array().unwrap();
    let component = components.iter().find(|c| c["name"] == component).unwrap();
    component["failures"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// The kinds of [`failures`], each once.
fn kinds(snapshot: &Value, component: &str) -> Vec<String> {
    let mut kinds: Vec<String> = failures(snapshot, component)
        .into_iter()
        .filter_map(|failure| Some(failure.split_once(": ")?.0.to_owned()))
        .collect();
    kinds.dedup();
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_rbac_forbids_make_the_snapshot_partial_and_are_named() {
    let kubeconfig = shared().await.kubeconfig_for("jane", None).unwrap();
    let home = Home::new().with_kubeconfig(&kubeconfig).with_repository().await;
    let backup = home.netdr(&["backup", "--json"]).await;
    for line in [
        "network: policies: networkpolicies.networking.k8s.io could not be read",
        "network: ingress: helm release could not be read",
        "certificates: certificates: secrets could not be read",
    ] {
        assert!(backup.stderr.contains(line), "{line}: {}", backup.stderr);
    }
    let document = backup.json(3);
    let [network, certificates] = &document["snapshots"].as_array().unwrap()[..] else {
        panic!("{document}")
    };
    assert_eq!(network["state"], "partial");
    assert_eq!(kinds(network, "policies"), ["networkpolicies.networking.k8s.io"]);
    assert_eq!(kinds(network, "ingress"), ["helm release", "secrets"]);
    assert_eq!(kinds(network, "cni"), ["helm release", "secrets"]);
    assert_eq!(kinds(certificates, "certificates"), ["helm release", "secrets"]);
    let why = failures(network, "policies")[0];
    assert!(why.contains("403") && why.contains("jane"), "{why}");

    // A partial snapshot holds what was read, says in clear what it lacks by kind alone, and `latest` passes it over.
    let show = home.netdr(&["show", network["id"].as_str().unwrap(), "--items", "--json"]).await.json(0);
    assert_eq!(show["state"], "partial");
    assert!(show["items"].as_array().unwrap().iter().any(|i| i["component"] == "loadbalancer"));
    let refusal = home.netdr(&["drift"]).await;
    assert!(refusal.stderr.contains("partial"), "{}", refusal.stderr);
    refusal.failed(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_api_group_is_a_failure_of_its_kinds_alone() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let dead = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/story/dead-group.yaml");
    home.run("kubectl", &["create", "-f", dead.to_str().unwrap()]).await.ok();
    let document = home.netdr(&["backup", "--set", "network", "--json"]).await.json(3);
    let network = &document["snapshots"][0];
    let dead = kinds(network, "ingress");
    assert!(dead.iter().all(|kind| kind.ends_with(".gateway.networking.k8s.io")), "{dead:?}");
    assert!(dead.contains(&"httproutes.gateway.networking.k8s.io".to_owned()), "{dead:?}");
    let why = failures(network, "ingress")[0];
    assert!(why.contains("kubectl get apiservices"), "{why}");
    for component in ["cni", "loadbalancer", "policies"] {
        assert_eq!(failures(network, component), [""; 0]);
    }
}

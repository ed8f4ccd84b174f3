//! The whole network deleted, and brought back in one run. Nodes and pods are kwok's; a task plays cert-manager's
//! controller, as far as it says of issuers and Certificates that they are ready, and a script plays systemctl.

use std::time::Duration;

use netdr::drill::{Options, cluster::host_root};
use serde_json::{Value, json};

use crate::support::{MARKER, NODE, Objects, Operator, corrupted, everything, fresh, says};

/// What is deleted of every namespace.
const GONE: &str = "ingresses.networking.k8s.io,ingressroutes.traefik.io,middlewares.traefik.io,tlsoptions.traefik.io,\
    tlsstores.traefik.io,certificates.cert-manager.io,ipaddresspools.metallb.io,l2advertisements.metallb.io,\
    bgppeers.metallb.io,networkpolicies.networking.k8s.io";
const READY: [&str; 3] =
    ["clusterissuers.cert-manager.io", "issuers.cert-manager.io", "certificates.cert-manager.io"];

/// Says that everything is ready, for ever.
pub(super) async fn play(objects: &Objects, operator: &Operator) {
    loop {
        for kind in READY {
            for object in objects.list(kind).await {
                let metadata = &object["metadata"];
                let conditions = object["status"]["conditions"].as_array();
                if conditions.is_some_and(|all| !all.is_empty()) {
                    continue;
                }
                let condition = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "played",
                    "lastTransitionTime": "2026-11-24T03:00:00Z", "observedGeneration": metadata["generation"]});
                let patch = json!({"status": {"conditions": [condition]}}).to_string();
                let name = metadata["name"].as_str().unwrap();
                let mut words =
                    vec!["patch", kind, name, "--subresource=status", "--type=merge", "-p", &patch];
                words.extend(metadata["namespace"].as_str().map(|_| "-n"));
                words.extend(metadata["namespace"].as_str());
                operator.home.run("kubectl", &words).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_network_comes_back_in_one_run() {
    let plane = fresh(Options { controllers: true, nodes: true, ..everything() }).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();
    home.netdr(&["backup", "--set", "all", "--host-root", "host"]).await.ok();

    home.run("kubectl", &["delete", GONE, "--all", "-A", "--wait=true"]).await.ok();
    for (kind, name) in [
        ("clusterissuers.cert-manager.io", "letsencrypt-cloudflare"),
        ("deployments.apps", "traefik/traefik"),
        ("services", "traefik/traefik"),
    ] {
        objects.delete(kind, name).await;
    }
    home.shell("kubectl delete secrets -A --field-selector type=kubernetes.io/tls").await.ok();
    std::fs::remove_file(home.path().join("host/etc/rancher/rke2/registries.yaml")).unwrap();

    home.stand_in("systemctl", "echo \"$@\" >> systemctl.log");
    let restore = async || {
        let words = "--identity keys/operator.txt --json --yes --allow-run --host-root host";
        home.shell(&format!("netdr restore --scenario full-stack {words}")).await
    };
    let outcome = tokio::select! {
        outcome = restore() => outcome,
        () = play(&objects, &operator) => unreachable!(),
    };
    let report: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.stderr));
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("recovered"), &json!(0)),
        "{report:#}"
    );
    assert_eq!(report["recovery_points"].as_array().unwrap().len(), 3, "host, network, certificates");
    let worst =
        report["recovery_points"].as_array().unwrap().iter().map(|point| point["recovery_point_s"].as_i64());
    assert!(report["recovery_point_s"].as_i64() >= worst.max().unwrap(), "{report:#}");
    let remarks = report["remarks"].to_string();
    let said = remarks.matches("metallb-system/controller is not scaled: neither").count();
    assert_eq!(said, 1, "up and back are one: {remarks}");
    assert!(home.path().join("host/etc/rancher/rke2/registries.yaml").exists());
    let systemctl = std::fs::read_to_string(home.path().join("systemctl.log")).unwrap();
    assert_eq!(systemctl, "restart rke2-server\n", "once, for a file of the node was changed");
    let unproved = report["not_probed"].to_string();
    assert!(unproved.contains("played by kwok"), "{unproved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_was_never_captured_is_passed_over_and_a_node_without_files_of_its_own_is_not_done() {
    let (_plane, _, operator) = corrupted().await; // whose network alone was captured
    let home = &operator.home;
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();
    let here = ["--host-root", "host"];
    let plan = operator.plan("full-stack", &here).await;
    says(&plan["warnings"].to_string(), &["set host is passed over", "set certificates is passed over"]);
    assert_eq!(plan["not_done"], json!([]), "{plan:#}");
    assert!(plan["replace"].as_u64() > Some(0), "{plan:#}");
    // A plan of one component needs every set that it names.
    let refused = operator.restore("cni", &[&here[..], &["--dry-run"]].concat()).await.failed(1);
    says(&refused, &["no snapshot of set host of node proj-k8s01"]);

    host_root(&home.path().join("other"), "proj-k8s02", MARKER).unwrap();
    home.netdr(&["backup", "--set", "host", "--host-root", "other"]).await.ok();
    let plan = operator.plan("full-stack", &here).await; // what is not done makes its run partial
    let elsewhere = "netdr restore --scenario full-stack --snapshot";
    says(&plan["not_done"].to_string(), &["no snapshot of set host of node proj-k8s01", elsewhere]);
}

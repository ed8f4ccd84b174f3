//! What checks suggest on a cluster of which a part of everything is gone: commands that are there and work as they stand.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Objects, Operator, everything, fresh};

/// What goes, of each component.
const GONE: [(&str, &str); 7] = [
    ("daemonsets.apps", "kube-system/rke2-canal"),
    ("middlewares.traefik.io", "traefik/dashboard-auth"),
    ("ingressclasses.networking.k8s.io", "traefik"),
    ("secrets", "cert-manager/cloudflare-api-token"),
    ("secrets", "traefik/wildcard-lab-tls"),
    ("deployments.apps", "cert-manager/cert-manager"),
    ("l2advertisements.metallb.io", "metallb-system/l2-advert"),
];

/// MetalLB whose speakers are gone.
const CONTROLLER: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system, labels: {app: metallb, component: controller}}
spec:
  selector: {matchLabels: {app: metallb, component: controller}}
  template:
    metadata: {labels: {app: metallb, component: controller}}
    spec: {containers: [{name: controller, image: quay.io/metallb/controller:v0.16.2}]}
";

/// What nobody can run as it stands: it asks for a node or a file of one's own, or goes on until it is stopped.
fn is_of_a_person(next: &str) -> bool {
    ["NODE", "FILE", "netdr watch", "openssl s_client"].iter().any(|word| next.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_a_check_suggests_works_as_it_stands() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    for set in ["network", "certificates"] {
        home.netdr(&["backup", "--set", set, "--json"]).await.json(0);
    }
    for (kind, name) in GONE {
        objects.delete(kind, name).await;
    }
    objects.create(CONTROLLER).await;
    let waits = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "ErrRegisterACMEAccount",
        "message": "no route to acme", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    objects.status("clusterissuers.cert-manager.io", "letsencrypt-cloudflare", waits).await;

    let (mut suggested, mut crossed) = (BTreeSet::new(), BTreeSet::new());
    for words in [&["check", "--json"][..], &["doctor", "--json"]] {
        let found = home.netdr(words).await.json(8);
        for check in found["checks"].as_array().unwrap() {
            if !["warn", "unknown", "alert"].contains(&check["status"].as_str().unwrap()) {
                continue;
            }
            assert!(!check["why"].as_array().unwrap().is_empty(), "{check:#}");
            suggested.insert(check["next"].as_str().unwrap_or_else(|| panic!("{check:#}")).to_owned());
            crossed.insert(check["name"].as_str().unwrap().to_owned());
        }
    }
    // Each part is said to be broken.
    for name in [
        "cni canal",
        "ingress ingressroutes.traefik.io traefik/dashboard",
        "ingress ingressclasses.networking.k8s.io",
        "certificates clusterissuers.cert-manager.io letsencrypt-cloudflare",
        "certificates certificates.cert-manager.io traefik/wildcard-lab",
        "certificates cert-manager",
        "loadbalancer ipaddresspools.metallb.io metallb-system/default-pool",
        "loadbalancer speakers",
    ] {
        assert!(crossed.contains(name), "{name}: {crossed:#?}");
    }
    for next in suggested.iter().filter(|next| !is_of_a_person(next)) {
        let identity = "NETDR_IDENTITY=keys/operator.txt";
        let done = home.shell(&format!("export {identity}; {next}")).await;
        assert_eq!(done.code, Some(0), "{next}: {}{}", done.stdout, done.stderr);
    }
    assert!(suggested.iter().filter(|next| !is_of_a_person(next)).count() >= 10, "{suggested:#?}");
}

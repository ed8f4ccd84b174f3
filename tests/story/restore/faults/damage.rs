//! What is lost and changed of every component before a cell: about sixty objects, and files of this server.

use futures::future::join_all;
use netdr::{cluster::Cluster, drill::failures::break_policies};
use serde_json::{Value, json};

use crate::{
    story::restore::cni::{CANAL, CONFIGS, FELIX},
    support::{Home, NODE, Objects, POLICIES},
};

const SECRETS: &str = "secrets";
const MIDDLEWARES: &str = "middlewares.traefik.io";
const ROUTES: &str = "ingressroutes.traefik.io";
pub(super) const CERTIFICATES: &str = "certificates.cert-manager.io";
pub(super) const ISSUERS: &str = "clusterissuers.cert-manager.io";

/// Deleted.
const LOST: [(&str, &[&str]); 22] = [
    ("ippools.crd.projectcalico.org", &["default-ipv4-ippool"]),
    ("deployments.apps", &["traefik/traefik"]),
    ("clusterroles.rbac.authorization.k8s.io", &["traefik-traefik"]),
    ("clusterrolebindings.rbac.authorization.k8s.io", &["traefik-traefik"]),
    ("ingressclasses.networking.k8s.io", &["traefik"]),
    (
        SECRETS,
        &["traefik/sh.helm.release.v1.traefik.v1", "traefik/dashboard-users", "traefik/single-sign-on-ca"],
    ),
    (SECRETS, &["traefik/wildcard-radioastronomy-tls", "traefik/wildcard-lab-tls", "registry/registry-tls"]),
    (SECRETS, &["cert-manager/cloudflare-api-token", "cert-manager/letsencrypt-account-key"]),
    (MIDDLEWARES, &["traefik/dashboard-auth", "traefik/single-sign-on"]),
    (MIDDLEWARES, &["traefik/secure-headers", "traefik/lab-only"]),
    (ROUTES, &["traefik/dashboard", "jupyter/notebooks", "monitoring/dashboards"]),
    ("ingresses.networking.k8s.io", &["registry/registry"]),
    ("tlsoptions.traefik.io", &["traefik/default"]),
    ("tlsstores.traefik.io", &["traefik/default"]),
    ("serverstransports.traefik.io", &["traefik/slow-uploads"]),
    ("ipaddresspools.metallb.io", &["metallb-system/default-pool"]),
    ("l2advertisements.metallb.io", &["metallb-system/l2-advert"]),
    ("bgppeers.metallb.io", &["metallb-system/rack-router"]),
    ("configmaps", &["metallb-system/metallb-excludel2"]),
    ("globalnetworksets.crd.projectcalico.org", &["admin-workstations"]),
    ("globalnetworkpolicies.crd.projectcalico.org", &["block-metadata-service"]),
    ("adminnetworkpolicies.policy.networking.k8s.io", &["guard"]),
];
/// All their network policies are deleted.
const OPEN: [&str; 3] = ["calibration", "imaging", "spectra"];

/// Changed. Of what somebody must call ready the conditions stay, for nobody is here to set them again.
fn changed() -> [(&'static str, &'static str, Value); 10] {
    let renewed = json!({"spec": {"renewBefore": "1h"}});
    [
        (CONFIGS, CANAL, json!({"spec": {"valuesContent": "calico: {vethMTU: 9000}"}})),
        (FELIX, "default", json!({"spec": {"vxlanVNI": 1}})),
        ("nodes", NODE, annotation("flannel.alpha.coreos.com/public-ip-overwrite", None)),
        (
            "services",
            "traefik/traefik",
            json!({"spec": {"selector": {"app.kubernetes.io/name": "elsewhere"}}}),
        ),
        ("services", "ingest/telescope-feed", annotation("metallb.io/loadBalancerIPs", Some("10.25.10.35"))),
        (ISSUERS, "letsencrypt-cloudflare", json!({"spec": {"acme": {"email": "nobody@radioastronomy.io"}}})),
        (CERTIFICATES, "traefik/wildcard-radioastronomy", renewed.clone()),
        (CERTIFICATES, "traefik/wildcard-lab", renewed.clone()),
        (CERTIFICATES, "registry/registry", renewed),
        ("adminnetworkpolicies.policy.networking.k8s.io", "watch", json!({"spec": {"priority": 30}})),
    ]
}

fn annotation(name: &str, value: Option<&str>) -> Value {
    json!({"metadata": {"annotations": {name: value}}})
}

/// Does it to a cluster that is as it was backed up.
pub(super) async fn damage(cluster: &Cluster, objects: &Objects) {
    break_policies(cluster).await.unwrap();
    let policies = objects.list(POLICIES).await;
    let policies = policies.iter().map(|policy| {
        let text = |field: &str| policy["metadata"][field].as_str().unwrap();
        (text("namespace"), format!("{}/{}", text("namespace"), text("name")))
    });
    let open = policies.filter(|(namespace, _)| OPEN.contains(namespace)).map(|(_, name)| (POLICIES, name));
    let lost = LOST.iter().flat_map(|(kind, names)| names.iter().map(|name| (*kind, (*name).to_owned())));
    let lost: Vec<(&str, String)> = lost.chain(open).collect();
    join_all(lost.iter().map(|(kind, name)| objects.delete(kind, name))).await;
    join_all(changed().map(|(kind, name, patch)| objects.merge(kind, name, patch))).await;
}

/// Does it to this server's files: one is gone, one is not as it was.
pub(super) async fn damage_files(home: &Home) {
    let files = "rm host/etc/rancher/rke2/registries.yaml && echo net.ipv4.ip_forward=0 >> host/etc/sysctl.d/90-rke2.conf";
    home.shell(&format!("{files} && rm -rf damaged && cp -a host damaged")).await.ok();
}

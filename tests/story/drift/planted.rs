//! Some eighty changes, each made alone on a real API server or a node's files, told as what it is, and undone.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use chrono::Utc;
use netdr::{
    helm,
    model::Severity::{self, Critical, High, Medium},
    yaml,
};
use serde_json::{Value, json};

use super::{Watched, said};
use crate::support::{NODE, POLICIES, tls_secret};

enum Act {
    Merge(Value),
    Delete,
    /// What it is beside apiVersion, kind and metadata.
    Create(&'static str, &'static str, Value),
    Write(&'static str),
    Mode(u32),
    /// Of a release, as `helm upgrade` would leave it.
    Values(Value),
}

use Act::{Create, Delete, Merge, Mode, Values, Write};

/// What is changed (a kind, or `file`), which, how, and how grave that is at least.
type Planted = (&'static str, &'static str, Act, Severity);

const CALICO_POLICIES: &str = "networkpolicies.crd.projectcalico.org";
const GLOBAL: &str = "globalnetworkpolicies.crd.projectcalico.org";
const ROUTES: &str = "ingressroutes.traefik.io";
const MIDDLEWARES: &str = "middlewares.traefik.io";
/// The Secret of Traefik's release, which is told as the release.
const RELEASE: &str = "traefik/sh.helm.release.v1.traefik.v1";

fn policies() -> Vec<Planted> {
    let spec = |spec: Value| json!({"spec": spec});
    let everybody = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    let one_port =
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 8080}]}]});
    let (policy, k8s) = ("NetworkPolicy", "networking.k8s.io/v1");
    let administrator = json!({"priority": 5, "subject": {"namespaces": {}},
        "ingress": [{"action": "Allow", "from": [{"namespaces": {"namespaceSelector": {}}}]}]});
    vec![
        (POLICIES, "archive/default-deny-all", Delete, Critical),
        (POLICIES, "archive/allow-dns", Delete, Critical),
        (POLICIES, "archive/default-deny-all", Merge(spec(json!({"ingress": [{}]}))), Critical),
        (
            POLICIES,
            "mail/allow-dns",
            Merge(spec(json!({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}))),
            Critical,
        ),
        (
            POLICIES,
            "postgres/allow-workflows",
            Merge(spec(json!({"ingress": [{"ports": [{"port": 5433}]}]}))),
            High,
        ),
        (
            POLICIES,
            "jupyter/default-deny-all",
            Merge(spec(json!({"podSelector": {"matchLabels": {"app": "nobody"}}}))),
            High,
        ),
        (POLICIES, "imaging/default-deny-all", Merge(spec(json!({"policyTypes": ["Ingress"]}))), High),
        (POLICIES, "mail/let-me-in", Create(k8s, policy, everybody), Critical),
        (POLICIES, "mail/one-port", Create(k8s, policy, one_port), High),
        (GLOBAL, "block-metadata-service", Delete, Critical),
        (GLOBAL, "block-metadata-service", Merge(spec(json!({"egress": [{"action": "Allow"}]}))), Critical),
        (GLOBAL, "block-metadata-service", Merge(spec(json!({"order": 2000}))), High),
        (
            "globalnetworksets.crd.projectcalico.org",
            "admin-workstations",
            Merge(spec(json!({"nets": ["0.0.0.0/0"]}))),
            High,
        ),
        (
            CALICO_POLICIES,
            "ingest/all",
            Create(
                "crd.projectcalico.org/v1",
                policy,
                json!({"selector": "all()", "types": ["Ingress"], "ingress": [{"action": "Allow"}]}),
            ),
            Critical,
        ),
        (
            "adminnetworkpolicies.policy.networking.k8s.io",
            "all",
            Create("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", administrator),
            Critical,
        ),
        (
            "hostendpoints.crd.projectcalico.org",
            "n1",
            Create(
                "crd.projectcalico.org/v1",
                "HostEndpoint",
                json!({"node": "proj-k8s01", "interfaceName": "*"}),
            ),
            High,
        ),
        (
            "namespaces",
            "archive",
            Merge(json!({"metadata": {"labels": {"lab.radioastronomy.io/tier": "edge"}}})),
            High,
        ),
        (
            "namespaces",
            "mail",
            Merge(json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}})),
            High,
        ),
    ]
}

fn cni() -> Vec<Planted> {
    let canal = "kube-system/rke2-canal";
    let image = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "calico-node", "image": "example.org/mine:1"}, {"name": "kube-flannel", "image": "example.org/mine:1"}]}}}});
    vec![
        (
            "helmchartconfigs.helm.cattle.io",
            canal,
            Merge(json!({"spec": {"valuesContent": "flannel: {backend: none}"}})),
            High,
        ),
        ("helmchartconfigs.helm.cattle.io", canal, Delete, Critical),
        (
            "felixconfigurations.crd.projectcalico.org",
            "default",
            Merge(json!({"spec": {"wireguardEnabled": true}})),
            High,
        ),
        (
            "ippools.crd.projectcalico.org",
            "default-ipv4-ippool",
            Merge(json!({"spec": {"natOutgoing": false}})),
            High,
        ),
        ("ippools.crd.projectcalico.org", "default-ipv4-ippool", Delete, Critical),
        ("configmaps", "kube-system/rke2-canal-config", Merge(json!({"data": {"veth_mtu": "9000"}})), High),
        ("daemonsets.apps", canal, Merge(image), High),
        (
            "clusterroles.rbac.authorization.k8s.io",
            "flannel",
            Merge(json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})),
            Critical,
        ),
        (
            "nodes",
            "proj-k8s01",
            Merge(json!({"metadata": {"annotations": {
            "flannel.alpha.coreos.com/public-ip-overwrite": "192.0.2.1"}}})),
            High,
        ),
        ("nodes", "proj-k8s01", Delete, High),
        ("serviceaccounts", "kube-system/canal", Delete, Critical),
        (
            "clusterrolebindings.rbac.authorization.k8s.io",
            "canal-flannel",
            Merge(
                json!({"subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]}),
            ),
            High,
        ),
        (
            "bgppeers.crd.projectcalico.org",
            "mine",
            Create("crd.projectcalico.org/v1", "BGPPeer", json!({"peerIP": "192.0.2.1", "asNumber": 64999})),
            High,
        ),
    ]
}

fn ingress() -> Vec<Planted> {
    let route = json!({"spec": {"routes": [{"kind": "Rule", "match": "Host(`grafana.lab.radioastronomy.io`)",
        "services": [{"name": "grafana", "port": 3000}]}]}});
    let traefik = "traefik/traefik";
    vec![
        (ROUTES, "jupyter/notebooks", Delete, High),
        (ROUTES, "monitoring/dashboards", Merge(route), Medium),
        (
            ROUTES,
            "mail/webmail",
            Create(
                "traefik.io/v1alpha1",
                "IngressRoute",
                json!({"routes": [{"kind": "Rule", "match": "Host(`x`)", "services": [{"name": "relay", "port": 25}]}]}),
            ),
            Medium,
        ),
        (MIDDLEWARES, "traefik/lab-only", Delete, High),
        (
            MIDDLEWARES,
            "traefik/lab-only",
            Merge(json!({"spec": {"ipAllowList": {"sourceRange": ["0.0.0.0/0"]}}})),
            High,
        ),
        (
            MIDDLEWARES,
            "traefik/secure-headers",
            Merge(json!({"spec": {"headers": {"frameDeny": false}}})),
            Medium,
        ),
        (
            "tlsoptions.traefik.io",
            "traefik/default",
            Merge(json!({"spec": {"minVersion": "VersionTLS10"}})),
            High,
        ),
        (
            "tlsstores.traefik.io",
            "traefik/default",
            Merge(json!({"spec": {"defaultCertificate": {"secretName": "wildcard-lab-tls"}}})),
            High,
        ),
        (
            "ingresses.networking.k8s.io",
            "registry/registry",
            Merge(
                json!({"metadata": {"annotations": {"traefik.ingress.kubernetes.io/router.middlewares": null}}}),
            ),
            Medium,
        ),
        ("deployments.apps", traefik, Merge(json!({"spec": {"replicas": 0}})), Critical),
        (
            "deployments.apps",
            traefik,
            Merge(json!({"spec": {"template": {"spec": {"serviceAccountName": "default"}}}})),
            High,
        ),
        (
            "ingressclasses.networking.k8s.io",
            "traefik",
            Merge(
                json!({"metadata": {"annotations": {"ingressclass.kubernetes.io/is-default-class": "false"}}}),
            ),
            Medium,
        ),
        ("secrets", RELEASE, Values(json!({"logs": {"access": {"enabled": false}}})), Medium),
        ("secrets", RELEASE, Delete, Critical),
        (
            "customresourcedefinitions.apiextensions.k8s.io",
            "middlewares.traefik.io",
            Merge(json!({"spec": {"names": {"shortNames": ["mine"]}}})),
            Medium,
        ),
        ("secrets", "traefik/dashboard-users", Merge(json!({"stringData": {"password": "guess"}})), High),
        ("secrets", "traefik/single-sign-on-ca", Delete, High),
        ("services", traefik, Merge(json!({"spec": {"externalIPs": ["192.0.2.1"]}})), Medium),
        (
            "clusterrolebindings.rbac.authorization.k8s.io",
            "traefik-traefik",
            Merge(
                json!({"subjects": [{"kind": "Group", "name": "system:authenticated", "apiGroup": "rbac.authorization.k8s.io"}]}),
            ),
            High,
        ),
    ]
}

fn others() -> Vec<Planted> {
    let another = yaml::documents(&tls_secret("registry", "registry", Utc::now())).unwrap().remove(0);
    vec![
        ("secrets", "registry/registry-tls", Merge(json!({"stringData": another["stringData"]})), High),
        ("services", "ingest/telescope-feed", Delete, Medium),
        (
            "ipaddresspools.metallb.io",
            "metallb-system/default-pool",
            Merge(json!({"spec": {"addresses": ["192.0.2.0/24"]}})),
            High,
        ),
        ("l2advertisements.metallb.io", "metallb-system/l2-advert", Delete, High),
        (
            "bgppeers.metallb.io",
            "metallb-system/rack-router",
            Merge(json!({"spec": {"peerAddress": "192.0.2.1"}})),
            High,
        ),
        (
            "services",
            "ingest/telescope-feed",
            Merge(json!({"metadata": {"annotations": {"metallb.io/loadBalancerIPs": "10.25.10.35"}}})),
            Medium,
        ),
        (
            "configmaps",
            "metallb-system/metallb-excludel2",
            Merge(json!({"data": {"excludel2.yaml": ""}})),
            Medium,
        ),
        ("secrets", "registry/registry-tls", Delete, Critical),
        ("secrets", "registry/registry-tls", Merge(json!({"stringData": {"tls.key": "none"}})), Critical),
        (
            "secrets",
            "registry/registry-tls",
            Merge(json!({"metadata": {"annotations": {"cert-manager.io/issuer-name": "mine"}}})),
            High,
        ),
        (
            "secrets",
            "cert-manager/cloudflare-api-token",
            Merge(json!({"stringData": {"api-token": "mine"}})),
            High,
        ),
        (
            "clusterissuers.cert-manager.io",
            "letsencrypt-cloudflare",
            Merge(json!({"spec": {"acme": {"server": "https://acme.example.org/directory"}}})),
            High,
        ),
        (
            "certificates.cert-manager.io",
            "registry/registry",
            Merge(json!({"spec": {"dnsNames": ["example.org"]}})),
            High,
        ),
        ("certificates.cert-manager.io", "traefik/wildcard-lab", Delete, High),
    ]
}

fn files() -> Vec<Planted> {
    vec![
        ("file", "/etc/rancher/rke2/config.yaml", Write("cni: none\n"), High),
        ("file", "/etc/rancher/rke2/config.yaml", Delete, Critical),
        ("file", "/etc/rancher/rke2/config.yaml", Mode(0o644), Critical),
        ("file", "/etc/rancher/rke2/config.yaml.d/50-agent.yaml", Write("node-label: []\n"), High),
        ("file", "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/90-mine.conf", Write("maxPods: 1\n"), High),
        ("file", "/etc/NetworkManager/conf.d/rke2-canal.conf", Delete, Medium),
        ("file", "/etc/nftables/mine.nft", Write("flush ruleset\n"), High),
        ("file", "/etc/firewalld/zones/public.xml", Write("<zone/>\n"), High),
        ("file", "/etc/ufw/user.rules", Write("*filter\n"), High),
        ("file", "/etc/rancher/rke2/registries.yaml", Write("mirrors: {}\n"), High),
        (
            "file",
            "/var/lib/rancher/rke2/server/manifests/mine.yaml",
            Write("kind: ClusterRoleBinding\n"),
            High,
        ),
        ("file", "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml", Delete, High),
        ("file", "/etc/nftables.conf", Write("flush ruleset\n"), High),
        ("file", "/etc/sysctl.d/90-rke2.conf", Write("net.ipv4.ip_forward=0\n"), Medium),
        ("file", "/etc/cni/net.d/10-canal.conflist", Write("{}\n"), Medium),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_that_somebody_makes_is_told_as_what_it_is() {
    let world = Watched::new().await;
    let planted: Vec<Planted> =
        [policies(), cni(), ingress(), others(), files()].into_iter().flatten().collect();
    assert!(planted.len() >= 75, "{}", planted.len());
    for (kind, name, act, least) in &planted {
        let what = format!("{kind} {name}");
        let undo = Undo::of(&world, kind, name).await;
        make(&world, kind, name, act).await;
        let report = world.drift().await.json(4);
        undo.now(&world, kind, name).await;
        let [item] = &report["items"].as_array().unwrap()[..] else { panic!("{what}: {report:#}") };
        let expected = match *name {
            RELEASE => "helm release traefik/traefik".to_owned(),
            file if *kind == "file" => format!("file {NODE}:{file}"),
            _ => what.clone(),
        };
        assert_eq!(said(item), expected, "{report:#}");
        let severity: Severity = item["severity"].as_str().unwrap().parse().unwrap();
        assert!(severity >= *least, "{what} is {severity}: {item:#}");
        assert!(!item["reasons"].as_array().unwrap().is_empty(), "{item:#}");
        assert!(!report.to_string().contains(crate::support::MARKER), "{what}: a secret is in: {report:#}");
    }
    let report = world.drift().await.json(0);
    assert_eq!(report["items"], json!([]), "all is undone");
}

async fn make(world: &Watched, kind: &str, name: &str, act: &Act) {
    let objects = &world.objects;
    match act {
        Merge(patch) => objects.merge(kind, name, patch.clone()).await,
        Delete if kind == "file" => fs::remove_file(path(world, name)).unwrap(),
        Delete => objects.delete(kind, name).await,
        Create(api_version, kind, spec) => {
            let (namespace, name) = name.split_once('/').map_or((None, name), |(n, name)| (Some(n), name));
            let object = json!({"apiVersion": api_version, "kind": kind,
                "metadata": {"name": name, "namespace": namespace}, "spec": spec});
            objects.create(&object.to_string()).await;
        }
        Write(text) => {
            fs::create_dir_all(path(world, name).parent().unwrap()).unwrap();
            fs::write(path(world, name), text).unwrap();
        }
        Values(values) => {
            let mut release = helm::decode(&objects.get(kind, name).await.unwrap()).unwrap();
            release["release"]["config"] = values.clone();
            let secret = helm::encode(&release).unwrap();
            objects.merge(kind, name, json!({"data": secret["data"]})).await;
        }
        Mode(mode) => fs::set_permissions(path(world, name), fs::Permissions::from_mode(*mode)).unwrap(),
    }
}

fn path(world: &Watched, name: &str) -> PathBuf {
    world.operator.home.path().join("host").join(name.trim_start_matches('/'))
}

/// What was there.
enum Undo {
    Object(Option<Value>),
    File(Option<(Vec<u8>, u32)>),
}

impl Undo {
    async fn of(world: &Watched, kind: &str, name: &str) -> Self {
        if kind != "file" {
            return Self::Object(world.objects.get(kind, name).await);
        }
        let file = path(world, name);
        let mode = fs::metadata(&file).map(|m| m.permissions().mode() & 0o7777);
        Self::File(fs::read(&file).ok().zip(mode.ok()))
    }

    async fn now(self, world: &Watched, kind: &str, name: &str) {
        match self {
            Self::Object(was) => world.objects.put_back(kind, name, was).await,
            Self::File(None) => fs::remove_file(path(world, name)).unwrap(),
            Self::File(Some((bytes, mode))) => {
                fs::write(path(world, name), bytes).unwrap();
                fs::set_permissions(path(world, name), fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

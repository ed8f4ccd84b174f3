//! What a lab's cluster has of each component, as many as asked for.
//!
//! In: how many. Out: objects, twenty to a namespace. Invariant: every certificate fits its Secret, so that none is issued anew.

use netdr::model::Component::{Certificates, Cni, Ingress, Loadbalancer, Policies};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use serde_json::{Value, json};

use crate::{bare::Item, policies::policy};

/// Objects of a namespace, and of what is cluster-wide or MetalLB's for its sake.
pub(super) const EACH: usize = 20;

/// `namespaces ×` [`EACH`].
pub(super) fn items(namespaces: usize) -> Vec<Item> {
    let authority = Authority::new();
    (0..namespaces).flat_map(|n| namespace(n, &authority)).collect()
}

fn namespace(n: usize, authority: &Authority) -> Vec<Item> {
    let home = format!("bench-{n}");
    let host = format!("app-{n}.radioastronomy.io");
    let net = format!("10.{}.{}.0/24", 100 + n / 250, n % 250);
    let mut items: Vec<Item> = (0..7).map(|p| policy(&home, &format!("allow-{p}"))).collect();
    let mut add = |component, plural: &str, object: Value| items.push(Item::new(component, plural, object));

    add(
        Policies,
        "networkpolicies",
        calico(
            "NetworkPolicy",
            (Some(&home), "from-lab"),
            json!({"order": 100, "selector": "app == 'web'", "types": ["Ingress"], "ingress": [{"action": "Allow",
                "protocol": "TCP", "source": {"selector": "role == 'lab'"}, "destination": {"ports": [443]}}]}),
        ),
    );
    add(Policies, "networksets", calico("NetworkSet", (Some(&home), "lab"), json!({"nets": [net]})));
    add(
        Policies,
        "globalnetworksets",
        calico("GlobalNetworkSet", (None, &home), json!({"nets": [net, "10.25.30.8/32"]})),
    );

    for route in ["web", "api"] {
        add(
            Ingress,
            "ingressroutes",
            traefik(
                "IngressRoute",
                &home,
                route,
                json!({"entryPoints": ["websecure"], "tls": {"secretName": "web-tls"}, "routes": [{"kind": "Rule",
                    "match": format!("Host(`{host}`) && PathPrefix(`/{route}`)"), "middlewares": [{"name": "headers"}],
                    "services": [{"name": route, "port": 8080}]}]}),
            ),
        );
    }
    let headers = json!({"headers": {"frameDeny": true, "stsSeconds": 31_536_000,
        "customRequestHeaders": {"X-Origin": home}}});
    add(Ingress, "middlewares", traefik("Middleware", &home, "headers", headers));
    let paths = json!([{"path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": "portal", "port": {"number": 80}}}}]);
    add(
        Ingress,
        "ingresses",
        object(
            "networking.k8s.io/v1",
            "Ingress",
            (Some(&home), "portal"),
            json!({"ingressClassName": "traefik", "tls": [{"hosts": [host], "secretName": "web-tls"}],
                "rules": [{"host": host, "http": {"paths": paths}}]}),
        ),
    );

    let issuer =
        json!({"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "letsencrypt-cloudflare"});
    add(
        Certificates,
        "certificates",
        object(
            "cert-manager.io/v1",
            "Certificate",
            (Some(&home), "web"),
            json!({"secretName": "web-tls", "commonName": host, "dnsNames": [host], "issuerRef": issuer,
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"}}),
        ),
    );
    add(Certificates, "secrets", authority.secret(n, &home, &host));

    add(Cni, "ipreservations", calico("IPReservation", (None, &home), json!({"reservedCIDRs": [net]})));
    let rules = json!([{"action": "Accept", "cidr": net, "matchOperator": "In"}, {"action": "Reject"}]);
    add(Cni, "bgpfilters", calico("BGPFilter", (None, &home), json!({"importV4": rules, "exportV4": rules})));

    let metallb =
        |kind: &str, spec: Value| object("metallb.io/v1beta1", kind, (Some("metallb-system"), &home), spec);
    add(Loadbalancer, "ipaddresspools", metallb("IPAddressPool", json!({"addresses": [net]})));
    add(Loadbalancer, "l2advertisements", metallb("L2Advertisement", json!({"ipAddressPools": [home]})));
    items
}

fn object(version: &str, kind: &str, (namespace, name): (Option<&str>, &str), spec: Value) -> Value {
    let mut metadata = json!({"name": name, "annotations": {"lab.radioastronomy.io/owner": "platform-team"}});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
}

fn calico(kind: &str, at: (Option<&str>, &str), spec: Value) -> Value {
    object("crd.projectcalico.org/v1", kind, at, spec)
}

fn traefik(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    object("traefik.io/v1alpha1", kind, (Some(namespace), name), spec)
}

/// An authority, and one key for all whom it certifies: making keys is not what is measured.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "E7");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self { issuer: Issuer::new(params, KeyPair::generate().unwrap()), key: KeyPair::generate().unwrap() }
    }

    /// As cert-manager leaves it.
    fn secret(&self, n: usize, namespace: &str, host: &str) -> Value {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        params.serial_number = Some(SerialNumber::from(n as u64 + 1));
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": "web-tls",
                "namespace": namespace,
                "labels": {"controller.cert-manager.io/fao": "true"},
                "annotations": {
                    "cert-manager.io/certificate-name": "web",
                    "cert-manager.io/common-name": host,
                    "cert-manager.io/alt-names": host,
                    "cert-manager.io/issuer-name": "letsencrypt-cloudflare",
                    "cert-manager.io/issuer-kind": "ClusterIssuer",
                    "cert-manager.io/issuer-group": "cert-manager.io",
                },
            },
            "stringData": {
                "tls.crt": params.signed_by(&self.key, &self.issuer).unwrap().pem(),
                "tls.key": self.key.serialize_pem(),
            },
        })
    }
}

//! The flags of each program: what RKE2 sets where it matters to networking, what is fast everywhere else.
//!
//! Every program runs in the plane's folder, so that files are named relative to it.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{Options, pki};

/// Pods of every plane: RKE2's default.
const CLUSTER_CIDR: &str = "10.42.0.0/16";
/// Services of every plane: RKE2's default.
const SERVICE_CIDR: &str = "10.43.0.0/16";

/// Who the programs themselves log in as.
pub(super) const ADMIN: &str = "admin";
/// File name and content of the API server's audit policy.
pub(super) const AUDIT_POLICY: (&str, &str) = ("audit-policy.yaml", include_str!("audit-policy.yaml"));
/// File name and content of what kwok does to nodes and pods.
pub(super) const STAGES: (&str, &str) = ("stages.yaml", include_str!("stages.yaml"));

/// Where the two servers listen, on 127.0.0.1.
pub(super) struct Ports {
    pub(super) etcd: u16,
    pub(super) api_server: u16,
}

pub(super) fn etcd(ports: &Ports) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    flags(&[
        ("data-dir", "etcd"),
        ("listen-client-urls", &client),
        ("advertise-client-urls", &client),
        ("listen-peer-urls", "http://127.0.0.1:0"), // it has no peers: any port will do
        ("unsafe-no-fsync", "true"),                // nothing here outlives the process
        ("log-level", "error"),
    ])
}

/// File name of what makes the API server encrypt.
pub(super) const ENCRYPTION: &str = "encryption.json";

/// Everything is encrypted before it is stored, under this key (Kubernetes docs, "Encrypting Confidential Data at Rest"):
/// not only Secrets hold secrets.
pub(super) fn encryption(key: [u8; 32]) -> String {
    let keys = json!([{"name": "throwaway", "secret": BASE64_STANDARD.encode(key)}]);
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["*.*"], "providers": [{"secretbox": {"keys": keys}}]}],
    })
    .to_string()
}

pub(super) fn api_server(ports: &Ports, options: &Options) -> Vec<String> {
    // Without controllers nobody makes the account that the first insists on, nor takes away the taint of the second.
    let disabled = match options.unattended {
        true => "ServiceAccount,TaintNodesByCondition,MutatingAdmissionWebhook,ValidatingAdmissionWebhook",
        false => "ServiceAccount",
    };
    let etcd = format!("http://127.0.0.1:{}", ports.etcd);
    let port = ports.api_server.to_string();
    let mut all = flags(&[
        ("etcd-servers", &etcd),
        ("bind-address", "127.0.0.1"),
        ("secure-port", &port),
        ("endpoint-reconciler-type", "none"), // a loopback address cannot be an endpoint
        ("tls-cert-file", pki::SERVING_CERT),
        ("tls-private-key-file", pki::SERVING_KEY),
        ("client-ca-file", pki::CA_CERT),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        ("service-account-key-file", pki::ACCOUNTS_PUBLIC),
        ("service-account-signing-key-file", pki::ACCOUNTS_KEY),
        ("service-cluster-ip-range", options.service_cidr.as_deref().unwrap_or(SERVICE_CIDR)),
        ("enable-aggregator-routing", "true"), // webhooks at their endpoints: no kube-proxy knows cluster IPs
        ("authorization-mode", "Node,RBAC"),
        ("allow-privileged", "true"), // Canal and MetalLB need it
        ("disable-admission-plugins", disabled),
        ("profiling", "false"),
    ]);
    if options.memory.is_some() {
        all.extend(flags(&[("encryption-provider-config", ENCRYPTION)]));
    }
    if let Some(path) = &options.audit_log {
        all.extend(flags(&[
            ("audit-policy-file", AUDIT_POLICY.0),
            ("audit-log-path", &path.display().to_string()),
            ("audit-log-mode", "blocking-strict"),
        ]));
    }
    all
}

pub(super) fn controller_manager() -> Vec<String> {
    let mut all = as_admin();
    all.extend(flags(&[
        ("service-account-private-key-file", pki::ACCOUNTS_KEY),
        ("root-ca-file", pki::CA_CERT),
        ("allocate-node-cidrs", "true"),
        ("cluster-cidr", CLUSTER_CIDR),
        ("service-cluster-ip-range", SERVICE_CIDR),
        ("kube-api-qps", "200"), // a rollout must not wait for the client's own manners
        ("kube-api-burst", "400"),
    ]));
    all
}

pub(super) fn scheduler() -> Vec<String> {
    as_admin()
}

pub(super) fn kwok() -> Vec<String> {
    flags(&[
        ("kubeconfig", &pki::kubeconfig_name(ADMIN)),
        ("config", STAGES.0),
        ("manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake"),
        ("cidr", CLUSTER_CIDR),
        ("node-ip", "10.25.20.4"),
        ("node-lease-duration-seconds", "40"), // as a kubelet's, or the nodes turn NotReady
    ])
}

fn as_admin() -> Vec<String> {
    let kubeconfig = pki::kubeconfig_name(ADMIN);
    flags(&[
        ("kubeconfig", &kubeconfig),
        ("authentication-kubeconfig", &kubeconfig),
        ("authorization-kubeconfig", &kubeconfig),
        ("leader-elect", "false"),
        ("secure-port", "0"),
    ])
}

fn flags(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

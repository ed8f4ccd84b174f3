//! RKE2's configuration on a node: flags that it knows from K3s and drops.

use serde_json::Value;

use crate::check::{Check, Status::Warn};

/// Flags of K3s that RKE2 takes out (`dropFlag` in rke2 pkg/cli/cmds/server.go): its parser passes over them with a line
/// in its log (k3s pkg/configfilearg).
const DROPPED: [&str; 15] = [
    "flannel-backend",
    "flannel-iface",
    "flannel-conf",
    "flannel-cni-conf",
    "flannel-ipv6-masq",
    "flannel-external-ip",
    "disable-network-policy",
    "disable-helm-controller",
    "vpn-auth",
    "vpn-auth-file",
    "https-listen-port",
    "advertise-port",
    "apiserver-port",
    "apiserver-bind-address",
    "cluster-init",
];

/// Whether a document is RKE2's configuration, as far as its keys tell.
pub fn is_rke2(document: &Value) -> bool {
    const KEYS: [&str; 6] =
        ["cni", "cluster-cidr", "service-cidr", "tls-san", "profile", "ingress-controller"];
    let named = |key: &&str| document.get(*key).is_some() || document.get(format!("{key}+")).is_some();
    KEYS.iter().chain(&DROPPED).any(named)
}

/// Judges one file of it.
pub fn judge(file: &str, documents: &[Value]) -> Check {
    let keys = documents.iter().filter_map(Value::as_object).flat_map(|document| document.keys());
    // `key+` appends (RKE2 docs, "Value Merge Behavior").
    let dropped: Vec<&str> =
        keys.map(|key| key.trim_end_matches('+')).filter(|key| DROPPED.contains(key)).collect();
    let check = Check::ok(format!("doctor flags of {file}"), dropped.len(), "0 flags that RKE2 drops");
    // What is to be done instead of several is said once.
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for key in dropped {
        match groups.iter_mut().find(|(of, _)| *of == instead(key)) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((instead(key), vec![key])),
        }
    }
    groups.into_iter().fold(check, |check, (instead, keys)| {
        let have = if keys.len() == 1 { "is K3s' and has" } else { "are K3s' and have" };
        let why = format!("{} {have} no effect: {instead}", keys.join(", "));
        let next = match instead {
            FLANNEL => "kubectl get helmchartconfigs -n kube-system rke2-canal -o yaml".to_owned(),
            _ => format!("${{EDITOR:-vi}} {file}"),
        };
        check.found(Warn, why, next)
    })
}

const FLANNEL: &str = "Canal's flannel is configured by HelmChartConfig kube-system/rke2-canal (flannel.backend, vxlan by default)";

fn instead(key: &str) -> &'static str {
    match key {
        key if key.starts_with("flannel-") => FLANNEL,
        "disable-network-policy" => "Canal's Calico enforces policies all the same; take it out",
        _ => "take it out",
    }
}

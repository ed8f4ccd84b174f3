//! The files of a server node, as RKE2 and its documentation have them.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{Error, Result};

/// (path below the root, mode, content). RKE2 drops the K3s flag `flannel-backend` of the operations guide without a
/// word; it is here because it is there.
const FILES: [(&str, u32, &str); 11] = [
    ("etc/hostname", 0o644, "NODE\n"),
    (
        "etc/rancher/rke2/config.yaml",
        0o600,
        "token: K10a4f2::server:MARKER-token\nnode-name: NODE\ntls-san: [proj-k8s.lab.radioastronomy.io]\n\
         cni: canal\nflannel-backend: vxlan\ncluster-cidr: 10.42.0.0/16\nservice-cidr: 10.43.0.0/16\n\
         disable: [rke2-ingress-nginx]\nprofile: cis\n",
    ),
    (
        "etc/rancher/rke2/config.yaml.d/50-agent.yaml",
        0o600,
        "agent-token: MARKER-agent-token\nnode-label: [lab.radioastronomy.io/rack=r1]\n",
    ),
    (
        "etc/rancher/rke2/registries.yaml",
        0o600,
        "mirrors:\n  docker.io: {endpoint: [https://registry.radioastronomy.io]}\nconfigs:\n  \
         registry.radioastronomy.io:\n    auth: {username: puller, password: MARKER-registry}\n",
    ),
    (
        "var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml",
        0o600,
        "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {name: rke2-canal, namespace: kube-system}\n\
         spec:\n  failurePolicy: abort\n  valuesContent: |-\n    flannel:\n      backend: vxlan\n      iface: ens18\n    \
         imagePullToken: MARKER-canal-values\n",
    ),
    // Packaged with RKE2 and written again at every start: not netdr's business.
    (
        "var/lib/rancher/rke2/server/manifests/rke2-coredns.yaml",
        0o600,
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: rke2-coredns, namespace: kube-system}\n",
    ),
    (
        "etc/cni/net.d/10-canal.conflist",
        0o600,
        "{\"name\": \"k8s-pod-network\", \"cniVersion\": \"0.3.1\", \"plugins\": [{\"type\": \"calico\", \"ipam\": \
         {\"type\": \"host-local\", \"subnet\": \"usePodCidr\"}}, {\"type\": \"portmap\"}]}\n",
    ),
    ("etc/sysctl.d/90-rke2.conf", 0o644, "net.ipv4.conf.all.rp_filter=0\nvm.panic_on_oom=0\n"),
    (
        "etc/NetworkManager/conf.d/rke2-canal.conf",
        0o644,
        "[keyfile]\nunmanaged-devices=interface-name:flannel*;interface-name:cali*;interface-name:tunl*\n",
    ),
    (
        "etc/nftables.conf",
        0o644,
        "table inet lab {\n  chain input {\n    type filter hook input priority 0; policy drop;\n    \
         udp dport 8472 accept\n    tcp dport { 6443, 9345, 10250 } accept\n  }\n}\n",
    ),
    // An application's: it must stay where it is.
    ("etc/lab/application.conf", 0o600, "password=MARKER-application-secret\n"),
];

/// Writes the files of a server node below `root`, owned by whoever runs.
///
/// # Errors
/// When a file cannot be written.
pub fn host_root(root: &Path, node: &str, marker: &str) -> Result<()> {
    for (name, mode, content) in FILES {
        let path = root.join(name);
        let failed = |e| Error::failed(format!("cannot write {}", path.display())).because(e);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let content = content.replace("MARKER", marker).replace("NODE", node);
        std::fs::write(&path, content).map_err(failed)?;
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(())
}

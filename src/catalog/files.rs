//! The host files netdr captures: what each is for, and whether its content is secret.
//!
//! Sources: RKE2 docs (configuration, private registry, packaged components, known issues). Never here: CNI
//! binaries and runtime state, `calico-kubeconfig` (a short-lived token), and what RKE2 writes anew at each start.

use crate::model::Class;

use Class::{Config, Evidence};
use Names::{Any, Ending, Exactly};

/// A row of the table of host files.
#[derive(Clone, Copy, Debug)]
pub struct HostFiles {
    /// Absolute path of the folder.
    pub folder: &'static str,
    /// Which names in it.
    names: Names,
    /// Whether its subfolders count too.
    pub deep: bool,
    /// What the files are for.
    pub class: Class,
    /// Whether their content may never be shown.
    pub sensitive: bool,
}

#[derive(Clone, Copy, Debug)]
enum Names {
    Exactly(&'static [&'static str]),
    Ending(&'static [&'static str]),
    Any,
}

const fn row(folder: &'static str, names: Names, class: Class) -> HostFiles {
    HostFiles { folder, names, deep: false, class, sensitive: false }
}

/// The table.
pub const HOST_FILES: &[HostFiles] = &[
    // The cluster token, etcd's S3 keys, registry passwords.
    HostFiles {
        sensitive: true,
        ..row("/etc/rancher/rke2", Exactly(&["config.yaml", "registries.yaml"]), Config)
    },
    HostFiles {
        sensitive: true,
        ..row("/etc/rancher/rke2/config.yaml.d", Ending(&[".yaml", ".yml"]), Config)
    },
    // The deploy controller walks subfolders; a `.skip` file keeps it from a manifest.
    HostFiles {
        sensitive: true,
        deep: true,
        ..row(MANIFESTS, Ending(&[".yaml", ".yml", ".json", ".skip"]), Config)
    },
    row("/var/lib/rancher/rke2/agent/etc/kubelet.conf.d", Ending(&[".conf"]), Config),
    row("/etc/NetworkManager/conf.d", Ending(&[".conf"]), Config),
    row("/etc/sysctl.d", Ending(&[".conf"]), Config),
    row("/etc", Exactly(&["sysctl.conf"]), Config), // Debian's /etc/sysctl.d/99-sysctl.conf leads here
    // Written anew at each start of a canal pod.
    row("/etc/cni/net.d", Ending(&[".conflist"]), Evidence),
    // The host's firewall is the host's own: recorded, so that a difference can be seen.
    row("/etc", Exactly(&["nftables.conf"]), Evidence),
    row("/etc/nftables", Ending(&[".nft"]), Evidence),
    HostFiles { deep: true, ..row("/etc/firewalld", Any, Evidence) },
    row("/etc/ufw", Ending(&[".rules"]), Evidence),
];

const MANIFESTS: &str = "/var/lib/rancher/rke2/server/manifests";

/// What RKE2 packages (rancher/rke2 `charts/chart_versions.yaml`, of every release that is supported; the gateway's and
/// the responder's come with 1.37). A manifest of any other name is somebody's, whatever it begins with.
const PACKAGED: &[&str] = &[
    "harvester-cloud-provider",
    "harvester-csi-driver",
    "rancher-vsphere-cpi",
    "rancher-vsphere-csi",
    "rke2-calico",
    "rke2-calico-crd",
    "rke2-canal",
    "rke2-cilium",
    "rke2-coredns",
    "rke2-flannel",
    "rke2-gateway-api-crd",
    "rke2-ingress-nginx",
    "rke2-metrics-server",
    "rke2-multus",
    "rke2-ovirt-csi-driver",
    "rke2-runtimeclasses",
    "rke2-security-responder",
    "rke2-snapshot-controller",
    "rke2-snapshot-controller-crd",
    "rke2-snapshot-validation-webhook",
    "rke2-traefik",
    "rke2-traefik-crd",
];

impl HostFiles {
    /// Whether RKE2 itself reads these files. It reads through links, so that one which is not followed hides
    /// configuration; elsewhere distributions put links of their own (/etc/sysctl.d/99-sysctl.conf).
    pub fn is_rke2s(&self) -> bool {
        self.folder.split('/').any(|part| part == "rancher")
    }

    /// Whether this row has the file at an absolute path.
    pub fn has(&self, path: &str) -> bool {
        let Some(below) = path.strip_prefix(self.folder).and_then(|rest| rest.strip_prefix('/')) else {
            return false;
        };
        let (folders, name) = below.rsplit_once('/').map_or((None, below), |(f, n)| (Some(f), n));
        let named = match self.names {
            Exactly(names) => names.contains(&name),
            Ending(ends) => ends.iter().any(|end| name.ends_with(end)),
            Any => true,
        };
        let within = folders.is_none_or(|f| self.deep && f.split('/').all(|s| !matches!(s, "" | "." | "..")));
        named && within && !generated(path)
    }
}

/// The row of a file; none where the catalog does not name it, and then nothing reads or writes it.
pub fn host_files(path: &str) -> Option<&'static HostFiles> {
    HOST_FILES.iter().find(|row| row.has(path))
}

/// What RKE2 itself writes at every start among the user's files: its packaged manifests (`rke2-canal.yaml`, but
/// not the user's `rke2-canal-config.yaml`) and its kubelet defaults.
fn generated(path: &str) -> bool {
    if path.ends_with("/kubelet.conf.d/00-rke2-defaults.conf") {
        return true;
    }
    let name = path.strip_prefix(MANIFESTS).and_then(|rest| rest.strip_prefix('/'));
    name.and_then(|name| name.strip_suffix(".yaml")).is_some_and(|stem| PACKAGED.contains(&stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_files_are_config() {
        for path in [
            "/etc/rancher/rke2/config.yaml",
            "/etc/rancher/rke2/config.yaml.d/50-cis.yaml",
            "/etc/rancher/rke2/registries.yaml",
            "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml",
            "/var/lib/rancher/rke2/server/manifests/rke2-pools.yaml",
            "/var/lib/rancher/rke2/server/manifests/mine/pools.yml",
            "/var/lib/rancher/rke2/server/manifests/rke2-ingress-nginx.yaml.skip",
        ] {
            let row = host_files(path).unwrap();
            assert_eq!((row.class, row.sensitive, row.is_rke2s()), (Config, true, true), "{path}");
        }
        for (path, rke2s) in [
            ("/etc/sysctl.d/90-rke2.conf", false),
            ("/etc/NetworkManager/conf.d/rke2-canal.conf", false),
            ("/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/10-mine.conf", true),
        ] {
            let row = host_files(path).unwrap();
            assert_eq!((row.class, row.sensitive, row.is_rke2s()), (Config, false, rke2s), "{path}");
        }
    }

    #[test]
    fn what_the_host_or_canal_makes_is_evidence() {
        for path in [
            "/etc/cni/net.d/10-canal.conflist",
            "/etc/nftables.conf",
            "/etc/nftables/main.nft",
            "/etc/firewalld/zones/public.xml",
            "/etc/ufw/user.rules",
        ] {
            assert_eq!(host_files(path).unwrap().class, Evidence, "{path}");
        }
    }

    #[test]
    fn packaged_files_tokens_and_everything_else_are_not_read() {
        for path in [
            "/var/lib/rancher/rke2/server/manifests/rke2-canal.yaml",
            "/var/lib/rancher/rke2/server/manifests/rke2-coredns.yaml",
            "/var/lib/rancher/rke2/server/manifests/rke2-traefik-crd.yaml",
            "/var/lib/rancher/rke2/server/manifests/rancher-vsphere-csi.yaml",
            "/var/lib/rancher/rke2/agent/etc/kubelet.conf.d/00-rke2-defaults.conf",
            "/etc/cni/net.d/calico-kubeconfig",
            "/var/lib/rancher/rke2/server/token",
            "/etc/rancher/rke2/rke2.yaml",
            "/etc/shadow",
            "/etc/sysctl.d/deep/x.conf",
            "/etc/firewalld/../shadow",
            "/etc/firewalld//x",
            "etc/nftables.conf",
            "",
        ] {
            assert!(host_files(path).is_none(), "{path}");
        }
    }
}

//! The cluster that was drilled, where that was no sandbox.
//!
//! In: what it is called and how it was told from others. Out: words. Invariant: where it has the very identity of the snapshots'
//! cluster, that is said wherever it is named.

use serde::Serialize;

/// The cluster that was made equal to the snapshots, broken and restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// The context of the kubeconfig that named it.
    pub context: String,
    /// Its API server's address.
    pub server: String,
    /// The uid of its namespace kube-system.
    pub uid: String,
    /// Whether the repository has snapshots of a cluster with that uid: it is that cluster, or was made of its etcd.
    pub same_cluster: bool,
}

impl Target {
    /// For people.
    pub fn says(&self) -> String {
        let Self { context, server, uid, same_cluster } = self;
        let same = match same_cluster {
            true => {
                "; the repository has snapshots of a cluster with the same: it is that cluster, or a copy of it (--same-cluster)"
            }
            false => "",
        };
        format!("context {context}, {server}, uid {uid} of namespace kube-system{same}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_with_the_snapshots_own_identity_is_called_that() {
        let of = |same_cluster| Target {
            context: "lab".into(),
            server: "https://10.0.0.1:6443".into(),
            uid: "u".into(),
            same_cluster,
        };
        assert_eq!(of(false).says(), "context lab, https://10.0.0.1:6443, uid u of namespace kube-system");
        assert!(of(true).says().contains("it is that cluster, or a copy of it"));
    }
}

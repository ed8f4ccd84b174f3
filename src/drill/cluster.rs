//! A believable cluster, as the operations guide describes it: Canal, Traefik by Helm, MetalLB, cert-manager,
//! a dozen namespaces under default-deny, wildcard certificates, and the host roots of three servers.

use std::path::Path;

use crate::{Error, Result, cluster::Cluster};

/// Loads it into an empty API server whose CRDs are there.
pub async fn load(_cluster: &Cluster) -> Result<()> {
    Err(Error::failed("seam"))
}
/// Writes the files of a server node below `root`.
pub fn host_root(_root: &Path, _node: &str) -> Result<()> {
    Err(Error::failed("seam"))
}

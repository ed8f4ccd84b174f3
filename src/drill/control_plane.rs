//! A real kube-apiserver and etcd on free ports, with controllers and simulated nodes where asked for.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Takes those in the first of these folders that has kube-apiserver and etcd.
    pub fn find(_folders: &[PathBuf]) -> Result<Self> {
        Err(Error::usage("seam"))
    }
    /// The path of one, if it is there.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name))
    }
}

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// kube-controller-manager and kube-scheduler.
    pub controllers: bool,
    /// kwok, which makes nodes and pods Ready without kubelets.
    pub nodes: bool,
    /// The API server's audit log, metadata level, at this path.
    pub audit_log: Option<PathBuf>,
    /// Folder of CRD files to apply and wait for.
    pub crds: Option<PathBuf>,
}

/// A running control plane. Dropped, or its process killed, it is gone with all its files.
pub struct ControlPlane {}

impl ControlPlane {
    /// Starts it below a private temporary folder and waits until it is ready.
    pub async fn start(_programs: &Programs, _options: &Options) -> Result<Self> {
        Err(Error::failed("seam"))
    }
    /// Its administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        Path::new("")
    }
    /// `https://127.0.0.1:port`.
    pub fn server(&self) -> &str {
        ""
    }
    /// A kubeconfig for another user and groups (client certificate), for RBAC stories.
    pub fn kubeconfig_for(&self, _user: &str, _groups: &[&str]) -> Result<PathBuf> {
        Err(Error::failed("seam"))
    }
}

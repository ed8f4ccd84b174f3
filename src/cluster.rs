//! The one wrapper of the Kubernetes client.
//!
//! In: how to reach a cluster. Out: JSON objects, or an error that names the object and the way out.
//! Invariant: a list is whole or an error; nothing that was forbidden or timed out reads as "no objects".

mod access;
mod discovery;
mod list;
mod request;
mod watch;
mod write;

pub use access::Access;
pub use discovery::{ApiKind, Discovery};
pub use list::{ListOptions, Listed, Selector};
pub use request::{Answer, Refusal};
pub use watch::Change;
pub use write::Precondition;

use std::sync::{Arc, Mutex};

use futures::future::try_join;
use kube::Client;
use serde_json::Value;

use crate::{Error, Result, model::ClusterIdentity};

/// The field manager under which netdr writes.
pub const FIELD_MANAGER: &str = "netdr";

/// A connected cluster; cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Where the API server is, for messages.
    server: String,
    /// The kubeconfig's name of the cluster, the default of `cluster.name`.
    name: String,
    presence: Arc<Mutex<request::Presence>>,
}

impl Cluster {
    /// Wraps a client that exists already, for tests that put layers in front of the API server.
    pub fn from_client(client: Client, server: impl Into<String>, name: impl Into<String>) -> Self {
        Self { client, server: server.into(), name: name.into(), presence: Arc::default() }
    }

    /// The kubeconfig's name of the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The client beneath, for demo and tests that load a cluster.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Which cluster this is: uid of kube-system, and the API server's version.
    ///
    /// # Errors
    /// When the API server cannot be reached or the caller may not get namespace kube-system.
    pub async fn identity(&self, name: Option<&str>) -> Result<ClusterIdentity> {
        let (version, namespace) =
            try_join(self.get_path("/version"), self.get_path("/api/v1/namespaces/kube-system")).await?;
        let version = version.unwrap_or_default();
        let namespace = namespace
            .ok_or_else(|| Error::failed(format!("{} has no namespace kube-system", self.server)))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(ClusterIdentity {
            name: name.unwrap_or(&self.name).to_owned(),
            uid: text(&namespace["metadata"]["uid"]),
            kubernetes: text(&version["gitVersion"]),
        })
    }
}

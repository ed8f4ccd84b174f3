//! One backup: capture, seal, sign, commit.
//!
//! In: a cluster or a host root, keys, a repository. Out: a snapshot and its summary.
//! Invariant: what could not be read makes the snapshot partial, and is named.

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    capture::Scope,
    cluster::Cluster,
    model::{ClusterIdentity, Component, Set, SnapshotId, SnapshotState},
    repository::Repository,
    seal::{Identities, Recipients},
    signature::{SigningKey, TrustedSigners},
};

/// What every backup needs.
pub struct Job<'a> {
    /// Where to.
    pub repository: &'a Repository,
    /// Whom the bundles are sealed to.
    pub recipients: &'a Recipients,
    /// Opens indexes: the job's own key.
    pub index_key: &'a Identities,
    /// Signs the header.
    pub signing_key: &'a SigningKey,
    /// Whose earlier snapshots count for shrink detection.
    pub trusted: &'a TrustedSigners,
    /// Whose state it is.
    pub cluster: ClusterIdentity,
    /// When the capture begins.
    pub now: DateTime<Utc>,
    /// Makes ids differ.
    pub random: u32,
}

/// What a backup came to: the JSON of `netdr backup`, one entry.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// The snapshot.
    pub id: SnapshotId,
    /// What was captured.
    pub set: Set,
    /// Whether it can be relied on.
    pub state: SnapshotState,
    /// Why not, by kind.
    pub reasons: Vec<String>,
    /// Items in all bundles.
    pub items: u64,
    /// Sealed bytes, index included.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
    /// By component.
    pub components: Vec<ComponentSummary>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// One component of a [`Summary`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct ComponentSummary {
    /// Which.
    pub name: Component,
    /// Items.
    pub items: u64,
    /// Kinds the cluster does not serve.
    pub absent: Vec<String>,
    /// Kinds that could not be read, with why.
    pub failures: Vec<String>,
}

/// Backs up set `network` or `certificates` from a cluster.
pub async fn cluster(_job: &Job<'_>, _set: Set, _cluster: &Cluster, _scope: &Scope) -> Result<Summary> {
    Err(Error::failed("seam"))
}

/// Backs up set `host`: files of `node` below `host_root`.
pub fn host(_job: &Job<'_>, _node: &str, _host_root: &std::path::Path) -> Result<Summary> {
    Err(Error::failed("seam"))
}

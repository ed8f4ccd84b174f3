//! The header of a snapshot: all that may be known of it without a key.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Component, Set, SnapshotId};

/// The snapshot format this netdr writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// `snapshot.json`. It is the commit point: written last, removed first. No name of any object is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// Format version; a reader refuses a newer one by name.
    pub format: u32,
    /// The id, which must be the folder's name too.
    pub id: SnapshotId,
    /// What was captured.
    pub set: Set,
    /// The node, for set `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whose state it is.
    pub cluster: ClusterIdentity,
    /// When the capture began: its recovery point.
    pub captured_at: DateTime<Utc>,
    /// netdr's version.
    pub tool: String,
    /// Whether it can be relied on.
    pub state: SnapshotState,
    /// Why it is partial or shrunk, by kind; never by object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What is in the folder.
    pub bundles: Vec<BundleEntry>,
    /// sha256 of `index.jsonl.zst.age`, in hex.
    pub index_sha256: String,
    /// Whom it is sealed to: fingerprints of the recipients, sorted. Empty in snapshots from before this was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed_to: Vec<String>,
    /// What it was taken for; absent in snapshots of a schedule or a person, and in those from before this was recorded.
    #[serde(default, skip_serializing_if = "Occasion::is_backup")]
    pub occasion: Occasion,
    /// The snapshot whose content this is, sealed anew: it stands in for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reseals: Option<SnapshotId>,
}

/// Snapshots of one series stand in for each other: cluster's name, set, node and components are the same.
pub type Series<'a> = (&'a str, Set, Option<&'a str>, BTreeSet<Component>);

impl SnapshotHeader {
    /// Its series. One of the policies alone, taken in the afternoon, is not of the night's.
    pub fn series(&self) -> Series<'_> {
        let components = self.bundles.iter().map(|bundle| bundle.component).collect();
        (&self.cluster.name, self.set, self.node.as_deref(), components)
    }
}

/// What a snapshot was taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// A schedule's or a person's backup: kept by days, weeks and months, copied to places outside.
    #[default]
    Backup,
    /// A change that `netdr watch` saw: it stays local and is kept for a day.
    Change,
}

impl Occasion {
    /// Whether it is a schedule's or a person's.
    pub fn is_backup(&self) -> bool {
        *self == Self::Backup
    }
}

/// How complete a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotState {
    /// Everything the catalog names was read.
    Complete,
    /// Something could not be read; `reasons` names the kinds.
    Partial,
    /// Everything was read, but a kind vanished or lost more than 20 % of its items since the snapshot before.
    Shrunk,
}

impl SnapshotState {
    /// The name used in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Shrunk => "shrunk",
        }
    }
}

/// Which cluster a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// The configured name, or the kubeconfig's.
    pub name: String,
    /// uid of namespace kube-system: tells a rebuilt cluster of the same name apart. Empty where it is not known: the
    /// API server did not answer when files of a host were saved.
    pub uid: String,
    /// The API server's version, as `v1.36.3`; empty likewise.
    pub kubernetes: String,
}

/// One sealed file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    /// Whose items it holds; its file is `<component>.tar.zst.age`.
    pub component: Component,
    /// sha256 of the sealed bytes, in hex.
    pub sha256: String,
    /// Size of the sealed bytes.
    pub bytes: u64,
    /// How many items it holds.
    pub items: u64,
}

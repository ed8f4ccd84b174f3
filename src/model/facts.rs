//! Facts about the cluster's network that a restore must not contradict.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What the preflight gate compares between a snapshot and a live cluster. RKE2 "does not support changing the
/// primary CNI Plugin, CNI backend, or cluster/service CIDRs on a running cluster" (RKE2 docs, basic network options).
/// A fact that could not be read is absent, never empty, and what it would have been read from is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// CNI plugin, for example `canal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cni: Option<String>,
    /// Flannel backend, for example `vxlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Pod network of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_cidr: Option<String>,
    /// Service network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_cidr: Option<String>,
    /// MTU of pods' interfaces, in bytes; 0 means "detected by Canal".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Node name to its pod CIDRs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pod_cidrs: BTreeMap<String, Vec<String>>,
    /// Node name to flannel's and Calico's annotations on it: runtime, recorded so that people can see it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_annotations: BTreeMap<String, BTreeMap<String, String>>,
    /// Until when the certificates of TLS Secrets are valid, by `namespace/name`: what metrics say of them without an
    /// identity. No restore asks for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, DateTime<Utc>>,
    /// Objects that could not be read, with why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

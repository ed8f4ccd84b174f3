//! Snapshots for the tests of what decides about them.

use chrono::{DateTime, Utc};

use super::Listed;
use crate::{
    model::{ClusterIdentity, FORMAT, Occasion, Set, SnapshotHeader, SnapshotId, SnapshotState},
    signature::Trust,
};

pub(crate) fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

/// A trusted snapshot of set network of cluster c1.
pub(crate) fn listed(time: &str, state: SnapshotState) -> Listed {
    let id = SnapshotId::new(at(time), Set::Network, None, 0);
    let header = SnapshotHeader {
        format: FORMAT,
        id: id.clone(),
        set: Set::Network,
        node: None,
        cluster: ClusterIdentity { name: "c1".into(), uid: "u1".into(), kubernetes: "v1.36.3".into() },
        captured_at: at(time),
        tool: "0.1.0".into(),
        state,
        reasons: Vec::new(),
        bundles: Vec::new(),
        index_sha256: String::new(),
        sealed_to: vec![],
        occasion: Occasion::Backup,
        reseals: None,
    };
    Listed {
        id,
        header: Ok(header),
        trust: Trust::Trusted("netdr".into()),
        damage: Vec::new(),
        unseen: Vec::new(),
    }
}

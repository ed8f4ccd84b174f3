//! Nodes that are no more: a server was replaced, and of the files of the old one there will never be a newer snapshot.
//!
//! In: the nodes that the network snapshot names, the header of a snapshot of a node's files. Out: why these are not drilled.
//! Invariant: pure; while the network cannot tell, files that are as new as it are of a node that is there.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::SnapshotHeader;

/// So much older than the network, they are of no node that is still backed up; `check recoverability` alerts of them.
const ABANDONED: TimeDelta = TimeDelta::hours(48);
/// What k3s appends to a name with `with-node-id`: four bytes in hexadecimal digits (pkg/agent/config).
const NODE_ID: usize = 8;

/// Why the files in this snapshot are not drilled, where their node is no more: retention keeps the last of them for ever, and
/// by it every recovery point would be missed for ever.
pub(super) fn gone(
    header: &SnapshotHeader,
    nodes: &BTreeSet<&str>,
    network: Option<DateTime<Utc>>,
) -> Option<String> {
    let node = header.node.as_deref()?;
    if nodes.is_empty() {
        let abandoned = header.captured_at < network? - ABANDONED;
        return abandoned.then(|| {
            format!(
                "files of {node}: its last snapshot {} is days older than that of the network, which does not tell whether the \
                 node is still in the cluster",
                header.id
            )
        });
    }
    let is = |known: &str| {
        let id = known.strip_prefix(node).and_then(|rest| rest.strip_prefix('-'));
        known == node || id.is_some_and(|id| id.len() == NODE_ID && id.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let known = nodes.iter().any(|known| is(known));
    (!known).then(|| format!("files of {node}: the node is no longer in the cluster"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::SnapshotState, repository::fixture::listed};

    #[test]
    fn files_of_a_node_that_the_network_does_not_name_are_not_drilled() {
        let mut header = listed("2026-11-24T01:00:00Z", SnapshotState::Complete).header.unwrap();
        header.node = Some("n1".into());
        let at = Some(header.captured_at);
        let of = |nodes: &[&str], at| gone(&header, &nodes.iter().copied().collect(), at);
        assert_eq!(of(&["n1", "n2"], at), None);
        assert_eq!(of(&["n1-0a1b2c3d"], at), None, "with-node-id");
        for others in [["n2"], ["n10"], ["n1-b"]] {
            let said = of(&others, at).unwrap();
            assert_eq!(said, "files of n1: the node is no longer in the cluster", "{others:?}");
        }
        assert_eq!(of(&[], at), None, "nobody can tell, and they are new");
        assert_eq!(of(&[], None), None);
        let said = of(&[], at.map(|at| at + ABANDONED + TimeDelta::hours(1))).unwrap();
        assert!(said.contains("does not tell whether the node is still in the cluster"), "{said}");
        header.node = None;
        assert_eq!(gone(&header, &BTreeSet::new(), at), None);
    }
}

//! Snapshots of set `host`: one series a node, and a restore writes the files of the node it runs on alone.
//!
//! In: what the repository lists. Out: what is to be done on the other nodes, each with the snapshot for it.
//! Invariant: pure; every node that the repository has files of is either this one or named.

use std::collections::BTreeSet;

use super::{Asked, Picked};
use crate::{
    Error, Result,
    model::{Component, Index, ItemKey, Set, SnapshotHeader},
    plan::NotDone,
    repository::{self, Listed},
};

/// Moves what was picked for other nodes, and the latest of those of which nothing was, to what is not done here.
pub(super) fn elsewhere(listed: &[Listed], cluster: &str, asked: &Asked<'_>, picked: &mut Picked) {
    if !asked.components.contains(&Component::Host) {
        return;
    }
    let components = BTreeSet::from([Component::Host]);
    for node in nodes(listed, cluster).into_iter().filter(|node| Some(*node) != asked.node) {
        let named = picked.headers.remove(&(Set::Host, Some(node.to_owned()))).map(|(header, _)| header);
        let latest = || {
            repository::choose(listed, cluster, Set::Host, Some(node), &components, asked.before)
                .map(|choice| choice.header)
                .map_err(repository::Unchosen::to_restore)
        };
        let header = named.map_or_else(latest, Ok);
        let command = header
            .as_ref()
            .ok()
            .map(|header| asked.command_line.elsewhere(&format!("{} --snapshot {}", asked.anew, header.id)));
        picked.not_done.push(NotDone {
            what: match &header {
                Ok(_) => format!("files of node {node} are restored there"),
                Err(none) => format!("files of node {node}: {none}; {}", none.hints().join("; ")),
            },
            node: Some(node.to_owned()),
            command,
        });
    }
}

/// Names the nodes of which there are files, where there are none of this one.
pub(super) fn others(error: Error, listed: &[Listed], cluster: &str, node: Option<&str>) -> Error {
    if node.is_none() {
        return error;
    }
    let nodes = nodes(listed, cluster);
    match nodes.is_empty() {
        true => error,
        false => error.why(format!("there are files of {}", Vec::from_iter(nodes).join(", "))).hint(
            "if this machine is one of those under a new name: netdr extract ID --component host --to DIR, then copy what is needed",
        ),
    }
}

/// Refuses an index that names files of another node than its header.
pub(super) fn own(header: &SnapshotHeader, index: &Index) -> Result<()> {
    let foreign =
        |key: &ItemKey| matches!(key, ItemKey::File { node, .. } if Some(node) != header.node.as_ref());
    match index.entries.iter().find(|entry| foreign(&entry.key)) {
        Some(entry) => {
            Err(Error::damaged(format!("snapshot {} holds {}, of another node", header.id, entry.key))
                .hint("choose another with: netdr snapshots"))
        }
        None => Ok(()),
    }
}

/// The nodes that trusted snapshots of this cluster have files of.
fn nodes<'a>(listed: &'a [Listed], cluster: &str) -> BTreeSet<&'a str> {
    let trusted = listed.iter().filter(|l| l.trust.is_trusted()).filter_map(|l| l.header.as_ref().ok());
    let hosts = trusted.filter(|header| header.set == Set::Host && header.cluster.name == cluster);
    hosts.filter_map(|header| header.node.as_deref()).collect()
}

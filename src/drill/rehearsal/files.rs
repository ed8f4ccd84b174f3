//! The files of the nodes, each node's below a folder of its own.
//!
//! In: the opened snapshots, a folder in memory. Out: a root for each node, or why there is none. Invariant: nothing outside
//! of that folder is written.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result,
    drill::Subject,
    host::{self, Writer},
    model::{Class, Content, ItemKey},
};

/// The files of each node below a folder of its own; or why they are not drilled.
pub(super) fn roots(subject: &Subject, folder: &Path) -> Result<(BTreeMap<String, PathBuf>, Vec<String>)> {
    let mut roots = BTreeMap::new();
    let files: Vec<_> = subject
        .items
        .iter()
        .filter_map(|item| match (&item.key, &item.content) {
            (ItemKey::File { node, path }, Content::File(file)) => Some((node, path, file, item.class)),
            _ => None,
        })
        .collect();
    if files.is_empty() {
        return Ok((roots, vec!["files of nodes: there is no snapshot of them".into()]));
    }
    if let Err(error) = host::may_own(files.iter().map(|(_, _, file, _)| *file)) {
        return Ok((roots, vec![format!("files of nodes: {error}")]));
    }
    for node in subject.nodes() {
        let root = folder.join("hosts").join(&node);
        let failed = |e| Error::failed(format!("cannot make {}", root.display())).because(e);
        std::fs::create_dir_all(root.join("etc/rancher/rke2")).map_err(failed)?;
        std::fs::write(root.join("etc/hostname"), format!("{node}\n")).map_err(failed)?;
        let writer = Writer::open(&root)?;
        let own = files.iter().filter(|(of, _, _, class)| **of == node && *class == Class::Config);
        for (_, path, file, _) in own {
            writer.put(path, file, None).map_err(Error::failed)?;
        }
        roots.insert(node, root);
    }
    Ok((roots, Vec::new()))
}

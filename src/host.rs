//! Files of a server node under an injected root.
//!
//! In: a root folder and a node's name. Out: items with mode and owner, and what could not be read.
//! Invariant: no link is followed below the root, and nothing but the catalog's files and /etc/hostname is read.

mod node;
mod tree;
mod write;

pub use node::{Node, likely_node, node_name};
pub use write::{Writer, Written, may_own};

use std::{collections::BTreeSet, path::Path};

use rustix::fs::Dir;
use tree::{Skipped, Tree};

use crate::{
    Error, Result,
    catalog::{self, HOST_FILES},
    model::{Component, Content, Extent, FileContent, Item, ItemKey},
};

/// What was read.
#[derive(Debug, Default)]
pub struct HostCapture {
    /// The files, sorted by path.
    pub items: Vec<Item>,
    /// What could not be read.
    pub failures: Vec<Unread>,
    /// Links and special files among the host's own: what they stand for is elsewhere.
    pub links: Vec<Link>,
    /// The folders of the table that exist.
    pub folders: BTreeSet<String>,
}

/// A path that could not be read, and with it everything below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unread {
    /// Absolute, below the root.
    pub path: String,
    /// Why; it names the path.
    pub why: String,
}

/// A link, or a special file, that was not followed.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it is, and that it was not followed.
    pub unread: Unread,
    /// Whether no content is missing for it: it leads to another file of the table, which is captured where it is. A link
    /// to /dev/null masks the vendor's file of its name, and that is missing on a new host.
    pub is_harmless: bool,
}

impl Unread {
    /// Whether a file is this path or below it.
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Whether the root is that of an RKE2 node: it has RKE2's configuration, or its data.
pub fn is_rke2(root: &Path) -> bool {
    ["etc/rancher/rke2", "var/lib/rancher/rke2"].iter().any(|folder| root.join(folder).is_dir())
}

/// Whether RKE2 runs there, as far as its configuration tells: each node has some, and a server without any keeps
/// `rke2.yaml` there. A folder that nothing is in was left behind, or made by hand.
///
/// # Errors
/// When the root cannot be opened.
pub fn is_configured(root: &Path) -> Result<bool> {
    Tree::open(root)?;
    // What cannot be looked at is said by whoever reads it.
    Ok(names(root, "/etc/rancher/rke2").map_or(true, |names| !names.is_empty()))
}

/// Reads one file.
///
/// # Errors
/// When the root cannot be opened, or the file is a link or cannot be read.
pub fn read(root: &Path, path: &str) -> Result<Option<FileContent>> {
    Tree::open(root)?.file(path).map_err(|skipped| Error::failed(skipped.message()))
}

/// What a folder of the node holds; nothing where there is no such folder.
///
/// # Errors
/// When it cannot be read.
pub fn names(root: &Path, folder: &str) -> Result<BTreeSet<String>> {
    let tree = Tree::open(root)?;
    let found = tree.folder(folder).map_err(|skipped| Error::failed(skipped.message()))?;
    let Some(found) = found else { return Ok(BTreeSet::new()) };
    let entries = Dir::read_from(&found).and_then(Iterator::collect::<rustix::io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| Error::failed(format!("cannot read folder {folder}")).because(e))?;
    let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| name != "." && name != "..").collect())
}

/// Captures the files of component `host`.
///
/// # Errors
/// Only when the root itself cannot be opened; a file that cannot be read is in [`HostCapture::failures`].
pub fn capture(root: &Path, node: &str) -> Result<HostCapture> {
    let tree = Tree::open(root)?;
    let mut capture = HostCapture::default();
    for row in HOST_FILES {
        let found = tree.files(row);
        capture.folders.extend(found.folders);
        for (path, file) in found.files {
            match file {
                Ok(file) => capture.items.push(Item {
                    key: ItemKey::File { node: node.into(), path },
                    component: Component::Host,
                    class: row.class,
                    extent: Extent::Whole,
                    content: Content::File(file),
                }),
                Err(Skipped::Link { why, to }) if !row.is_rke2s() => {
                    let is_harmless = to.is_some_and(|to| catalog::host_files(&to).is_some());
                    capture.links.push(Link { unread: Unread { path, why }, is_harmless });
                }
                Err(skipped) => capture.failures.push(Unread { path, why: skipped.message() }),
            }
        }
    }
    capture.items.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(capture)
}

#[cfg(test)]
mod tests;

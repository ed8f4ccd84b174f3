//! Files of a server node under an injected root.
//!
//! In: a root folder and a node's name. Out: items with mode and owner, and what could not be read.
//! Invariant: no link is followed below the root, and nothing but the catalog's files and /etc/hostname is read.

mod tree;

use std::path::Path;

use serde_json::Value;
use tree::{Skipped, Tree};

use crate::{
    Error, Result,
    catalog::HOST_FILES,
    model::{Component, Content, Extent, FileContent, Item, ItemKey},
    yaml,
};

/// What was read.
#[derive(Debug, Default)]
pub struct HostCapture {
    /// The files, sorted by path.
    pub items: Vec<Item>,
    /// What could not be read.
    pub failures: Vec<Unread>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// A path that could not be read, and with it everything below it.
#[derive(Debug, PartialEq, Eq)]
pub struct Unread {
    /// Absolute, below the root.
    pub path: String,
    /// Why; it names the path.
    pub why: String,
}

impl Unread {
    /// Whether a file is this path or below it.
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The node's name: `node-name` of its RKE2 configuration, the last drop-in winning, else the content of
/// /etc/hostname below the root, in lower case as RKE2 makes it.
///
/// # Errors
/// When the configuration cannot be read, neither place has a name, or it is no name a node can have.
pub fn node_name(root: &Path) -> Result<String> {
    let tree = Tree::open(root)?;
    let mut configured = None;
    let (main, drop_ins) = (&HOST_FILES[0], &HOST_FILES[1]);
    for (path, file) in tree.files(main).into_iter().chain(tree.files(drop_ins)) {
        if path.ends_with("/registries.yaml") {
            continue;
        }
        let file = file.map_err(|skipped| Error::failed(skipped.message()))?;
        configured = name_in(&path, &file)?.or(configured);
    }
    let name = match configured {
        Some(name) => name,
        None => hostname(&tree)?.to_lowercase(),
    };
    // RFC 1123, as Kubernetes wants a node's name; and it becomes part of a snapshot's id.
    let letters =
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
    if !letters || name.is_empty() || name.contains("..") || name.len() > 253 {
        return Err(
            Error::failed(format!("{}: the node's name is not a DNS name", root.display())).hint(NAME_IT)
        );
    }
    Ok(name)
}

const NAME_IT: &str =
    "set node-name in /etc/rancher/rke2/config.yaml, or mount the host's /etc/hostname below --host-root";

fn name_in(path: &str, file: &FileContent) -> Result<Option<String>> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| Error::failed(format!("{path} is not UTF-8")))?;
    let documents = yaml::documents(text).map_err(|error| error.doing(path))?;
    Ok(documents.iter().find_map(|config| match &config["node-name"] {
        Value::String(name) => Some(name.clone()),
        Value::Number(name) => Some(name.to_string()),
        _ => None,
    }))
}

fn hostname(tree: &Tree) -> Result<String> {
    let file = tree.file("/etc/hostname").map_err(|skipped| Error::failed(skipped.message()))?;
    let text = file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
    let name = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    name.map(str::to_owned).ok_or_else(|| {
        let root = tree.root().display();
        Error::failed(format!("{root}: neither RKE2's configuration nor /etc/hostname names the node"))
            .hint(NAME_IT)
    })
}

/// Captures the files of component `host`.
///
/// # Errors
/// Only when the root itself cannot be opened; a file that cannot be read is in [`HostCapture::failures`].
pub fn capture(root: &Path, node: &str) -> Result<HostCapture> {
    let tree = Tree::open(root)?;
    let mut capture = HostCapture::default();
    for row in HOST_FILES {
        for (path, file) in tree.files(row) {
            match file {
                Ok(file) => capture.items.push(Item {
                    key: ItemKey::File { node: node.into(), path },
                    component: Component::Host,
                    class: row.class,
                    extent: Extent::Whole,
                    content: Content::File(file),
                }),
                Err(Skipped::Link(what)) if !row.is_rke2s() => capture.warnings.push(what),
                Err(Skipped::Link(why) | Skipped::Failed(why)) => capture.failures.push(Unread { path, why }),
            }
        }
    }
    capture.items.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(capture)
}

#[cfg(test)]
mod tests;

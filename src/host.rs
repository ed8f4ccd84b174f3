//! Files of a server node under an injected root.
//!
//! In: a root folder and a node's name. Out: items with mode and owner, and what could not be read.
//! Invariant: no link is followed out of the root, and nothing but the table's paths is read.

use std::path::Path;

use crate::{Error, Result, model::Item};

/// What was read.
#[derive(Debug, Default)]
pub struct HostCapture {
    /// The files, sorted by path.
    pub items: Vec<Item>,
    /// Paths that could not be read, with why.
    pub failures: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// The node's name: `node-name` of its RKE2 configuration, else the content of /etc/hostname below the root.
pub fn node_name(_root: &Path) -> Result<String> {
    Err(Error::failed("seam"))
}

/// Captures the files of component `host`.
pub fn capture(_root: &Path, _node: &str) -> Result<HostCapture> {
    Err(Error::failed("seam"))
}

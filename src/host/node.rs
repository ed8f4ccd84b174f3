//! Who a node is.
//!
//! In: a root. Out: the name that Kubernetes knows its node by. Invariant: pure but for reading; no content of a
//! configuration is in any error.

use std::path::Path;

use serde_json::Value;

use super::tree::Tree;
use crate::{Error, Result, catalog::HOST_FILES, model::FileContent, yaml};

/// A node's name, as far as its files tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The name.
    pub name: String,
    /// Why it may be another: RKE2's configuration is missing, or does not read.
    pub doubt: Option<String>,
}

/// The node's name: `node-name` of its RKE2 configuration, the last drop-in winning, else the content of
/// /etc/hostname below the root; either in lower case, as RKE2 makes it.
///
/// # Errors
/// When the configuration cannot be read, neither place has a name, or it is no name a node can have.
pub fn node_name(root: &Path) -> Result<String> {
    let tree = Tree::open(root)?;
    let mut configured = None;
    for (path, file) in configuration(&tree) {
        configured = name_in(&path, &file?)?.or(configured);
    }
    named(&tree, configured)
}

/// As [`node_name`], for who repairs the configuration: of a file that is not YAML any more, the line `node-name: …` is
/// believed, and what is not sure is said.
///
/// # Errors
/// When no place has a name, or it is no name a node can have.
pub fn likely_node(root: &Path) -> Result<Node> {
    let tree = Tree::open(root)?;
    let files = configuration(&tree);
    let main = |path: &str| path.ends_with("/rke2/config.yaml");
    let mut doubt = match files.iter().any(|(path, _)| main(path)) {
        true => None,
        false => Some(format!("{}/config.yaml is missing", HOST_FILES[0].folder)),
    };
    let mut configured = None;
    for (path, file) in files {
        let found = match file {
            Err(error) => Err((error, None)),
            Ok(file) => name_in(&path, &file).map_err(|error| (error, line_in(&file))),
        };
        configured = match found {
            Ok(name) => name.or(configured),
            Err((error, guessed)) => {
                doubt = Some(error.to_string());
                guessed.or(configured)
            }
        };
    }
    Ok(Node { name: named(&tree, configured)?, doubt })
}

/// RKE2's configuration files, in the order in which it reads them.
fn configuration(tree: &Tree) -> Vec<(String, Result<FileContent>)> {
    let (main, drop_ins) = (&HOST_FILES[0], &HOST_FILES[1]);
    let files = tree.files(main).files.into_iter().chain(tree.files(drop_ins).files);
    let files = files.filter(|(path, _)| !path.ends_with("/registries.yaml"));
    files.map(|(path, file)| (path, file.map_err(|skipped| Error::failed(skipped.message())))).collect()
}

const NAME_IT: &str =
    "set node-name in /etc/rancher/rke2/config.yaml, or mount the host's /etc/hostname below --host-root";

fn named(tree: &Tree, configured: Option<String>) -> Result<String> {
    let name = match configured {
        Some(name) => name,
        None => hostname(tree)?,
    };
    let name = name.to_lowercase(); // as k3s does with either (pkg/util, GetHostnameAndIPs)
    match valid(&name) {
        true => Ok(name),
        false => {
            let root = tree.root().display();
            Err(Error::failed(format!("{root}: the node's name is not a DNS name")).hint(NAME_IT))
        }
    }
}

/// RFC 1123, as Kubernetes wants a node's name; and it becomes part of a snapshot's id.
fn valid(name: &str) -> bool {
    let letters =
        name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'));
    letters && !name.is_empty() && !name.contains("..") && name.len() <= 253
}

fn name_in(path: &str, file: &FileContent) -> Result<Option<String>> {
    let text = std::str::from_utf8(&file.bytes).map_err(|_| Error::failed(format!("{path} is not UTF-8")))?;
    let documents = yaml::documents(text).map_err(|error| error.doing(path))?;
    Ok(documents.iter().find_map(|config| match &config["node-name"] {
        Value::String(name) => Some(name.clone()),
        Value::Number(name) => Some(name.to_string()),
        _ => None,
    }))
}

fn line_in(file: &FileContent) -> Option<String> {
    let text = String::from_utf8_lossy(&file.bytes);
    let names = text.lines().filter_map(|line| line.strip_prefix("node-name:"));
    let names = names.map(|name| name.trim().trim_matches(['"', '\'']).to_owned());
    names.rev().find(|name| valid(&name.to_lowercase()))
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

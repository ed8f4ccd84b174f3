//! From files to a Git tree, with a kustomization in each folder.
//!
//! In: what was seen, and the tree of the commit before. Out: the next tree. Invariant: outside of the history's folder
//! nothing changes; a kustomization names what is beside it, an empty folder has none, and the topmost names every object
//! once, though several components may have it.

use std::collections::{BTreeMap, BTreeSet};

use git2::{ErrorCode, FileMode, ObjectType, Oid, Repository, Tree, TreeWalkMode, TreeWalkResult};
use serde_json::json;

use super::{
    mark,
    seen::{Folder, REVIEW, Seen, Text},
};
use crate::{Error, Result, model::Component, signature::SigningKey, yaml};

const KUSTOMIZATION: &str = "kustomization.yaml";

/// The root tree that follows `before`, in which the folder `path` has what was seen.
pub(super) fn next(
    repository: &Repository,
    before: Option<&Tree<'_>>,
    path: &str,
    seen: &Seen,
    signer: &SigningKey,
) -> Result<Oid> {
    let old = before.map(|tree| below(repository, tree, path)).transpose()?.flatten();
    let mut history = old.as_ref().map(Tree::id);
    for (name, folder) in &seen.folders {
        let tree = history.map(|id| repository.find_tree(id)).transpose().map_err(failed)?;
        let was = tree.as_ref().map(|tree| below(repository, tree, name)).transpose()?.flatten();
        let marked = |path: &str, text: &Text| mark::marked(signer, &[&seen.cluster, name, path], text);
        let files = merged(repository, was.as_ref(), folder, &marked)?;
        let listed = !name.starts_with(Component::Host.name());
        let made = Node::of(&files).write(repository, listed)?.map(|(id, _)| id);
        history = graft(repository, tree.as_ref(), name, made)?;
    }
    let tree = history.map(|id| repository.find_tree(id)).transpose().map_err(failed)?;
    let topmost = tree.as_ref().map(|tree| objects(repository, tree)).transpose()?.unwrap_or_default();
    let kustomization = match topmost.is_empty() {
        true => None,
        false => Some(kustomization(repository, &topmost)?),
    };
    let history =
        entry(repository, tree.as_ref(), KUSTOMIZATION, kustomization.map(|id| (id, FileMode::Blob)))?;
    match graft(repository, before, path, history)? {
        Some(root) => Ok(root),
        None => repository.treebuilder(None).and_then(|builder| builder.write()).map_err(failed),
    }
}

/// The tree of a folder, where there is such a folder.
pub(super) fn below<'r>(repository: &'r Repository, tree: &Tree<'_>, path: &str) -> Result<Option<Tree<'r>>> {
    match tree.get_path(path.as_ref()) {
        Ok(entry) if entry.kind() == Some(ObjectType::Tree) => {
            repository.find_tree(entry.id()).map(Some).map_err(failed)
        }
        Ok(_) => Ok(None), // a file in its place gives way
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Every file below a tree by its path, but no kustomization.
fn files(tree: &Tree<'_>) -> Result<BTreeMap<String, Oid>> {
    let mut files = BTreeMap::new();
    let walked = tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let name = entry.name().unwrap_or_default();
        if entry.kind() == Some(ObjectType::Blob) && name != KUSTOMIZATION {
            files.insert(format!("{folder}{name}"), entry.id());
        }
        TreeWalkResult::Ok
    });
    walked.map_err(failed)?;
    Ok(files)
}

/// The files that a folder has next: what is missing of it because something could not be read stays as it was.
fn merged(
    repository: &Repository,
    was: Option<&Tree<'_>>,
    folder: &Folder,
    marked: &dyn Fn(&str, &Text) -> Result<String>,
) -> Result<BTreeMap<String, Oid>> {
    let mut next = match was {
        Some(tree) if !folder.unread.is_empty() => files(tree)?,
        _ => BTreeMap::new(),
    };
    for (path, text) in &folder.files {
        // Of an item that was filtered before and is not now, or the other way round, the other file goes.
        match path.strip_prefix(&format!("{REVIEW}/")) {
            Some(plain) => next.remove(plain),
            None => next.remove(&format!("{REVIEW}/{path}")),
        };
        next.insert(path.clone(), repository.blob(marked(path, text)?.as_bytes()).map_err(failed)?);
    }
    Ok(next)
}

/// What the topmost kustomization names: the first component that has an object stands for the others.
fn objects(repository: &Repository, history: &Tree<'_>) -> Result<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    let mut named = BTreeSet::new();
    for component in Component::ALL.into_iter().filter(|component| *component != Component::Host) {
        let Some(tree) = below(repository, history, component.name())? else { continue };
        for path in files(&tree)?.into_keys().filter(|path| !path.starts_with(&format!("{REVIEW}/"))) {
            if known.insert(path.clone()) {
                named.insert(format!("{component}/{path}"));
            }
        }
    }
    Ok(named)
}

fn kustomization<'a>(
    repository: &Repository,
    resources: impl IntoIterator<Item = &'a String>,
) -> Result<Oid> {
    let resources: Vec<&String> = resources.into_iter().collect();
    let text =
        yaml::write(&json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": resources}))?;
    repository.blob(text.as_bytes()).map_err(failed)
}

/// A tree with one entry set, or removed; none where nothing is left.
fn entry(
    repository: &Repository,
    tree: Option<&Tree<'_>>,
    name: &str,
    set: Option<(Oid, FileMode)>,
) -> Result<Option<Oid>> {
    let mut builder = repository.treebuilder(tree).map_err(failed)?;
    match set {
        Some((id, mode)) => drop(builder.insert(name, id, mode.into()).map_err(failed)?),
        None if builder.get(name).map_err(failed)?.is_some() => builder.remove(name).map_err(failed)?,
        None => {}
    }
    if builder.is_empty() { Ok(None) } else { builder.write().map(Some).map_err(failed) }
}

/// A tree in which the folder at `path` is this one, or is not there.
fn graft(
    repository: &Repository,
    tree: Option<&Tree<'_>>,
    path: &str,
    folder: Option<Oid>,
) -> Result<Option<Oid>> {
    let Some((first, rest)) = path.split_once('/') else {
        return entry(repository, tree, path, folder.map(|id| (id, FileMode::Tree)));
    };
    let inner = tree.map(|tree| below(repository, tree, first)).transpose()?.flatten();
    let inner = graft(repository, inner.as_ref(), rest, folder)?;
    entry(repository, tree, first, inner.map(|id| (id, FileMode::Tree)))
}

/// Files by folder.
enum Node<'a> {
    File(Oid),
    Folder(BTreeMap<&'a str, Node<'a>>),
}

impl<'a> Node<'a> {
    fn of(files: &'a BTreeMap<String, Oid>) -> Self {
        let mut root = Self::Folder(BTreeMap::new());
        for (path, id) in files {
            let mut node = &mut root;
            for step in path.split('/') {
                if let Self::File(_) = node {
                    *node = Self::Folder(BTreeMap::new());
                }
                let Self::Folder(folder) = node else { break };
                node = folder.entry(step).or_insert(Self::File(*id));
            }
        }
        root
    }

    /// Its id, and whether kubectl can apply something of it; none where there is no file.
    fn write(&self, repository: &Repository, listed: bool) -> Result<Option<(Oid, bool)>> {
        let folder = match self {
            Self::File(id) => return Ok(Some((*id, true))),
            Self::Folder(folder) => folder,
        };
        let mut builder = repository.treebuilder(None).map_err(failed)?;
        let mut resources = Vec::new();
        for (name, node) in folder {
            let listed = listed && *name != REVIEW;
            let Some((id, applies)) = node.write(repository, listed)? else { continue };
            let mode = if matches!(node, Self::File(_)) { FileMode::Blob } else { FileMode::Tree };
            builder.insert(name, id, mode.into()).map_err(failed)?;
            if listed && applies {
                resources.push((*name).to_owned());
            }
        }
        if builder.is_empty() {
            return Ok(None);
        }
        if !resources.is_empty() {
            let id = kustomization(repository, &resources)?;
            builder.insert(KUSTOMIZATION, id, FileMode::Blob.into()).map_err(failed)?;
        }
        let id = builder.write().map_err(failed)?;
        Ok(Some((id, !resources.is_empty())))
    }
}

pub(super) fn failed(error: git2::Error) -> Error {
    Error::failed("the next commit cannot be written").why(error.message())
}

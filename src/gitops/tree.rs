//! The files of a commit.
//!
//! In: a commit, folders. Out: every YAML file below them. Invariant: only what is in the commit's own tree: no link
//! and no submodule is followed, and what is not read is said.

use std::path::Path;

use git2::{ObjectType, Repository, Tree, TreeEntry};

use super::{File, GitSource, fetch::Commit};
use crate::{Error, Result, model::Component};

/// More than people write by hand: etcd takes no object larger than 1.5 MiB.
const LARGEST: usize = 4 << 20;
/// All files together.
const MOST: usize = 256 << 20;
const LINK: i32 = 0o120_000;

struct Walk<'a> {
    repository: &'a Repository,
    component: Component,
    files: Vec<File>,
    passed_over: Vec<String>,
    bytes: usize,
}

/// Every YAML file below the sources' folders, and what is no file.
///
/// # Errors
/// Usage, where a folder is not there; damaged, where the repository lacks what the commit names.
pub(super) fn files(
    repository: &Repository,
    commit: &Commit,
    sources: &[GitSource],
) -> Result<(Vec<File>, Vec<String>)> {
    let root = repository
        .find_commit(commit.id)
        .and_then(|commit| commit.tree())
        .map_err(|e| damaged("its tree", &e))?;
    let component = Component::Policies;
    let mut walk = Walk { repository, component, files: Vec::new(), passed_over: Vec::new(), bytes: 0 };
    for source in sources {
        walk.component = source.component;
        let before = walk.files.len();
        if source.path.is_empty() {
            walk.tree(&root, "")?;
        } else {
            let entry = root.get_path(Path::new(&source.path)).map_err(|_| missing(source, commit))?;
            let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            walk.entry(&entry, folder)?;
        }
        if walk.files.len() == before {
            return Err(missing(source, commit));
        }
    }
    Ok((walk.files, walk.passed_over))
}

impl Walk<'_> {
    fn tree(&mut self, tree: &Tree<'_>, folder: &str) -> Result<()> {
        tree.iter().try_for_each(|entry| self.entry(&entry, folder))
    }

    fn entry(&mut self, entry: &TreeEntry<'_>, folder: &str) -> Result<()> {
        let name = entry.name().map_err(|e| damaged("a file's name", &e))?;
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let object = entry.to_object(self.repository).map_err(|e| damaged(&path, &e))?;
                let tree = object.peel_to_tree().map_err(|e| damaged(&path, &e))?;
                self.tree(&tree, &path)?;
            }
            Some(ObjectType::Commit) => {
                self.passed_over.push(format!("{path} is a submodule, which is not followed"))
            }
            // Whatever its name: it may lead to a folder.
            Some(ObjectType::Blob) if entry.filemode() == LINK => {
                self.passed_over.push(format!("{path} is a link, which is not followed"));
            }
            Some(ObjectType::Blob) if !is_yaml(name) => {}
            Some(ObjectType::Blob) => {
                let blob = self.repository.find_blob(entry.id()).map_err(|e| damaged(&path, &e))?;
                self.bytes += blob.size();
                if blob.size() > LARGEST || self.bytes > MOST {
                    return Err(Error::damaged(format!("{path} is larger than objects that people author"))
                        .hint("name a folder that holds only such: `path` in git.sources"));
                }
                self.files.push(File { component: self.component, path, bytes: blob.content().to_vec() });
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_yaml(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    name == "Kustomization" || ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

fn missing(source: &GitSource, commit: &Commit) -> Error {
    let path = if source.path.is_empty() { "/" } else { &source.path };
    Error::usage(format!("{} has no YAML at `{path}` in commit {}", source.url, commit.id))
        .hint("correct `path` in git.sources, or, for a restore, name another commit: --from git@REV")
}

fn damaged(what: &str, error: &git2::Error) -> Error {
    Error::damaged(format!("{what} cannot be read from the Git repository")).why(error.message())
}

//! The files of this node.
//!
//! In: the source's files and those that are here. Out: one batch; what the source lacks among the kept. Invariant: only what
//! the catalog calls configuration is written, whatever an index says, and no file is ever deleted.

use std::collections::BTreeSet;

use super::{Resolver, judge::Rules};
use crate::{
    Result, catalog,
    model::{Class, Component, IndexEntry, ItemKey},
    plan::{Act, Batch, Existing, Verb},
};

impl<'a> Resolver<'a> {
    /// The acts of a `hostFiles` step.
    pub(super) fn files(&mut self, claimed: &[&'a IndexEntry]) -> Result<Batch> {
        let rules = Rules { existing: Existing::Replace, create_namespaces: false };
        let acts = self.judge_all(claimed, rules)?;
        let known: BTreeSet<&ItemKey> = claimed.iter().map(|entry| &entry.key).collect();
        let entries = self.live.items.iter().map(|live| &live.entry);
        let files = entries.filter(|e| e.component == Component::Host && e.class == Class::Config);
        let extras = files.filter(|entry| !known.contains(&entry.key));
        self.tally.kept.extend(extras.map(|extra| {
            (extra.key.clone(), "extra: the source has none; netdr deletes no file of a node".to_owned())
        }));
        Ok(Batch { note: "files of this node", acts })
    }

    /// Why a file cannot be written whatever its content.
    pub(super) fn file_obstacle(&self, path: &str) -> Option<String> {
        if catalog::host_files(path).is_none_or(|row| row.class != Class::Config) {
            return Some("the catalog does not name it as configuration, so it is never written".into());
        }
        let below = |folder: &str| {
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let failures = self.live.failures.iter().filter(|failure| failure.component == Component::Host);
        let failure = failures.into_iter().find(|failure| below(&failure.kind))?;
        Some(format!("what is there could not be read: {}", failure.why))
    }

    /// What a person should know where a file's folder is gone.
    pub(super) fn makes_folder(&self, act: &Act) -> Option<String> {
        let ItemKey::File { path, .. } = &act.key else { return None };
        let (folder, _) = path.rsplit_once('/')?;
        let missing = act.verb == Verb::Create && !self.live.folders.contains(folder);
        missing.then(|| format!("folder {folder} is made, root's and mode 0755"))
    }
}

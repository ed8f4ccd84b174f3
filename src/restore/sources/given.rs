//! Sources that are not snapshots of the repository: their items are at hand as a whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    gitops,
    model::{Component, Item, ItemKey, SnapshotId},
    plan::Source,
    repository::{self, Listed},
};

/// Where the wanted state is to come from: `--from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Snapshots; the latest of each set the plan needs where none is named.
    Snapshots(Vec<SnapshotId>),
    /// What people author in Git.
    Git(gitops::Wanted),
    /// A Velero backup archive.
    Velero {
        /// Where it is.
        file: PathBuf,
        /// Its sha256, where it must be this very one.
        sha256: Option<String>,
    },
}

impl Chosen {
    /// The snapshots that somebody named.
    pub(in crate::restore) fn snapshots(&self) -> &[SnapshotId] {
        match self {
            Self::Snapshots(ids) => ids,
            Self::Git(_) | Self::Velero { .. } => &[],
        }
    }

    /// Takes what snapshots that are gone were sealed anew as, and says so: a run names its sources as they were when it
    /// began.
    pub(in crate::restore) fn follow(&mut self, listed: &[Listed]) -> Vec<String> {
        let Self::Snapshots(ids) = self else { return Vec::new() };
        let mut said = Vec::new();
        for id in ids.iter_mut().filter(|id| listed.iter().all(|l| l.id != **id)) {
            if let Some(anew) = repository::stand_in(listed, id).cloned() {
                said.push(format!("snapshot {id} was sealed anew by netdr keys rotate: it is now {anew}"));
                *id = anew;
            }
        }
        said
    }
}

/// A source that is no snapshot.
#[derive(Clone, Debug)]
pub(in crate::restore) struct Given {
    /// What it is.
    pub(super) source: Source,
    /// Whether what it lacks was not there: else nothing is deleted by it.
    pub(super) complete: bool,
    /// Whether people wrote it: then it lacks what the API server adds by itself.
    pub(super) authored: bool,
    /// What the kustomizations in it leave out, a line each.
    pub(super) narrowed: Vec<String>,
    /// Where the items that people wrote stand: file and repository.
    pub(super) places: BTreeMap<(Component, ItemKey), String>,
    /// Everything in it of the plan's components.
    pub(super) items: BTreeMap<(Component, ItemKey), Item>,
    /// What the API server would not take in a dry run, and so stays as it was written.
    pub(super) refused: BTreeMap<(Component, ItemKey), Refused>,
}

/// That a dry run was refused.
#[derive(Clone, Debug)]
pub(in crate::restore) struct Refused {
    /// The HTTP status.
    pub(in crate::restore) code: u16,
    /// The server's words, without any secret value of the item.
    pub(in crate::restore) why: String,
    /// What of it the server does not know, where that is why, and where that is written.
    pub(in crate::restore) unknown: Option<String>,
}

impl Given {
    /// The items of these keys.
    pub(in crate::restore) fn pick(
        &self,
        wanted: &BTreeMap<Component, BTreeSet<&ItemKey>>,
    ) -> BTreeMap<(Component, ItemKey), Item> {
        let picked =
            |component: &Component, key: &ItemKey| wanted.get(component).is_some_and(|k| k.contains(key));
        let items = self.items.iter().filter(|((component, key), _)| picked(component, key));
        items.map(|(id, item)| (id.clone(), item.clone())).collect()
    }
}

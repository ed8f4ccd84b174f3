//! What was asked of an archive, and when.
//!
//! In: a place, a snapshot. Out: per object what was asked. Invariant: it is a help, never the truth: without it, or where
//! it cannot be read or written, the promise is only longer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::from_slice;

use crate::{
    Error, Result,
    model::SnapshotId,
    repository::{archive::Asked, disk, layout, regular, s3::Place},
};

/// `thaws/<place>-<snapshot>.json` of a repository.
pub(super) struct Record {
    path: PathBuf,
    asked: BTreeMap<String, Asked>,
    unkept: Option<Error>,
}

/// What was asked for of a snapshot in a place, by the names of its objects, as far as the repository knows.
pub fn kept(root: &Path, place: &Place, id: &SnapshotId) -> BTreeMap<String, Asked> {
    let bytes = regular::read(&layout::thaw(root, &place.name, id)).ok();
    bytes.and_then(|bytes| from_slice(&bytes).ok()).unwrap_or_default()
}

impl Record {
    pub(super) fn read(root: &Path, place: &Place, id: &SnapshotId) -> Self {
        Self { path: layout::thaw(root, &place.name, id), asked: kept(root, place, id), unkept: None }
    }

    pub(super) fn of(&self, name: &str) -> Option<Asked> {
        self.asked.get(name).copied()
    }

    pub(super) fn keep(&mut self, name: &str, asked: Asked) {
        if self.asked.insert(name.into(), asked) != Some(asked) {
            self.unkept = self.write().err();
        }
    }

    /// Why it could not be written.
    pub(super) fn unkept(self) -> Option<String> {
        self.unkept.map(|error| error.to_string())
    }

    fn write(&self) -> Result<()> {
        disk::make(self.path.parent().unwrap_or(Path::new("")))?;
        let text = serde_json::to_vec(&self.asked)
            .map_err(|e| Error::failed("cannot write what was asked of the archive").because(e))?;
        disk::replace(&self.path.with_extension("new"), &self.path, &text)
    }
}

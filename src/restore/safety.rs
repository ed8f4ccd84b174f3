//! The safety snapshot: what a run overwrites or deletes, sealed before its first act.
//!
//! In: live contents, recipients, the run's folder. Out: sealed files beside the journal, with their digests.
//! Invariant: recipients are all it needs, so it never waits for a key that is not at hand; nothing is applied unless
//! all of it is on disk. It is bound to the run by the digests in its journal, and is no snapshot of the repository.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    path::Path,
};

use chrono::{DateTime, Utc};

use super::journal::Entry;
use crate::{
    Error, Result,
    model::{Component, Index, IndexEntry, Item},
    seal::{self, Recipients, Sealed},
};

/// Seals what will be overwritten into `folder`; the entries belong into the journal. Nothing to save, no files.
///
/// # Errors
/// When a file cannot be written and synced; the run must not go on.
pub(super) fn save(
    overwritten: &BTreeMap<Component, Vec<Item>>,
    recipients: &Recipients,
    folder: &Path,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if overwritten.is_empty() {
        return Ok(entries);
    }
    for (component, items) in overwritten {
        let name = format!("safety-{component}.tar.zst.age");
        entries.push(write(folder, name, |file| seal::seal_bundle(items, now, recipients, file))?);
    }
    let lines = overwritten.values().flatten().map(IndexEntry::of).collect();
    let index = Index { entries: lines, ..Index::default() };
    let name = "safety-index.jsonl.zst.age".to_owned();
    entries.push(write(folder, name, |file| seal::seal_index(&index, recipients, file))?);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| failed(folder).because(e))?;
    Ok(entries)
}

fn write(folder: &Path, name: String, seal: impl FnOnce(&mut File) -> Result<Sealed>) -> Result<Entry> {
    let path = folder.join(&name);
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| failed(&path).because(e))?;
    let sealed =
        seal(&mut file).map_err(|error| error.doing(format!("safety snapshot {}", path.display())))?;
    file.sync_all().map_err(|e| failed(&path).because(e))?;
    Ok(Entry::Safety { file: name, sha256: sealed.sha256, items: sealed.items })
}

fn failed(path: &Path) -> Error {
    Error::failed(format!("cannot write the safety snapshot {}", path.display())).hint(
        "nothing was changed; free the disk or choose another place with --state-dir DIR, then run again",
    )
}

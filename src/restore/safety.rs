//! The safety snapshot: what a run overwrites or deletes, sealed before its first act; and back, for an undo.
//!
//! In: live contents, recipients, the run's folder. Out: sealed files beside the journal, with their digests.
//! Invariant: recipients are all it needs, so it never waits for a key that is not at hand; nothing is applied unless
//! all of it is on disk. It is bound to the run by the digests in its journal, and is no snapshot of the repository.

mod expired;

pub use expired::{Expired, KEPT, expired, saved};

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    path::Path,
};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{
    journal::{Entry, Line},
    prepared::Part,
};
use crate::{
    Error, Result,
    model::{Component, Index, IndexEntry, Item, ItemKey, hex},
    repository::regular,
    seal::{self, Identities, Recipients, Sealed},
};

/// What a safety snapshot holds, by key and sha256 of the content.
pub(super) type Saved = BTreeMap<(ItemKey, String), Item>;

const PREFIX: &str = "safety-";
const BUNDLE: &str = ".tar.zst.age";
const INDEX: &str = "index.jsonl.zst.age";

/// Seals what will be overwritten into `folder`; the entries belong into the journal. Nothing to save, no files. Each
/// process of a run (`session`, from 1), and each part of it, has files of its own: what an earlier one saved is never
/// written over.
///
/// # Errors
/// When a file cannot be written and synced; the run must not go on.
pub(super) fn save(
    overwritten: &BTreeMap<Component, Vec<Item>>,
    recipients: &Recipients,
    folder: &Path,
    session: usize,
    part: Part,
    now: DateTime<Utc>,
) -> Result<Vec<Entry>> {
    let mut prefix = if session == 1 { PREFIX.to_owned() } else { format!("{PREFIX}{session}-") };
    if part == Part::Rest {
        prefix += "rest-";
    }
    let mut entries = Vec::new();
    if overwritten.is_empty() {
        return Ok(entries);
    }
    for (component, items) in overwritten {
        let name = format!("{prefix}{component}{BUNDLE}");
        entries.push(write(folder, name, |file| seal::seal_bundle(items, now, recipients, file))?);
    }
    let lines = overwritten.values().flatten().map(IndexEntry::of).collect();
    let index = Index { entries: lines, ..Index::default() };
    let name = format!("{prefix}{INDEX}");
    entries.push(write(folder, name, |file| seal::seal_index(&index, recipients, file))?);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| failed(folder).because(e))?;
    Ok(entries)
}

/// Opens what the journal's `Safety` entries bind, all sessions together: each item by its key and digest, for one object
/// may have been saved more than once.
///
/// # Errors
/// Damaged, when a file is missing or is not the one that the journal names; or when no identity opens it.
pub(super) fn open(folder: &Path, entries: &[Line], identities: &Identities) -> Result<Saved> {
    let bound = entries.iter().filter_map(|line| match &line.entry {
        Entry::Safety { file, sha256, .. } => Some((file.as_str(), sha256.as_str())),
        _ => None,
    });
    let bound: Vec<(&str, &str)> = bound.collect();
    let mut saved = Saved::new();
    for (name, sha256) in &bound {
        let Some(prefix) = name.strip_suffix(INDEX) else { continue };
        let index = seal::open_index(&mut checked(folder, name, sha256)?.as_slice(), identities, name)?;
        let components: BTreeSet<Component> = index.entries.iter().map(|entry| entry.component).collect();
        for component in components {
            let name = format!("{prefix}{component}{BUNDLE}");
            let bundle = bound.iter().find(|(bound, _)| *bound == name);
            let (_, sha256) = bundle.ok_or_else(|| foreign(folder, &name, "is not in the journal"))?;
            let sealed = checked(folder, &name, sha256)?;
            let mut each = |item: Item| {
                saved.insert((item.key.clone(), item.sha256()), item);
                Ok(())
            };
            seal::open_bundle(
                &mut sealed.as_slice(),
                identities,
                component,
                &index,
                &name,
                &|_| true,
                &mut each,
            )?;
        }
    }
    Ok(saved)
}

/// The very bytes that were hashed: whoever may write here could change the file in between.
fn checked(folder: &Path, name: &str, sha256: &str) -> Result<Vec<u8>> {
    let bytes =
        regular::read(&folder.join(name)).map_err(|e| foreign(folder, name, "cannot be read").because(e))?;
    if hex(&Sha256::digest(&bytes)) != sha256 {
        return Err(foreign(folder, name, "is not the file that the run's journal names by its sha256"));
    }
    Ok(bytes)
}

fn foreign(folder: &Path, name: &str, what: &str) -> Error {
    Error::damaged(format!("the safety snapshot {} {what}, so nothing is undone", folder.join(name).display()))
        .hint("netdr prune deletes safety snapshots after 30 days; if that was not it, put the run's folder back from a copy of the repository; a snapshot from before helps too: netdr snapshots")
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
        "nothing of the plan that was shown is done; free the disk or choose another place with --state-dir DIR, then run again",
    )
}

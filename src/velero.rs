//! A Velero backup archive as a source: for clusters that have Velero and no snapshot.
//!
//! In: a `.tar.gz` as Velero stores it (velero.io, "Output file format"), and what is in scope. Out: a [`Backup`]: items
//! as a capture would have made them. Invariant: nobody signed it, so it is bound by its sha256, and of it only what the
//! catalog names for the components in scope becomes an item; memory holds those and one entry more.

mod archive;
mod gather;
mod record;

use std::{collections::BTreeMap, path::Path};

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    capture::Scope,
    model::{Component, Item, ItemKey},
};
use archive::Entry;
use gather::Gathering;
use record::{Record, Written};

/// What an archive holds of a scope.
#[derive(Debug)]
pub struct Backup {
    /// sha256 of the archive's bytes, in hex.
    pub sha256: String,
    /// When Velero began to read the cluster; where nothing says so, the oldest time in the archive.
    pub captured_at: DateTime<Utc>,
    /// Whether Velero read everything and left out nothing: else what it lacks proves nothing.
    pub complete: bool,
    /// Every item in scope.
    pub items: BTreeMap<(Component, ItemKey), Item>,
    /// What a person should know.
    pub remarks: Vec<String>,
}

/// Reads an archive. `scope.also` and the cluster are not asked.
///
/// # Errors
/// Usage, where the file cannot be opened; damaged, where it is no backup archive of a version that is known, is cut off,
/// or is not the one whose sha256 is given.
pub fn read(file: &Path, sha256: Option<&str>, scope: &Scope) -> Result<Backup> {
    let shown = file.display();
    let mut gathering = Gathering::new(scope);
    let mut version = None;
    let mut written: Option<Written> = None;
    let first = archive::each(file, |entry| {
        if let Some(at) = entry.written_at {
            let Written { from, to } = written.unwrap_or(Written { from: at, to: at });
            written = Some(Written { from: from.min(at), to: to.max(at) });
        }
        match &entry {
            Entry { path: ["metadata", "version"], .. } => {
                version = Some(String::from_utf8_lossy(&entry.read()?).trim().to_owned());
                Ok(())
            }
            entry => gathering.first(entry),
        }
    })?;
    if sha256.is_some_and(|sha256| sha256 != first) {
        return Err(Error::damaged(format!(
            "{shown} is not the archive that the run began with: its sha256 is {first}"
        ))
        .hint("put that archive back, or restore anew from this one"));
    }
    match version.as_deref().map(|version| version.split('.').next().unwrap_or_default()) {
        Some("1") => {}
        Some(_) => {
            let version = version.unwrap_or_default();
            return Err(Error::damaged(format!(
                "{shown} is a Velero backup of format {version}, and netdr reads format 1"
            )));
        }
        None => {
            return Err(Error::damaged(format!(
                "{shown} is no Velero backup archive: it has no metadata/version"
            ))
            .hint("Velero writes one as BACKUP.tar.gz; get it with: velero backup download BACKUP"));
        }
    }
    gathering.follow();
    let second = archive::each(file, |entry| gathering.second(&entry))?;
    if first != second {
        return Err(Error::damaged(format!("{shown} changed while it was read")));
    }
    let record = Record::beside(file, written);
    let mut remarks = gathering.remarks;
    remarks.extend(record.remarks);
    Ok(Backup {
        sha256: first,
        captured_at: record.began.or(written.map(|written| written.from)).unwrap_or_default(),
        complete: record.complete,
        items: gathering.items,
        remarks,
    })
}

#[cfg(test)]
mod tests;

//! A snapshot on its way in.
//!
//! In: sealed files, then a header. Out: a snapshot, by one rename. Invariant: until that rename there is no
//! snapshot, and after it there is a whole one; whoever dies before leaves a hidden folder for the next to sweep.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{
    Repository,
    disk::{self, NewFile},
    layout,
    lock::{self, Lock, Mode},
};
use crate::{
    Error, Result,
    model::{Component, SnapshotHeader, SnapshotId},
};

/// A snapshot on its way in: dropped before [`Staging::commit`], it leaves nothing.
#[derive(Debug)]
pub struct Staging {
    repository: Repository,
    id: SnapshotId,
    folder: PathBuf,
    lock: Lock,
}

impl Repository {
    /// Begins a snapshot: takes the shared lock, waiting a minute at most for a prune to end.
    ///
    /// # Errors
    /// When a prune holds the lock, the id is taken, or the repository cannot be written.
    pub fn stage(&self, id: &SnapshotId, now: DateTime<Utc>) -> Result<Staging> {
        let lock = Lock::take(&layout::locks(&self.root), Mode::Shared, Some(id), now, lock::WAIT)?;
        self.sweep(&lock, now);
        let folder = layout::staging(&self.root, id);
        fs::create_dir(&folder).map_err(|e| match e.kind() {
            // A fetch, killed or under way: a new snapshot has an id that nobody else has.
            ErrorKind::AlreadyExists => Error::failed(format!("another process brings snapshot {id} here"))
                .hint("wait for it to end, then try again"),
            _ => disk::cannot("create", &folder, e),
        })?;
        Ok(Staging { repository: self.clone(), id: id.clone(), folder, lock })
    }

    /// Removes what dead writers left. Folders are read before locks, and a writer locks before it makes its
    /// folder: a folder without a lock has no writer. What cannot be removed is hidden anyway and stays. A fetch that was
    /// killed left a folder of the very snapshot that `own` is for.
    fn sweep(&self, own: &Lock, now: DateTime<Utc>) {
        let found = disk::names(&layout::snapshots(&self.root)).unwrap_or_default();
        let Ok(holders) = lock::holders(&layout::locks(&self.root), now) else { return };
        let others = holders.into_iter().filter(|(name, _)| !own.is(name));
        let alive: Vec<SnapshotId> = others.filter_map(|(_, holder)| holder?.snapshot).collect();
        for name in found {
            if let Some(id) = layout::leftover(&name).filter(|id| !alive.contains(id)) {
                let _ = remove(&self.root, &layout::snapshots(&self.root).join(name), &id);
            }
        }
    }
}

impl Staging {
    /// Writes a component's bundle through `fill`, once, and syncs it.
    ///
    /// # Errors
    /// Those of `fill`; a full disk is named as such whatever `fill` makes of it. When the lock was taken away.
    pub fn bundle<T>(
        &self,
        component: Component,
        fill: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<T> {
        self.lock.renew()?;
        disk::write_new(&self.folder.join(layout::bundle(component)), fill)
    }

    /// A file of a snapshot that is whole elsewhere, to be filled piece by piece.
    pub(super) fn file(&self, name: &str) -> Result<NewFile> {
        self.lock.renew()?;
        NewFile::create(&self.folder.join(name))
    }

    /// Keeps the snapshot's lock while a file comes, however slowly.
    pub(super) async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.lock.during(work).await
    }

    /// Writes the index likewise.
    ///
    /// # Errors
    /// As [`Staging::bundle`].
    pub fn index<T>(&self, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
        self.lock.renew()?;
        disk::write_new(&self.folder.join(layout::INDEX), fill)
    }

    /// Writes signature and header, syncs, and renames the folder into place.
    ///
    /// # Errors
    /// When the header is another snapshot's, signing fails, or the repository cannot be written.
    pub fn commit(self, header: &SnapshotHeader, sign: &dyn Fn(&[u8]) -> Result<String>) -> Result<()> {
        let id = &self.id;
        if header.id != *id {
            return Err(Error::failed(format!("the header of {} does not belong to {id}", header.id)));
        }
        let mut text = serde_json::to_vec_pretty(header)
            .map_err(|e| Error::failed(format!("cannot write the header of {id}")).because(e))?;
        text.push(b'\n');
        let signature = sign(&text)?;
        self.commit_signed(&text, signature.as_bytes())
    }

    /// The same with a header that was signed before.
    pub(super) fn commit_signed(self, header: &[u8], signature: &[u8]) -> Result<()> {
        let Self { repository, id, folder, .. } = &self;
        disk::write_bytes(&folder.join(layout::SIGNATURE), signature)?;
        disk::write_bytes(&folder.join(layout::HEADER), header)?;
        disk::sync_folder(folder)?;
        disk::rename(folder, &layout::snapshot(&repository.root, id))?;
        disk::sync_folder(&layout::snapshots(&repository.root))
    }
}

impl Drop for Staging {
    /// After a commit there is nothing at this path any more.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Deletes a folder below `snapshots/`: by one rename it is in no listing and can be committed no more; then the
/// header goes, so that what a crash leaves is nobody's snapshot. False where it was gone already.
pub(super) fn remove(root: &Path, folder: &Path, id: &SnapshotId) -> Result<bool> {
    let gone = layout::gone(root, id);
    let snapshots = layout::snapshots(root);
    if folder != gone {
        let there =
            disk::if_there(fs::rename(folder, &gone)).map_err(|e| disk::cannot("delete", folder, e))?;
        if !there {
            return Ok(false);
        }
        disk::sync_folder(&snapshots)?;
    }
    for path in [gone.join(layout::HEADER), gone.join(layout::SIGNATURE)] {
        disk::if_there(fs::remove_file(&path)).map_err(|e| disk::cannot("delete", &path, e))?;
    }
    disk::if_there(fs::remove_dir_all(&gone)).map_err(|e| disk::cannot("delete", &gone, e))?;
    disk::sync_folder(&snapshots)?;
    Ok(true)
}

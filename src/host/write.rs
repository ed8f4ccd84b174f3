//! Writing files of a server node under an injected root.
//!
//! In: a root, a path of the catalog's configuration files, what is wanted there, the sha256 of what may be written over.
//! Out: what became of it, or why not in words. Invariant: no link is followed below the root; whenever the process or the
//! machine dies, the file is wholly the old or the new one; and one netdr at a time writes below a root.

use std::{fs::File, io::Write as _, path::Path};

use rustix::{
    fd::{AsFd as _, OwnedFd},
    fs::{
        AtFlags, Dir, FlockOperation, Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, flock, fsync,
        mkdirat, openat, renameat_with, unlinkat,
    },
    io::Errno,
    process::{getegid, geteuid},
};
use sha2::{Digest as _, Sha256};

use super::tree::{Tree, enter};
use crate::{
    Error, Result,
    catalog::{self, HOST_FILES},
    model::{Class, FileContent, hex},
};

/// Begins the name of a file that is not complete yet: hidden, so that neither RKE2 nor its deploy controller reads it.
const UNFINISHED: &str = ".netdr-new-";

/// Writes below a root, alone.
pub struct Writer {
    tree: Tree,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is as wanted now.
    Done,
    /// It was so already.
    Unchanged,
    /// It is neither as planned nor as wanted, so it was left alone.
    Changed,
}

/// Whether this process may give files their owners.
///
/// # Errors
/// Usage: it is not root, and they belong to somebody else.
pub fn may_own<'a>(files: impl IntoIterator<Item = &'a FileContent>) -> Result<()> {
    let me = (geteuid().as_raw(), getegid().as_raw());
    if me.0 == 0 || files.into_iter().all(|file| (file.uid, file.gid) == me) {
        return Ok(());
    }
    Err(Error::usage("only root can put the node's files back, with the owner that each had")
        .why(format!("this is uid {}", me.0))
        .hint("nothing was changed; run the same command as root, for example with sudo"))
}

impl Writer {
    /// Opens the root, keeps other writers away until it is dropped, and removes what one that was killed left unfinished.
    ///
    /// # Errors
    /// When the root cannot be opened or cleaned, or another netdr is at work there.
    pub fn open(root: &Path) -> Result<Self> {
        let tree = Tree::open(root)?;
        let shown = root.display();
        flock(tree.fd(), FlockOperation::NonBlockingLockExclusive).map_err(|cause| match cause {
            Errno::WOULDBLOCK => Error::failed(format!("another netdr is writing files below {shown}"))
                .hint("nothing was changed; wait until it ends: netdr runs"),
            cause => Error::failed(format!("cannot lock {shown}")).because(std::io::Error::from(cause)),
        })?;
        let writer = Self { tree };
        writer.sweep().map_err(|why| Error::failed(format!("cannot tidy up below {shown}")).why(why))?;
        Ok(writer)
    }

    /// Makes the file at an absolute path what is wanted, if it still is what was planned (sha256; none stands for "no such
    /// file"). Missing folders on the way are made, root's, with the modes that RKE2 would make them with.
    ///
    /// # Errors
    /// Why not, in words that name the path, with the way out; the file is as it was.
    pub fn put(&self, path: &str, wanted: &FileContent, planned: Option<&str>) -> Result<Written, String> {
        let (folder, name) = place(path)?;
        let wanted_sha256 = wanted.sha256();
        if let Some(settled) = self.look(path, planned, Some(&wanted_sha256))? {
            return Ok(settled);
        }
        let folder = self.made(folder)?;
        let unfinished = Unfinished::begin(&folder, name).map_err(|cause| words("write", path, cause))?;
        unfinished.fill(wanted).map_err(|cause| words("write", path, cause))?;
        if let Some(settled) = self.look(path, planned, Some(&wanted_sha256))? {
            return Ok(settled);
        }
        match unfinished.finish(name, planned.is_some()) {
            Err(Errno::EXIST) => Ok(Written::Changed),
            Err(cause) => Err(words("write", path, cause)),
            Ok(()) => Ok(Written::Done),
        }
    }

    /// Removes the file, if it still is what was planned.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn remove(&self, path: &str, planned: Option<&str>) -> Result<Written, String> {
        let (folder, name) = place(path)?;
        if let Some(settled) = self.look(path, planned, None)? {
            return Ok(settled);
        }
        let Some(folder) = self.tree.folder(folder).map_err(super::tree::Skipped::message)? else {
            return Ok(Written::Unchanged);
        };
        unlinkat(&folder, name, AtFlags::empty()).map_err(|cause| words("remove", path, cause))?;
        fsync(&folder).map_err(|cause| words("remove", path, cause))?;
        Ok(Written::Done)
    }

    /// None where it may be written.
    fn look(
        &self,
        path: &str,
        planned: Option<&str>,
        wanted: Option<&str>,
    ) -> Result<Option<Written>, String> {
        let live = self.tree.file(path).map_err(super::tree::Skipped::message)?;
        let live = live.map(|file| file.sha256());
        Ok(match live.as_deref() {
            live if live == wanted => Some(Written::Unchanged),
            live if live != planned => Some(Written::Changed),
            _ => None,
        })
    }

    /// Opens a folder step by step, and makes what is missing of it.
    fn made(&self, path: &str) -> Result<OwnedFd, String> {
        let mut folder = self.tree.fd().try_clone().map_err(|cause| format!("{path}: {cause}"))?;
        let mut so_far = String::new();
        for step in path.split('/').filter(|step| !step.is_empty()) {
            so_far = format!("{so_far}/{step}");
            folder = match enter(&folder, step) {
                Err(Errno::NOENT) => make(&folder, step, mode(&so_far)),
                entered => entered,
            }
            .map_err(|cause| words("open folder", &so_far, cause))?;
        }
        Ok(folder)
    }

    fn sweep(&self) -> Result<(), String> {
        for row in HOST_FILES.iter().filter(|row| row.class == Class::Config) {
            for path in self.tree.files(row).folders {
                let Ok(Some(folder)) = self.tree.folder(&path) else { continue };
                let said = |cause| words("tidy up", &path, cause);
                for entry in Dir::read_from(&folder).map_err(said)? {
                    let entry = entry.map_err(said)?;
                    if entry.file_name().to_bytes().starts_with(UNFINISHED.as_bytes()) {
                        unlinkat(&folder, entry.file_name(), AtFlags::empty()).map_err(said)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Folder and name of a path that may be written: the catalog's configuration, nothing else.
fn place(path: &str) -> Result<(&str, &str), String> {
    let row = catalog::host_files(path).filter(|row| row.class == Class::Config);
    let parts = row.and_then(|_| path.rsplit_once('/'));
    parts.ok_or_else(|| format!("{path} is no configuration that netdr restores"))
}

/// What a folder that is missing is made with: no snapshot has the modes of folders. Inside RKE2's own two it is root's
/// alone, as RKE2 makes `server` (k3s, pkg/server: setupDataDirAndChdir, 0700); those two themselves hold what others read
/// (rke2.yaml, kubectl), and the distribution's are open to all.
fn mode(folder: &str) -> Mode {
    let inside =
        ["/etc/rancher/rke2/", "/var/lib/rancher/rke2/"].iter().any(|rke2s| folder.starts_with(rke2s));
    Mode::from_raw_mode(if inside { 0o700 } else { 0o755 })
}

fn make(parent: &OwnedFd, name: &str, mode: Mode) -> rustix::io::Result<OwnedFd> {
    mkdirat(parent, name, mode)?;
    let folder = enter(parent, name)?;
    fchmod(&folder, mode)?; // whatever the umask
    fsync(parent)?;
    Ok(folder)
}

/// A file that is being written; dropped before it is finished, it is gone.
struct Unfinished<'a> {
    folder: &'a OwnedFd,
    name: String,
    file: File,
}

impl<'a> Unfinished<'a> {
    /// An empty one, which only its owner can read. Its name is that of the file it is for, shortened: names may be long.
    fn begin(folder: &'a OwnedFd, of: &str) -> rustix::io::Result<Self> {
        let name = format!("{UNFINISHED}{}", &hex(&Sha256::digest(of))[..16]);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(folder, &name, flags, Mode::from_raw_mode(0o600))?;
        Ok(Self { folder, name, file: file.into() })
    }

    fn fill(&self, wanted: &FileContent) -> rustix::io::Result<()> {
        let errno = |cause: std::io::Error| Errno::from_io_error(&cause).unwrap_or(Errno::IO);
        (&self.file).write_all(&wanted.bytes).map_err(errno)?;
        let (uid, gid) = (Uid::from_raw(wanted.uid), Gid::from_raw(wanted.gid));
        fchown(self.file.as_fd(), Some(uid), Some(gid))?;
        fchmod(self.file.as_fd(), Mode::from_raw_mode(wanted.mode))?; // last, for a change of owner clears bits of it
        fsync(self.file.as_fd())
    }

    /// Puts it in its place; where nothing was there, only if there still is nothing.
    fn finish(&self, name: &str, over: bool) -> rustix::io::Result<()> {
        let flags = if over { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(self.folder, &self.name, self.folder, name, flags) {
            // A file system that knows no such flag: there was nothing a moment ago.
            Err(Errno::INVAL) => rustix::fs::renameat(self.folder, &self.name, self.folder, name)?,
            renamed => renamed?,
        }
        fsync(self.folder)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let _ = unlinkat(self.folder, &self.name, AtFlags::empty()); // not there any more once it is finished
    }
}

fn words(doing: &str, path: &str, cause: Errno) -> String {
    let way_out = match cause {
        Errno::NOSPC | Errno::DQUOT => "free space on that disk, then run the same command again",
        Errno::ROFS => {
            "the file system is mounted read-only: mount it read-write, then run the same command again"
        }
        Errno::ACCESS | Errno::PERM => {
            "run the same command as root; if it is root, see whether the file may be changed at all: lsattr"
        }
        Errno::LOOP | Errno::NOTDIR => "it is a link or no folder, and netdr follows no links",
        _ => "run the same command again",
    };
    format!("cannot {doing} {path}: {}; {way_out}", std::io::Error::from(cause))
}

#[cfg(test)]
mod tests;

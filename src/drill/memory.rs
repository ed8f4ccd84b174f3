//! Where a drill keeps what it unseals: a folder in memory, never one on a disk.
//!
//! In: a folder. Out: the proof that it is in memory. Invariant: no value of [`Memory`] names a folder on a disk.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::fs::statfs;
use tempfile::TempDir;

use crate::{Error, Result};

/// What the kernel calls file systems in memory (linux/magic.h, TMPFS_MAGIC and RAMFS_MAGIC).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// The orders of the shell that removes a folder when the pipe closes that netdr holds, however netdr ends
/// (docs/design/0006).
const WATCHDOG: &str = r#"trap '' TERM; read -r _; rm -rf "$1""#;

/// What a control plane takes without any item, in bytes, and for each byte of them. Measured with etcd 3.6: 125 MiB and twice the
/// items, for its two logs are 62 MiB each from the beginning; one more of these, and twice as much for items are to spare.
const PLANE: u64 = 192 << 20;
const EACH: u64 = 6;

/// How much a drill of items of so many bytes takes at most; its plans are drilled one after the other.
fn needed(items: u64) -> u64 {
    PLANE + EACH * items
}

/// How many bytes may be written, of what statfs(2) answers: of a file system without a limit (ramfs, tmpfs with `size=0`) all
/// blocks are 0.
fn free(blocks: u64, available: u64, size: u64) -> u64 {
    if blocks == 0 { u64::MAX } else { available.saturating_mul(size) }
}

/// A folder in memory.
#[derive(Clone, Debug)]
pub struct Memory(PathBuf);

impl Memory {
    /// Looks where it is.
    ///
    /// # Errors
    /// Usage: it is not there, or on a disk.
    pub fn at(folder: &Path) -> Result<Self> {
        let shown = folder.display();
        let way_out = || {
            "mount one, and name it: mount -t tmpfs -o mode=0700 tmpfs DIR; netdr drill --all --memory DIR"
                .to_owned()
        };
        let found = statfs(folder).map_err(|cause| {
            Error::usage(format!("{shown} cannot be used for a drill"))
                .because(std::io::Error::from(cause))
                .hint(way_out())
        })?;
        if !IN_MEMORY.contains(&u64::try_from(found.f_type).unwrap_or_default()) {
            return Err(Error::usage(format!("{shown} is on a disk"))
                .why("a drill unseals secrets, and those are kept in memory alone")
                .hint(way_out()));
        }
        Ok(Self(folder.to_owned()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// That a control plane with so many bytes of items has room there, asked before one is started: out of room, etcd dies.
    ///
    /// # Errors
    /// Usage: less is free than that takes.
    pub fn has_room(&self, items: u64) -> Result<()> {
        let shown = self.0.display();
        let found = statfs(&self.0).map_err(|cause| {
            Error::failed(format!("cannot ask how much is free below {shown}"))
                .because(std::io::Error::from(cause))
        })?;
        let size = u64::try_from(found.f_bsize).unwrap_or_default();
        let (free, needed) = (free(found.f_blocks, found.f_bavail, size), needed(items));
        if free >= needed {
            return Ok(());
        }
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        Err(Error::usage(format!("{shown} has too little room for a drill"))
            .why(format!("{} MiB are free, and these snapshots take {} MiB", free >> 20, mebibytes(needed)))
            .hint(format!(
                "mount a larger one, and name it: mount -t tmpfs -o mode=0700,size={}m tmpfs DIR; netdr drill --all --memory DIR",
                mebibytes(needed)
            )))
    }

    /// A private folder in it, for what a drill on a cluster keeps.
    ///
    /// # Errors
    /// When it cannot be made, or nothing can watch over it.
    pub fn folder(&self) -> Result<Folder> {
        let failed = |e| Error::failed("cannot make a folder for the drill").because(e);
        let folder = tempfile::Builder::new().prefix("netdr-drill-").tempdir_in(&self.0).map_err(failed)?;
        let mut watchdog = Command::new("/bin/sh");
        watchdog
            .args(["-c", WATCHDOG, "netdr-drill"])
            .arg(folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        let watchdog = watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let watchdog = watchdog.process_group(0).spawn().map_err(failed)?; // Ctrl-C is netdr's to answer
        Ok(Folder { folder, watchdog })
    }
}

/// A folder that is gone when it is dropped, or its process killed.
pub struct Folder {
    folder: TempDir,
    watchdog: Child,
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait(); // it cannot fail for a child that nobody else waits for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_on_a_disk_is_refused_with_the_way_out() {
        let error = Memory::at(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
        assert!(error.to_string().contains("is on a disk"), "{error}");
        assert!(error.hints()[0].contains("mount -t tmpfs"), "{error:?}");
        assert!(Memory::at(Path::new("/nowhere")).is_err());
        assert!(Memory::at(Path::new("/dev/shm")).is_ok());
    }

    #[test]
    fn what_has_too_little_room_is_refused_with_how_much_it_takes() {
        let memory = Memory::at(Path::new("/dev/shm")).unwrap();
        memory.has_room(0).unwrap();
        let error = memory.has_room(1 << 45).unwrap_err();
        assert!(error.to_string().contains("too little room"), "{error}");
        assert!(error.hints()[0].contains(&format!("size={}m", needed(1 << 45) >> 20)), "{error:?}");
        assert_eq!((free(0, 0, 4096), free(9, 0, 4096), free(9, 2, 4096)), (u64::MAX, 0, 8192));
    }

    #[test]
    fn dropped_a_folder_is_gone_with_all_that_is_in_it_and_with_its_watchdog() {
        let folder = Memory::at(Path::new("/dev/shm")).unwrap().folder().unwrap();
        let (path, watchdog) = (folder.path().to_owned(), folder.watchdog.id());
        std::fs::create_dir_all(path.join("runs/x")).unwrap();
        drop(folder);
        assert!(!path.exists() && !Path::new("/proc").join(watchdog.to_string()).exists());
    }
}

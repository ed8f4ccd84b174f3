//! Where a drill keeps what it unseals: a folder in memory, never one on a disk.
//!
//! In: a folder. Out: the proof that it is in memory. Invariant: no value of [`Memory`] names a folder on a disk.

use std::path::{Path, PathBuf};

use rustix::fs::statfs;

use crate::{Error, Result};

/// What the kernel calls file systems in memory (linux/magic.h, TMPFS_MAGIC and RAMFS_MAGIC).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

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
            "mount one, and name it: mount -t tmpfs -o mode=0700 tmpfs DIR; netdr drill --memory DIR"
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
}

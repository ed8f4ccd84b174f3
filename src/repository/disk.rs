//! Files that are written once and are on the disk when they are said to be.
//!
//! In: paths and bytes. Out: files, or an error that names the path and what to do about it.
//! Invariant: no file is ever overwritten; where another takes its place, it does so whole, by a rename.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::regular;
use crate::{Error, Result, model::hex};

/// An I/O failure on `path`, with its way out where there is one; `doing` is a verb: "write", "read".
pub(super) fn cannot(doing: &str, path: &Path, cause: io::Error) -> Error {
    let (kind, is_odd) = (cause.kind(), regular::is_odd(&cause));
    let error = Error::failed(format!("cannot {doing} {}", path.display())).because(cause);
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(path);
    let hint = match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "free space on that file system; nothing was left half-written. Which old snapshots could go: netdr prune --dry-run; \
             what you may have to restore from, copy elsewhere first"
                .into()
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("make it writable: mount -o remount,rw \"$(findmnt -no TARGET --target {})\"", folder.display())
        }
        ErrorKind::PermissionDenied => {
            format!("run netdr as the owner of the repository: ls -ld {}", folder.display())
        }
        ErrorKind::StaleNetworkFileHandle => "unmount and mount the repository's file system again".into(),
        _ if is_odd => format!("netdr makes files there and nothing else; what is it? ls -l {}", path.display()),
        _ => return error,
    };
    error.hint(hint)
}

/// Creates `path`, lets `fill` write it, and syncs it.
pub(super) fn write_new<T>(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let mut out = NewFile::create(path)?;
    let filled = fill(&mut out);
    out.settle(filled)
}

/// A file being written. Remembers why writing failed: whoever writes through age and zstd gets to know less.
pub(super) struct NewFile {
    file: File,
    path: PathBuf,
    failed: Option<io::Error>,
}

impl NewFile {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        Ok(Self { file: file.map_err(|e| cannot("create", path, e))?, path: path.into(), failed: None })
    }

    /// Syncs what was filled in, or says why that went wrong.
    pub(super) fn settle<T>(self, filled: Result<T>) -> Result<T> {
        if let Some(cause) = self.failed {
            return Err(cannot("write", &self.path, cause));
        }
        let filled = filled?;
        self.file.sync_all().map_err(|e| cannot("write", &self.path, e))?;
        Ok(filled)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|cause| {
            let told = io::Error::from(cause.kind());
            if cause.kind() != ErrorKind::Interrupted {
                self.failed = Some(cause);
            }
            told
        })
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// [`write_new`] of bytes that are at hand.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_new(path, |out| out.write_all(bytes).map_err(|e| cannot("write", path, e)))
}

/// Makes a rename or a new name in `folder` last through a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| cannot("sync", folder, e))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|e| cannot(&format!("rename {} to", from.display()), to, e))
}

/// Puts `text` in the place of `file`: written `aside` and renamed, so that nobody reads half of it. An error names `aside` only
/// where that is what is in the way.
pub(super) fn replace(aside: &Path, file: &Path, text: &[u8]) -> Result<()> {
    // Of one that was killed. Where nothing can be written, nothing was to be removed.
    if_there(fs::remove_file(aside)).map_err(|e| match e.kind() {
        ErrorKind::ReadOnlyFilesystem => cannot("write", file, e),
        _ => cannot("remove", aside, e),
    })?;
    let written = || {
        let mut new = OpenOptions::new().write(true).create_new(true).open(aside)?;
        new.write_all(text)?;
        new.sync_all()?;
        fs::rename(aside, file)
    };
    written().map_err(|e| cannot("write", file, e))
}

/// Makes a folder, unless it is there.
pub(super) fn make(folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(cannot("create", folder, e)),
        _ => Ok(()),
    }
}

/// Whether there was something to rename or delete: another process may have been quicker.
pub(super) fn if_there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

/// The same of something read.
pub(super) fn if_some<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The names in a folder, unsorted.
pub(super) fn names(folder: &Path) -> Result<Vec<String>> {
    let names = || -> io::Result<Vec<String>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    names().map_err(|e| cannot("read", folder, e))
}

/// sha256 in hex and length of what is left in `input`.
pub(super) fn digest(input: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let bytes = io::copy(input, &mut hash)?;
    Ok((hex(&hash.finalize()), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_whatever_the_writer_above_makes_of_it() {
        let path = Path::new("/dev/full");
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let mut full = NewFile { file, path: path.into(), failed: None };
        let filled = full.write_all(&[0; 10]).map_err(|_| Error::failed("sealing went wrong somehow"));
        let error = full.settle(filled).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /dev/full: No space left"), "{error}");
        assert!(error.hints()[0].contains("netdr prune"));
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_bytes(&path, b"first").unwrap();
        assert!(write_bytes(&path, b"second").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn another_takes_the_place_of_a_file_whatever_one_that_was_killed_left() {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("x"), folder.path().join("x.new"));
        write_bytes(&aside, b"ha").unwrap();
        for text in [b"first", b"other"] {
            replace(&aside, &file, text).unwrap();
            assert_eq!((fs::read(&file).unwrap(), aside.exists()), (text.to_vec(), false));
        }
        fs::create_dir(&aside).unwrap();
        let error = replace(&aside, &file, b"third").unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot remove {}", aside.display())), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"other");
    }

    #[test]
    fn of_the_name_on_its_way_nobody_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("gone/x"), folder.path().join("gone/.x.new"));
        let error = replace(&aside, &file, b"text").unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot write {}: ", file.display())), "{error}");
        assert!(!format!("{error:?}").contains(".new"), "{error:?}");
    }

    #[test]
    fn a_read_only_file_system_says_how_to_remount_it() {
        let error = cannot("write", Path::new("/backup"), io::Error::from_raw_os_error(30));
        assert!(
            error.to_string().contains("/backup") && error.hints()[0].contains("remount,rw"),
            "{error:?}"
        );
    }
}

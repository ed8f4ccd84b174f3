//! Reading below a root, one folder at a time, each opened in its parent and never through a link.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat},
    io::Errno,
};

use crate::{Error, Result, catalog::HostFiles, model::FileContent};

/// The largest file read, in bytes: a manifest with a chart in it is one or two megabytes.
const MAX_FILE: u64 = 16 << 20;
/// How deep subfolders are followed.
const MAX_DEPTH: usize = 16;

/// An opened root.
pub(super) struct Tree {
    path: PathBuf,
    root: OwnedFd,
}

/// Why a file was not read; the text names it.
#[derive(Debug)]
pub(super) enum Skipped {
    /// A link or a special file: what it stands for is elsewhere.
    Link {
        /// In words.
        why: String,
        /// Where a link leads, as far as its own words say it.
        to: Option<String>,
    },
    /// It is there and could not be read.
    Failed(String),
}

/// What a row of the table comes to.
#[derive(Default)]
pub(super) struct Found {
    /// By path.
    pub(super) files: Vec<(String, Result<FileContent, Skipped>)>,
    /// The row's folder and what is below it, as far as they exist.
    pub(super) folders: Vec<String>,
}

impl Skipped {
    pub(super) fn message(self) -> String {
        let (Self::Link { why: message, .. } | Self::Failed(message)) = self;
        message
    }
}

impl Tree {
    pub(super) fn open(root: &Path) -> Result<Self> {
        let opened = openat(CWD, root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let opened = opened.map_err(|cause| {
            Error::failed(format!("cannot open the host root {}", root.display()))
                .because(std::io::Error::from(cause))
                .hint("name the folder where the host's file system is mounted: --host-root DIR")
        })?;
        Ok(Self { path: root.into(), root: opened })
    }

    pub(super) fn root(&self) -> &Path {
        &self.path
    }

    /// One file; none where it does not exist.
    pub(super) fn file(&self, path: &str) -> Result<Option<FileContent>, Skipped> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.folder(folder)? {
            Some(folder) => read(folder, name, path),
            None => Ok(None),
        }
    }

    /// The files of a row, by path.
    pub(super) fn files(&self, row: &HostFiles) -> Found {
        let mut found = Found::default();
        match self.folder(row.folder) {
            Ok(Some(folder)) => walk(folder, row.folder, row, 0, &mut found),
            Ok(None) => {}
            Err(skipped) => found.files.push((row.folder.to_owned(), Err(skipped))),
        }
        found.files.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.root
    }

    /// Opens a folder step by step. A link on the way is a failure: all that is behind it would be missing.
    pub(super) fn folder(&self, path: &str) -> Result<Option<OwnedFd>, Skipped> {
        let mut folder =
            self.root.try_clone().map_err(|cause| Skipped::Failed(format!("{path}: {cause}")))?;
        let mut so_far = String::new();
        for step in path.split('/').filter(|step| !step.is_empty()) {
            so_far = format!("{so_far}/{step}");
            match enter(&folder, step) {
                Ok(next) => folder = next,
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    return Err(Skipped::Failed(format!(
                        "{so_far} is a link or no folder, and netdr follows no links"
                    )));
                }
                Err(cause) => return Err(failed(&so_far, cause)),
            }
        }
        Ok(Some(folder))
    }
}

fn walk(folder: OwnedFd, path: &str, row: &HostFiles, depth: usize, found: &mut Found) {
    found.folders.push(path.to_owned());
    let entries = match Dir::read_from(&folder) {
        Ok(entries) => entries,
        Err(cause) => return found.files.push((path.to_owned(), Err(failed(path, cause)))),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(cause) => return found.files.push((path.to_owned(), Err(failed(path, cause)))),
        };
        let name = entry.file_name();
        let at = format!("{path}/{}", name.to_string_lossy());
        if matches!(name.to_bytes(), b"." | b"..") || !(row.deep || row.has(&at)) {
            continue;
        }
        let kind = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        let outcome = match kind {
            Ok(FileType::Directory) if row.deep && depth == MAX_DEPTH => {
                Err(Skipped::Failed(format!("{at} is more than {MAX_DEPTH} folders deep")))
            }
            Ok(FileType::Directory) if row.deep => match enter(&folder, name) {
                Ok(next) => {
                    walk(next, &at, row, depth + 1, found);
                    continue;
                }
                Err(cause) => Err(failed(&at, cause)),
            },
            Ok(_) if !row.has(&at) => continue,
            _ if name.to_str().is_err() => Err(Skipped::Failed(format!("{at} has a name that is not UTF-8"))),
            _ => match read(&folder, name, &at) {
                Ok(Some(file)) => Ok(file),
                Ok(None) => continue, // removed since it was listed
                Err(skipped) => Err(skipped),
            },
        };
        found.files.push((at, outcome));
    }
}

pub(super) fn enter(folder: impl AsFd, name: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

fn read(
    folder: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    path: &str,
) -> Result<Option<FileContent>, Skipped> {
    let link = || Skipped::Link {
        why: format!("{path} is a link or a special file; it was not followed"),
        to: target(&folder, name, path),
    };
    let refused = |cause| failed(path, cause);
    // Looked at before it is opened: opening a device can act on it.
    match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => return Err(link()),
        Ok(_) => {}
        Err(Errno::NOENT) => return Ok(None),
        Err(cause) => return Err(refused(cause)),
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(&folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(link()),
        Err(cause) => return Err(refused(cause)),
    };
    let stat = fstat(&file).map_err(refused)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(link());
    }
    let mut bytes = Vec::new();
    let read = File::from(file).take(MAX_FILE + 1).read_to_end(&mut bytes);
    read.map_err(|cause| Skipped::Failed(format!("cannot read {path}: {cause}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Skipped::Failed(format!("{path} is larger than {} MiB", MAX_FILE >> 20)));
    }
    Ok(Some(FileContent { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, bytes }))
}

/// Where the link at `path` leads, below the root; nothing where it is none. Nothing is followed: folders on the way that are
/// links themselves are taken by their names.
fn target(folder: impl AsFd, name: impl rustix::path::Arg, path: &str) -> Option<String> {
    let to = readlinkat(folder, name, Vec::new()).ok()?.into_string().ok()?;
    let from = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut steps: Vec<&str> = if to.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    for step in to.split('/') {
        match step {
            "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    steps.retain(|step| !step.is_empty());
    Some(format!("/{}", steps.join("/")))
}

fn failed(path: &str, cause: Errno) -> Skipped {
    Skipped::Failed(format!("cannot read {path}: {}", std::io::Error::from(cause)))
}

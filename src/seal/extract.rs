//! Unpacking a bundle into a folder, for people and their tools.
//!
//! In: a bundle. Out: its files below an empty folder. Invariant: nothing is written outside of that folder,
//! nothing there is executable as another user, and a bundle that is damaged leaves nothing.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use super::{
    Identities,
    archive::{FileHeader, each_file},
    stream::{self, reading},
};
use crate::{Error, Result};

/// Unpacks a bundle's files below `to` (which must be empty or absent), refusing every path that would leave it.
/// Folders are made 0700, files 0600; host files keep their mode but for setuid, setgid and sticky bits. Owners
/// are not restored. Returns how many files.
///
/// # Errors
/// `to` is not empty or cannot be written, no identity fits, or the bundle is damaged; then `to` is emptied.
pub fn extract(input: &mut dyn Read, identities: &Identities, what: &str, to: &Path) -> Result<u64> {
    let absent = is_absent(to)?;
    let clear = stream::open(input, identities, what)?;
    make_folder(to).map_err(|error| cannot_write(to, &error))?;
    let mut files = 0;
    let unpacked = each_file(clear, what, &mut |file, input| {
        files += 1;
        unpack(&file, input, what, to)
    });
    if unpacked.is_err() {
        empty(to, absent).map_err(|error| cannot_write(to, &error))?;
    }
    unpacked.map(|()| files)
}

fn is_absent(to: &Path) -> Result<bool> {
    match fs::read_dir(to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::failed(format!("cannot extract to {}", to.display())).because(error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => Err(Error::usage(format!("cannot extract to {}: it is not empty", to.display()))
                .hint("name a folder that is empty or does not exist: --to DIR")),
        },
    }
}

fn unpack(file: &FileHeader, input: &mut dyn Read, what: &str, to: &Path) -> Result<()> {
    let path = to.join(&file.path);
    // A path that is there twice, or is a file and a folder, cannot come from sealing items.
    let create = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            Error::damaged(format!("{what} is damaged: it holds `{}` twice", file.path.escape_debug()))
        }
        _ => cannot_write(&path, &error),
    };
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(create)?;
    }
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(create)?;
    let mut buffer = [0; 8192];
    loop {
        let read = input.read(&mut buffer).map_err(|error| reading(what, &error))?;
        if read == 0 {
            break;
        }
        io::Write::write_all(&mut out, &buffer[..read]).map_err(|error| cannot_write(&path, &error))?;
    }
    // After the content: a mode may forbid writing, and the umask must not take bits away.
    out.set_permissions(Permissions::from_mode(file.mode & 0o777))
        .map_err(|error| cannot_write(&path, &error))
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Takes back what was unpacked; the folder too, where it was not there before.
fn empty(to: &Path, absent: bool) -> io::Result<()> {
    if absent {
        return fs::remove_dir_all(to);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &io::Error) -> Error {
    Error::failed(format!("cannot write {}", path.display())).because(error)
}

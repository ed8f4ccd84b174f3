//! Reading what somebody else may have put into a repository.
//!
//! In: a path. Out: the file there, or its content. Invariant: nobody waits. Whoever may write to a repository can put a pipe in
//! the place of a file, and a plain open of one ends when another process opens it to write; a device may never end.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// What is said of a pipe, a device or a socket.
const ODD: &str = "is not a regular file";

/// Whether that is why a file was not opened.
pub(super) fn is_odd(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|why| why.to_string() == ODD)
}

/// Opens a file to read it; a link is followed.
///
/// # Errors
/// When it cannot be opened, or is a pipe, a device or a socket.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        // A file server's lease on it (open(2), EWOULDBLOCK): it is given up for whoever waits.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock && path.is_file() => File::open(path)?,
        opened => opened?,
    };
    let kind = file.metadata()?.file_type();
    // Of a folder reading says what it is.
    if kind.is_file() || kind.is_dir() { Ok(file) } else { Err(io::Error::other(ODD)) }
}

/// The content of a file.
///
/// # Errors
/// As [`open`], and when it cannot be read.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_and_a_device_are_refused_at_once_and_a_link_to_a_file_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, file, link] = ["pipe", "file", "link"].map(|name| folder.path().join(name));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for odd in [&pipe, Path::new("/dev/zero")] {
            assert!(is_odd(&read(odd).unwrap_err()), "{}", odd.display());
        }
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_to_string(&link).unwrap(), "text");
        assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(read(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}

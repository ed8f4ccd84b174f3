//! Whether a file that steers netdr may be believed: as root, one that others can write is not.
//!
//! In: who owns a file and its folder, and their modes. Out: why not, if not. Invariant: what is judged is the
//! file that is read: links are followed.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::{Error, Result};

/// Reads a configuration, plan, recipients or signers file; refuses, as root, one that others can write.
///
/// # Errors
/// Usage: it cannot be read, or others can write it.
pub(super) fn read(file: &Path, what: &str) -> Result<String> {
    check(file, what)?;
    let shown = file.display();
    fs::read_to_string(file).map_err(|e| Error::usage(format!("{what} {shown} cannot be read")).because(e))
}

/// Refuses, as root, a file that others can write. A file that is not there is its reader's to name.
pub(super) fn check(file: &Path, what: &str) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let Ok(real) = fs::canonicalize(file) else { return Ok(()) };
    for path in real.ancestors() {
        let Ok(found) = fs::metadata(path) else { continue };
        let stat = Stat { mode: found.mode(), uid: found.uid(), gid: found.gid() };
        if let Some(why) = stat.writable_by_others() {
            let shown = path.display();
            let error = Error::usage(format!("{what} {} can be changed by others", file.display()))
                .why(format!("{shown} {why}"));
            return Err(error.hint(if real.starts_with("/dev") {
                "give a file that only root can change".into()
            } else if path == real {
                format!("make it root's alone: chown root:root {shown} && chmod go-w {shown}")
            } else {
                "move it to a folder that only root can write, such as /etc/netdr".into()
            }));
        }
    }
    Ok(())
}

/// Warns of an identity that others can read. It is read all the same: in the disaster there is no other.
pub(super) fn read_by_others(file: &Path) -> Option<String> {
    let mode = fs::metadata(file).ok()?.mode() & 0o7777;
    let shown = file.display();
    (mode & 0o044 != 0).then(|| {
        format!("others can read the identity {shown}, which opens every snapshot: chmod 600 {shown}")
    })
}

struct Stat {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Stat {
    fn writable_by_others(&self) -> Option<String> {
        const STICKY: u32 = 0o1000; // in such a folder (/tmp) only a file's owner can replace it
        if self.uid != 0 {
            return Some(format!("belongs to uid {}", self.uid));
        }
        let folder = self.mode & 0o170_000 == 0o040_000;
        let open = self.mode & 0o002 != 0 || (self.mode & 0o020 != 0 && self.gid != 0);
        let protected = folder && self.mode & STICKY != 0;
        (open && !protected).then(|| format!("has mode {:04o}", self.mode & 0o7777))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_that_others_can_read_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, said) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
            file.as_file().set_permissions(fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_by_others(file.path()).is_some(), said, "{mode:o}");
        }
    }

    fn open(mode: u32, uid: u32, gid: u32) -> bool {
        Stat { mode, uid, gid }.writable_by_others().is_some()
    }

    #[test]
    fn only_what_root_alone_can_write_is_believed() {
        assert!(!open(0o100_644, 0, 0));
        assert!(!open(0o100_664, 0, 0), "group root is root");
        assert!(open(0o100_664, 0, 100));
        assert!(open(0o100_646, 0, 0));
        assert!(open(0o100_600, 1000, 0), "its owner can write it whatever the mode says");
        assert!(!open(0o041_777, 0, 0), "/tmp");
        assert!(open(0o040_777, 0, 0));
    }
}

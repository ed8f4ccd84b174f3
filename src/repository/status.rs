//! What verbs leave for those after them: how they ended, and which problems were told of.
//!
//! In: a name and a text. Out: files below `status/`, which is all that some jobs see of a repository. Invariant: a file is
//! written by rename, so that whoever reads it finds the former or the new one; none of it is needed to restore anything.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use super::{Repository, disk, layout, regular};
use crate::Result;

/// The folder `status/` of a repository.
#[derive(Clone, Debug)]
pub struct Status {
    root: PathBuf,
}

impl Repository {
    /// Its status.
    pub fn status(&self) -> Status {
        Status { root: self.root.clone() }
    }
}

impl Status {
    /// What is seen of the status of a repository at `root`, whatever else of it is there. None where nothing is: nothing is
    /// made where nothing is mounted.
    pub fn seen(root: &Path) -> Option<Self> {
        layout::status(root).is_dir().then(|| Self { root: root.into() })
    }

    /// Every file there whose name begins so, by name.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn read(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let folder = layout::status(&self.root);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let read = |name: String| {
            // Another process may have removed it meanwhile.
            let text = disk::if_some(regular::read_to_string(&folder.join(&name)));
            Ok(text.map_err(|e| disk::cannot("read", &folder.join(&name), e))?.map(|text| (name, text)))
        };
        let names = disk::names(&folder)?.into_iter();
        let wanted = names.filter(|name| name.starts_with(prefix) && name.ends_with(".json"));
        wanted.map(read).filter_map(Result::transpose).collect()
    }

    /// Writes one, in place of the one of the same name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<()> {
        let folder = layout::status(&self.root);
        let file = folder.join(name);
        make(&self.root)
            .and_then(|()| place(&folder, &file, text))
            .map_err(|e| disk::cannot("write", &file, e))
    }

    /// Removes one, where it is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<()> {
        let file = layout::status(&self.root).join(name);
        disk::if_there(fs::remove_file(&file)).map(drop).map_err(|e| disk::cannot("delete", &file, e))
    }
}

/// The folder belongs to whom the repository belongs: jobs run as root and as another user, and both write there.
pub(super) fn make(root: &Path) -> io::Result<()> {
    let folder = layout::status(root);
    match fs::create_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let owner = fs::metadata(root)?;
    let _ = chown(&folder, Some(owner.uid()), Some(owner.gid())); // only root can, and only root needs to
    Ok(())
}

fn place(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    // The name on its way is nobody's concern: of these two errors one would have it, so it is made by its kind alone.
    let made = tempfile::Builder::new().prefix(".new-").tempfile_in(folder);
    let mut new = made.map_err(|e| io::Error::from(e.kind()))?;
    new.as_file_mut().write_all(text.as_bytes())?;
    new.as_file().set_permissions(Permissions::from_mode(0o644))?;
    new.as_file().sync_all()?;
    new.persist(file).map(drop).map_err(|e| e.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_text_takes_the_place_of_the_former() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(&folder.path().join("r"), 7).unwrap();
        let status = repository.status();
        assert!(status.read("").unwrap().is_empty());
        status.put("a.json", "1").unwrap();
        status.put("a.json", "2").unwrap();
        status.put("b.json", "3").unwrap();
        assert_eq!(status.read("a").unwrap(), [("a.json".to_owned(), "2".to_owned())]);
        status.remove("a.json").unwrap();
        status.remove("a.json").unwrap();
        status.remove("b.json").unwrap();
        assert_eq!(
            fs::read_dir(repository.root().join("status")).unwrap().count(),
            0,
            "nothing is left beside it"
        );
        let names =
            fs::read_dir(repository.root()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| layout::is_ours(&name)));
    }

    /// As a job of a check does, which sees nothing else of the repository.
    #[test]
    fn what_is_seen_alone_is_read_and_written_and_where_nothing_is_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            Status::seen(folder.path()).is_none() && Status::seen(&folder.path().join("absent")).is_none()
        );
        let repository = Repository::init(&folder.path().join("r"), 7).unwrap();
        let job = folder.path().join("job");
        fs::create_dir(&job).unwrap();
        std::os::unix::fs::symlink(repository.root().join("status"), job.join("status")).unwrap();
        assert!(Repository::open(&job).is_err());
        Status::seen(&job).unwrap().put("a.json", "1").unwrap();
        assert_eq!(repository.status().read("a").unwrap().len(), 1, "`init` made the folder");
    }
}

//! What verbs leave for those after them: how they ended, and which problems were told of.
//!
//! In: a name and a text. Out: files below `status/`. Invariant: a file is written by rename, so that whoever reads it
//! finds the former or the new one; none of it is needed to restore anything.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

use super::{Repository, disk, layout};
use crate::Result;

impl Repository {
    /// Every file there whose name begins so, by name.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn status(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let folder = layout::status(&self.root);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let read = |name: String| {
            // Another process may have removed it meanwhile.
            let text = disk::if_some(fs::read_to_string(folder.join(&name)));
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
    pub fn put_status(&self, name: &str, text: &str) -> Result<()> {
        let folder = layout::status(&self.root);
        let file = folder.join(name);
        make(&self.root, &folder)
            .and_then(|()| place(&folder, &file, text))
            .map_err(|e| disk::cannot("write", &file, e))
    }

    /// Removes one, where it is there.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_status(&self, name: &str) -> Result<()> {
        let file = layout::status(&self.root).join(name);
        disk::if_there(fs::remove_file(&file)).map(drop).map_err(|e| disk::cannot("delete", &file, e))
    }
}

/// The folder belongs to whom the repository belongs: jobs run as root and as another user, and both write there.
fn make(root: &Path, folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    let owner = fs::metadata(root)?;
    let _ = chown(folder, Some(owner.uid()), Some(owner.gid())); // only root can, and only root needs to
    Ok(())
}

fn place(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
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
        assert!(repository.status("").unwrap().is_empty());
        repository.put_status("a.json", "1").unwrap();
        repository.put_status("a.json", "2").unwrap();
        repository.put_status("b.json", "3").unwrap();
        assert_eq!(repository.status("a").unwrap(), [("a.json".to_owned(), "2".to_owned())]);
        repository.remove_status("a.json").unwrap();
        repository.remove_status("a.json").unwrap();
        repository.remove_status("b.json").unwrap();
        assert_eq!(
            fs::read_dir(repository.root().join("status")).unwrap().count(),
            0,
            "nothing is left beside it"
        );
        let names =
            fs::read_dir(repository.root()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| layout::is_ours(&name)));
    }
}

//! Making a repository, and recognising one.
//!
//! In: a path. Out: an opened repository, or why it is none and what makes it one.
//! Invariant: `netdr-repository.json` is written last, by rename, so a repository is whole or is none; only
//! [`Repository::init`] makes one, so a missing mount fails a backup and does not fill a root disk.

use std::{fs, io::ErrorKind, path::Path};

use super::{COPIES, Repository, disk, layout, regular, status};
use crate::{Error, Result};

/// The repository format this netdr writes, and the newest it reads.
pub const FORMAT: u64 = 1;

impl Repository {
    /// Makes a new one at `root`, which is empty or does not exist; `random` becomes its id.
    ///
    /// # Errors
    /// When `root` is a file, a repository, a folder with other content, or cannot be written.
    pub fn init(root: &Path, random: u64) -> Result<Self> {
        Self::may_init(root)?;
        for folder in [layout::snapshots(root), layout::locks(root), layout::git(root)] {
            fs::create_dir_all(&folder).map_err(|e| disk::cannot("create", &folder, e))?;
        }
        // Jobs of checks mount it alone: where it is not there, the kubelet would make it, and as root's.
        status::make(root).map_err(|e| disk::cannot("create", &layout::status(root), e))?;
        let id = format!("{random:016x}");
        let text = serde_json::json!({"format": FORMAT, "id": id}).to_string() + "\n";
        let (aside, file) = (root.join(layout::REPOSITORY_NEW), root.join(layout::REPOSITORY));
        disk::replace(&aside, &file, text.as_bytes())?;
        disk::sync_folder(root)?;
        Ok(Self { root: root.into(), id })
    }

    /// Whether a new one can be made at `root`; nothing is made.
    ///
    /// # Errors
    /// When `root` is a file, a repository, or a folder with other content.
    pub fn may_init(root: &Path) -> Result<()> {
        if root.join(layout::REPOSITORY).exists() {
            let shown = root.display();
            return Err(Error::usage(format!("{shown} is a repository already")).hint(format!(
                "use it as it is: netdr backup --repo {shown}; or choose another path for a new one"
            )));
        }
        match fs::metadata(root) {
            Ok(found) if !found.is_dir() => Err(not_a_folder(root)),
            Ok(_) => refuse_content(root),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) if e.kind() == ErrorKind::NotADirectory => Err(not_a_folder(root)),
            Err(e) => Err(disk::cannot("read", root, e)),
        }
    }

    /// Opens one.
    ///
    /// # Errors
    /// When `root` is missing, is a file, is no repository or only half of one, or is of a newer format.
    pub fn open(root: &Path) -> Result<Self> {
        let shown = root.display();
        let found = fs::metadata(root).map_err(|e| match e.kind() {
            ErrorKind::NotFound => missing(Error::failed(format!("repository {shown} does not exist")), root),
            ErrorKind::NotADirectory => not_a_folder(root),
            _ => disk::cannot("read repository", root, e),
        })?;
        if !found.is_dir() {
            return Err(not_a_folder(root));
        }
        let path = root.join(layout::REPOSITORY);
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(unmarked(root)),
            Err(e) => return Err(disk::cannot("read", &path, e)),
        };
        let broken = |why: String| {
            put_back(Error::damaged(format!("{} cannot be parsed", path.display())).why(why), root)
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
        match (value["format"].as_u64(), value["id"].as_str()) {
            (Some(format), _) if format > FORMAT => Err(Error::failed(format!(
                "repository {shown} is of format {format}, newer than this netdr reads ({FORMAT})"
            ))
            .hint("update netdr to the version that wrote it")),
            (Some(_), Some(id)) => Ok(Self { root: root.into(), id: id.into() }),
            _ => Err(broken("it lacks format or id".into())),
        }
    }

    /// Whether nothing is at `root`, or no more than what an interrupted init left.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn is_absent(root: &Path) -> Result<bool> {
        if !root.exists() {
            return Ok(true);
        }
        let left = |names: Vec<String>| names.iter().all(|name| layout::is_ours(name));
        let snapshots = layout::snapshots(root);
        Ok(root.is_dir()
            && !root.join(layout::REPOSITORY).exists()
            && left(disk::names(root)?)
            && (!snapshots.exists() || disk::names(&snapshots)?.is_empty()))
    }

    /// Whether it has no snapshot, nor anything that was or was to become one.
    ///
    /// # Errors
    /// When the folder of snapshots cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(disk::names(&layout::snapshots(&self.root))?.is_empty())
    }
}

fn not_a_folder(root: &Path) -> Error {
    let file = root.ancestors().find(|path| path.is_file()).unwrap_or(root);
    Error::usage(format!(
        "no repository can be at {}: {} is a file, not a folder",
        root.display(),
        file.display()
    ))
    .hint("pass a folder: --repo PATH, or repository: in netdr.yaml")
}

fn missing(error: Error, root: &Path) -> Error {
    let shown = root.display();
    error
        .hint(format!("is its file system mounted? findmnt --target {shown}"))
        .hint(format!("a new one is made with: netdr init --repo {shown}"))
        .hint(COPIES)
}

/// Nothing in a repository is bound to its id, by signature or otherwise: any one makes it whole again.
fn put_back(error: Error, root: &Path) -> Error {
    let file = root.join(layout::REPOSITORY);
    let content = format!("{{\"format\":{FORMAT},\"id\":\"0123456789abcdef\"}}");
    error.why("the snapshots beside it need nothing of it: they are signed and sealed by themselves").hint(
        format!(
            "put it back from a copy; or make one up, any 16 hex digits will do: echo '{content}' > '{}'",
            file.display()
        ),
    )
}

/// Why a folder without `netdr-repository.json` is no repository.
fn unmarked(root: &Path) -> Error {
    let shown = root.display();
    let file = layout::REPOSITORY;
    let snapshots = disk::names(&layout::snapshots(root));
    match snapshots {
        Ok(names) if names.is_empty() => {
            Error::failed(format!("repository {shown} is half-initialised: it has no {file}"))
                .hint(format!("finish it with: netdr init --repo {shown}"))
        }
        Ok(_) => put_back(Error::damaged(format!("repository {shown} has snapshots but no {file}")), root),
        Err(_) => missing(Error::failed(format!("{shown} is not a repository: it has no {file}")), root),
    }
}

/// What an interrupted init left may stay; anything else is somebody's.
fn refuse_content(root: &Path) -> Result<()> {
    let shown = root.display();
    let mut foreign: Vec<String> = disk::names(root)?.into_iter().filter(|n| !layout::is_ours(n)).collect();
    foreign.sort();
    if let Some(first) = foreign.first() {
        return Err(Error::usage(format!("{shown} is not empty: it holds {first}"))
            .hint("choose an empty folder, or one that does not exist"));
    }
    let snapshots = layout::snapshots(root);
    if snapshots.exists() && !disk::names(&snapshots)?.is_empty() {
        return Err(unmarked(root));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn hints(error: &Error) -> String {
        error.hints().join("; ")
    }

    #[test]
    fn init_makes_what_open_opens_and_refuses_a_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a/b");
        assert_eq!(Repository::init(&root, 7).unwrap().id(), "0000000000000007");
        assert_eq!(Repository::open(&root).unwrap().id(), "0000000000000007");
        let again = Repository::init(&root, 8).unwrap_err();
        assert!(again.to_string().contains("is a repository already"), "{again}");
        assert_eq!(Repository::open(&root).unwrap().id(), "0000000000000007");
    }

    #[test]
    fn init_refuses_a_file_and_what_is_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert_eq!(Repository::init(&file, 1).unwrap_err().kind(), Kind::Usage);
        assert_eq!(Repository::open(&file).unwrap_err().kind(), Kind::Usage);
        let foreign = Repository::init(folder.path(), 1).unwrap_err();
        assert!(foreign.to_string().ends_with("is not empty: it holds file"), "{foreign}");
        assert_eq!(disk::names(folder.path()).unwrap(), ["file"], "nothing was made");
    }

    #[test]
    fn a_missing_mount_is_an_error_that_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let error = Repository::open(&absent).unwrap_err();
        assert!(error.to_string().ends_with("absent does not exist"), "{error}");
        assert!(hints(&error).contains("findmnt") && hints(&error).contains("netdr init"));
        assert!(!absent.exists());
        let empty = Repository::open(folder.path()).unwrap_err();
        assert!(hints(&empty).contains("mounted"), "{empty:?}");
    }

    #[test]
    fn an_interrupted_init_is_told_and_finished() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [layout::SNAPSHOTS, layout::LOCKS, "lost+found"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join(layout::REPOSITORY_NEW), "{\"form").unwrap();
        assert!(Repository::is_absent(root).unwrap());
        let error = Repository::open(root).unwrap_err();
        assert!(error.to_string().contains("half-initialised"), "{error}");
        Repository::init(root, 1).unwrap();
        Repository::open(root).unwrap();
        assert!(!Repository::is_absent(root).unwrap());
    }

    #[test]
    fn snapshots_without_the_repository_file_are_not_taken_for_a_new_repository() {
        let folder = tempfile::tempdir().unwrap();
        Repository::init(folder.path(), 1).unwrap();
        fs::remove_file(folder.path().join(layout::REPOSITORY)).unwrap();
        fs::create_dir(folder.path().join("snapshots/20261124T010000Z-network-7f3a9c")).unwrap();
        let error = Repository::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged);
        let way = error.hints()[0].split("will do: ").nth(1).unwrap();
        assert_eq!(Repository::init(folder.path(), 1).unwrap_err().kind(), Kind::Damaged);
        assert!(std::process::Command::new("sh").args(["-c", way]).status().unwrap().success());
        assert_eq!(Repository::open(folder.path()).unwrap().id(), "0123456789abcdef");
    }

    #[test]
    fn a_newer_format_is_refused_by_name_and_a_broken_file_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        Repository::init(folder.path(), 1).unwrap();
        let file = folder.path().join(layout::REPOSITORY);
        fs::write(&file, r#"{"format":2,"layout":"other"}"#).unwrap();
        let error = Repository::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("format 2, newer than this netdr reads (1)"), "{error}");
        for broken in ["", "{\"format\":1", "[]"] {
            fs::write(&file, broken).unwrap();
            assert_eq!(Repository::open(folder.path()).unwrap_err().kind(), Kind::Damaged, "{broken:?}");
        }
    }
}

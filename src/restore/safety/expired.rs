//! Safety snapshots that have been kept long enough.
//!
//! In: the folder of runs, the time. Out: whose safety snapshot may go; and its deletion. Invariant: the journal stays, and
//! so does the newest run's safety snapshot, whatever the clock says: a clock that jumped must not take the last undo.

use std::{fs, io, path::Path, path::PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::PREFIX;
use crate::{Error, Result, model::RunId};

/// How long a safety snapshot is kept.
pub const KEPT: TimeDelta = TimeDelta::days(30);

/// A run whose safety snapshot is older than [`KEPT`].
#[derive(Debug)]
pub struct Expired {
    /// The run.
    pub run: RunId,
    files: Vec<PathBuf>,
    /// When the run last saved something: one that was resumed saved more, later than it began.
    saved_at: DateTime<Utc>,
}

/// Finds them below the folder `runs`, oldest first; a missing folder has none.
///
/// # Errors
/// When a folder cannot be read.
pub fn expired(runs: &Path, now: DateTime<Utc>) -> Result<Vec<Expired>> {
    let mut found = all(runs)?;
    found.pop(); // the newest one's stays
    found.retain(|expired| now - expired.saved_at > KEPT);
    Ok(found)
}

/// The runs whose safety snapshot is there, oldest first.
///
/// # Errors
/// When a folder cannot be read.
pub fn saved(runs: &Path) -> Result<Vec<RunId>> {
    Ok(all(runs)?.into_iter().map(|saved| saved.run).collect())
}

fn all(runs: &Path) -> Result<Vec<Expired>> {
    let mut found = Vec::new();
    for folder in children(runs)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let Ok(run) = name.parse::<RunId>() else { continue };
        let safety = |path: &PathBuf| {
            path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
        };
        let files: Vec<PathBuf> = children(&folder)?.into_iter().filter(safety).collect();
        let mut saved_at = run.started_at();
        for file in &files {
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            saved_at = saved_at.max(modified.map_err(|error| failed(file, error))?.into());
        }
        if !files.is_empty() {
            found.push(Expired { run, files, saved_at });
        }
    }
    found.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(found)
}

impl Expired {
    /// Deletes the files; what another process deleted meanwhile is gone as wanted.
    ///
    /// # Errors
    /// When one cannot be deleted.
    pub fn delete(&self) -> Result<()> {
        for file in &self.files {
            match fs::remove_file(file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::failed(format!("cannot delete {}", file.display())).because(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| failed(folder, error);
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(failed)?.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(error)),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::failed(format!("cannot read {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::SystemTime};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_safety_snapshot_goes_after_thirty_days_and_the_journal_and_the_newest_stay() -> Result<()> {
        let runs = tempfile::tempdir().unwrap();
        let run = |name: &str, files: &[&str]| {
            let folder = runs.path().join(name);
            fs::create_dir(&folder).unwrap();
            for file in files {
                let began =
                    name.parse::<RunId>().map_or(SystemTime::UNIX_EPOCH, |run| run.started_at().into());
                File::create(folder.join(file)).unwrap().set_modified(began).unwrap();
            }
            folder
        };
        let safety = ["journal.jsonl", "safety-policies.tar.zst.age", "safety-index.jsonl.zst.age"];
        let old = run("20260901T000000Z-traefik-000001", &safety);
        run("20260920T000000Z-traefik-000002", &safety);
        run("20261001T000000Z-traefik-000003", &safety);
        run("lost+found", &safety);
        let names = |now| -> Result<Vec<String>> {
            Ok(expired(runs.path(), at(now))?.iter().map(|expired| expired.run.to_string()).collect())
        };
        assert_eq!(names("2026-10-01T00:00:00Z")?, [""; 0]);
        assert_eq!(names("2026-10-01T00:00:01Z")?, ["20260901T000000Z-traefik-000001"]);
        assert_eq!(names("2099-01-01T00:00:00Z")?.len(), 2, "not the newest");
        let resumed = File::options().write(true).open(old.join("safety-index.jsonl.zst.age")).unwrap();
        resumed.set_modified(at("2026-09-02T00:00:00Z").into()).unwrap();
        assert_eq!(names("2026-10-01T00:00:01Z")?, [""; 0], "it saved more when it was resumed");
        resumed.set_modified(at("2026-09-01T00:00:00Z").into()).unwrap();
        for expired in expired(runs.path(), at("2026-10-01T00:00:01Z"))? {
            expired.delete()?;
        }
        assert_eq!(children(&old)?, [old.join("journal.jsonl")]);
        assert_eq!(names("2026-10-01T00:00:01Z")?, [""; 0]);
        assert_eq!(saved(runs.path())?.len(), 2);
        assert!(expired(&runs.path().join("none"), at("2099-01-01T00:00:00Z"))?.is_empty());
        Ok(())
    }
}

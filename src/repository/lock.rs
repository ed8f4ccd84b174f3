//! The repository lock: many backups at once, or one prune.
//!
//! In: which kind, whose, until when. Out: a lock that its drop releases, or an error that names the holder.
//! Invariant: each writer writes its own file and only then looks at the others, so of two that conflict at
//! least one sees the other. There is no flock, because network file systems have no trustworthy one.
//!
//! A prune that waits leaves its file in place, so that new backups wait for it and it cannot starve; of two
//! prunes the later by name steps back, as does a backup that sees a prune.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    pin::pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{Repository, disk, layout, process::Process, regular};
use crate::{Error, Result, model::SnapshotId};

/// Locks are renewed while files are written; whoever has not for this long is dead, wherever it ran.
const LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// What was renewed within this time is not written anew: a file for each of a thousand objects took a third of a copy's
/// time.
const FRESH: Duration = Duration::from_mins(1);
/// How long to wait for others.
pub(super) const WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Who may work beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Adds snapshots: many at once.
    Shared,
    /// Deletes snapshots: alone.
    Exclusive,
    /// Seals snapshots anew, one after the other, each with a lock of the other two kinds: beside all but another of its own.
    Rotation,
}

impl Mode {
    /// Whether the two are not at work at once.
    fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Rotation, Self::Rotation) => true,
            (Self::Rotation, _) | (_, Self::Rotation) | (Self::Shared, Self::Shared) => false,
            _ => true,
        }
    }
}

/// That a rotation is at work, until it is dropped.
#[derive(Debug)]
pub struct Rotating(Lock);

impl Repository {
    /// Takes the lock of a rotation, waiting for another one a minute.
    ///
    /// # Errors
    /// When another is at work by then, which is named; when the repository cannot be written.
    pub fn rotating(&self, now: DateTime<Utc>) -> Result<Rotating> {
        Lock::take(&layout::locks(&self.root), Mode::Rotation, None, now, WAIT).map(Rotating)
    }
}

impl Rotating {
    /// Holds it for another half an hour.
    ///
    /// # Errors
    /// When it was taken away: another rotation may be at work.
    pub fn renew(&self) -> Result<()> {
        self.0.renew()
    }
}

/// A lock file's content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Holder {
    owner: String,
    #[serde(flatten)]
    process: Process,
    kind: Mode,
    expires_at: DateTime<Utc>,
    /// The snapshot it is writing: its staging folder is alive as long as this lock is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<SnapshotId>,
}

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    holder: Holder,
    /// When `holder` expired in [`LIFETIME`].
    began: Instant,
    /// How long after that it was renewed last, in milliseconds.
    renewed: AtomicU64,
}

impl Lock {
    /// Takes the lock in folder `locks`, waiting at most `wait` for others that are in the way.
    pub(super) fn take(
        locks: &Path,
        kind: Mode,
        snapshot: Option<&SnapshotId>,
        now: DateTime<Utc>,
        wait: Duration,
    ) -> Result<Self> {
        disk::make(locks)?; // a copy of a repository may lack the folder, because it is empty
        let owner = super::process::host();
        let name = format!("{owner}-{:016x}", rand::random::<u64>());
        let began = Instant::now();
        let mut held: Option<Self> = None;
        loop {
            let now = now + began.elapsed();
            let others = holders(locks, now)?.into_iter().filter(|(other, _)| *other != name);
            let others: Vec<(String, Option<Holder>)> = others.collect();
            let excluded = |holder: &Option<Holder>| holder.as_ref().is_none_or(|h| kind.excludes(h.kind));
            // A prune keeps its file while it waits for backups: new ones wait for it then.
            let shares = |holder: &Option<Holder>| holder.as_ref().is_some_and(|h| h.kind == Mode::Shared);
            let first = |other: &String| kind == Mode::Shared || *other < name;
            if others.iter().any(|(other, holder)| excluded(holder) && !shares(holder) && first(other)) {
                held = None;
            } else if held.is_none() {
                let (owner, snapshot, expires_at) = (owner.clone(), snapshot.cloned(), now + LIFETIME);
                let holder = Holder { owner, process: Process::this(), kind, expires_at, snapshot };
                held = Some(Self::write(locks, &name, &holder)?);
                continue; // only who looks after writing knows
            }
            let conflict = others.into_iter().find(|(_, holder)| excluded(holder));
            match (conflict, held.take()) {
                (None, Some(lock)) => return Ok(lock),
                (Some((other, holder)), _) if began.elapsed() >= wait => {
                    return Err(busy(&locks.join(other), holder));
                }
                (_, waiting) => held = waiting,
            }
            thread::sleep(POLL);
        }
    }

    fn write(locks: &Path, name: &str, holder: &Holder) -> Result<Self> {
        let path = locks.join(name);
        let lock = Self { path, holder: holder.clone(), began: Instant::now(), renewed: AtomicU64::new(0) };
        if let Err(error) = put(&lock.path, holder) {
            // Where not one block is free, pruning is the way out: an empty lock needs none, and keeps everybody out.
            let pruning = holder.kind == Mode::Exclusive && File::create_new(&lock.path).is_ok();
            return if pruning { Ok(lock) } else { Err(error) };
        }
        Ok(lock)
    }

    /// Whether it is the lock of this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.path.ends_with(name)
    }

    /// Holds it for as long as some work takes: one object may be hours on its way over a slow line.
    ///
    /// # Errors
    /// The work's; and when the lock was taken away: then the work is given up.
    pub(super) async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.renewed_every(FRESH, work).await
    }

    async fn renewed_every<T>(&self, time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            match timeout(time, &mut work).await {
                Ok(done) => return done,
                Err(_) => self.renew()?,
            }
        }
    }

    /// Holds it for another [`LIFETIME`]; cheap, so it may be called with every piece that is written. Fails where it
    /// was taken away: another may work in its stead.
    pub(super) fn renew(&self) -> Result<()> {
        self.renew_after(self.began.elapsed())
    }

    fn renew_after(&self, elapsed: Duration) -> Result<()> {
        if !self.path.exists() {
            return Err(Error::failed(format!("the lock {} was taken away", self.path.display()))
                .hint("nothing is kept of what was under way; run the same command again"));
        }
        let last = Duration::from_millis(self.renewed.load(Relaxed));
        if elapsed < last + FRESH {
            return Ok(());
        }
        self.renewed.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), Relaxed);
        put(&self.path, &Holder { expires_at: self.holder.expires_at + elapsed, ..self.holder.clone() })
    }
}

/// Written aside, under a hidden name, and renamed, so that nobody reads half of it.
fn put(path: &Path, holder: &Holder) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}"));
    let text = serde_json::to_vec(holder).map_err(|e| Error::failed("cannot write a lock").because(e))?;
    let written = disk::replace(&aside, path, &text);
    if written.is_err() {
        let _ = fs::remove_file(&aside);
    }
    written
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // one that stays expires
    }
}

/// The locks that are alive by name; those that are dead are removed. One that cannot be parsed counts as
/// alive: nobody knows what it is.
pub(super) fn holders(locks: &Path, now: DateTime<Utc>) -> Result<Vec<(String, Option<Holder>)>> {
    let mut alive = Vec::new();
    for name in disk::names(locks)? {
        let path = locks.join(&name);
        let bytes = match regular::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => continue, // released meanwhile
            Err(e) => return Err(disk::cannot("read", &path, e)),
        };
        let holder: Option<Holder> = serde_json::from_slice(&bytes).ok();
        if holder.as_ref().is_some_and(|h| h.expires_at <= now || h.process.is_dead()) {
            let _ = fs::remove_file(&path);
        } else if bytes.is_empty() && written(&path).is_some_and(|at| at + LIFETIME <= now) {
            let _ = fs::remove_file(&path); // its writer died before its first byte, or had no block to write it to
        } else if !name.starts_with('.') {
            alive.push((name, holder));
        }
    }
    Ok(alive)
}

fn written(path: &Path) -> Option<DateTime<Utc>> {
    fs::metadata(path).ok()?.modified().ok().map(DateTime::from)
}

fn busy(path: &Path, holder: Option<Holder>) -> Error {
    let by = holder.map_or_else(
        || format!("a lock that cannot be read: {}", path.display()),
        |h| {
            let work = match h.kind {
                Mode::Shared => "backup",
                Mode::Exclusive => "prune",
                Mode::Rotation => "rotation",
            };
            format!(
                "a {work} of {} (process {}), until {} at the latest",
                h.owner, h.process.pid, h.expires_at
            )
        },
    );
    Error::failed(format!("the repository is locked by {by}"))
        .hint("wait for it to end, then try again")
        .hint(format!("if you know that it is dead: rm {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    fn take(locks: &Path, kind: Mode) -> Result<Lock> {
        Lock::take(locks, kind, None, Utc::now(), Duration::ZERO)
    }

    fn rewrite(lock: &Lock, change: impl FnOnce(&mut Holder)) {
        let mut holder: Holder = serde_json::from_slice(&fs::read(&lock.path).unwrap()).unwrap();
        change(&mut holder);
        fs::write(&lock.path, serde_json::to_vec(&holder).unwrap()).unwrap();
    }

    #[test]
    fn backups_share_and_a_prune_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let shared = (take(folder.path(), Mode::Shared).unwrap(), take(folder.path(), Mode::Shared).unwrap());
        let error = take(folder.path(), Mode::Exclusive).unwrap_err();
        assert!(error.to_string().contains("locked by a backup of "), "{error}");
        assert!(error.hints()[1].contains("rm "));
        drop(shared);
        let exclusive = take(folder.path(), Mode::Exclusive).unwrap();
        assert!(take(folder.path(), Mode::Shared).is_err());
        assert!(take(folder.path(), Mode::Exclusive).is_err());
        drop(exclusive);
        assert_eq!(disk::names(folder.path()).unwrap(), Vec::<String>::new(), "losers leave nothing");
    }

    #[test]
    fn a_rotation_is_alone_among_rotations_and_beside_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = take(folder.path(), Mode::Rotation).unwrap();
        for kind in [Mode::Shared, Mode::Exclusive] {
            take(folder.path(), kind).unwrap();
        }
        let error = take(folder.path(), Mode::Rotation).unwrap_err();
        assert!(error.to_string().contains("locked by a rotation of "), "{error}");
        drop(rotation);
        let _shared = take(folder.path(), Mode::Shared).unwrap();
        drop(take(folder.path(), Mode::Rotation).unwrap());
        assert_eq!(disk::names(folder.path()).unwrap().len(), 1, "losers leave nothing");
    }

    #[test]
    fn a_lock_is_renewed_for_as_long_as_nobody_took_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let lock = take(folder.path(), Mode::Shared).unwrap();
        let held = || -> Holder { serde_json::from_slice(&fs::read(&lock.path).unwrap()).unwrap() };
        let first = held().expires_at;
        for (elapsed, later) in [(59, 0), (60, 60), (119, 60), (1_000, 1_000)] {
            lock.renew_after(Duration::from_secs(elapsed)).unwrap();
            assert_eq!(held().expires_at - first, TimeDelta::seconds(later), "{elapsed}");
        }
        fs::remove_file(&lock.path).unwrap();
        assert!(lock.renew().unwrap_err().to_string().contains("was taken away"));
        assert_eq!(disk::names(folder.path()).unwrap(), [""; 0], "it comes not back beside another's");
    }

    #[tokio::test]
    async fn what_takes_long_keeps_its_lock_and_ends_where_that_was_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut lock = take(folder.path(), Mode::Shared).unwrap();
        lock.began -= FRESH; // as if it had been taken so long ago
        let held = || -> Holder { serde_json::from_slice(&fs::read(&lock.path).unwrap()).unwrap() };
        let (often, first) = (Duration::from_millis(1), held().expires_at);
        let work = async {
            while held().expires_at < first + FRESH {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        timeout(Duration::from_secs(30), lock.renewed_every(often, work)).await.unwrap().unwrap();
        fs::remove_file(&lock.path).unwrap();
        let never = std::future::pending::<Result<()>>();
        let given_up = timeout(Duration::from_secs(30), lock.renewed_every(often, never)).await.unwrap();
        assert!(given_up.unwrap_err().to_string().contains("was taken away"));
    }

    #[test]
    fn an_expired_lock_and_one_of_a_dead_process_are_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let expired = take(folder.path(), Mode::Exclusive).unwrap();
        rewrite(&expired, |h| h.expires_at = Utc::now() - TimeDelta::seconds(1));
        let dead = take(folder.path(), Mode::Exclusive).unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        rewrite(&dead, |h| h.process.pid = child.id());
        take(folder.path(), Mode::Exclusive).unwrap();
        assert!(!expired.path.exists() && !dead.path.exists());
    }

    #[test]
    fn what_a_writer_left_aside_goes_when_the_writer_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let expired = take(folder.path(), Mode::Shared).unwrap();
        rewrite(&expired, |h| h.expires_at = Utc::now() - TimeDelta::seconds(1));
        fs::rename(&expired.path, folder.path().join(".expired")).unwrap();
        fs::write(folder.path().join(".without-a-byte"), "").unwrap();
        holders(folder.path(), Utc::now()).unwrap();
        assert_eq!(disk::names(folder.path()).unwrap(), [".without-a-byte"], "it may be about to be written");
        // A prune that found not one free block, and was killed.
        fs::write(folder.path().join("host-0"), "").unwrap();
        assert!(take(folder.path(), Mode::Shared).is_err());
        holders(folder.path(), Utc::now() + LIFETIME).unwrap();
        assert_eq!(disk::names(folder.path()).unwrap(), [""; 0]);
    }

    #[test]
    fn a_lock_of_another_boot_or_of_unknown_content_is_respected() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = take(folder.path(), Mode::Exclusive).unwrap();
        rewrite(&elsewhere, |h| {
            h.process.boot = "another".into();
            h.process.pid = 999_999_999;
        });
        assert!(take(folder.path(), Mode::Shared).is_err());
        fs::write(&elsewhere.path, "?").unwrap();
        assert!(take(folder.path(), Mode::Shared).is_err());
    }

    /// Whoever holds the exclusive lock is alone, and everybody gets a turn.
    #[test]
    fn many_at_once_all_succeed_and_never_overlap() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, exclusive) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for worker in 0..7 {
                let (shared, exclusive, locks) = (&shared, &exclusive, folder.path());
                scope.spawn(move || {
                    for _ in 0..5 {
                        let kind = if worker < 5 { Mode::Shared } else { Mode::Exclusive };
                        let lock = Lock::take(locks, kind, None, Utc::now(), WAIT).unwrap();
                        match kind {
                            Mode::Shared => {
                                shared.fetch_add(1, SeqCst);
                                assert_eq!(exclusive.load(SeqCst), 0);
                                thread::yield_now();
                                shared.fetch_sub(1, SeqCst);
                            }
                            Mode::Exclusive => {
                                assert_eq!(exclusive.fetch_add(1, SeqCst), 0);
                                thread::yield_now();
                                assert_eq!(shared.load(SeqCst), 0);
                                exclusive.fetch_sub(1, SeqCst);
                            }
                            Mode::Rotation => unreachable!(),
                        }
                        drop(lock);
                    }
                });
            }
        });
    }
}

//! Copying snapshots to a place outside.
//!
//! In: trusted snapshots, and what a place has. Out: what is missing there, copied. Invariant: the header goes last, so
//! that a snapshot is wholly there or is none; what is there is never overwritten, and nothing is read back, so the
//! rights to list and to put are enough. What was changed on its way is deleted or marked: it never gets a header.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};

use super::{
    Damage, Listed, Repository, Retention, disk, layout,
    lock::{self, Lock, Mode},
    regular, retention,
    s3::{self, Body, Bucket, Object, Place, Put, StorageClass, Written},
};
use crate::{
    Error, Kind, Result,
    model::{SnapshotHeader, SnapshotId},
};

/// How many snapshots are on their way at once, each with one object: a line with long ways is filled, and each object
/// in flight costs a few buffers of memory.
const PARALLEL: usize = 8;

/// What replicating to one place came to.
#[derive(Debug, Default)]
pub struct Replicated {
    /// Copied now, wholly.
    pub copied: Vec<SnapshotId>,
    /// There already.
    pub present: Vec<SnapshotId>,
    /// Not copied, because something else than ours is there or here; left as it is.
    pub damaged: Vec<Damage>,
    /// Not copied, and why; the next time goes on.
    pub failed: Vec<(SnapshotId, Error)>,
    /// How much was put.
    pub bytes: u64,
    /// Whether the place named no sha256 of something it took.
    pub unproved: bool,
}

/// Those that a place's own retention keeps, and those that it would delete again. What a change occasioned is in neither:
/// Deep Archive would bill each for 180 days.
pub fn wanted(
    listed: &[Listed],
    retention: Option<Retention>,
    now: DateTime<Utc>,
) -> (Vec<&Listed>, Vec<SnapshotId>) {
    let trusted = listed.iter().filter(|one| one.trust.is_trusted());
    let Some(retention) = retention else { return (trusted.collect(), Vec::new()) };
    let stays_here = |id: &SnapshotId| listed.iter().any(|one| one.id == *id && one.is_of_a_change());
    // As the place's own prune decides, which knows nothing of the files here.
    let by_header: Vec<Listed> = listed.iter().map(Listed::by_header).collect();
    let mut expired = retention::plan_outside(&by_header, retention, now).delete;
    expired.retain(|id| !stays_here(id));
    (trusted.filter(|one| !expired.contains(&one.id) && !one.is_of_a_change()).collect(), expired)
}

/// One file of a snapshot, and how it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    name: String,
    file: PathBuf,
    bytes: u64,
    sha256: String,
    class: StorageClass,
}

/// What is missing of a snapshot, in the order in which it is put; or what is there that is not ours.
fn missing(sources: Vec<Source>, there: &[Object]) -> Result<Vec<Source>, Vec<(String, String)>> {
    let of = |source: &Source| there.iter().find(|object| object.name == source.name);
    let other = |source: &Source| {
        let object = of(source).filter(|object| object.bytes != source.bytes)?;
        Some((source.name.clone(), format!("has {} bytes there, not {}", object.bytes, source.bytes)))
    };
    let mark = there.iter().filter(|object| object.name == layout::CHANGED);
    let mark = mark
        .map(|mark| (mark.name.clone(), "marks the snapshot: something of it was changed on its way".into()));
    let damage: Vec<_> = sources.iter().filter_map(other).chain(mark).collect();
    if !damage.is_empty() {
        return Err(damage);
    }
    Ok(sources.into_iter().filter(|source| of(source).is_none()).collect())
}

impl Repository {
    /// Copies what is missing of these snapshots, which are trusted, newest first; `each` is told of every one that is
    /// done with.
    ///
    /// # Errors
    /// When the place cannot be listed, or a prune holds the lock: while these are read, none deletes them. What happens
    /// to one snapshot stops no other.
    pub async fn replicate(
        &self,
        bucket: &Bucket,
        snapshots: &[&Listed],
        now: DateTime<Utc>,
        each: &dyn Fn(&SnapshotId),
    ) -> Result<Replicated> {
        let stored = bucket.stored().await?;
        let lock = Lock::take(&layout::locks(&self.root), Mode::Shared, None, now, lock::WAIT)?;
        let mut result = Replicated::default();
        let mut copies = Vec::new();
        for listed in snapshots.iter().rev() {
            let Ok(header) = &listed.header else { continue };
            let id = &header.id;
            let there: &[Object] = stored.get(id).map_or(&[], Vec::as_slice);
            match self.sources(header, bucket.place()) {
                Err(error) => result.failed(bucket, id, error),
                Ok(sources) => match missing(sources.clone(), there) {
                    Err(damage) => result.damaged.extend(damage.into_iter().map(|(file, what)| {
                        let ours = sources.iter().find(|source| source.name == file);
                        damaged_here(id, ours).unwrap_or_else(|| {
                            let place = bucket.place().url(&s3::path(id, &file));
                            let what = format!("{what}; {}", way_out(bucket, id, &file));
                            Damage { snapshot: id.clone(), what, place }
                        })
                    })),
                    Ok(sources) if sources.is_empty() => result.present.push(id.clone()),
                    Ok(sources) => {
                        copies.push((id, sources));
                        continue;
                    }
                },
            }
            each(id);
        }
        if !copies.is_empty() || !result.present.is_empty() {
            self.identify(bucket, now).await?;
        }
        let copied = stream::iter(copies)
            .map(async |(id, sources)| (id, copy(bucket, &lock, id, sources, now).await))
            .buffer_unordered(PARALLEL);
        let mut copied = std::pin::pin!(copied);
        while let Some((id, outcome)) = copied.next().await {
            match outcome {
                Ok(Copied { bytes, proved }) => {
                    result.copied.push(id.clone());
                    result.bytes += bytes;
                    result.unproved |= !proved;
                }
                Err(error) => result.failed(bucket, id, error),
            }
            each(id);
        }
        result.copied.sort();
        result.present.sort();
        result.failed.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(result)
    }

    /// Puts the repository's own file there, so that a new machine finds its id, and again where somebody deleted it. Of
    /// several repositories in one place the first names it: snapshots are told apart by their ids.
    async fn identify(&self, bucket: &Bucket, now: DateTime<Utc>) -> Result<()> {
        let file = self.root.join(layout::REPOSITORY);
        let text = regular::read(&file).map_err(|e| disk::cannot("read", &file, e))?;
        let (sha256, _) = disk::digest(&mut &text[..]).map_err(|e| disk::cannot("read", &file, e))?;
        let class = bucket.place().header_storage_class;
        let put = Put { path: layout::REPOSITORY, body: Body::Bytes(&text), sha256: &sha256, class, now };
        match bucket.put(&put).await? {
            Written::Changed => Err(withdraw(bucket, layout::REPOSITORY, None, now).await),
            Written::New { .. } | Written::There => Ok(()),
        }
    }

    /// The files of a snapshot in the order in which they are put: bundles, index, signature, header.
    fn sources(&self, header: &SnapshotHeader, place: &Place) -> Result<Vec<Source>> {
        let folder = layout::snapshot(&self.root, &header.id);
        let small = place.header_storage_class;
        let sealed = layout::sealed(header).map(|(name, sha256, _)| {
            let class = if name == layout::INDEX { small } else { place.class_of(header.set) };
            (name, Some(sha256.to_owned()), class)
        });
        sealed
            .chain([layout::SIGNATURE, layout::HEADER].map(|name| (name.to_owned(), None, small)))
            .map(|(name, sha256, class)| {
                let file = folder.join(&name);
                let unreadable = |e| disk::cannot("read", &file, e);
                let mut opened = regular::open(&file).map_err(unreadable)?;
                let bytes = opened.metadata().map_err(unreadable)?.len();
                let sha256 = match sha256 {
                    Some(sha256) => sha256,
                    None => disk::digest(&mut opened).map_err(unreadable)?.0,
                };
                Ok(Source { name, file, bytes, sha256, class })
            })
            .collect()
    }
}

/// Where there and here differ, it may be ours that is not what its header says.
fn damaged_here(id: &SnapshotId, ours: Option<&Source>) -> Option<Damage> {
    let ours = ours?;
    let (is, bytes) = disk::digest(&mut regular::open(&ours.file).ok()?).ok()?;
    (is != ours.sha256).then(|| Damage {
        snapshot: id.clone(),
        what: format!(
            "it is the copy here that is not as its header says, with {bytes} bytes; how to have the other back says: \
             netdr fetch {id}"
        ),
        place: ours.file.display().to_string(),
    })
}

impl Replicated {
    /// Damage is a finding, everything else a failure that the next time may not meet.
    fn failed(&mut self, bucket: &Bucket, id: &SnapshotId, error: Error) {
        if error.kind() == Kind::Damaged {
            let place = bucket.place().url(&s3::path(id, ""));
            self.damaged.push(Damage { snapshot: id.clone(), what: error.with_hints(), place });
        } else {
            self.failed.push((id.clone(), error));
        }
    }
}

struct Copied {
    bytes: u64,
    proved: bool,
}

/// Puts what is missing of one snapshot, one object after the other.
async fn copy(
    bucket: &Bucket,
    lock: &Lock,
    id: &SnapshotId,
    sources: Vec<Source>,
    now: DateTime<Utc>,
) -> Result<Copied> {
    let mut copied = Copied { bytes: 0, proved: true };
    for source in sources {
        lock.renew()?;
        let path = s3::path(id, &source.name);
        let body = Body::File(&source.file, source.bytes);
        let put = Put { path: &path, body, sha256: &source.sha256, class: source.class, now };
        match lock.during(bucket.put(&put)).await? {
            Written::New { proved } => {
                copied.bytes += source.bytes;
                copied.proved &= proved;
            }
            Written::Changed => return Err(withdraw(bucket, &path, Some(id), now).await),
            // Another was quicker, or the answer to our own first attempt was lost.
            Written::There => match missing(vec![source], &bucket.objects(id).await?) {
                Ok(gone) if gone.is_empty() => {}
                Ok(_) => {
                    return Err(Error::failed(format!("{} comes and goes", bucket.place().url(&path)))
                        .hint("something else writes and deletes there: run the same command again")
                        .hint("or a delete marker hides it, and this server puts nothing over one: docs/s3.md says how to take it away"));
                }
                Err(damage) => {
                    let (file, what) = damage.into_iter().next().unwrap_or_default();
                    return Err(Error::damaged(format!(
                        "{} {what}",
                        bucket.place().url(&s3::path(id, &file))
                    ))
                    .hint(way_out(bucket, id, &file)));
                }
            },
        }
    }
    Ok(copied)
}

/// What to do about something that is there and not ours. The mark is of a whole snapshot, of which nobody knows what else
/// was changed.
fn way_out(bucket: &Bucket, id: &SnapshotId, file: &str) -> String {
    let delete = match file {
        layout::CHANGED => bucket.place().to_delete(&s3::path(id, ""), true),
        file => bucket.place().to_delete(&s3::path(id, file), false),
    };
    format!(
        "if netdr verify {id} finds nothing wrong with what is here, delete that, as an account that may: {delete}; then run \
         netdr replicate {id}"
    )
}

/// Deletes what was changed on its way. Who may not marks its snapshot, by a name that a LIST shows: from its size alone
/// nobody would know.
async fn withdraw(bucket: &Bucket, path: &str, of: Option<&SnapshotId>, now: DateTime<Utc>) -> Error {
    let place = bucket.place();
    let url = place.url(path);
    let error =
        Error::damaged(format!("{url} got another sha256 than what was sent: it was changed on its way"));
    if bucket.delete(path).await.is_ok_and(|versions| versions > 0) {
        return error.hint("it was deleted there; run the same command again");
    }
    if let Some(id) = of {
        let class = place.header_storage_class;
        let (path, body) = (s3::path(id, layout::CHANGED), Body::Bytes(b""));
        // What it says is in its name.
        let _ = bucket.put(&Put { path: &path, body, sha256: EMPTY, class, now }).await;
    }
    let delete = match of {
        Some(id) => place.to_delete(&s3::path(id, ""), true),
        None => place.to_delete(path, false),
    };
    error.hint(format!("delete it, as an account that may: {delete}; then run the same command again"))
}

/// The sha256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Occasion, SnapshotState},
        repository::fixture::{at, listed},
        signature::Trust,
    };

    fn source(name: &str, bytes: u64) -> Source {
        let class = StorageClass::Standard;
        Source { name: name.into(), file: PathBuf::new(), bytes, sha256: String::new(), class }
    }

    fn object(name: &str, bytes: u64) -> Object {
        let modified = at("2026-11-24T01:00:00Z");
        Object { name: name.into(), bytes, class: None, modified, restore: None }
    }

    #[test]
    fn only_what_is_missing_is_put_and_in_the_same_order() {
        let sources = || vec![source("a", 1), source("b", 2), source("snapshot.json", 3)];
        let names = |there: &[Object]| {
            missing(sources(), there).map(|sources| sources.into_iter().map(|s| s.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["a", "b", "snapshot.json"]);
        assert_eq!(names(&[object("b", 2), object("foreign", 9)]).unwrap(), ["a", "snapshot.json"]);
        assert_eq!(names(&[object("a", 1), object("b", 2), object("snapshot.json", 3)]).unwrap(), [""; 0]);
        // A rule that expired a bundle: it comes back.
        assert_eq!(names(&[object("b", 2), object("snapshot.json", 3)]).unwrap(), ["a"]);
        // Of the right size, and changed on its way.
        let marked = names(&[object("a", 1), object(layout::CHANGED, 0)]).unwrap_err();
        assert_eq!(marked[0].0, layout::CHANGED, "and nothing is put");
        let damage = names(&[object("a", 9)]).unwrap_err();
        assert_eq!(damage, [("a".into(), "has 9 bytes there, not 1".into())], "and nothing is put");
    }

    #[test]
    fn what_a_change_occasioned_stays_here_unless_it_is_named() {
        let mut all =
            [1, 2].map(|hour| listed(&format!("2026-11-24T0{hour}:00:00Z"), SnapshotState::Complete));
        all[1].header.as_mut().unwrap().occasion = Occasion::Change;
        let ids = |wanted: (Vec<&Listed>, Vec<SnapshotId>)| {
            (wanted.0.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), wanted.1)
        };
        let (old, now) = (at("2026-12-24T12:00:00Z"), at("2026-11-24T12:00:00Z"));
        for when in [old, now] {
            assert_eq!(
                ids(wanted(&all, Some(Retention::default()), when)),
                (vec![all[0].id.clone()], vec![])
            );
        }
        assert_eq!(ids(wanted(&all, None, now)).0.len(), 2);
    }

    /// The place has it whole, and its prune keeps it and not the one before: what that put, this would delete again.
    #[test]
    fn one_that_is_damaged_here_brings_no_older_one_to_the_place() {
        let now = at("2026-11-24T12:00:00Z");
        let mut all: Vec<Listed> = (10..=20)
            .flat_map(|day| [1, 3].map(|hour| format!("2026-11-{day}T0{hour}:00:00Z")))
            .map(|time| listed(&time, SnapshotState::Complete))
            .collect();
        let ids = |all: &[Listed]| {
            let (wanted, expired) = wanted(all, Some(Retention::default()), now);
            (wanted.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), expired)
        };
        let sound = ids(&all);
        let last = all.len() - 1;
        all[last].damage = vec![(None, "index.jsonl.zst.age is missing".into())];
        assert_eq!(ids(&all), sound);
    }

    #[test]
    fn what_a_places_own_retention_would_delete_is_not_copied_again_and_again() {
        let now = at("2026-11-24T12:00:00Z");
        let mut all: Vec<Listed> = (1..=24)
            .map(|day| listed(&format!("2026-11-{day:02}T01:00:00Z"), SnapshotState::Complete))
            .chain([listed("2026-11-24T03:00:00Z", SnapshotState::Complete)])
            .collect();
        all[3].trust = Trust::Untrusted("foreign".into());
        assert_eq!(wanted(&all, None, now).0.len(), 24);
        let two = Retention { daily: 2, weekly: 0, monthly: 0 };
        let (wanted, expired) = wanted(&all, Some(two), now);
        let wanted: Vec<&str> = wanted.iter().map(|one| &one.id.as_str()[..16]).collect();
        assert_eq!(wanted, ["20261123T010000Z", "20261124T010000Z", "20261124T030000Z"], "today's stay");
        assert_eq!(expired.len(), 21);
    }
}

//! Asking for what a snapshot has in an archive, and waiting for it.
//!
//! In: a place, a snapshot's id, tier and days. Out: in which state each of its objects is. Invariant: every look begins
//! with what the place says, and what is under way is not asked for again: whoever was killed is simply run again.

mod record;

use std::{collections::BTreeMap, path::Path, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;

use super::{
    Listed,
    archive::{ArchiveState, Asked, Tier, restore_status},
    layout,
    s3::{self, Bucket, Object, RestoreStatus, StorageClass},
};
use crate::{
    Error, Kind, Result,
    model::{SnapshotHeader, SnapshotId},
    signature::TrustedSigners,
};
use record::Record;
pub use record::kept;

/// How often in a row the place may fail to answer while it is waited for.
const FAILURES: u32 = 30;

/// A thaw of one snapshot in one place.
#[derive(Clone, Copy)]
pub struct Thaw<'a> {
    /// The place.
    pub bucket: &'a Bucket,
    /// The snapshot.
    pub id: &'a SnapshotId,
    /// Its header, where that could be read.
    pub header: Option<&'a SnapshotHeader>,
    /// How fast.
    pub tier: Tier,
    /// For how many days what is thawed can be read.
    pub days: u32,
    /// The repository's folder, where what was asked for is kept; S3 does not say when that was.
    pub root: &'a Path,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}

/// One object of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its file's name, such as `cni.tar.zst.age`.
    pub name: String,
    /// Its state, after what was asked.
    pub state: ArchiveState,
    /// Whether it was asked for just now.
    pub asked: bool,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Every object, by name.
    pub objects: Vec<Seen>,
    /// Why it could not be kept when they were asked for, in words: then nobody can say later how long it takes.
    pub unkept: Option<String>,
}

impl Look {
    /// The state of the snapshot.
    pub fn state(&self) -> ArchiveState {
        self.objects.iter().fold(ArchiveState::Standard, |all, seen| all.and(seen.state))
    }
}

/// What happens while it is waited for.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It was looked at.
    Looked(&'a Look),
    /// The place did not answer; it is asked again.
    Failed(&'a Error),
}

/// The state of a snapshot by what a LIST says of its objects; none where one is in a class that nobody knows. `kept` is
/// what was asked for, by their names.
pub fn state(objects: &[Object], kept: &BTreeMap<String, Asked>, now: DateTime<Utc>) -> Option<ArchiveState> {
    objects.iter().try_fold(ArchiveState::Standard, |all, object| {
        let asked = kept.get(&object.name).copied();
        Some(all.and(ArchiveState::of(object.class?, object.restore, asked, now)))
    })
}

/// The longest that whoever wants to restore from there waits for its archive, in hours and by tier; none where what it has
/// can be read at once.
pub fn delay(objects: &[Object], now: DateTime<Utc>) -> Option<[(Tier, i64); 2]> {
    let readable = state(objects, &BTreeMap::new(), now).is_none_or(ArchiveState::is_readable);
    let hours = |tier: Tier| objects.iter().filter_map(|object| Some(tier.hours(object.class?))).max();
    (!readable).then(|| Tier::ALL.map(|tier| (tier, hours(tier).unwrap_or_default())))
}

/// Every file of a snapshot, with its bytes where the header says them.
pub fn files(header: &SnapshotHeader) -> impl Iterator<Item = (String, Option<u64>)> {
    let sealed = layout::sealed(header).map(|(file, _, bytes)| (file, bytes));
    sealed.chain([layout::SIGNATURE, layout::HEADER].map(|name| (name.to_owned(), None)))
}

/// What a place has of a snapshot that is not as its header says, as far as a LIST tells: files, and words that fit after
/// their names.
pub fn wrong(header: &SnapshotHeader, objects: &[Object]) -> Vec<(String, String)> {
    let judged = files(header).filter_map(|(file, bytes)| {
        let wrong = match (objects.iter().find(|object| object.name == file), bytes) {
            (None, _) => "is missing: a lifecycle rule, or somebody, deleted it".into(),
            (Some(object), Some(bytes)) if object.bytes != bytes => {
                format!("has {} bytes, not {bytes}", object.bytes)
            }
            _ => return None,
        };
        Some((file, wrong))
    });
    judged.collect()
}

/// Whether not even the header can be read: only a lifecycle rule archives it.
pub fn header_is_archived(objects: &[Object], now: DateTime<Utc>) -> bool {
    let mut header = objects.iter().filter(|object| object.name == layout::HEADER);
    header.any(|header| {
        let state = state(std::slice::from_ref(header), &BTreeMap::new(), now);
        state.is_some_and(|state| !state.is_readable())
    })
}

/// A snapshot in a place by its header; none where the header itself is archived, which only a lifecycle rule does.
///
/// # Errors
/// When the place has nothing of the snapshot, refuses, or does not answer.
pub async fn listed(
    bucket: &Bucket,
    id: &SnapshotId,
    trusted: &TrustedSigners,
    now: DateTime<Utc>,
) -> Result<Option<Listed>> {
    if header_is_archived(&objects(bucket, id).await?, now) {
        return Ok(None);
    }
    Ok(bucket.listed(std::slice::from_ref(id), trusted, now).await?.pop())
}

/// What a place has of a snapshot, which is something.
async fn objects(bucket: &Bucket, id: &SnapshotId) -> Result<Vec<Object>> {
    let objects = bucket.objects(id).await?;
    if objects.is_empty() {
        return Err(Error::usage(format!("place {} has no snapshot {id}", bucket.place().name))
            .hint("see what there is where: netdr snapshots"));
    }
    Ok(objects)
}

impl Thaw<'_> {
    /// Looks at every object and asks for those that are archived; where all are there already, they stay for as long as
    /// is wanted now, never shorter.
    ///
    /// # Errors
    /// Damaged, when a file of it is missing or of another size; when it has nothing of it, refuses, or does not answer, or an object is
    /// in a class that nobody knows. What was asked for before that stays asked for.
    pub async fn ask(&self) -> Result<Look> {
        let objects = objects(self.bucket, self.id).await?;
        let wrong = self.header.map(|header| wrong(header, &objects)).unwrap_or_default();
        if let Some((file, why)) = wrong.first() {
            let url = self.bucket.place().url(&s3::path(self.id, file));
            return Err(Error::damaged(format!("{url} {why}"))
                .hint("where the snapshot is whole, netdr replicate puts back what is missing")
                .hint("choose another: netdr snapshots"));
        }
        let mut record = Record::read(self.root, self.bucket.place(), self.id);
        let mut look = Look::default();
        for object in objects {
            look.objects.push(self.ask_for(object, &mut record).await?);
        }
        look.unkept = record.unkept();
        Ok(look)
    }

    /// Asks, and looks again every `poll` until all can be read.
    ///
    /// # Errors
    /// As [`Thaw::ask`]; while it waits, only once the place has failed to answer many times in a row.
    pub async fn wait(&self, poll: Duration, event: &(dyn Fn(Event<'_>) + Sync)) -> Result<Look> {
        let mut look = self.ask().await?;
        let mut failures = 0;
        loop {
            event(Event::Looked(&look));
            if look.state().is_readable() {
                return Ok(look);
            }
            sleep(poll).await;
            match self.ask().await {
                Ok(now) => (look, failures) = (now, 0),
                Err(error) if failures == FAILURES || error.kind() != Kind::Failed => return Err(error),
                Err(error) => {
                    failures += 1;
                    event(Event::Failed(&error));
                }
            }
        }
    }

    async fn ask_for(&self, object: Object, record: &mut Record) -> Result<Seen> {
        let path = s3::path(self.id, &object.name);
        let class = self.class(&object, &path)?;
        let restore = self.restore_of(&object, class, &path).await?;
        let now = (self.clock)();
        let kept = record.of(&object.name);
        let state = ArchiveState::of(class, restore, kept, now);
        let wanted = match state {
            ArchiveState::Standard => false,
            ArchiveState::Archived => true,
            // A faster tier may be asked for while a slower one is under way; the answer is 409 where it is no faster.
            ArchiveState::Restoring { .. } => kept.is_none_or(|kept| kept.tier > self.tier),
            ArchiveState::Available { until } => now + TimeDelta::days(self.days.into()) > until,
        };
        if !wanted {
            return Ok(Seen { name: object.name, state, asked: false });
        }
        let begun = self.bucket.restore(&path, self.tier, self.days).await?;
        let now = (self.clock)();
        let state = match (state, begun) {
            (ArchiveState::Available { .. }, _) => {
                let restore = self.head(&path).await?;
                ArchiveState::of(class, restore, kept, now)
            }
            (_, true) => self.keep(record, &object.name, class, Asked { at: now, tier: self.tier }),
            // Under way already, and no faster than that. What is not known of it is as if it had been asked for now.
            (_, false) => self.keep(record, &object.name, class, Asked::or_just_now(kept, class, now)),
        };
        Ok(Seen { name: object.name, state, asked: begun })
    }

    fn keep(&self, record: &mut Record, name: &str, class: StorageClass, asked: Asked) -> ArchiveState {
        record.keep(name, asked);
        let ongoing = RestoreStatus { in_progress: true, until: None };
        ArchiveState::of(class, Some(ongoing), Some(asked), asked.at)
    }

    fn class(&self, object: &Object, path: &str) -> Result<StorageClass> {
        object.class.ok_or_else(|| {
            let url = self.bucket.place().url(path);
            Error::failed(format!("{url} is in a storage class that netdr does not know"))
                .hint(format!("where that class is read at once: netdr fetch {}", self.id))
                .hint("where it is an archive, thaw it with the provider's own tool, then fetch it")
        })
    }

    /// A LIST of AWS says it; that of other servers may not.
    async fn restore_of(
        &self,
        object: &Object,
        class: StorageClass,
        path: &str,
    ) -> Result<Option<RestoreStatus>> {
        match object.restore {
            None if class.is_archive() => self.head(path).await,
            restore => Ok(restore),
        }
    }

    async fn head(&self, path: &str) -> Result<Option<RestoreStatus>> {
        let url = self.bucket.place().url(path);
        let head = self.bucket.head(path).await?;
        let head = head.ok_or_else(|| Error::failed(format!("{url} was deleted just now")))?;
        head.restore.map(|header| restore_status(&header).map_err(|e| e.doing(&url))).transpose()
    }
}

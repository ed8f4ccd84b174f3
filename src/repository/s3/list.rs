//! What is in a place.
//!
//! In: a place. Out: per snapshot its objects, and the names of reports. Invariant: one paged LIST answers it: nothing is read, nothing thawed.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::types::{self, OptionalObjectAttributes};
use chrono::{DateTime, Utc};

use super::{
    Bucket, StorageClass, path,
    refusal::{self, LIST},
    time,
};
use crate::{Result, model::SnapshotId, repository::layout};

/// One object of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its file's name, such as `cni.tar.zst.age`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its class; none where the server has one of its own.
    pub class: Option<StorageClass>,
    /// When it was put.
    pub modified: DateTime<Utc>,
    /// Whether it is being thawed, or is; only of an archive, and only from a server that says so.
    pub restore: Option<RestoreStatus>,
}

/// What a LIST says of a thaw (RestoreStatus of ListObjectsV2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreStatus {
    /// It is under way.
    pub in_progress: bool,
    /// Until when it can be read.
    pub until: Option<DateTime<Utc>>,
}

/// What a place has: per snapshot its objects, also where it lacks its header, which makes it none.
pub type Stored = BTreeMap<SnapshotId, Vec<Object>>;

impl Bucket {
    /// Every snapshot with its objects, oldest first.
    ///
    /// # Errors
    /// When the place does not answer, or refuses.
    pub async fn stored(&self) -> Result<Stored> {
        let mut stored = Stored::new();
        for (id, object) in self.list(&format!("{}/", layout::SNAPSHOTS)).await? {
            stored.entry(id).or_default().push(object);
        }
        Ok(stored)
    }

    /// The objects of one snapshot.
    ///
    /// # Errors
    /// As [`Bucket::stored`].
    pub async fn objects(&self, id: &SnapshotId) -> Result<Vec<Object>> {
        Ok(self.list(&path(id, "")).await?.into_iter().map(|(_, object)| object).collect())
    }

    /// The names of what is in the folder of reports.
    ///
    /// # Errors
    /// As [`Bucket::stored`].
    pub async fn reports(&self) -> Result<BTreeSet<String>> {
        let below = format!("{}/", layout::REPORTS);
        let root = self.place.key(&below);
        let all = self.all(&below).await?;
        let names = all.iter().filter_map(|object| object.key()?.strip_prefix(&root));
        Ok(names.map(str::to_owned).collect())
    }

    /// What no snapshot can be called is somebody else's and left out.
    async fn list(&self, below: &str) -> Result<Vec<(SnapshotId, Object)>> {
        let root = self.place.key(&format!("{}/", layout::SNAPSHOTS));
        Ok(self.all(below).await?.iter().filter_map(|object| read(object, &root)).collect())
    }

    async fn all(&self, below: &str) -> Result<Vec<types::Object>> {
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page =
                (self.client.list_objects_v2().bucket(&self.place.bucket).prefix(self.place.key(below)))
                    .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
                    .set_continuation_token(next)
                    .send()
                    .await
                    .map_err(|e| refusal::words(&self.place, LIST, below, e))?;
            next = page.next_continuation_token;
            found.extend(page.contents.unwrap_or_default());
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

fn read(object: &types::Object, root: &str) -> Option<(SnapshotId, Object)> {
    let (id, name) = object.key()?.strip_prefix(root)?.split_once('/')?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    // A LIST leaves STANDARD out at some servers.
    let class = object.storage_class().map_or("STANDARD", |class| class.as_str());
    let restore = object.restore_status().map(|status| RestoreStatus {
        in_progress: status.is_restore_in_progress().unwrap_or_default(),
        until: status.restore_expiry_date().and_then(time),
    });
    let object = Object {
        name: name.into(),
        bytes: object.size().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        class: StorageClass::named(class),
        modified: object.last_modified().and_then(time).unwrap_or_default(),
        restore,
    };
    Some((id.parse().ok()?, object))
}

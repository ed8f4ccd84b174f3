//! A place outside: a bucket of S3, or of a server that speaks its language.
//!
//! In: what the configuration says of it. Out: objects put, listed, read, thawed, deleted, each by one thin operation.
//! Invariant: what is there is never overwritten, and every refusal says in words which object, which right, what next.
//!
//! Keys are the paths of a local repository below the place's prefix, so that what is in the bucket is a repository to
//! whoever copies it: `netdr-repository.json`, `snapshots/<id>/snapshot.json` and so on.

mod again;
mod connect;
mod delete;
mod get;
mod list;
mod place;
mod put;
mod refusal;
mod thaw;

use std::fmt;

use aws_sdk_s3::{Client, primitives::DateTime};
use chrono::Utc;

pub use list::{Object, RestoreStatus, Stored};
pub use place::{Encryption, EncryptionKind, LockMode, ObjectLock, Place, StorageClass};
pub use put::{Body, Put, Written};
pub use thaw::Head;

use crate::{Result, model::SnapshotId};

/// A place that can be asked.
#[derive(Clone)]
pub struct Bucket {
    client: Client,
    place: Place,
}

impl Bucket {
    /// Finds credentials, region and authorities. Nothing is asked of the place yet.
    ///
    /// # Errors
    /// Usage: a file that is named cannot be used, or no region is named anywhere.
    pub async fn open(place: &Place) -> Result<Self> {
        Ok(Self { client: connect::client(place, connect::STALL).await?, place: place.clone() })
    }

    /// What the configuration says of it.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Without the client, which holds credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({} at {})", self.place.name, self.place.url(""))
    }
}

/// The path of a file of a snapshot, below the place's prefix.
pub fn path(id: &SnapshotId, file: &str) -> String {
    format!("{}/{id}/{file}", super::layout::SNAPSHOTS)
}

fn time(of: &DateTime) -> Option<chrono::DateTime<Utc>> {
    chrono::DateTime::from_timestamp(of.secs(), of.subsec_nanos())
}

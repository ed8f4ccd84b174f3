//! Reports: kept here in clear with their signatures, and copied to places outside sealed.
//!
//! In: a report's file. Out: an object of its name in a place. Invariant: a place outside learns no name of any object, as of
//! snapshots: what is copied there opens to the recipients alone.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::{
    Repository, layout,
    s3::{Body, Bucket, Put, Written},
};
use crate::{
    Error, Result,
    seal::{self, Recipients},
};

impl Repository {
    /// The folder of reports.
    pub fn reports(&self) -> PathBuf {
        layout::reports(&self.root)
    }
}

impl Bucket {
    /// Copies a report there, as `reports/NAME.zst.age`.
    ///
    /// # Errors
    /// When the place refuses, does not answer, or keeps other bytes.
    pub async fn put_report(
        &self,
        name: &str,
        text: &[u8],
        recipients: &Recipients,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut sealed = Vec::new();
        let seal::Sealed { sha256, .. } = seal::seal_bytes(text, recipients, &mut sealed)?;
        let path = format!("{}/{name}.zst.age", layout::REPORTS);
        let class = self.place().header_storage_class;
        match self.put(&Put { path: &path, body: Body::Bytes(&sealed), sha256: &sha256, class, now }).await? {
            Written::New { .. } | Written::There => Ok(()),
            Written::Changed => {
                Err(Error::damaged(format!("{} was changed on its way", self.place().url(&path))))
            }
        }
    }
}

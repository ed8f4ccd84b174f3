//! What S3 says of an archived object, and asking for it.
//!
//! In: an object. Out: its HEAD, and a request to restore it. Invariant: neither reads the object: a HEAD is answered, its
//! sha256 too, while the object is archived.

use aws_sdk_s3::{
    error::ProvideErrorMetadata as _,
    types::{ChecksumMode, GlacierJobParameters, RestoreRequest, Tier as SdkTier},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};

use super::{
    Bucket, StorageClass,
    refusal::{self, HEAD, RESTORE},
    time,
};
use crate::{Result, model::hex, repository::archive::Tier};

/// What a HEAD says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its size.
    pub bytes: u64,
    /// Its class; none where the server has one of its own.
    pub class: Option<StorageClass>,
    /// sha256 in hex, where the server keeps the one of the whole object.
    pub sha256: Option<String>,
    /// `x-amz-restore`, as S3 words it: `ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"`.
    pub restore: Option<String>,
    /// Until when Object Lock keeps it; only who has s3:GetObjectRetention is told.
    pub locked_until: Option<DateTime<Utc>>,
}

impl Bucket {
    /// What there is to know of an object without reading it; none where there is no such object.
    ///
    /// # Errors
    /// When the place refuses or does not answer.
    pub async fn head(&self, path: &str) -> Result<Option<Head>> {
        let asked = self.client.head_object().bucket(&self.place.bucket).key(self.place.key(path));
        let head = match asked.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => head,
            Err(error) if refusal::status(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(refusal::words(&self.place, HEAD, path, error)),
        };
        // Of an object in parts it is the sum of sums, which is no base64: `…-2`.
        let sum = head.checksum_sha256().and_then(|sum| BASE64_STANDARD.decode(sum).ok());
        Ok(Some(Head {
            bytes: head.content_length().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            class: StorageClass::named(head.storage_class().map_or("STANDARD", |class| class.as_str())),
            sha256: sum.map(|sum| hex(&sum)),
            restore: head.restore().map(ToOwned::to_owned),
            locked_until: head.object_lock_retain_until_date().and_then(time),
        }))
    }

    /// Asks for an archived object to be readable for `days`, or for longer where it is already; false where that was asked
    /// before and is under way.
    ///
    /// # Errors
    /// When the place refuses or does not answer.
    pub async fn restore(&self, path: &str, tier: Tier, days: u32) -> Result<bool> {
        let tier = match tier {
            Tier::Standard => SdkTier::Standard,
            Tier::Bulk => SdkTier::Bulk,
        };
        let refused = |e| refusal::words(&self.place, RESTORE, path, e);
        let job = GlacierJobParameters::builder().tier(tier).build();
        let request = RestoreRequest::builder()
            .days(days.try_into().unwrap_or(i32::MAX))
            .set_glacier_job_parameters(job.ok())
            .build();
        let asked = self.client.restore_object().bucket(&self.place.bucket).key(self.place.key(path));
        match asked.restore_request(request).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("RestoreAlreadyInProgress") => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }
}

//! Putting one object.
//!
//! In: a file or bytes, and their sha256. Out: an object that has it. Invariant: what is there already stays
//! (`If-None-Match: *`), and the place itself proves the bytes: it takes only what has the sha256 that is sent along, and
//! names the one it keeps.

use std::path::Path;

use aws_sdk_s3::{
    primitives::{ByteStream, DateTime as Moment},
    types::{ObjectLockMode, ServerSideEncryption, StorageClass as Class},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use chrono::{DateTime, Days, Utc};

use super::{Bucket, LockMode, StorageClass, connect, refusal};
use crate::{Error, Result};

/// What is put.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// Its path below the prefix.
    pub path: &'a str,
    /// Its bytes.
    pub body: Body<'a>,
    /// Their sha256, in hex.
    pub sha256: &'a str,
    /// How it is kept.
    pub class: StorageClass,
    /// Now: Object Lock counts from here.
    pub now: DateTime<Utc>,
}

/// Where the bytes of an object are.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// In a file of this size, read piece by piece, and again for another attempt.
    File(&'a Path, u64),
    /// At hand.
    Bytes(&'a [u8]),
}

/// What a put came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is there; whether the place named the sha256 that it keeps.
    New {
        /// It did, and it is ours.
        proved: bool,
    },
    /// One of this name was there.
    There,
    /// It is there, and the place keeps another sha256: it was changed on its way.
    Changed,
}

impl Bucket {
    /// Puts an object where none is: one single-part PUT, so that S3 keeps the sha256 of the whole
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
    ///
    /// # Errors
    /// Damaged, when the bytes do not have the sha256; when the place refuses or does not answer.
    pub async fn put(&self, put: &Put<'_>) -> Result<Written> {
        let place = &self.place;
        let sum = base64(put.sha256)
            .ok_or_else(|| Error::damaged(format!("{}: `{}` is no sha256", put.path, put.sha256)))?;
        let (body, bytes) = match put.body {
            Body::Bytes(bytes) => (ByteStream::from(bytes.to_vec()), bytes.len() as u64),
            Body::File(file, bytes) => {
                let stream = ByteStream::read_from().path(file).buffer_size(BUFFER).build().await;
                let unreadable = |e| Error::failed(format!("cannot read {}", file.display())).because(e);
                (stream.map_err(unreadable)?, bytes)
            }
        };
        let encryption = place.encryption.as_ref();
        let lock = place.object_lock;
        let until = lock.and_then(|lock| put.now.checked_add_days(Days::new(lock.days.into())));
        let answer = self
            .client
            .put_object()
            .bucket(&place.bucket)
            .key(place.key(put.path))
            .body(body)
            .if_none_match("*")
            .checksum_sha256(&sum)
            .storage_class(Class::from(put.class.name()))
            .set_server_side_encryption(encryption.map(|e| ServerSideEncryption::from(e.kind.name())))
            .set_ssekms_key_id(encryption.and_then(|e| e.kms_key.clone()))
            .set_object_lock_mode(lock.map(|lock| mode(lock.mode)))
            .set_object_lock_retain_until_date(until.map(|until| Moment::from_secs(until.timestamp())))
            .customize()
            .config_override(connect::patience(bytes))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(match answer.checksum_sha256() {
                Some(kept) if kept != sum => Written::Changed,
                kept => Written::New { proved: kept.is_some() },
            }),
            Err(error) if refusal::status(&error) == Some(412) => Ok(Written::There),
            Err(error) => Err(refusal::words(place, refusal::PUT, put.path, error)),
        }
    }
}

/// Read at once of a file; a put in flight holds a few of these.
const BUFFER: usize = 64 << 10;

fn mode(mode: LockMode) -> ObjectLockMode {
    match mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    }
}

/// A sha256 in hex as S3 writes it.
fn base64(hex: &str) -> Option<String> {
    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    bytes.filter(|bytes| bytes.len() == 32).map(|bytes| BASE64_STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha256_is_written_as_s3_writes_it() {
        // Of the empty text.
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(base64(hex).as_deref(), Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
        for wrong in
            ["", "e3b0", &hex[1..], "zz", "é3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
        {
            assert_eq!(base64(wrong), None, "{wrong}");
        }
    }
}

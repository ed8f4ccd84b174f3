//! The bucket behind the API of S3, as `s3s` reads and writes it.
//!
//! In: parsed and authenticated requests. Out: answers. What no client of ours asks for (parts, ACLs) is not
//! here, and answers 501: nobody relies on it unseen.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use s3s::{
    S3, S3Request, S3Response, S3Result,
    dto::{
        CommonPrefix, DeleteMarkerEntry, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput,
        GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
        ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsV2Input, ListObjectsV2Output, Object,
        ObjectVersion, PutObjectInput, PutObjectOutput, RestoreObjectInput, RestoreObjectOutput,
        RestoreStatus, StreamingBlob, Timestamp, TimestampFormat,
    },
    s3_error,
};
use sha2::{Digest as _, Sha256};

use super::{
    State,
    bucket::{Bucket, Lock, Restored, Version},
};

/// The service; the story has the other end of the state.
pub(super) struct Service(pub(super) Arc<Mutex<State>>);

impl Service {
    /// The bucket and the time, if it is the bucket named and its owner is who is expected.
    /// userguide/bucket-owner-condition.html: another owner answers 403.
    fn with<T>(
        &self,
        bucket: &str,
        owner: Option<&String>,
        act: impl FnOnce(&mut Bucket, DateTime<Utc>) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut state = self.0.lock().unwrap();
        if bucket != super::BUCKET {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        if owner.is_some_and(|owner| owner != super::OWNER) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let now = state.now;
        act(&mut state.bucket, now)
    }
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = req.input;
        let body = whole(input.body).await?;
        let sha256 = checksum(&body);
        let trailing = req.trailing_headers.and_then(|trailers| trailers.take());
        let trailing = trailing
            .and_then(|headers| Some(headers.get("x-amz-checksum-sha256")?.to_str().ok()?.to_owned()));
        let claimed = input.checksum_sha256.or(trailing);
        // userguide/checking-object-integrity-upload.html: another checksum than that of the body is refused.
        if claimed.as_ref().is_some_and(|claimed| *claimed != sha256) {
            return Err(s3_error!(
                BadDigest,
                "The SHA256 you specified did not match the calculated checksum."
            ));
        }
        let mode = input.object_lock_mode.map(|mode| mode.as_str().to_owned());
        let version = Version {
            id: String::new(),
            body: Some(body),
            class: input
                .storage_class
                .map(|class| class.as_str().to_owned())
                .filter(|class| class != "STANDARD"),
            sha256: claimed,
            modified: DateTime::default(),
            lock: mode
                .zip(input.object_lock_retain_until_date)
                .map(|(mode, until)| Lock { mode, until: time(&until) }),
            encryption: input.server_side_encryption.map(|algorithm| algorithm.as_str().to_owned()),
            thaw: None,
        };
        // API/API_PutObject.html: an upload with retention needs Content-MD5 or a checksum.
        if version.lock.is_some() && version.sha256.is_none() && input.content_md5.is_none() {
            let words = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters";
            return Err(s3_error!(InvalidRequest, "{words}"));
        }
        let create_only = input.if_none_match.is_some();
        let (checksum_sha256, e_tag) = (version.sha256.clone(), tag(&version));
        let id = self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
            bucket.put(&input.key, create_only, Version { modified: now, ..version })
        })?;
        let output = PutObjectOutput { checksum_sha256, e_tag, version_id: Some(id), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = req.input;
        let (version, now) =
            self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
                Ok((bucket.version(&input.key, input.version_id.as_deref())?.clone(), now))
            })?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: version.body.as_ref().map(|body| body.len() as i64),
            // API/API_HeadObject.html, x-amz-checksum-mode: only who asks is told, and archived objects are too.
            checksum_sha256: version.sha256.clone().filter(|_| input.checksum_mode.is_some()),
            e_tag: tag(&version),
            last_modified: Some(stamp(version.modified)),
            restore: restore_header(&version, now),
            storage_class: version.class.clone().map(Into::into),
            object_lock_mode: version.lock.as_ref().map(|lock| lock.mode.clone().into()),
            object_lock_retain_until_date: version.lock.as_ref().map(|lock| stamp(lock.until)),
            server_side_encryption: version.encryption.clone().map(Into::into),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = req.input;
        let (version, body, now) =
            self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
                let version = bucket.version(&input.key, input.version_id.as_deref())?;
                Ok((version.clone(), version.read(now)?, now))
            })?;
        // API/API_GetObject.html: 412 where the object is another by now; a range answers 206, and no checksum of its own.
        if let Some(wanted) = &input.if_match
            && wanted.as_etag() != tag(&version).as_ref()
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let whole = body.len() as u64;
        let part = input.range.map(|range| range.check(whole)).transpose()?;
        let body =
            part.clone().map_or(body.clone(), |part| body.slice(part.start as usize..part.end as usize));
        Ok(S3Response::new(GetObjectOutput {
            content_range: part.map(|part| format!("bytes {}-{}/{whole}", part.start, part.end - 1)),
            content_length: Some(body.len() as i64),
            body: Some(StreamingBlob::wrap(futures::stream::iter([Ok::<_, std::io::Error>(body)]))),
            checksum_sha256: version.sha256.clone().filter(|_| input.checksum_mode.is_some()),
            e_tag: tag(&version),
            last_modified: Some(stamp(version.modified)),
            restore: restore_header(&version, now),
            storage_class: version.class.clone().map(Into::into),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn restore_object(
        &self,
        req: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let input = req.input;
        let request = input.restore_request.ok_or_else(|| s3_error!(MalformedXML))?;
        // API/API_RestoreObject.html: Standard is the tier of who names none.
        let tier = request.glacier_job_parameters.map(|parameters| parameters.tier);
        let tier = tier.as_ref().map_or("Standard", |tier| tier.as_str());
        let restored = self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
            bucket.restore(&input.key, request.days, tier, now)
        })?;
        let status = match restored {
            Restored::Begun => hyper::StatusCode::ACCEPTED,
            Restored::Prolonged => hyper::StatusCode::OK,
        };
        Ok(S3Response::with_status(RestoreObjectOutput::default(), status))
    }

    /// API/API_ListObjectsV2.html: keys in order, at most `max-keys` (and 1000) of keys and common prefixes together,
    /// then a token; RestoreStatus only for who asks for it by x-amz-optional-object-attributes.
    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let prefix = input.prefix.unwrap_or_default();
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let page = self.0.lock().unwrap().page.min(input.max_keys.unwrap_or(1000).try_into().unwrap_or(1000));
        let wants_status = input.optional_object_attributes.is_some();
        self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
            let (mut contents, mut prefixes) = (Vec::new(), Vec::<CommonPrefix>::new());
            let mut last = None;
            let mut truncated = false;
            for (key, _, version) in
                bucket.versions(&prefix).filter(|(_, current, version)| *current && version.body.is_some())
            {
                let common = input.delimiter.as_ref().and_then(|delimiter| {
                    let (folder, _) = key[prefix.len()..].split_once(delimiter.as_str())?;
                    Some(format!("{prefix}{folder}{delimiter}"))
                });
                let name = common.as_ref().unwrap_or(key);
                if *name <= after || last.as_ref() == Some(name) {
                    continue;
                }
                if contents.len() + prefixes.len() == page {
                    truncated = true;
                    break;
                }
                last = Some(name.clone());
                match common {
                    Some(prefix) => prefixes.push(CommonPrefix { prefix: Some(prefix) }),
                    None => contents.push(Object {
                        key: Some(key.clone()),
                        size: version.body.as_ref().map(|body| body.len() as i64),
                        e_tag: tag(version),
                        last_modified: Some(stamp(version.modified)),
                        storage_class: Some(
                            version.class.clone().unwrap_or_else(|| "STANDARD".into()).into(),
                        ),
                        restore_status: version
                            .restoration(now)
                            .filter(|_| wants_status)
                            .map(|(ongoing, until)| status(ongoing, until)),
                        ..Default::default()
                    }),
                }
            }
            Ok(S3Response::new(ListObjectsV2Output {
                key_count: Some((contents.len() + prefixes.len()) as i32),
                max_keys: Some(page as i32),
                is_truncated: Some(truncated),
                next_continuation_token: last.filter(|_| truncated),
                contents: Some(contents),
                common_prefixes: Some(prefixes),
                name: Some(input.bucket.clone()),
                prefix: Some(prefix.clone()),
                ..Default::default()
            }))
        })
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = req.input;
        self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, _| {
            let (mut versions, mut markers) = (Vec::new(), Vec::new());
            for (key, current, version) in bucket.versions(input.prefix.as_deref().unwrap_or_default()) {
                let (key, id) = (Some(key.clone()), Some(version.id.clone()));
                let (is_latest, last_modified) = (Some(current), Some(stamp(version.modified)));
                match &version.body {
                    None => markers.push(DeleteMarkerEntry {
                        key,
                        version_id: id,
                        is_latest,
                        last_modified,
                        owner: None,
                    }),
                    Some(body) => versions.push(ObjectVersion {
                        key,
                        version_id: id,
                        is_latest,
                        last_modified,
                        size: Some(body.len() as i64),
                        storage_class: Some(
                            version.class.clone().unwrap_or_else(|| "STANDARD".into()).into(),
                        ),
                        ..Default::default()
                    }),
                }
            }
            let is_truncated = Some(false);
            let (versions, delete_markers) = (Some(versions), Some(markers));
            Ok(S3Response::new(ListObjectVersionsOutput {
                versions,
                delete_markers,
                is_truncated,
                ..Default::default()
            }))
        })
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        let bypass = input.bypass_governance_retention == Some(true);
        let (marker, id) =
            self.with(&input.bucket, input.expected_bucket_owner.as_ref(), |bucket, now| {
                bucket.delete(&input.key, input.version_id.as_deref(), bypass, now)
            })?;
        let output =
            DeleteObjectOutput { delete_marker: Some(marker), version_id: Some(id), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        let (bucket, owner) = (&req.input.bucket, req.input.expected_bucket_owner.as_ref());
        self.with(bucket, owner, |_, _| Ok(S3Response::new(HeadBucketOutput::default())))
    }
}

/// As `x-amz-checksum-sha256` has it.
pub(super) fn checksum(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(body))
}

async fn whole(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let broken = |e| s3_error!(IncompleteBody, "{e}");
    let chunks: BytesMut = body
        .try_fold(BytesMut::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .map_err(broken)?;
    Ok(chunks.freeze())
}

fn tag(version: &Version) -> Option<ETag> {
    let body = version.body.as_ref()?;
    Some(ETag::Strong(Sha256::digest(body).iter().take(16).map(|byte| format!("{byte:02x}")).collect()))
}

fn restore_header(version: &Version, now: DateTime<Utc>) -> Option<String> {
    let (ongoing, until) = version.restoration(now)?;
    Some(if ongoing {
        "ongoing-request=\"true\"".into()
    } else {
        format!("ongoing-request=\"false\", expiry-date=\"{}\"", until.format("%a, %d %b %Y %H:%M:%S GMT"))
    })
}

fn status(ongoing: bool, until: DateTime<Utc>) -> RestoreStatus {
    RestoreStatus {
        is_restore_in_progress: Some(ongoing),
        restore_expiry_date: (!ongoing).then(|| stamp(until)),
    }
}

fn stamp(time: DateTime<Utc>) -> Timestamp {
    std::time::SystemTime::from(time).into()
}

fn time(stamp: &Timestamp) -> DateTime<Utc> {
    let mut text = Vec::new();
    stamp.format(TimestampFormat::DateTime, &mut text).unwrap();
    String::from_utf8(text).unwrap().parse().unwrap()
}

//! What is in the bucket: versions of objects, and what becomes of an archived one when somebody asks for it.
//!
//! In: requests without their HTTP, and the virtual time. Out: answers as S3 gives them. Each rule names the page of AWS
//! that it is from; all are below <https://docs.aws.amazon.com/AmazonS3/latest/>.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Days, TimeDelta, Utc};
use s3s::{S3Error, S3Result, s3_error};

/// A versioned bucket.
#[derive(Clone, Default)]
pub(super) struct Bucket {
    objects: BTreeMap<String, Vec<Version>>,
    versions: u64,
}

/// One version of an object.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) id: String,
    /// None in a delete marker.
    pub(super) body: Option<Bytes>,
    /// As S3 stores it: nothing for STANDARD.
    pub(super) class: Option<String>,
    /// base64 of its sha256, if it was uploaded with one.
    pub(super) sha256: Option<String>,
    pub(super) modified: DateTime<Utc>,
    pub(super) lock: Option<Lock>,
    pub(super) encryption: Option<String>,
    pub(super) thaw: Option<Thaw>,
}

/// Object Lock: nobody deletes this version before then, but who may bypass governance.
/// userguide/object-lock.html
#[derive(Clone)]
pub(super) struct Lock {
    pub(super) mode: String,
    pub(super) until: DateTime<Utc>,
}

/// A thaw that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Thaw {
    hours: i64,
    ready: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What RestoreObject came to.
#[derive(Debug, PartialEq)]
pub(super) enum Restored {
    /// 202: a thaw has begun.
    Begun,
    /// 200: the copy that is there stays longer.
    Prolonged,
}

impl Version {
    pub(super) fn is_archived(&self) -> bool {
        matches!(self.class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"))
    }

    /// Whether a thaw is under way, and until when there is a copy; nothing where neither is so.
    /// API/API_HeadObject.html, x-amz-restore
    pub(super) fn restoration(&self, now: DateTime<Utc>) -> Option<(bool, DateTime<Utc>)> {
        self.thaw.filter(|thaw| now < thaw.until).map(|thaw| (now < thaw.ready, thaw.until))
    }

    /// Its bytes, if they can be read.
    /// API/API_GetObject.html: an archived object that is not restored answers 403 InvalidObjectState.
    pub(super) fn read(&self, now: DateTime<Utc>) -> S3Result<Bytes> {
        let copy = self.restoration(now).is_some_and(|(ongoing, _)| !ongoing);
        if self.is_archived() && !copy {
            return Err(s3_error!(
                InvalidObjectState,
                "The operation is not valid for the object's storage class"
            ));
        }
        self.body.clone().ok_or_else(|| s3_error!(NoSuchKey))
    }
}

impl Bucket {
    /// API/API_PutObject.html, If-None-Match: with `*`, an object that is there answers 412. A delete marker is none:
    /// userguide/conditional-writes.html.
    pub(super) fn put(&mut self, key: &str, create_only: bool, version: Version) -> S3Result<String> {
        if create_only && self.current(key).is_ok() {
            return Err(s3_error!(
                PreconditionFailed,
                "At least one of the pre-conditions you specified did not hold"
            ));
        }
        self.versions += 1;
        let id = format!("v{:06}", self.versions);
        self.objects.entry(key.into()).or_default().push(Version { id: id.clone(), ..version });
        Ok(id)
    }

    pub(super) fn current(&self, key: &str) -> S3Result<&Version> {
        let newest = self.objects.get(key).and_then(|versions| versions.last());
        newest.filter(|version| version.body.is_some()).ok_or_else(|| s3_error!(NoSuchKey))
    }

    fn current_mut(&mut self, key: &str) -> S3Result<&mut Version> {
        let newest = self.objects.get_mut(key).and_then(|versions| versions.last_mut());
        newest.filter(|version| version.body.is_some()).ok_or_else(|| s3_error!(NoSuchKey))
    }

    /// The version named, or the current one.
    pub(super) fn version(&self, key: &str, id: Option<&str>) -> S3Result<&Version> {
        let Some(id) = id else { return self.current(key) };
        let versions = self.objects.get(key).into_iter().flatten();
        versions.into_iter().find(|version| version.id == id).ok_or_else(|| s3_error!(NoSuchVersion))
    }

    /// Every version of every key that begins so, newest first.
    pub(super) fn versions(&self, prefix: &str) -> impl Iterator<Item = (&String, bool, &Version)> {
        let keys = self.objects.iter().filter(move |(key, _)| key.starts_with(prefix));
        keys.flat_map(|(key, versions)| {
            versions.iter().rev().enumerate().map(move |(age, version)| (key, age == 0, version))
        })
    }

    /// API/API_RestoreObject.html: 202 when a thaw begins; 200 when there is a copy, whose expiry then counts from now;
    /// 409 RestoreAlreadyInProgress while one is under way, unless this is faster. An object that is not archived answers
    /// 403 InvalidObjectState, as does GET of one that is.
    /// userguide/restoring-objects-retrieval-options.html: Expedited is not for DEEP_ARCHIVE; Standard takes up to 12
    /// hours there and Bulk up to 48, and for GLACIER 5 and 12.
    pub(super) fn restore(
        &mut self,
        key: &str,
        days: Option<i32>,
        tier: &str,
        now: DateTime<Utc>,
    ) -> S3Result<Restored> {
        let version = self.current_mut(key)?;
        let hours = match (version.class.as_deref(), tier) {
            (Some("DEEP_ARCHIVE"), "Standard") | (Some("GLACIER"), "Bulk") => 12,
            (Some("DEEP_ARCHIVE"), "Bulk") => 48,
            (Some("GLACIER"), "Standard") => 5,
            (Some("GLACIER" | "DEEP_ARCHIVE"), _) => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Retrieval option is not supported by this storage class"
                ));
            }
            _ => {
                let words = "Restore is not allowed for the object's current storage class";
                return Err(s3_error!(InvalidObjectState, "{words}"));
            }
        };
        let Some(days) = days.and_then(|days| u64::try_from(days).ok()).filter(|days| *days > 0) else {
            return Err(s3_error!(InvalidArgument, "restoration days should be at least 1"));
        };
        let begun = now + TimeDelta::hours(hours);
        let (ready, restored) = match version.thaw.filter(|thaw| now < thaw.until) {
            // userguide/restoring-objects.html, "Upgrading the speed of an in-progress restore".
            Some(thaw) if now < thaw.ready && hours < thaw.hours => (begun.min(thaw.ready), Restored::Begun),
            Some(thaw) if now < thaw.ready => {
                return Err(s3_error!(RestoreAlreadyInProgress, "Object restore is already in progress"));
            }
            Some(_) => (now, Restored::Prolonged),
            None => (begun, Restored::Begun),
        };
        version.thaw = Some(Thaw { hours, ready, until: next_midnight(ready + Days::new(days)) });
        Ok(restored)
    }

    /// userguide/DeletingObjectVersions.html: without a version, a delete marker covers the object; with one, the
    /// version is gone. userguide/object-lock.html: a locked version stays, whoever asks; governance can be bypassed.
    pub(super) fn delete(
        &mut self,
        key: &str,
        version: Option<&str>,
        bypass: bool,
        now: DateTime<Utc>,
    ) -> S3Result<(bool, String)> {
        let Some(id) = version else {
            return self.put(key, false, Version::marker(now)).map(|id| (true, id));
        };
        let Some(versions) = self.objects.get_mut(key) else { return Ok((false, id.into())) };
        let Some(at) = versions.iter().position(|version| version.id == id) else {
            return Ok((false, id.into())); // what is gone already is deleted with success
        };
        let held = versions[at].lock.as_ref().filter(|lock| lock.until > now);
        if held.is_some_and(|lock| lock.mode == "COMPLIANCE" || !bypass) {
            return Err(s3_error!(AccessDenied, "Access Denied because object protected by object lock."));
        }
        let gone = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Ok((gone.body.is_none(), id.into()))
    }

    /// As if everything had been put so much earlier.
    pub(super) fn age(&mut self, time: TimeDelta) {
        for version in self.objects.values_mut().flatten() {
            version.modified -= time;
            version.lock.iter_mut().for_each(|lock| lock.until -= time);
        }
    }

    /// What happens behind everybody's back: an object is other bytes now, or of another class.
    pub(super) fn tamper(&mut self, key: &str, change: impl FnOnce(&mut Version)) {
        change(self.current_mut(key).unwrap_or_else(|e: S3Error| panic!("{key}: {e}")));
    }

    /// userguide/lifecycle-configuration-examples.html: expiration puts a delete marker on a versioned object.
    pub(super) fn expire(&mut self, key: &str, now: DateTime<Utc>) {
        self.current(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        self.put(key, false, Version::marker(now)).unwrap();
    }
}

impl Version {
    fn marker(now: DateTime<Utc>) -> Self {
        Self {
            id: String::new(),
            body: None,
            class: None,
            sha256: None,
            modified: now,
            lock: None,
            encryption: None,
            thaw: None,
        }
    }
}

/// userguide/restoring-objects.html: the days are counted from when the copy is there (or from now, where it is
/// prolonged), and the result is rounded up to the next midnight UTC.
fn next_midnight(time: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = time.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    if midnight == time { midnight } else { midnight + Days::new(1) }
}

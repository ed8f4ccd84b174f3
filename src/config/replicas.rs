//! `replicas`: the places outside that snapshots are copied to.
//!
//! In: the key's value. Out: places, each with a name of its own. Invariant: what cannot work is refused here, before
//! anything is asked of a place; no credentials are in the file, only where they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::RetentionSection;
use crate::{
    Error, Result,
    model::Set,
    repository::s3::{Encryption, EncryptionKind, LockMode, ObjectLock, Place, StorageClass},
};

/// The name of the only place, where none is given; of several it stands for all.
pub const S3: &str = "s3";
/// The repository itself, in `places` and for `--place`.
pub const LOCAL: &str = "local";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplicaSection {
    s3: S3Section,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Section {
    name: Option<String>,
    bucket: String,
    #[serde(default)]
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
    #[serde(default)]
    path_style: bool,
    ca_file: Option<PathBuf>,
    #[serde(default = "deep_archive")]
    storage_class: StorageClass,
    #[serde(default)]
    storage_classes: BTreeMap<Set, StorageClass>,
    #[serde(default = "standard")]
    header_storage_class: StorageClass,
    object_lock: Option<ObjectLockSection>,
    sse: Option<EncryptionKind>,
    sse_kms_key_id: Option<String>,
    retention: Option<RetentionSection>,
    credentials_file: Option<PathBuf>,
    profile: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectLockSection {
    mode: LockMode,
    days: u32,
}

fn deep_archive() -> StorageClass {
    StorageClass::DeepArchive
}

fn standard() -> StorageClass {
    StorageClass::Standard
}

/// The places, named. Relative paths are relative to `folder`; `shown` names the file in errors.
pub(super) fn places(sections: Vec<ReplicaSection>, folder: &Path, shown: &str) -> Result<Vec<Place>> {
    let only = sections.len() == 1;
    let places: Vec<Place> = sections.into_iter().map(|section| section.s3.place(folder, only)).collect();
    let wrong = |why: String| Error::usage(format!("{shown}: replicas: {why}"));
    let mut names = BTreeSet::new();
    for place in &places {
        // They would stand in messages, and the bucket is the name of a place that has none.
        let texts = [Some(&place.name), Some(&place.bucket), place.endpoint.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains('@')) {
            return Err(wrong("a `bucket` or an `endpoint` holds a password".into())
                .hint("remove it; credentials belong into `credentials_file`"));
        }
        if let Some(why) = objection(place) {
            return Err(wrong(format!("place {}: {why}", place.name)));
        }
        if !names.insert(&place.name) {
            return Err(wrong(format!("two places are called {}", place.name))
                .hint("give each a `name:` beside its `bucket:`"));
        }
        if place.name == LOCAL || (place.name == S3 && !only) {
            return Err(wrong(format!("a place cannot be called {}", place.name))
                .hint(format!("{LOCAL} is the repository, and {S3} is every place outside")));
        }
    }
    Ok(places)
}

impl S3Section {
    fn place(self, folder: &Path, only: bool) -> Place {
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let file =
            |value: Option<PathBuf>| value.filter(|p| !p.as_os_str().is_empty()).map(|p| folder.join(p));
        let kms_key = given(self.sse_kms_key_id);
        // Who names a key wants it used.
        let kind = self.sse.or(kms_key.is_some().then_some(EncryptionKind::Kms));
        Place {
            name: given(self.name).unwrap_or_else(|| if only { S3.into() } else { self.bucket.clone() }),
            bucket: self.bucket,
            prefix: self.prefix.trim_matches('/').into(),
            region: given(self.region),
            endpoint: given(self.endpoint),
            path_style: self.path_style,
            ca_file: file(self.ca_file),
            storage_class: self.storage_class,
            storage_classes: self.storage_classes,
            header_storage_class: self.header_storage_class,
            object_lock: self.object_lock.map(|lock| ObjectLock { mode: lock.mode, days: lock.days }),
            encryption: kind.map(|kind| Encryption { kind, kms_key }),
            retention: self.retention.map(Into::into),
            credentials_file: file(self.credentials_file),
            profile: given(self.profile),
        }
    }
}

/// Why a place cannot be one.
fn objection(place: &Place) -> Option<String> {
    let Place { bucket, endpoint, header_storage_class, encryption, object_lock, .. } = place;
    if bucket.is_empty() || bucket.contains("://") || bucket.contains(|c: char| c == '/' || c.is_whitespace())
    {
        return Some(format!("`{bucket}` is no name of a bucket; what is below it is its `prefix`"));
    }
    if let Some(endpoint) = endpoint {
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
        match host {
            None | Some("") => {
                return Some(format!("`{endpoint}` is no endpoint: one begins with https:// or http://"));
            }
            Some(_) => {}
        }
    }
    if header_storage_class.is_archive() {
        return Some(format!(
            "`header_storage_class` {header_storage_class} is an archive: listing snapshots would take a thaw"
        ));
    }
    if object_lock.is_some_and(|lock| lock.days == 0) {
        return Some("`object_lock` of 0 days locks nothing; leave it out".into());
    }
    let keyless = encryption.as_ref().filter(|e| e.kind == EncryptionKind::S3 && e.kms_key.is_some());
    keyless.map(|_| "`sse: AES256` has no `sse_kms_key_id`; with a key it is aws:kms".into())
}

/// The places that a flag picks: one by its name, all of them by none or by `s3`.
///
/// # Errors
/// Usage: none is called so, or there is none at all.
pub fn chosen<'a>(places: &'a [Place], flag: Option<&str>) -> Result<Vec<&'a Place>> {
    if places.is_empty() {
        return Err(Error::usage("no place outside is configured")
            .hint("write into netdr.yaml: replicas: [{s3: {bucket: NAME, region: NAME}}]"));
    }
    let Some(name) = flag else { return Ok(places.iter().collect()) };
    let found: Vec<&Place> = places.iter().filter(|place| place.name == name || name == S3).collect();
    if found.is_empty() {
        let names: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
        return Err(Error::usage(format!("no place is called {name}"))
            .hint(format!("there is: {}", names.join(", "))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, repository::Retention};

    fn parse(replicas: &str) -> Result<Vec<Place>> {
        Config::parse(&format!("replicas:\n{replicas}\n"), Path::new("/etc/netdr/netdr.yaml"))
            .map(|c| c.replicas)
    }

    fn one(keys: &str) -> Result<Place> {
        parse(&format!("- s3: {{bucket: dr{keys}}}")).map(|mut places| places.remove(0))
    }

    #[test]
    fn a_bucket_is_enough() {
        let place = one("").unwrap();
        assert_eq!((place.name.as_str(), place.prefix.as_str(), place.path_style), ("s3", "", false));
        assert_eq!(place.storage_class, StorageClass::DeepArchive);
        assert_eq!(place.header_storage_class, StorageClass::Standard);
        assert_eq!(
            one(", endpoint: '', ca_file: '', region: '', name: ''").unwrap(),
            place,
            "empty is unset"
        );
    }

    #[test]
    fn every_key_is_read() {
        let place = one(
            ", name: offsite, prefix: /clusters/proj-k8s/, region: eu-central-1, endpoint: 'https://s3.lab:9000', \
             path_style: true, ca_file: ca.pem, storage_class: GLACIER_IR, storage_classes: {network: STANDARD_IA}, \
             header_storage_class: STANDARD_IA, object_lock: {mode: compliance, days: 30}, sse_kms_key_id: k1, \
             retention: {daily: 30}, credentials_file: s3-credentials, profile: dr",
        )
        .unwrap();
        assert_eq!(
            (place.name.as_str(), place.prefix.as_str(), place.region.as_deref()),
            ("offsite", "clusters/proj-k8s", Some("eu-central-1"))
        );
        assert_eq!(place.ca_file, Some("/etc/netdr/ca.pem".into()));
        assert_eq!(place.credentials_file, Some("/etc/netdr/s3-credentials".into()));
        assert_eq!(place.class_of(Set::Network), StorageClass::StandardIa);
        assert_eq!(place.class_of(Set::Host), StorageClass::GlacierIr);
        assert_eq!(place.object_lock, Some(ObjectLock { mode: LockMode::Compliance, days: 30 }));
        assert_eq!(
            place.encryption,
            Some(Encryption { kind: EncryptionKind::Kms, kms_key: Some("k1".into()) })
        );
        assert_eq!(place.retention, Some(Retention { daily: 30, ..Retention::default() }));
        assert_eq!(place.url("x"), "s3://dr/clusters/proj-k8s/x");
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_way_out() {
        for (keys, why) in [
            (", storage_class: DEEP_ARCHIV", "did you mean `DEEP_ARCHIVE`?"),
            (", storage_classes: {network: glacier}", "unknown value `glacier`"),
            (", header_storage_class: GLACIER", "would take a thaw"),
            (", object_lock: {mode: governance, days: 0}", "locks nothing"),
            (", endpoint: s3.lab", "begins with https://"),
            (", endpoint: 'https://me:MARKER@s3.lab'", "credentials_file"),
            (", endpoint: 'me:MARKER@s3.lab:9000'", "credentials_file"),
            (", sse: AES256, sse_kms_key_id: k", "aws:kms"),
            (", buckett: x", "did you mean `bucket`?"),
            (", name: local", "the repository"),
        ] {
            let error = format!("{:?}", one(keys).unwrap_err());
            assert!(error.contains(why) && !error.contains("MARKER"), "{keys}: {error}");
        }
        assert!(format!("{:?}", parse("- s3: {bucket: 's3://dr/x'}").unwrap_err()).contains("prefix"));
        let error = format!("{:?}", parse("- s3: {bucket: 's3://me:MARKER@dr'}").unwrap_err());
        assert!(error.contains("credentials_file") && !error.contains("MARKER"), "{error}");
    }

    #[test]
    fn of_several_each_has_a_name() {
        let places = parse("- s3: {bucket: a}\n- s3: {bucket: b, name: far}").unwrap();
        let names = |places: Vec<&Place>| places.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(chosen(&places, None).unwrap()), ["a", "far"]);
        assert_eq!(names(chosen(&places, Some("s3")).unwrap()), ["a", "far"]);
        assert_eq!(names(chosen(&places, Some("far")).unwrap()), ["far"]);
        assert!(chosen(&places, Some("b")).unwrap_err().hints()[0].contains("a, far"));
        assert!(chosen(&[], None).unwrap_err().hints()[0].contains("replicas:"));
        assert!(
            format!("{:?}", parse("- s3: {bucket: a}\n- s3: {bucket: a}").unwrap_err()).contains("`name:`")
        );
    }
}

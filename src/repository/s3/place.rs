//! What a configuration says of a place outside: a bucket, how to reach it, and how objects are kept there.
//!
//! In: values of the configuration. Out: the same, named. Invariant: no credentials are in it, only where they are.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{model::Set, repository::Retention};

/// A place outside: a bucket, or what is below a prefix of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What messages, JSON and `--place` call it.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// Before every key, without a slash at either end; may be empty.
    pub prefix: String,
    /// Region; else that of the SDK's own chain (AWS_REGION, the profile).
    pub region: Option<String>,
    /// URL of a server that is not AWS.
    pub endpoint: Option<String>,
    /// `https://host/bucket/key` in place of `https://bucket.host/key`: most servers that are not AWS want it.
    pub path_style: bool,
    /// PEM file of the authorities to trust in place of this machine's.
    pub ca_file: Option<PathBuf>,
    /// The class of bundles.
    pub storage_class: StorageClass,
    /// The class of bundles of some sets.
    pub storage_classes: BTreeMap<Set, StorageClass>,
    /// The class of index, signature and header: never an archive, or listing would need a thaw.
    pub header_storage_class: StorageClass,
    /// Whether objects are locked, and for how long.
    pub object_lock: Option<ObjectLock>,
    /// How the server encrypts at rest what is sealed already.
    pub encryption: Option<Encryption>,
    /// What it keeps; else what the repository keeps.
    pub retention: Option<Retention>,
    /// File of credentials, as ~/.aws/credentials has them; else those of the SDK's own chain.
    pub credentials_file: Option<PathBuf>,
    /// Which profile of it.
    pub profile: Option<String>,
}

impl Place {
    /// The class that bundles of a set are put in.
    pub fn class_of(&self, set: Set) -> StorageClass {
        self.storage_classes.get(&set).copied().unwrap_or(self.storage_class)
    }

    /// The key of a path of the repository, such as `netdr-repository.json`.
    pub(super) fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.into() } else { format!("{}/{path}", self.prefix) }
    }

    /// The whole of it for messages: `s3://bucket/prefix/path`.
    pub fn url(&self, path: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(path))
    }

    /// The command that deletes what is there at a path; below it, where `recursive`. Without its endpoint it would ask AWS,
    /// where a bucket of that name may be somebody else's.
    pub fn to_delete(&self, path: &str, recursive: bool) -> String {
        let recursive = if recursive { "--recursive " } else { "" };
        let endpoint = self.endpoint.as_ref().map(|url| format!(" --endpoint-url {}", url));
        format!("aws s3 rm {recursive}{}{}", self.url(path), endpoint.unwrap_or_default())
    }
}

/// As S3 calls them: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StorageClass {
    /// Read at once.
    Standard,
    /// Read at once.
    ReducedRedundancy,
    /// Read at once; billed for 30 days at least.
    StandardIa,
    /// Read at once; billed for 30 days at least.
    OnezoneIa,
    /// Read at once, unless its own archive tiers were switched on.
    IntelligentTiering,
    /// Read at once; billed for 90 days at least.
    GlacierIr,
    /// An archive: read after a thaw of hours; billed for 90 days at least.
    Glacier,
    /// An archive: read after a thaw of up to two days; billed for 180 days at least.
    DeepArchive,
}

impl StorageClass {
    const ALL: [Self; 8] = [
        Self::Standard,
        Self::ReducedRedundancy,
        Self::StandardIa,
        Self::OnezoneIa,
        Self::IntelligentTiering,
        Self::GlacierIr,
        Self::Glacier,
        Self::DeepArchive,
    ];

    /// As S3 calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
        }
    }

    /// The class that S3 calls so; a server may have classes of its own.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether an object of it is read only after a thaw.
    pub const fn is_archive(self) -> bool {
        matches!(self, Self::Glacier | Self::DeepArchive)
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Object Lock: until when nobody deletes or overwrites what was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectLock {
    /// Who may lift it.
    pub mode: LockMode,
    /// For how long from when it was put.
    pub days: u32,
}

/// Who may lift a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Who has s3:BypassGovernanceRetention.
    Governance,
    /// Nobody.
    Compliance,
}

/// Server-side encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// Its kind.
    pub kind: EncryptionKind,
    /// Key of KMS; else the account's own for S3.
    pub kms_key: Option<String>,
}

/// As S3 calls it in `x-amz-server-side-encryption`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum EncryptionKind {
    /// Keys that S3 holds.
    #[serde(rename = "AES256")]
    S3,
    /// Keys that KMS holds.
    #[serde(rename = "aws:kms")]
    Kms,
    /// Twice, with keys that KMS holds.
    #[serde(rename = "aws:kms:dsse")]
    KmsTwice,
}

impl EncryptionKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::S3 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsTwice => "aws:kms:dsse",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_called_as_s3_calls_it() {
        for class in StorageClass::ALL {
            assert_eq!(StorageClass::named(class.name()), Some(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.name());
        }
        let archives: Vec<_> = StorageClass::ALL.into_iter().filter(|class| class.is_archive()).collect();
        assert_eq!(archives, [StorageClass::Glacier, StorageClass::DeepArchive]);
    }
}

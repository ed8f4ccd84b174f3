//! What a restore takes its wanted state from, in words that find the very same again.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SnapshotId;
use crate::{Error, Result};

/// One source. Its text form is in plans, journals and reports: a snapshot's id, `git:URL@COMMIT`,
/// `velero:FILE@sha256:HEX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceName {
    /// A snapshot of the repository.
    Snapshot(SnapshotId),
    /// A commit of a Git repository.
    Git {
        /// Where it was read from.
        url: String,
        /// Its full id.
        commit: String,
    },
    /// A Velero backup archive.
    Velero {
        /// Where it is.
        file: String,
        /// sha256 of its bytes, in hex: it is all that tells this archive from another of its name.
        sha256: String,
    },
}

impl SourceName {
    /// The snapshot, if it is one.
    pub fn snapshot(&self) -> Option<&SnapshotId> {
        match self {
            Self::Snapshot(id) => Some(id),
            Self::Git { .. } | Self::Velero { .. } => None,
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(id) => write!(f, "{id}"),
            Self::Git { url, commit } => write!(f, "git:{url}@{commit}"),
            Self::Velero { file, sha256 } => write!(f, "velero:{file}@sha256:{sha256}"),
        }
    }
}

impl FromStr for SourceName {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let wrong = || Error::damaged(format!("`{s}` is not the name of a source"));
        if let Some(rest) = s.strip_prefix("git:") {
            let (url, commit) = rest.rsplit_once('@').ok_or_else(wrong)?;
            return Ok(Self::Git { url: url.into(), commit: commit.into() });
        }
        if let Some(rest) = s.strip_prefix("velero:") {
            let (file, sha256) = rest.rsplit_once("@sha256:").ok_or_else(wrong)?;
            return Ok(Self::Velero { file: file.into(), sha256: sha256.into() });
        }
        s.parse().map(Self::Snapshot)
    }
}

impl Serialize for SourceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_found_again_by_its_text() {
        let sources = [
            SourceName::Snapshot("20261124T010000Z-network-7f3a9c".parse().unwrap()),
            SourceName::Git { url: "git@forge.lab:ops/k8s.git".into(), commit: "a".repeat(40) },
            SourceName::Velero { file: "/backup/a@b.tar.gz".into(), sha256: "c".repeat(64) },
        ];
        for source in sources {
            let text = serde_json::to_string(&source).unwrap();
            assert_eq!(serde_json::from_str::<SourceName>(&text).unwrap(), source);
        }
        assert!("git:nothing".parse::<SourceName>().is_err());
        assert!("something else".parse::<SourceName>().is_err());
    }
}

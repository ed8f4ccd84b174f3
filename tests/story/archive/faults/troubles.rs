//! What goes wrong, and how it is brought about.

use std::time::Duration;

use super::{super::Ground, Stage};
use crate::support::Trouble;

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cause {
    Forbidden,
    Foreign,
    NoBucket,
    OtherRegion,
    Skewed,
    Conflict,
    Exists,
    TooMany,
    SlowDown,
    Internal,
    Reset,
    AnswerLost,
    Short,
    Slow,
    Checksum,
    Swapped,
    Truncated,
    Replayed,
    Expired,
    UnknownClass,
    FullDisk,
}

/// What stays until somebody mends it.
const ALWAYS: usize = 1000;
const BUNDLE: &str = "host.tar.zst.age";

impl Cause {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Forbidden => "403 to what the verb is about",
            Self::Foreign => "403 to everything: a bucket of another account",
            Self::NoBucket => "404, no such bucket",
            Self::OtherRegion => "301, a bucket in another region",
            Self::Skewed => "403, a clock that is wrong by more than 15 minutes",
            Self::Conflict => "409 to a write: another writes the same key",
            Self::Exists => "412 to a write, and nothing is there",
            Self::TooMany => "429",
            Self::SlowDown => "503 SlowDown",
            Self::Internal => "500",
            Self::Reset => "connection reset before the request is done",
            Self::AnswerLost => "connection reset after it is done",
            Self::Short => "a body that ends early",
            Self::Slow => "slow answers",
            Self::Checksum => "another checksum comes back",
            Self::Swapped => "a bundle swapped in the bucket for another of its size",
            Self::Truncated => "a bundle truncated in the bucket",
            Self::Replayed => "an older header, with its signature, replayed",
            Self::Expired => "a bundle expired by a lifecycle rule",
            Self::UnknownClass => "a bundle in a storage class that nobody knows",
            Self::FullDisk => "a full disk here",
        }
    }

    /// Causes it for this stage, of the snapshot `id`; `other` is an older one.
    pub(super) fn strike(self, ground: &Ground, stage: Stage, id: &str, other: &str) {
        let glacier = &ground.glacier;
        let verb = match stage {
            Stage::Replicate => "PutObject",
            Stage::Fetch | Stage::Verify => "GetObject",
            Stage::Thaw => "RestoreObject",
            Stage::Snapshots => "ListObjectsV2",
        };
        let always = |trouble| glacier.strike(verb, "", ALWAYS, trouble);
        let twice = |trouble| glacier.strike(verb, "", 2, trouble);
        let write = |times, trouble| glacier.strike("PutObject", BUNDLE, times, trouble);
        let object = |name: &str| format!("{id}/{name}");
        match self {
            Self::Forbidden => always(Trouble::Forbidden),
            Self::Foreign => glacier.strike("*", "", ALWAYS, Trouble::Forbidden),
            Self::NoBucket => glacier.strike("*", "", ALWAYS, Trouble::NoBucket),
            Self::OtherRegion => glacier.strike("*", "", ALWAYS, Trouble::OtherRegion),
            Self::Skewed => glacier.strike("*", "", ALWAYS, Trouble::Skewed),
            Self::Conflict => write(2, Trouble::Conflict),
            Self::Exists => write(1, Trouble::Exists),
            Self::TooMany => twice(Trouble::TooMany),
            Self::SlowDown => twice(Trouble::SlowDown),
            Self::Internal => twice(Trouble::Internal),
            Self::Reset => twice(Trouble::Reset),
            Self::AnswerLost => twice(Trouble::ResetAfter),
            Self::Short => glacier.strike("GetObject", "", 2, Trouble::Short),
            Self::Slow => twice(Trouble::Slow(Duration::from_millis(1500))),
            Self::Checksum => glacier.strike("*", BUNDLE, ALWAYS, Trouble::OtherChecksum),
            Self::Swapped => glacier.rewrite(&object(BUNDLE), |bytes| bytes.iter().rev().copied().collect()),
            Self::Truncated => glacier.rewrite(&object(BUNDLE), |bytes| bytes[..bytes.len() - 1].to_vec()),
            Self::Replayed => {
                for name in ["snapshot.json.sig", "snapshot.json"] {
                    let old = glacier.body(&format!("{other}/{name}"));
                    glacier.rewrite(&object(name), |_| old.to_vec());
                }
            }
            Self::Expired => glacier.expire(&object(BUNDLE)),
            Self::UnknownClass => glacier.reclass(&object(BUNDLE), "TAPE"),
            Self::FullDisk => {}
        }
    }

    /// Whether it is in the bucket itself, of a snapshot that is there.
    pub(super) const fn tampers(self) -> bool {
        matches!(self, Self::Swapped | Self::Truncated | Self::Replayed | Self::Expired | Self::UnknownClass)
    }
}

//! Bringing snapshots back from a place outside.
//!
//! In: a place, an id. Out: the snapshot in the local repository. Invariant: what is listed was proved: its signature before
//! anything else of it is read, every file's sha256 before it is renamed into place; whatever stops it leaves nothing.

use std::{collections::BTreeSet, io::Write as _};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};

use super::{
    Listed, Repository, Staging, layout,
    read::LARGEST_HEADER,
    resealed,
    s3::{self, Bucket, Stored},
};
use crate::{
    Error, Kind, Result,
    model::{SnapshotHeader, SnapshotId, SnapshotState},
    signature::TrustedSigners,
};

/// How many headers are read at once.
const PARALLEL: usize = 16;
/// No index comes near.
const LARGEST_INDEX: u64 = 1 << 30;

/// A header as it lies in a place, with its signature.
struct Signed {
    header: Vec<u8>,
    signature: Option<Vec<u8>>,
}

impl Bucket {
    /// The id of the repository that a place is a copy of; none where the place is none.
    ///
    /// # Errors
    /// When it cannot be read; damaged, when it is no such file.
    pub async fn repository_id(&self) -> Result<Option<u64>> {
        let mut text = Vec::new();
        if self.get(layout::REPOSITORY, LARGEST_HEADER, &mut text).await?.is_none() {
            return Ok(None);
        }
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let id = value["id"].as_str().and_then(|id| u64::from_str_radix(id, 16).ok());
        let shown = self.place().url(layout::REPOSITORY);
        id.map(Some).ok_or_else(|| {
            Error::damaged(format!("{shown} names no repository")).hint(format!(
                "delete it there; netdr replicate puts it again: {}",
                self.place().to_delete(layout::REPOSITORY, false)
            ))
        })
    }

    /// The snapshots of these ids with their trust, in the same order, as [`Repository::list`] says it of local ones.
    ///
    /// # Errors
    /// When the place refuses every one or does not answer. A header that is missing, broken, or the only one refused is no
    /// error: whoever may put objects must not keep everybody from all others.
    pub async fn listed(
        &self,
        ids: &[SnapshotId],
        trusted: &TrustedSigners,
        now: DateTime<Utc>,
    ) -> Result<Vec<Listed>> {
        let read = stream::iter(ids.iter().cloned()).map(async |id| {
            let signed = self.signed(&id).await?;
            Ok((id, signed))
        });
        let (mut listed, mut refused) = (Vec::new(), Vec::new());
        for read in read.buffered(PARALLEL).collect::<Vec<Result<_>>>().await {
            let (id, signed) = read?;
            listed.push(match signed {
                Ok(signed) => judge(id, signed.as_ref(), trusted, now),
                Err(error) => {
                    let why = error.to_string();
                    refused.extend((error.kind() != Kind::Damaged).then_some(error));
                    Listed::judge(id, Err(why), None, trusted, now)
                }
            });
        }
        if refused.len() < ids.len() { Ok(listed) } else { refused.pop().map_or(Ok(listed), Err) }
    }

    /// The inner failure is this snapshot's alone.
    async fn signed(&self, id: &SnapshotId) -> Result<Result<Option<Signed>>> {
        let header = match self.get_small(&s3::path(id, layout::HEADER), LARGEST_HEADER).await? {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        let signature = self.get_small(&s3::path(id, layout::SIGNATURE), LARGEST_HEADER).await?;
        Ok(signature.map(|signature| Some(Signed { header, signature })))
    }
}

fn judge(id: SnapshotId, signed: Option<&Signed>, trusted: &TrustedSigners, now: DateTime<Utc>) -> Listed {
    let header = signed.map(|signed| signed.header.clone());
    let header = header.ok_or_else(|| format!("{} is missing", layout::HEADER));
    Listed::judge(id, header, signed.and_then(|signed| signed.signature.as_deref()), trusted, now)
}

/// Those that have a header: the others are not wholly there, and so not there.
pub fn whole(stored: &Stored) -> Vec<SnapshotId> {
    let whole =
        stored.iter().filter(|(_, objects)| objects.iter().any(|object| object.name == layout::HEADER));
    whole.map(|(id, _)| id.clone()).collect()
}

/// What `latest` is in a place.
#[derive(Debug, Default)]
pub struct Latest<'a> {
    /// The newest complete, trusted one of every series, oldest first.
    pub newest: Vec<&'a SnapshotHeader>,
    /// Those that nobody answers for, newer than any of their set and node that somebody does, and why.
    pub untrusted: Vec<(&'a SnapshotId, &'a str)>,
}

/// What `latest` is; of `cluster` alone where it is named. What another stands in for, sealed to other keys, is none.
pub fn latest<'a>(listed: &'a [Listed], cluster: Option<&str>) -> Latest<'a> {
    let old = resealed(listed);
    let mut current: Vec<&Listed> = listed.iter().filter(|one| !old.contains_key(&one.id)).collect();
    current.sort_by(|a, b| b.age().cmp(&a.age()));
    let (trusted, untrusted): (Vec<&Listed>, Vec<&Listed>) =
        current.into_iter().partition(|one| one.trust.is_trusted());
    let newest = newest(&trusted, cluster);
    let hidden = |one: &&Listed| {
        let mut of_its_set = newest.iter().filter(|header| one.is_of(header.set, header.node.as_deref()));
        of_its_set.all(|header| header.id.captured_at() < one.id.captured_at())
    };
    let untrusted = untrusted.into_iter().filter(hidden);
    let untrusted = untrusted.filter_map(|one| Some((&one.id, one.believed().err()?))).collect();
    Latest { newest, untrusted }
}

/// Of those that are trusted, newest first.
fn newest<'a>(trusted: &[&'a Listed], cluster: Option<&str>) -> Vec<&'a SnapshotHeader> {
    let good = trusted.iter().filter_map(|one| one.header.as_ref().ok()).filter(|header| {
        header.state == SnapshotState::Complete && cluster.is_none_or(|name| header.cluster.name == name)
    });
    let mut seen = BTreeSet::new();
    let mut newest: Vec<_> = good.filter(|header| seen.insert(header.series())).collect();
    newest.reverse();
    newest
}

impl Repository {
    /// Whether a snapshot of this id is here, whatever is wrong with it.
    pub fn has(&self, id: &SnapshotId) -> bool {
        layout::snapshot(&self.root, id).exists()
    }

    /// Brings one snapshot here; returns how large it is.
    ///
    /// # Errors
    /// Damaged, when it is untrusted or a file of it is not what its header says; when a bundle is archived, the place
    /// does not have it, refuses, or does not answer; or the repository cannot be written.
    pub async fn fetch(
        &self,
        bucket: &Bucket,
        id: &SnapshotId,
        trusted: &TrustedSigners,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let name = &bucket.place().name;
        let signed = bucket.signed(id).await??.ok_or_else(|| {
            Error::failed(format!("place {name} has no snapshot {id}")).hint("what is where: netdr snapshots")
        })?;
        let listed = judge(id.clone(), Some(&signed), trusted, now);
        let header = listed.believed().map_err(|why| {
            Error::damaged(format!("snapshot {id} of place {name} is untrusted: {why}"))
                .hint("nothing of it was fetched; choose another: netdr snapshots")
        })?;
        let (repository, of) = (self.clone(), id.clone());
        let staged = tokio::task::spawn_blocking(move || repository.stage(&of, now)).await;
        let staging = staged.map_err(|e| Error::failed("fetching was interrupted").because(e))??;
        let mut bytes = 0;
        for bundle in &header.bundles {
            let file = layout::bundle(bundle.component);
            bytes += file_of(bucket, id, &staging, &file, &bundle.sha256, bundle.bytes).await?;
        }
        file_of(bucket, id, &staging, layout::INDEX, &header.index_sha256, LARGEST_INDEX).await?;
        staging.commit_signed(&signed.header, &signed.signature.unwrap_or_default())?;
        Ok(bytes)
    }
}

/// Brings one file into a staged snapshot, proved.
async fn file_of(
    bucket: &Bucket,
    id: &SnapshotId,
    staging: &Staging,
    file: &str,
    sha256: &str,
    limit: u64,
) -> Result<u64> {
    let path = s3::path(id, file);
    let damaged = |what: &str| {
        Error::damaged(format!("{} {what}", bucket.place().url(&path)))
            .hint("nothing of the snapshot is kept here; choose another: netdr snapshots")
    };
    let mut out = staging.file(file)?;
    let got = staging.during(bucket.get(&path, limit, &mut out)).await;
    out.flush().map_err(|e| Error::failed(format!("cannot write {file}")).because(e))?;
    match out.settle(got)? {
        None => Err(damaged("is missing: a lifecycle rule, or somebody, deleted it")),
        Some((is, _)) if is != sha256 => Err(damaged(&format!("has sha256 {is}, not {sha256}"))),
        Some((_, bytes)) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{BundleEntry, Component, Set},
        repository::fixture::{at, listed},
        signature::Trust,
    };

    #[test]
    fn a_snapshot_without_its_header_is_none() {
        let object = |name: &str| s3::Object {
            name: name.into(),
            bytes: 1,
            class: None,
            modified: at("2026-11-24T01:00:00Z"),
            restore: None,
        };
        let id = |text: &str| text.parse::<SnapshotId>().unwrap();
        let (half, wholly) = (id("20261123T010000Z-network-000001"), id("20261124T010000Z-network-000002"));
        let stored = [
            (half, vec![object("cni.tar.zst.age"), object("snapshot.json.sig")]),
            (wholly.clone(), vec![object("cni.tar.zst.age"), object("snapshot.json")]),
        ];
        assert_eq!(whole(&stored.into()), [wholly]);
    }

    #[test]
    fn latest_is_the_newest_good_one_of_each_set_and_node() {
        let day = |day: u32, state| listed(&format!("2026-11-{day}T01:00:00Z"), state);
        let mut all = vec![
            day(20, SnapshotState::Complete),
            day(21, SnapshotState::Complete),
            day(22, SnapshotState::Complete),
            day(23, SnapshotState::Complete),
            day(24, SnapshotState::Partial),
        ];
        all[0].header.as_mut().unwrap().node = Some("n1".into());
        all[2].header.as_mut().unwrap().cluster.name = "c2".into();
        all[3].trust = Trust::Untrusted("foreign".into());
        all.reverse();
        let days = |cluster| {
            latest(&all, cluster).newest.iter().map(|h| h.id.as_str()[6..8].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(days(None), ["20", "21", "22"]);
        assert_eq!(days(Some("c1")), ["20", "21"]);
        // Two of one second: their ids begin alike and end at random.
        let mut two = [day(20, SnapshotState::Complete), day(20, SnapshotState::Complete)];
        two[0].header.as_mut().unwrap().captured_at += chrono::TimeDelta::milliseconds(500);
        two[1].id = "20261120T010000Z-network-ffffff".parse().unwrap();
        two[1].header.as_mut().unwrap().id = two[1].id.clone();
        assert_eq!(latest(&two, None).newest[0].id, two[0].id);
    }

    #[test]
    fn latest_is_one_of_each_choice_of_components_and_never_what_another_stands_in_for() {
        let night = || listed("2026-11-24T01:00:00Z", SnapshotState::Complete);
        let mut noon = listed("2026-11-24T12:00:00Z", SnapshotState::Complete);
        let bundle =
            BundleEntry { component: Component::Policies, sha256: String::new(), bytes: 0, items: 0 };
        noon.header.as_mut().unwrap().bundles = vec![bundle];
        let mut new = night();
        let old = SnapshotId::new(at("2026-11-24T01:00:00Z"), Set::Network, None, 1);
        new.header.as_mut().unwrap().reseals = Some(old.clone());
        let mut lost = night();
        lost.id = old.clone();
        lost.header.as_mut().unwrap().id = old;
        let all = [new, lost, noon];
        let latest = latest(&all, None);
        let newest: Vec<_> = latest.newest.into_iter().map(|header| &header.id).collect();
        assert_eq!(newest, [&all[0].id, &all[2].id]);
        assert!(latest.untrusted.is_empty());
    }

    #[test]
    fn a_newer_one_that_nobody_answers_for_is_named_and_an_older_one_is_not() {
        let mut all = [20, 21, 22]
            .map(|day| listed(&format!("2026-11-{day}T01:00:00Z"), SnapshotState::Complete))
            .to_vec();
        all[0].trust = Trust::Untrusted("foreign".into());
        all[2].trust = Trust::Untrusted("it is not signed".into());
        let untrusted = |all: &[Listed]| {
            let latest = latest(all, None);
            latest
                .untrusted
                .into_iter()
                .map(|(id, why)| format!("{} {why}", &id.as_str()[6..8]))
                .collect::<Vec<_>>()
        };
        assert_eq!(untrusted(&all), ["22 it is not signed"]);
        // With none to rely on, every one is.
        all[1].trust = Trust::Untrusted("foreign".into());
        assert_eq!(untrusted(&all), ["22 it is not signed", "21 foreign", "20 foreign"]);
    }
}

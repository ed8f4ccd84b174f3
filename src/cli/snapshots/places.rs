//! What the places outside have, as far as one LIST says it.
//!
//! Invariant: nobody waits long for a place that does not answer, and nothing is read that may be archived.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    Error, Result,
    cli::{context::Context, interrupt, settings::Settings, thaw, words::time},
    model::{SnapshotHeader, SnapshotId},
    repository::{
        Listed,
        archive::ArchiveState,
        fetch,
        s3::{Bucket, Object, Place, Stored},
        thaw::{self as archive, kept},
    },
    signature::TrustedSigners,
};

/// An operator whose network is down must not wait for a list of what is on this disk.
const ANSWER: Duration = Duration::from_secs(5);
/// Headers of what is only there are read when the place has answered.
const HEADERS: Duration = Duration::from_secs(60);

/// A place that answered.
pub(in crate::cli) struct Elsewhere {
    pub(super) name: String,
    /// With their headers: those that are not here.
    pub(super) only_there: Vec<Listed>,
    stored: BTreeMap<SnapshotId, (Option<ArchiveState>, Vec<Object>)>,
}

/// The state of a snapshot in a place, as JSON has it.
#[derive(Serialize)]
pub(super) struct Archive {
    state: &'static str,
    until: Option<String>,
    ready_by: Option<String>,
    /// Files that are not as its header says.
    damaged: Vec<String>,
}

/// Asks every place at once; by its name, what it has. `without` is the command that asks none.
pub(in crate::cli) fn ask(
    cx: &Context,
    settings: &Settings,
    trusted: &TrustedSigners,
    here: &[Listed],
    without: &str,
) -> Result<Vec<(String, Result<Elsewhere>)>> {
    let here: BTreeSet<&SnapshotId> = here.iter().map(|one| &one.id).collect();
    let places = &settings.config.replicas;
    let asked = interrupt::run(&|| format!("without the places outside: {without}"), async {
        let one = async |place: &Place| -> Result<Elsewhere> {
            let bucket = Bucket::open(place).await?;
            let silent = |_| {
                Error::failed(format!("no answer within {} s", ANSWER.as_secs()))
                    .hint(format!("without it: {without}"))
            };
            let stored = timeout(ANSWER, bucket.stored()).await.map_err(silent)??;
            let mut only_there = fetch::whole(&stored);
            only_there.retain(|id| !here.contains(id));
            let (archived, readable): (Vec<_>, Vec<_>) =
                only_there.into_iter().partition(|id| archive::header_is_archived(&stored[id], cx.now));
            let listed = timeout(HEADERS, bucket.listed(&readable, trusted, cx.now)).await;
            let only_there = listed.map_err(silent)??.into_iter().chain(archived.into_iter().map(unread));
            let only_there = only_there.collect();
            Ok(Elsewhere::of(place, stored, only_there, settings, cx))
        };
        Ok(join_all(places.iter().map(one)).await)
    })?;
    Ok(places.iter().map(|place| place.name.clone()).zip(asked).collect())
}

/// One of which nothing can be said before a thaw.
fn unread(id: SnapshotId) -> Listed {
    let why = format!("its header is archived too, by a lifecycle rule: netdr thaw {id}");
    Listed::unread(id, why)
}

impl Elsewhere {
    fn of(
        place: &Place,
        mut stored: Stored,
        only_there: Vec<Listed>,
        settings: &Settings,
        cx: &Context,
    ) -> Self {
        let whole = fetch::whole(&stored).into_iter().filter_map(|id| {
            let objects = stored.remove(&id)?;
            let kept = settings.repository.as_ref().map(|root| kept(root, place, &id)).unwrap_or_default();
            Some((id, (archive::state(&objects, &kept, cx.now), objects)))
        });
        Self { name: place.name.clone(), stored: whole.collect(), only_there }
    }

    /// Every snapshot that is there, of those that are here by their headers here, with what is wrong with it there. What is
    /// wrong with the files here is not wrong there.
    pub(in crate::cli) fn into_listed(self, here: &[Listed]) -> Vec<Listed> {
        let there = |one: &Listed| {
            let (_, objects) = self.stored.get(&one.id)?;
            let wrong = one.header.as_ref().map(|header| archive::wrong(header, objects)).unwrap_or_default();
            let damage = wrong.into_iter().map(|(file, why)| (None, format!("{file} {why}"))).collect();
            Some(Listed { damage, ..one.by_header() })
        };
        here.iter().chain(&self.only_there).filter_map(there).collect()
    }

    /// How a snapshot is kept there; nothing where it is not, or not wholly.
    pub(super) fn archive_of(&self, id: &SnapshotId, header: Option<&SnapshotHeader>) -> Option<Archive> {
        let (state, objects) = self.stored.get(id)?;
        Some(Archive {
            state: state.map_or("unknown", ArchiveState::name),
            until: state.and_then(thaw::until).map(time),
            ready_by: state.and_then(thaw::ready_by).map(time),
            damaged: header
                .map(|header| archive::wrong(header, objects))
                .unwrap_or_default()
                .into_iter()
                .map(|(file, why)| format!("{file} {why}"))
                .collect(),
        })
    }
}

impl Archive {
    /// The place in a table: `s3 (archived)`.
    pub(super) fn beside(&self, place: &str) -> String {
        if self.state == ArchiveState::Standard.name() {
            place.into()
        } else {
            format!("{place} ({})", self.state)
        }
    }

    /// What is wrong with it there.
    pub(super) fn remark(&self, place: &str) -> Option<String> {
        match (self.damaged.is_empty(), self.state) {
            (false, _) => Some(format!("in place {place}: {}", self.damaged.join("; "))),
            (true, "unknown") => {
                Some(format!("in place {place}: in a storage class that netdr does not know"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{BundleEntry, Component, SnapshotState},
        repository::fixture::{at, listed},
    };

    /// The copy that saves one is not called damaged for what happened to the one here.
    #[test]
    fn what_is_damaged_here_and_whole_there_is_good_there() {
        let mut here = listed("2026-11-24T01:00:00Z", SnapshotState::Complete);
        here.header.as_mut().unwrap().bundles =
            vec![BundleEntry { component: Component::Policies, sha256: String::new(), bytes: 7, items: 1 }];
        let modified = at("2026-11-24T01:01:00Z");
        let object = |(name, bytes): (String, Option<u64>)| Object {
            name,
            bytes: bytes.unwrap_or(500),
            class: None,
            modified,
            restore: None,
        };
        let objects: Vec<Object> = archive::files(here.header.as_ref().unwrap()).map(object).collect();
        here.damage = vec![(Some(Component::Policies), "policies.tar.zst.age is missing".into())];
        let there = |objects: Vec<Object>| {
            let stored = BTreeMap::from([(here.id.clone(), (None, objects))]);
            let place = Elsewhere { name: "s3".into(), only_there: vec![], stored };
            place.into_listed(std::slice::from_ref(&here))
        };
        let [whole] = &there(objects.clone())[..] else { panic!() };
        assert!(whole.is_whole() && whole.id == here.id, "{whole:?}");
        let [cut] = &there(objects[1..].to_vec())[..] else { panic!() };
        assert!(
            !cut.is_whole() && cut.damage[0].1.contains("is missing"),
            "said, and relied on by nobody: {cut:?}"
        );
    }
}

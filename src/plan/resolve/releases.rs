//! Helm releases: the Secret of the stored revision, and revisions that would stand in its way.
//!
//! In: the source's releases and the live revisions. Out: batches, newer revisions last. Invariant: afterwards the
//! source's revision is the newest there is, so that Helm's next upgrade or rollback starts from it; and every Secret
//! that is overwritten or deleted on the way is an act's, so that the safety snapshot has it.

use super::{Resolver, judge};
use crate::{
    Result,
    helm::Revision,
    model::{Component, IndexEntry, ItemKey, Json},
    plan::{Act, Batch, Verb},
};

impl<'a> Resolver<'a> {
    /// The last batches of a `helmRelease` step.
    pub(super) fn releases(
        &mut self,
        component: Component,
        named: &[String],
        held: &[&'a IndexEntry],
    ) -> Result<Vec<Batch>> {
        for name in named {
            let (namespace, release) = name.split_once('/').unwrap_or((name, name));
            let key = ItemKey::Release { namespace: namespace.into(), name: release.into() };
            if !held.iter().any(|entry| entry.key == key) {
                self.tally.refused.push((key, "the source has no such release".into()));
            }
        }
        let mut same = Batch { note: "what holds the release's number first", acts: Vec::new() };
        let mut secrets = Batch { note: "the release, when what it renders is there", acts: Vec::new() };
        let mut newer = Batch { note: "newer revisions last", acts: Vec::new() };
        for entry in held {
            let Some(version) = self.release(entry, &mut same.acts, &mut secrets.acts)? else { continue };
            let later = self.revisions(&entry.key).filter(|revision| revision.version > version);
            newer.acts.extend(later.map(|revision| remove(component, revision)));
        }
        Ok(vec![same, secrets, newer])
    }

    /// Brings back one release's Secret; the number of its revision, or none where it is refused.
    fn release(
        &mut self,
        entry: &'a IndexEntry,
        same: &mut Vec<Act>,
        acts: &mut Vec<Act>,
    ) -> Result<Option<u64>> {
        let live = self.seen.get(&(entry.component, &entry.key)).copied();
        if let Some(live) = live.filter(|live| live.entry.sha256 == entry.sha256) {
            self.tally.unchanged += 1;
            let stored = self.revisions(&entry.key).find(|revision| revision.seen.uid == live.seen.uid);
            return Ok(stored.map(|revision| revision.version));
        }
        let wanted = self.wanted(entry)?;
        self.differs(entry, Some(&wanted), live);
        if let Some(why) = self.obstacle(entry, live.is_some()) {
            self.tally.refused.push((entry.key.clone(), why));
            return Ok(None);
        }
        let content = wanted.json().map(Json::value).unwrap_or_default();
        // Another revision than the deployed one, superseded since or of another installation.
        let twin = self.revisions(&entry.key).find(|revision| content["name"] == revision.secret_name);
        let twin = twin.filter(|twin| live.is_none_or(|live| live.seen.uid != twin.seen.uid));
        same.extend(twin.map(|twin| remove(entry.component, twin)));
        acts.push(Act {
            key: entry.key.clone(),
            component: entry.component,
            verb: if live.is_some() { Verb::Replace } else { Verb::Create },
            item: Some(wanted),
            // Live is the deployed revision, in whichever Secret: it is what undo brings back.
            seen: live.map(|live| live.seen.clone()),
            live_sha256: live.map(|live| live.entry.sha256.clone()),
            live: live.map(judge::content_of).transpose()?,
            class: entry.class,
            remarks: judge::remarks(&entry.key, live.and_then(|live| live.managed_by)),
        });
        Ok(content["release"]["version"].as_u64())
    }

    fn revisions(&self, release: &ItemKey) -> impl Iterator<Item = &'a Revision> {
        let (namespace, name) =
            (release.namespace().unwrap_or_default().to_owned(), release.name().to_owned());
        self.live.revisions.iter().filter(move |r| r.namespace == namespace && r.name == name)
    }
}

pub(super) fn remove(component: Component, revision: &Revision) -> Act {
    let secret = ItemKey::resource("", "secrets", Some(&revision.namespace), &revision.secret_name);
    Act {
        seen: Some(revision.seen.clone()),
        remarks: vec![format!("revision {} of the release, {}", revision.version, revision.status)],
        ..Act::of(secret, component, Verb::Delete)
    }
}

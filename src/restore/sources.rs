//! What a restore takes its wanted state from; and choosing and opening snapshots, the usual source.
//!
//! In: what the repository lists, what was asked for, which cluster is restored. Out: one trusted snapshot a set (of set
//! `host`, that of this node), their index, and what a person should know about them. Invariant: nothing untrusted, and nothing of another
//! cluster that was not named, is ever a source; what was passed over is said.

mod absent;
mod git;
mod given;
mod hosts;
mod latest;
mod point;
mod stored;
mod velero;

pub(super) use git::Reading;
pub use given::Chosen;
pub(super) use given::{Given, Refused};
pub(super) use stored::{all_known, laid_over};

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Error, Result,
    model::{
        Class, ClusterIdentity, Component, Content, Facts, Index, ItemKey, Set, SnapshotHeader, SnapshotId,
        SnapshotState, SourceName,
    },
    plan::{CommandLine, NotDone, Source, diff},
    repository::{Listed, Repository, passed},
    seal::Identities,
    signature::Trust,
};

/// Snapshots are made once a day; one that is older than two days has missed a schedule.
const STALE: TimeDelta = TimeDelta::hours(48);

/// What was asked for.
pub(super) struct Asked<'a> {
    /// These; where a needed set is not among them, and where none is named, the latest of that set.
    pub(super) ids: &'a [SnapshotId],
    /// The words that name the plan, for the commands that go on elsewhere: `restore --scenario NAME`.
    pub(super) anew: &'a str,
    /// The flags of this call.
    pub(super) command_line: &'a CommandLine,
    /// The node whose files are restored: that netdr runs on, if it is one.
    pub(super) node: Option<&'a str>,
    /// What the plan touches.
    pub(super) components: &'a BTreeSet<Component>,
    /// The cluster that is restored.
    pub(super) cluster: &'a ClusterIdentity,
    /// `--from-cluster`.
    pub(super) from_cluster: Option<&'a str>,
    /// Whether it is to be another cluster than theirs.
    pub(super) elsewhere: bool,
    /// When the incident began: a later snapshot may hold the damage. Now, where nobody says so.
    pub(super) before: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

/// The source, its index restricted to the plan's components.
pub(super) struct Sources {
    /// The chosen snapshots; none where it is something else.
    pub(super) headers: Vec<SnapshotHeader>,
    /// What it is, where it is no snapshots.
    pub(super) given: Option<Given>,
    pub(super) signed_by: String,
    pub(super) index: Index,
    pub(super) warnings: Vec<String>,
    /// Files of other nodes, and sets that no snapshot will do for.
    pub(super) not_done: Vec<NotDone>,
    /// Sets that were never captured, and are passed over.
    pub(super) absent: BTreeSet<Set>,
}

/// Who signed, and the header, by set and node.
#[derive(Debug, Default)]
struct Picked {
    headers: BTreeMap<(Set, Option<String>), (SnapshotHeader, String)>,
    warnings: Vec<String>,
    not_done: Vec<NotDone>,
    absent: BTreeSet<Set>,
}

impl Sources {
    /// Chooses and opens.
    pub(super) fn open(
        repository: &Repository,
        listed: &[Listed],
        identities: &Identities,
        asked: &Asked<'_>,
    ) -> Result<Self> {
        let Picked { headers, mut warnings, not_done, absent } = pick(listed, asked)?;
        let mut index = Index::default();
        let mut signers = BTreeSet::new();
        let mut opened = Vec::with_capacity(headers.len());
        for (header, signer) in headers.into_values() {
            let one = repository.index(&header, identities)?;
            hosts::own(&header, &one)?;
            // Now, and not when something differs: a rehearsal is to find out that the key is the wrong one.
            let bundles = header.bundles.iter().map(|bundle| bundle.component);
            for component in bundles.filter(|component| asked.components.contains(component)) {
                repository.prove(&header, component, identities)?;
            }
            index.entries.extend(one.entries.into_iter().filter(|e| asked.components.contains(&e.component)));
            // Of the network; until when certificates are valid is nothing to judge a cluster by.
            let facts = Facts { certificates: BTreeMap::new(), ..one.facts };
            if facts != Facts::default() {
                index.facts = facts;
            }
            warnings.extend(remarks(&header, asked));
            signers.insert(signer);
            opened.push(header);
        }
        if opened.is_empty() {
            let parts = not_done.iter().map(|part| part.to_string());
            let error = Error::usage("no part of the plan can be restored from this machine");
            return Err(parts
                .fold(error, Error::hint)
                .hint("or name where a server's files are: --host-root DIR"));
        }
        let signed_by = signers.into_iter().collect::<Vec<_>>().join(", ");
        Ok(Self { headers: opened, given: None, signed_by, index, warnings, not_done, absent })
    }

    /// Takes for evidence what is spared, and the items of namespaces that captures leave out now: of their live state nothing
    /// is known. Nothing of them is restored.
    pub(super) fn leave_out(&mut self, excluded: &BTreeSet<String>, spared: &BTreeSet<ItemKey>) {
        for entry in &mut self.index.entries {
            let namespace = match &entry.key {
                key if key.is_kind("", "namespaces") => Some(key.name()),
                key => key.namespace(),
            };
            let excluded = namespace.is_some_and(|name| excluded.contains(name));
            if excluded || spared.contains(&entry.key) {
                entry.class = Class::Evidence;
            }
        }
    }

    /// The ids, and the oldest capture time.
    pub(super) fn source(&self) -> Source {
        if let Some(given) = &self.given {
            return given.source.clone();
        }
        let captured = self.headers.iter().map(|header| header.captured_at).min();
        let ids = self.headers.iter().map(|header| header.id.clone());
        Source {
            names: ids.map(SourceName::Snapshot).collect(),
            captured_at: captured.unwrap_or_default(),
            lossless: false,
        }
    }

    /// What is in it of an item, where it is no snapshot.
    pub(super) fn content(&self, id: &(Component, ItemKey)) -> Option<&Content> {
        self.given.as_ref()?.items.get(id).map(|item| &item.content)
    }

    /// What the API server would not take in a dry run, and so is as it was written; with why.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&(Component, ItemKey), &Refused)> {
        self.given.iter().flat_map(|given| &given.refused)
    }

    /// What kustomizations leave out of an authored source.
    pub(super) fn narrowed(&self) -> &[String] {
        self.given.as_ref().map_or(&[], |given| &given.narrowed)
    }

    /// Whether every kind was read when they were captured.
    pub(super) fn complete(&self) -> bool {
        self.given.as_ref().is_none_or(|given| given.complete)
            && self.headers.iter().all(|header| header.state != SnapshotState::Partial)
    }

    /// The newest snapshot before the chosen ones whose index differs from theirs: where to look when the chosen one
    /// equals the live state and the live state is wrong.
    pub(super) fn older_that_differs(
        &self,
        repository: &Repository,
        listed: &[Listed],
        identities: &Identities,
        components: &BTreeSet<Component>,
    ) -> Option<SnapshotId> {
        let older =
            listed.iter().rev().filter(|l| l.trust.is_trusted()).filter_map(|l| l.header.as_ref().ok());
        for header in older {
            let twin = self.headers.iter().find(|chosen| {
                chosen.set == header.set
                    && chosen.node == header.node
                    && chosen.cluster.name == header.cluster.name
                    && header.captured_at < chosen.captured_at
            });
            // One that does not open is no help; `netdr verify` names it.
            let Some(index) = twin.and_then(|_| repository.index(header, identities).ok()) else { continue };
            let in_scope =
                |component: Component| component.set() == header.set && components.contains(&component);
            let before = index.entries.iter().filter(|e| in_scope(e.component));
            let after = self.index.entries.iter().filter(|e| in_scope(e.component));
            if !diff::compare(before, after, false).is_empty() {
                return Some(header.id.clone());
            }
        }
        None
    }
}

fn pick(listed: &[Listed], asked: &Asked<'_>) -> Result<Picked> {
    let needed: BTreeSet<Set> = asked.components.iter().map(|component| component.set()).collect();
    let mut picked = Picked::default();
    for id in asked.ids {
        let (header, signer) = named(listed, id, asked)?;
        if !needed.contains(&header.set) {
            let sets = needed.iter().map(|set| set.name()).collect::<Vec<_>>().join(", ");
            return Err(Error::usage(format!(
                "snapshot {id} is of set {}, which this plan does not use",
                header.set
            ))
            .hint(format!("this plan restores from: {sets}; list snapshots with: netdr snapshots")));
        }
        let of = (header.set, header.node.clone());
        if let Some((other, _)) = picked.headers.insert(of, (header, signer)) {
            return Err(Error::usage(format!(
                "snapshots {} and {id} are of the same set; name one of them",
                other.id
            )));
        }
    }
    let name = asked.from_cluster.unwrap_or(&asked.cluster.name);
    let may_be_absent = absent::may_be(asked.components);
    let mut errors = Vec::new();
    for set in needed {
        let node = match (set, asked.node) {
            (Set::Host, None) if may_be_absent && !absent::is_there(listed, name, set) => None,
            (Set::Host, None) => continue, // passed over, and said
            (Set::Host, node) => node,
            _ => None,
        };
        let of = (set, node.map(ToOwned::to_owned));
        if picked.headers.contains_key(&of) {
            continue;
        }
        let choice = latest::latest(listed, name, (set, node), asked)
            .map_err(|none| hosts::others(none, listed, name, node));
        let choice = match choice {
            Ok(choice) => choice,
            Err(error) if may_be_absent => {
                picked.pass_over(set, node, &error, listed, name);
                errors.push(error);
                continue;
            }
            Err(error) => return Err(error),
        };
        picked.warnings.extend(passed::lines(&choice.passed_over, asked.before < asked.now));
        let signer = listed.iter().find(|l| l.id == choice.header.id).and_then(|l| signer(&l.trust).ok());
        picked.headers.insert(of, (choice.header, signer.unwrap_or_default()));
    }
    hosts::elsewhere(listed, name, asked, &mut picked);
    match errors.into_iter().next() {
        Some(error) if picked.headers.is_empty() => Err(error),
        _ => Ok(picked),
    }
}

/// A snapshot that was asked for by its id: trusted and of the right cluster it must be, complete it need not.
fn named(listed: &[Listed], id: &SnapshotId, asked: &Asked<'_>) -> Result<(SnapshotHeader, String)> {
    let (header, signer) = relied_on(listed, id)?;
    let wanted = asked.from_cluster.unwrap_or(&asked.cluster.name);
    if header.cluster.name != wanted {
        let of = &header.cluster.name;
        return Err(Error::usage(format!("snapshot {id} is of cluster {of}, not of {wanted}"))
            .hint(format!("if that is what you want: --from-cluster {of}")));
    }
    Ok((header, signer))
}

/// A snapshot that can be relied on, and who signed it.
///
/// # Errors
/// When there is none of that id; damaged, when its header cannot be used or nobody trusted answers for it.
pub(crate) fn relied_on(listed: &[Listed], id: &SnapshotId) -> Result<(SnapshotHeader, String)> {
    let listed = listed.iter().find(|l| l.id == *id).ok_or_else(|| {
        Error::usage(format!("there is no snapshot {id}")).hint("list them with: netdr snapshots")
    })?;
    let header = listed
        .header
        .clone()
        .map_err(|why| Error::damaged(format!("snapshot {id} cannot be used: {why}")))?;
    let signer = signer(&listed.trust).map_err(|why| {
        Error::damaged(format!("snapshot {id} is untrusted: {why}"))
            .hint("choose another with: netdr snapshots; a signer becomes trusted by a line in the trusted_signers file")
    })?;
    Ok((header, signer))
}

fn signer(trust: &Trust) -> std::result::Result<String, String> {
    match trust {
        Trust::Trusted(signer) => Ok(signer.clone()),
        Trust::Untrusted(why) => Err(why.clone()),
    }
}

/// What a person should know about a chosen snapshot before saying yes.
fn remarks(header: &SnapshotHeader, asked: &Asked<'_>) -> Vec<String> {
    let id = &header.id;
    let mut remarks = Vec::new();
    if header.state != SnapshotState::Complete {
        let reasons = header.reasons.join("; ");
        remarks.push(format!("snapshot {id} is {}: {reasons}", header.state.name()));
    }
    // Empty where only files of a host could be saved, or are restored, because the API server does not answer.
    let known = !header.cluster.uid.is_empty() && !asked.cluster.uid.is_empty();
    if known && !asked.elsewhere && header.cluster.uid != asked.cluster.uid {
        let (theirs, ours) = (&header.cluster.name, &asked.cluster.name);
        remarks.push(if theirs == ours {
            format!(
                "snapshot {id} was made before cluster {ours} was rebuilt: its kube-system has another uid"
            )
        } else {
            format!("snapshot {id} is of cluster {theirs}; it is restored onto {ours}")
        });
    }
    if header.captured_at > asked.before {
        remarks.push(format!("snapshot {id} was made after the incident began and may hold its damage"));
    }
    let age = asked.now - header.captured_at;
    if age > STALE {
        remarks.push(format!("snapshot {id} is {} days old: every change since is lost", age.num_days()));
    }
    remarks
}

#[cfg(test)]
mod tests;

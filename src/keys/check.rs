//! Does an identity open what a restore would need?
//!
//! In: snapshots and identities. Out: for the newest of each series, which identity opens it, whose was not proved, and
//! all that is wrong with it. Invariant: an identity counts as proved for a snapshot only if it opens every sealed file of
//! it, and the snapshot was read whole by one that does.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    model::{Series, SnapshotHeader, SnapshotId, SnapshotState},
    repository::{Damage, Listed, Repository, resealed},
    seal::Identities,
};

/// What a restore of a series would take, and the newer ones that it would pass over.
#[derive(Debug)]
pub struct Newest<'a> {
    /// The newest complete one that is trusted; where none is complete, the newest trusted.
    pub listed: &'a Listed,
    /// Its header.
    pub header: &'a SnapshotHeader,
    /// Newer ones that are not complete.
    pub passed_over: Vec<&'a SnapshotId>,
    /// Newer ones of its set and node that are untrusted or unreadable, and why.
    pub untrusted: Vec<(&'a SnapshotId, &'a str)>,
}

/// An identity file, or another place of identities.
pub struct Opener {
    /// What errors and answers call it.
    pub name: String,
    /// Its identities.
    pub identities: Identities,
}

/// What checking one snapshot came to.
#[derive(Debug)]
pub struct Proof {
    /// Openers that open every sealed file, by name.
    pub opened_by: Vec<String>,
    /// Those that do not.
    pub not_opened_by: Vec<String>,
    /// Fingerprints of recipients whose identity was among those that opened it.
    pub proved: Vec<String>,
    /// Those whose identity was not: whether anybody has it is not known.
    pub unproved: Vec<String>,
    /// Everything that is wrong with it.
    pub damages: Vec<Damage>,
    /// Why not every item was read, where not.
    pub unread: Option<Error>,
}

impl Proof {
    /// Whether every item was read and is as the index says.
    pub fn is_whole(&self) -> bool {
        self.unread.is_none() && self.damages.is_empty() && !self.opened_by.is_empty()
    }
}

/// The newest of every series: of each cluster's sets, of each node, of each choice of components.
pub fn newest(listed: &[Listed]) -> Vec<Newest<'_>> {
    let old = resealed(listed);
    let trusted = listed.iter().rev().filter(|l| l.trust.is_trusted() && !old.contains_key(&l.id));
    let mut series: BTreeMap<Series<'_>, Vec<(&Listed, &SnapshotHeader)>> = BTreeMap::new();
    for (one, header) in trusted.filter_map(|l| Some((l, l.header.as_ref().ok()?))) {
        series.entry(header.series()).or_default().push((one, header));
    }
    let newest = series.into_values().map(|all| {
        let complete = all.iter().position(|(_, header)| header.state == SnapshotState::Complete);
        let at = complete.unwrap_or(0);
        let passed_over = all[..at].iter().map(|(one, _)| &one.id).collect();
        let (chosen, header) = all[at];
        let newer =
            listed.iter().filter(|l| l.is_of(header.set, header.node.as_deref()) && l.age() > chosen.age());
        let untrusted = newer.filter_map(|l| Some((&l.id, l.believed().err()?))).collect();
        Newest { listed: chosen, header, passed_over, untrusted }
    });
    newest.collect()
}

/// Of a snapshot's recipients those whose identity is among these, by fingerprint: each key opens every sealed file by itself.
/// That all of it is what it should be is for whoever reads it.
///
/// # Errors
/// When a file is missing, cannot be read, or is not sealed.
pub fn opening_keys(
    repository: &Repository,
    header: &SnapshotHeader,
    identities: &Identities,
) -> Result<Vec<String>> {
    let mut opening = Vec::new();
    for key in identities.each() {
        let fingerprints = key.recipients()?.fingerprints();
        // A header names recipients; that its files are sealed to each of them, only a key proves.
        if fingerprints.iter().any(|one| header.sealed_to.contains(one)) && repository.opens(header, &key)? {
            opening.extend(fingerprints);
        }
    }
    opening.retain(|fingerprint| header.sealed_to.contains(fingerprint));
    Ok(opening)
}

/// Tries every opener on every sealed file of a snapshot, and reads it whole with the first that opens them all.
///
/// # Errors
/// When a file cannot be read at all.
pub fn check(repository: &Repository, newest: &Newest<'_>, openers: &[Opener]) -> Result<Proof> {
    let header = newest.header;
    let damages = repository.verify(newest.listed, None)?;
    let (mut opening, mut not_opened_by) = (Vec::new(), Vec::new());
    for opener in openers {
        // What is damaged may not even begin as a sealed file; that is told as damage.
        match repository.opens(header, &opener.identities) {
            Ok(true) => opening.push(opener),
            Ok(false) => not_opened_by.push(opener.name.clone()),
            Err(_) if !damages.is_empty() => not_opened_by.push(opener.name.clone()),
            Err(error) => return Err(error),
        }
    }
    let mut proved = Vec::new();
    for opener in &opening {
        proved.extend(opening_keys(repository, header, &opener.identities)?);
    }
    let unproved = header.sealed_to.iter().filter(|one| !proved.contains(one)).cloned().collect();
    let read = opening.first().map(|opener| repository.verify(newest.listed, Some(&opener.identities)));
    let (damages, unread) = match read {
        Some(Ok(damages)) => (damages, None),
        Some(Err(error)) => (damages, Some(error)),
        None => (damages, None),
    };
    let opened_by = opening.into_iter().map(|opener| opener.name.clone()).collect();
    Ok(Proof { opened_by, not_opened_by, proved, unproved, damages, unread })
}

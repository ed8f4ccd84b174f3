//! Choosing and opening the snapshots that a restore takes its wanted state from.
//!
//! In: what the repository lists, what was asked for, which cluster is restored. Out: one trusted snapshot a set,
//! their index, and what a person should know about them. Invariant: nothing untrusted, and nothing of another
//! cluster that was not named, is ever a source; what was passed over is said.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    Error, Result,
    model::{
        Class, ClusterIdentity, Component, Facts, Index, Set, SnapshotHeader, SnapshotId, SnapshotState,
    },
    plan::{Source, diff},
    repository::{self, Listed, Repository},
    seal::Identities,
    signature::Trust,
};

/// Snapshots are made once a day; one that is older than two days has missed a schedule.
const STALE: TimeDelta = TimeDelta::hours(48);

/// What was asked for.
pub(super) struct Asked<'a> {
    /// These; where a needed set is not among them, and where none is named, the latest of that set.
    pub(super) ids: &'a [SnapshotId],
    /// What the plan touches.
    pub(super) components: &'a BTreeSet<Component>,
    /// The cluster that is restored.
    pub(super) cluster: &'a ClusterIdentity,
    /// `--from-cluster`.
    pub(super) from_cluster: Option<&'a str>,
    /// When the incident began: a later snapshot may hold the damage.
    pub(super) before: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

/// The chosen snapshots, their index restricted to the plan's components.
pub(super) struct Sources {
    pub(super) headers: Vec<SnapshotHeader>,
    pub(super) signed_by: String,
    pub(super) index: Index,
    pub(super) warnings: Vec<String>,
}

/// Who signed, and the header.
#[derive(Debug)]
struct Picked {
    headers: BTreeMap<Set, (SnapshotHeader, String)>,
    warnings: Vec<String>,
}

impl Sources {
    /// Chooses and opens.
    pub(super) fn open(
        repository: &Repository,
        listed: &[Listed],
        identities: &Identities,
        asked: &Asked<'_>,
    ) -> Result<Self> {
        let Picked { headers, mut warnings } = pick(listed, asked)?;
        let mut index = Index::default();
        let mut signers = BTreeSet::new();
        let mut opened = Vec::with_capacity(headers.len());
        for (header, signer) in headers.into_values() {
            let one = repository.index(&header, identities)?;
            index.entries.extend(one.entries.into_iter().filter(|e| asked.components.contains(&e.component)));
            if one.facts != Facts::default() {
                index.facts = one.facts;
            }
            warnings.extend(remarks(&header, asked));
            signers.insert(signer);
            opened.push(header);
        }
        let signed_by = signers.into_iter().collect::<Vec<_>>().join(", ");
        Ok(Self { headers: opened, signed_by, index, warnings })
    }

    /// Takes the items of namespaces that captures leave out now for evidence: of their live state nothing is known, so
    /// nothing of them is restored.
    pub(super) fn leave_out(&mut self, excluded: &BTreeSet<String>) {
        for entry in &mut self.index.entries {
            let namespace = match &entry.key {
                key if key.is_kind("", "namespaces") => Some(key.name()),
                key => key.namespace(),
            };
            if namespace.is_some_and(|name| excluded.contains(name)) {
                entry.class = Class::Evidence;
            }
        }
    }

    /// The ids, and the oldest capture time.
    pub(super) fn source(&self) -> Source {
        let captured = self.headers.iter().map(|header| header.captured_at).min();
        Source {
            snapshots: self.headers.iter().map(|header| header.id.clone()).collect(),
            captured_at: captured.unwrap_or_default(),
        }
    }

    /// Whether every kind was read when they were captured.
    pub(super) fn complete(&self) -> bool {
        self.headers.iter().all(|header| header.state != SnapshotState::Partial)
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
    let mut picked = Picked { headers: BTreeMap::new(), warnings: Vec::new() };
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
        if let Some((other, _)) = picked.headers.insert(header.set, (header, signer)) {
            return Err(Error::usage(format!(
                "snapshots {} and {id} are of the same set; name one of them",
                other.id
            )));
        }
    }
    let name = asked.from_cluster.unwrap_or(&asked.cluster.name);
    for set in needed {
        if picked.headers.contains_key(&set) {
            continue;
        }
        let components = asked.components.iter().copied().filter(|c| c.set() == set).collect();
        let choice = repository::choose(listed, name, set, None, &components, asked.before)?;
        let passed = choice.passed_over.iter();
        picked.warnings.extend(passed.map(|(id, why)| format!("newer snapshot {id} was passed over: {why}")));
        let signer = listed.iter().find(|l| l.id == choice.header.id).and_then(|l| signer(&l.trust).ok());
        picked.headers.insert(set, (choice.header, signer.unwrap_or_default()));
    }
    Ok(picked)
}

/// A snapshot that was asked for by its id: trusted and of the right cluster it must be, complete it need not.
fn named(listed: &[Listed], id: &SnapshotId, asked: &Asked<'_>) -> Result<(SnapshotHeader, String)> {
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
    let wanted = asked.from_cluster.unwrap_or(&asked.cluster.name);
    if header.cluster.name != wanted {
        let of = &header.cluster.name;
        return Err(Error::usage(format!("snapshot {id} is of cluster {of}, not of {wanted}"))
            .hint(format!("if that is what you want: --from-cluster {of}")));
    }
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
    // Empty where only files of a host could be saved, because the API server did not answer.
    if !header.cluster.uid.is_empty() && header.cluster.uid != asked.cluster.uid {
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
mod tests {
    use super::*;
    use crate::model::{Extent, IndexEntry, ItemKey};

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn identity(name: &str, uid: &str) -> ClusterIdentity {
        ClusterIdentity { name: name.into(), uid: uid.into(), kubernetes: "v1.36.3".into() }
    }

    fn listed(id: &str, cluster: ClusterIdentity, state: SnapshotState, trust: Trust) -> Listed {
        let id: SnapshotId = id.parse().unwrap();
        let header = SnapshotHeader {
            format: 1,
            id: id.clone(),
            set: Set::Network,
            node: None,
            cluster,
            captured_at: time("2026-11-24T01:00:00Z"),
            tool: "0.1.0".into(),
            state,
            reasons: vec!["policies: 403".into()],
            bundles: vec![],
            index_sha256: String::new(),
        };
        Listed { id, header: Ok(header), trust }
    }

    fn named_one(l: &Listed, from_cluster: Option<&str>) -> Result<(SnapshotHeader, String)> {
        let asked = Asked {
            ids: &[],
            components: &BTreeSet::new(),
            cluster: &identity("prod", "u"),
            from_cluster,
            before: time("2026-11-24T02:00:00Z"),
            now: time("2026-11-24T03:00:00Z"),
        };
        named(std::slice::from_ref(l), &l.id, &asked)
    }

    const ID: &str = "20261124T010000Z-network-7f3a9c";

    #[test]
    fn an_untrusted_snapshot_is_refused_even_by_name() {
        let bad = listed(
            ID,
            identity("prod", "u"),
            SnapshotState::Complete,
            Trust::Untrusted("no signature".into()),
        );
        let error = named_one(&bad, None).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Damaged);
        assert!(error.to_string().contains("no signature"));
    }

    #[test]
    fn another_clusters_snapshot_needs_its_name() {
        let other = listed(ID, identity("test", "v"), SnapshotState::Complete, Trust::Trusted("job".into()));
        let error = named_one(&other, None).unwrap_err();
        assert!(error.hints()[0].contains("--from-cluster test"), "{error:?}");
        assert!(named_one(&other, Some("test")).is_ok());
        assert!(named_one(&other, Some("third")).is_err());
    }

    #[test]
    fn a_person_is_told_what_is_odd_about_a_snapshot() {
        let partial =
            listed(ID, identity("prod", "old"), SnapshotState::Partial, Trust::Trusted("job".into()));
        let asked = Asked {
            ids: &[],
            components: &BTreeSet::new(),
            cluster: &identity("prod", "new"),
            from_cluster: None,
            before: time("2026-11-24T00:30:00Z"),
            now: time("2026-11-27T03:00:00Z"),
        };
        let said = remarks(&partial.header.unwrap(), &asked).join("\n");
        for part in ["is partial: policies: 403", "rebuilt", "after the incident began", "3 days old"] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
        let unknown = listed(ID, identity("prod", ""), SnapshotState::Complete, Trust::Trusted("job".into()));
        assert!(!remarks(&unknown.header.unwrap(), &asked).join("\n").contains("rebuilt"));
    }

    #[test]
    fn a_namespace_that_is_left_out_now_is_not_restored_from_an_older_snapshot() {
        let entry = |key: ItemKey| IndexEntry {
            key,
            component: Component::Policies,
            class: Class::Config,
            extent: Extent::Whole,
            sha256: String::new(),
        };
        let policy =
            |namespace| ItemKey::resource("networking.k8s.io", "networkpolicies", Some(namespace), "x");
        let keys = [
            policy("dev"),
            policy("prod"),
            ItemKey::resource("", "namespaces", None, "dev"),
            ItemKey::resource("crd.projectcalico.org", "tiers", None, "dev"),
        ];
        let index = Index { entries: keys.map(entry).into(), ..Index::default() };
        let mut sources = Sources { headers: vec![], signed_by: String::new(), index, warnings: vec![] };
        sources.leave_out(&BTreeSet::from(["dev".to_owned()]));
        let classes: Vec<Class> = sources.index.entries.iter().map(|entry| entry.class).collect();
        assert_eq!(classes, [Class::Evidence, Class::Config, Class::Evidence, Class::Config]);
    }

    #[test]
    fn a_set_that_the_plan_does_not_use_is_a_usage_error() {
        let network =
            listed(ID, identity("prod", "u"), SnapshotState::Complete, Trust::Trusted("job".into()));
        let asked = Asked {
            ids: std::slice::from_ref(&network.id),
            components: &BTreeSet::from([Component::Certificates]),
            cluster: &identity("prod", "u"),
            from_cluster: None,
            before: time("2026-11-24T02:00:00Z"),
            now: time("2026-11-24T03:00:00Z"),
        };
        assert_eq!(pick(std::slice::from_ref(&network), &asked).unwrap_err().kind(), crate::Kind::Usage);
    }
}

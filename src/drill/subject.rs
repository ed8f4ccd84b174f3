//! What a drill is about: the newest snapshot of each set, opened.
//!
//! In: a repository, who may sign, what opens. Out: the headers, every item in them, the facts of the network. Invariant:
//! nothing untrusted and nothing of another cluster is in it, and no API server was asked for any of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{living::gone, nights::nights};
use crate::{
    Error, Result,
    certificates::Leaf,
    keys::opening_keys,
    model::{ClusterIdentity, Component, Content, Facts, Item, Set, SnapshotHeader, SnapshotId},
    report::drill::{Expiry, Nights, Source},
    repository::{Listed, Proved, Repository, choose, passed},
    restore::relied_on,
    seal::Identities,
    signature::TrustedSigners,
};

/// What is wanted.
pub struct Wanted<'a> {
    /// Whose snapshots; where none is named, the one cluster that the repository has.
    pub cluster: Option<&'a str>,
    /// These; of sets that none of them is of, the latest.
    pub ids: &'a [SnapshotId],
    /// What the plans touch.
    pub components: &'a BTreeSet<Component>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// The snapshots, opened.
pub struct Subject {
    /// Whose state it is.
    pub cluster: ClusterIdentity,
    /// Each snapshot and who signed it.
    pub snapshots: Vec<(SnapshotHeader, String)>,
    /// Everything in them.
    pub items: Vec<Item>,
    /// The network that they are of.
    pub facts: Facts,
    /// Whose identities opened them: all of each was read with these.
    pub proofs: Vec<Proved>,
    /// How regularly they are taken.
    pub nights: Vec<Nights>,
    /// The clusters that the repository has snapshots of, by the uid of their kube-system.
    pub clusters: BTreeSet<String>,
    /// Sets, and nodes' files, of which there is no snapshot that will do, with why.
    pub lacking: Vec<String>,
}

impl Subject {
    /// Chooses and opens.
    ///
    /// # Errors
    /// When there is no snapshot of the network, one that was named is not to be relied on, whose snapshots are meant is not
    /// clear, or one does not open.
    pub fn open(
        repository: &Repository,
        trusted: &TrustedSigners,
        identities: &Identities,
        wanted: &Wanted<'_>,
    ) -> Result<Self> {
        let listed = repository.list(trusted, wanted.now)?;
        let named = wanted.ids.iter().map(|id| relied_on(&listed, id)).collect::<Result<Vec<_>>>()?;
        let cluster = match (wanted.cluster, named.first()) {
            (Some(name), _) => name.to_owned(),
            (None, Some((header, _))) => header.cluster.name.clone(),
            (None, None) => only(&listed)?,
        };
        if let Some((header, _)) = named.iter().find(|(header, _)| header.cluster.name != cluster) {
            let of = &header.cluster.name;
            return Err(Error::usage(format!("snapshot {} is of cluster {of}, not of {cluster}", header.id)));
        }
        let (mut snapshots, mut lacking) = (named, Vec::new());
        for (set, node) in series(&listed, &cluster) {
            if snapshots.iter().any(|(header, _)| header.set == set && header.node == node) {
                continue;
            }
            let components =
                wanted.components.iter().copied().filter(|component| component.set() == set).collect();
            match choose(&listed, &cluster, set, node.as_deref(), &components, wanted.now) {
                Ok(choice) => {
                    lacking.extend(passed::lines(&choice.passed_over, false));
                    snapshots.push(relied_on(&listed, &choice.header.id)?);
                }
                Err(none) if set == Set::Network => return Err(none.to_restore()),
                Err(none) => lacking.push(none.to_restore().to_string()),
            }
        }
        let headers: Vec<&SnapshotHeader> = snapshots.iter().map(|(header, _)| header).collect();
        let nights = nights(&listed, &cluster, &headers, wanted.now);
        let believed = listed.iter().filter_map(|one| one.believed().ok());
        let mut subject = Self {
            cluster: ClusterIdentity { name: cluster, uid: String::new(), kubernetes: String::new() },
            snapshots,
            items: Vec::new(),
            facts: Facts::default(),
            proofs: Vec::new(),
            nights,
            clusters: believed.map(|header| header.cluster.uid.clone()).collect(),
            lacking,
        };
        subject.read(repository, identities, wanted)?;
        Ok(subject)
    }

    /// The network first: it says of which nodes files are still drilled; those that are named are in any case.
    fn read(&mut self, repository: &Repository, identities: &Identities, wanted: &Wanted<'_>) -> Result<()> {
        let at = wanted.now;
        let mut chosen = std::mem::take(&mut self.snapshots);
        chosen.sort_by_key(|(header, _)| header.set != Set::Network);
        let network = chosen.iter().find(|(header, _)| header.set == Set::Network);
        let network = network.map(|(header, _)| header.captured_at);
        for (header, signer) in chosen {
            let gone = gone(&header, &self.nodes_of_network(), network);
            if let Some(why) = gone.filter(|_| !wanted.ids.contains(&header.id)) {
                self.lacking.push(why);
                continue;
            }
            let header = &header;
            let index = repository.index(header, identities)?;
            for bundle in &header.bundles {
                repository.items(header, &index, bundle.component, identities, &|_| true, &mut |item| {
                    self.items.push(item);
                    Ok(())
                })?;
            }
            if header.set == Set::Network {
                (self.facts, self.cluster) = (index.facts, header.cluster.clone());
            }
            let proved = |recipient| Proved { recipient, set: header.set, snapshot: header.id.clone(), at };
            self.proofs.extend(opening_keys(repository, header, identities)?.into_iter().map(proved));
            self.snapshots.push((header.clone(), signer));
        }
        Ok(())
    }

    /// Whether a snapshot of the repository, drilled or not, is of the cluster whose kube-system has this uid: several clusters may
    /// share one, and each of them is somebody's.
    pub fn is_of(&self, uid: &str) -> bool {
        !uid.is_empty() && self.clusters.contains(uid)
    }

    /// Fingerprints of the recipients whose identities opened one of them.
    fn opened_by(&self, id: &SnapshotId) -> Vec<String> {
        let proofs = self.proofs.iter().filter(|proof| proof.snapshot == *id);
        proofs.map(|proof| proof.recipient.clone()).collect()
    }

    /// The snapshots that a plan of these components takes; of the host those of one node.
    pub fn ids(&self, components: &BTreeSet<Component>, node: Option<&str>) -> Vec<SnapshotId> {
        let sets: BTreeSet<Set> = components.iter().map(|component| component.set()).collect();
        let headers = self.snapshots.iter().map(|(header, _)| header);
        let taken = headers.filter(|header| {
            sets.contains(&header.set) && (header.set != Set::Host || header.node.as_deref() == node)
        });
        taken.map(|header| header.id.clone()).collect()
    }

    /// The longest gap between backups of what a plan of these components takes, with the files of these nodes, in seconds; none
    /// where it is not known of all of that.
    pub(super) fn longest_gap(&self, components: &BTreeSet<Component>, nodes: &[String]) -> Option<i64> {
        let sets: BTreeSet<Set> = components.iter().map(|component| component.set()).collect();
        let headers = self.snapshots.iter().map(|(header, _)| header);
        let taken = headers.filter(|header| {
            sets.contains(&header.set) && header.node.as_ref().is_none_or(|node| nodes.contains(node))
        });
        let gap = |header: &SnapshotHeader| {
            let nights = self.nights.iter().find(|one| (one.set, &one.node) == (header.set, &header.node));
            nights?.longest_gap_s
        };
        taken.map(gap).collect::<Option<Vec<i64>>>()?.into_iter().max()
    }

    /// The nodes that the network snapshot knows of.
    pub(super) fn nodes_of_network(&self) -> BTreeSet<&str> {
        let captured = self.items.iter().filter(|item| item.key.is_kind("", "nodes"));
        let facts = self.facts.pod_cidrs.keys().chain(self.facts.node_annotations.keys());
        captured.map(|item| item.key.name()).chain(facts.map(String::as_str)).collect()
    }

    /// How large its items are, as they are sent to an API server, in bytes.
    pub fn bytes(&self) -> u64 {
        let bytes = |item: &Item| match &item.content {
            Content::Resource(json) | Content::Release(json) => json.bytes().len(),
            Content::File(file) => file.bytes.len(),
        };
        self.items.iter().map(|item| bytes(item) as u64).sum()
    }

    /// The nodes whose files there are.
    pub fn nodes(&self) -> BTreeSet<String> {
        self.snapshots.iter().filter_map(|(header, _)| header.node.clone()).collect()
    }

    /// For the report.
    pub fn sources(&self) -> Vec<Source> {
        let source = |(header, signer): &(SnapshotHeader, String)| Source {
            snapshot: header.id.clone(),
            set: header.set,
            node: header.node.clone(),
            captured_at: header.captured_at,
            state: header.state,
            signed_by: signer.clone(),
            opened_by: self.opened_by(&header.id),
        };
        self.snapshots.iter().map(source).collect()
    }

    /// Until when each certificate in them is valid, the first to expire first; of those that do not read, why.
    pub fn certificates(&self) -> Vec<Expiry> {
        let tls = |item: &&Item| item.component == Component::Certificates && item.key.is_kind("", "secrets");
        let mut found: Vec<Expiry> = self
            .items
            .iter()
            .filter(tls)
            .filter_map(|item| Some((item, item.json()?.value())))
            .filter(|(_, secret)| secret["type"] == "kubernetes.io/tls")
            .map(|(item, secret)| match Leaf::of(&secret) {
                Ok(leaf) => {
                    Expiry { secret: item.key.to_string(), not_after: Some(leaf.not_after), wrong: None }
                }
                Err(why) => Expiry { secret: item.key.to_string(), not_after: None, wrong: Some(why.into()) },
            })
            .collect();
        found.sort_by(|a, b| (a.not_after, &a.secret).cmp(&(b.not_after, &b.secret)));
        found
    }
}

/// The one cluster that there are trusted snapshots of.
fn only(listed: &[Listed]) -> Result<String> {
    let trusted =
        listed.iter().filter(|one| one.trust.is_trusted()).filter_map(|one| one.header.as_ref().ok());
    let names: BTreeSet<&str> = trusted.map(|header| header.cluster.name.as_str()).collect();
    match Vec::from_iter(names)[..] {
        [name] => Ok(name.to_owned()),
        [] => Err(Error::failed("there is no snapshot that can be relied on")
            .hint("see what there is: netdr snapshots; make one: netdr backup")),
        ref several => {
            Err(Error::usage(format!("the repository has snapshots of clusters {}", several.join(", ")))
                .hint("say which is drilled: `cluster: {name: NAME}` in netdr.yaml, or --snapshot ID"))
        }
    }
}

/// Network, certificates, and the files of every node that there are trusted snapshots of.
fn series(listed: &[Listed], cluster: &str) -> BTreeSet<(Set, Option<String>)> {
    let trusted =
        listed.iter().filter(|one| one.trust.is_trusted()).filter_map(|one| one.header.as_ref().ok());
    let hosts = trusted.filter(|header| header.set == Set::Host && header.cluster.name == cluster);
    let hosts = hosts.map(|header| (Set::Host, header.node.clone()));
    hosts.chain([(Set::Network, None), (Set::Certificates, None)]).collect()
}

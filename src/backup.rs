//! One backup: capture, seal, sign, commit.
//!
//! In: a cluster or a host root, keys, a repository. Out: a snapshot and its summary.
//! Invariant: what could not be read makes the snapshot partial, and is named: in the clear header by its kind
//! only, in the summary with why.

mod changed;
mod sealing;
#[cfg(test)]
mod tests;
mod verdict;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    Error, Result,
    capture::{self, Captured, Failure, Scope},
    certificates,
    cluster::Cluster,
    gitops::history::Seen,
    host,
    model::{
        BundleEntry, ClusterIdentity, Component, Content, FORMAT, Facts, Index, IndexEntry, Item, ItemKey,
        Occasion, Set, SnapshotHeader, SnapshotId, SnapshotState,
    },
    repository::Repository,
    seal::{Identities, Recipients},
    signature::{self, SigningKey, TrustedSigners},
};

use self::{
    sealing::{Sealed, Sealing},
    verdict::Verdict,
};

/// What every backup needs.
pub struct Job<'a> {
    /// Where to.
    pub repository: &'a Repository,
    /// Whom the bundles are sealed to.
    pub recipients: &'a Recipients,
    /// Opens indexes: the job's own key. Without one, nothing is compared with the snapshot before.
    pub index_key: Option<&'a Identities>,
    /// Signs the header.
    pub signing_key: &'a SigningKey,
    /// Whose earlier snapshots count for shrink detection.
    pub trusted: &'a TrustedSigners,
    /// Whose state it is.
    pub cluster: ClusterIdentity,
    /// When the capture begins.
    pub now: DateTime<Utc>,
    /// Makes ids differ.
    pub random: u32,
    /// What is missing since the snapshot before was meant: it becomes the new measure.
    pub accept_shrunk: bool,
    /// Whether what was seen goes to Git, too.
    pub history: bool,
    /// What it is taken for.
    pub occasion: Occasion,
}

/// What a backup came to: the JSON of `netdr backup`, one entry.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// The snapshot.
    pub id: SnapshotId,
    /// What was captured.
    pub set: Set,
    /// Whether it can be relied on.
    pub state: SnapshotState,
    /// Why not, by kind.
    pub reasons: Vec<String>,
    /// Items in all bundles.
    pub items: u64,
    /// Sealed bytes of all bundles, as the header and `netdr snapshots` say.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
    /// By component.
    pub components: Vec<ComponentSummary>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// For Git, where that was asked for.
    #[serde(skip)]
    pub seen: Option<Seen>,
}

/// One component of a [`Summary`].
#[derive(Clone, Debug, serde::Serialize)]
pub struct ComponentSummary {
    /// Which.
    pub name: Component,
    /// Items.
    pub items: u64,
    /// Kinds the cluster does not serve.
    pub absent: Vec<String>,
    /// Kinds that could not be read, with why.
    pub failures: Vec<String>,
}

/// What a look for changes came to.
#[derive(Debug)]
pub enum Look {
    /// Something differs, or there was no snapshot to compare with.
    Taken {
        /// What was taken.
        summary: Box<Summary>,
        /// The newest of the set that a schedule or a person took.
        backup: Option<Box<SnapshotHeader>>,
    },
    /// Nothing of what could be read differs.
    Unchanged {
        /// What could not be read.
        unread: Vec<Failure>,
        /// The snapshot that nothing differs from.
        like: Box<SnapshotHeader>,
    },
}

/// What was read, from whichever source, ready to be judged and sealed.
struct Read {
    set: Set,
    node: Option<String>,
    /// Every component that was asked for, also one without items: its bundle says that there are none.
    bundles: BTreeMap<Component, Vec<Item>>,
    index: Index,
    absent: BTreeMap<Component, BTreeSet<String>>,
    failures: Vec<Failure>,
    warnings: Vec<String>,
}

impl Read {
    /// What of it goes to Git.
    fn seen(&self, job: &Job<'_>) -> Option<Seen> {
        if !job.history {
            return None;
        }
        let node = self.node.as_deref();
        let id = SnapshotId::new(job.now, self.set, node, job.random);
        let components = self.bundles.keys().copied();
        let mut seen = Seen::new(id, (self.set, node), &job.cluster.name, job.now, components);
        self.failures.iter().for_each(|failure| seen.unread(failure.component, &failure.kind));
        self.bundles.values().flatten().for_each(|item| seen.take(item));
        Some(seen)
    }
}

/// Backs up set `network` or `certificates` from a cluster: those of the set's components that the scope has.
///
/// # Errors
/// When the scope has none of the set's components, the cluster cannot be reached, or the repository cannot be
/// written. A kind that could not be read is no error: the snapshot is partial.
pub async fn cluster(job: &Job<'_>, set: Set, cluster: &Cluster, scope: &Scope) -> Result<Summary> {
    let began = Instant::now();
    let components: BTreeSet<Component> = set.components().filter(|c| scope.components.contains(c)).collect();
    if components.is_empty() {
        let has: Vec<&str> = set.components().map(Component::name).collect();
        return Err(Error::usage(format!("none of the components asked for is in set {set}"))
            .hint(format!("set {set} has: {}", has.join(", "))));
    }
    let scope = Scope { components, ..scope.clone() };
    let mut captured = capture::capture(cluster, &scope, job.now, &|_| true).await?;
    if set == Set::Certificates {
        captured.facts.certificates = certificates::expiries(captured.items.iter().filter_map(secret));
    }
    let mut read = Read {
        set,
        node: None,
        bundles: scope.components.iter().map(|c| (*c, Vec::new())).collect(),
        index: Index { facts: captured.facts, entries: Vec::with_capacity(captured.items.len()) },
        absent: captured.absent,
        failures: captured.failures,
        warnings: captured.warnings,
    };
    for Captured { entry, content, .. } in captured.items {
        if let (Some(bundle), Some(content)) = (read.bundles.get_mut(&entry.component), content) {
            let IndexEntry { key, component, class, extent, .. } = entry.clone();
            bundle.push(Item { key, component, class, extent, content });
            read.index.entries.push(entry);
        }
    }
    let seen = read.seen(job);
    let verdict = Verdict::of(job, &read)?;
    let sealed = Sealing::of(job, &mut read, began)?.run_aside().await?;
    let summary = finish(job, read, verdict, sealed, began)?;
    Ok(Summary { seen, ..summary })
}

/// As [`cluster`], where something that somebody wanted differs from the newest snapshot of the set.
/// Digests tell: no content is held for it, and a look at an unchanged cluster costs its lists.
///
/// # Errors
/// As [`cluster`].
pub async fn cluster_if_changed(job: &Job<'_>, set: Set, cluster: &Cluster, scope: &Scope) -> Result<Look> {
    let components: BTreeSet<Component> = set.components().filter(|c| scope.components.contains(c)).collect();
    let listed = job.repository.list(job.trusted, job.now)?;
    if let Some((like, before)) = changed::newest(job, set, &components, &listed) {
        let scope = Scope { components, ..scope.clone() };
        let live = capture::capture(cluster, &scope, job.now, &|_| false).await?;
        if !changed::differs(&before, &live) {
            return Ok(Look::Unchanged { unread: live.failures, like: Box::new(like.clone()) });
        }
    }
    let backup = changed::newest_backup(job, set, &listed).cloned().map(Box::new);
    let summary = Box::new(self::cluster(job, set, cluster, scope).await?);
    Ok(Look::Taken { summary, backup })
}

/// Backs up set `host`: files of `node` below `host_root`.
///
/// # Errors
/// When the root cannot be read, `node` cannot be the name of a node, or the repository cannot be written.
pub async fn host(job: &Job<'_>, node: &str, host_root: &Path) -> Result<Summary> {
    let began = Instant::now();
    let captured = host::capture(host_root, node)?;
    let failure =
        |unread: host::Unread| Failure { component: Component::Host, kind: "file".into(), why: unread.why };
    let mut read = Read {
        set: Set::Host,
        node: Some(node.into()),
        index: Index {
            facts: Facts::default(),
            entries: captured.items.iter().map(IndexEntry::of).collect(),
        },
        bundles: BTreeMap::from([(Component::Host, captured.items)]),
        absent: BTreeMap::new(),
        failures: captured.failures.into_iter().map(failure).collect(),
        warnings: captured
            .links
            .into_iter()
            .filter(|link| !link.is_harmless)
            .map(|link| link.unread.why)
            .collect(),
    };
    let seen = read.seen(job);
    let verdict = Verdict::of(job, &read)?;
    let sealed = Sealing::of(job, &mut read, began)?.run_aside().await?;
    let summary = finish(job, read, verdict, sealed, began)?;
    Ok(Summary { seen, ..summary })
}

/// A Secret among what was captured.
fn secret(captured: &Captured) -> Option<(&ItemKey, Value)> {
    let Some(Content::Resource(json)) = &captured.content else { return None };
    captured.entry.key.is_kind("", "secrets").then(|| (&captured.entry.key, json.value()))
}

/// Signs and commits what was sealed, and sums it up.
fn finish(job: &Job<'_>, read: Read, verdict: Verdict, sealed: Sealed, began: Instant) -> Result<Summary> {
    let Sealed { staging, id, bundles, index } = sealed;
    let header = SnapshotHeader {
        format: FORMAT,
        id: id.clone(),
        set: read.set,
        node: read.node,
        cluster: job.cluster.clone(),
        captured_at: job.now,
        tool: env!("CARGO_PKG_VERSION").into(),
        state: verdict.state,
        reasons: verdict.reasons.clone(),
        bundles: bundles.clone(),
        index_sha256: index.sha256,
        sealed_to: job.recipients.fingerprints(),
        occasion: job.occasion,
        reseals: None,
    };
    staging.commit(&header, &|bytes| job.signing_key.sign(signature::SNAPSHOT, bytes))?;
    let component = |bundle: &BundleEntry| ComponentSummary {
        name: bundle.component,
        items: bundle.items,
        absent: read.absent.get(&bundle.component).into_iter().flatten().cloned().collect(),
        failures: (read.failures.iter().filter(|f| f.component == bundle.component))
            .map(|f| format!("{}: {}", f.kind, f.why))
            .collect(),
    };
    let mut warnings = read.warnings;
    warnings.extend(verdict.warnings);
    if job.recipients.lines().len() < 2 {
        warnings.push(
            "sealed to fewer than two recipients: if that one key is lost, so is the snapshot; add an offline \
             break-glass recipient"
                .into(),
        );
    }
    Ok(Summary {
        id,
        set: read.set,
        state: verdict.state,
        reasons: verdict.reasons,
        items: bundles.iter().map(|b| b.items).sum(),
        bytes: bundles.iter().map(|b| b.bytes).sum(),
        seconds: began.elapsed().as_secs_f64(),
        components: bundles.iter().map(component).collect(),
        warnings,
        seen: None,
    })
}

//! Sealing what was read into a staged snapshot; blocking, for a thread of its own.
//!
//! In: items and recipients. Out: a staged snapshot that lacks its header only. Invariant: bundles are sealed to
//! the recipients alone; only the index is sealed to the job's own key too.

use std::{collections::BTreeMap, time::Instant};

use chrono::{DateTime, Utc};

use super::{Job, Read};
use crate::{
    Error, Result,
    model::{BundleEntry, Component, Index, Item, SnapshotId},
    repository::{Repository, Staging},
    seal::{self, Recipients},
};

/// Everything sealing needs, owned.
pub(super) struct Sealing {
    repository: Repository,
    id: SnapshotId,
    captured_at: DateTime<Utc>,
    now: DateTime<Utc>,
    recipients: Recipients,
    index_recipients: Recipients,
    bundles: BTreeMap<Component, Vec<Item>>,
    index: Index,
}

/// A snapshot that lacks its header only.
pub(super) struct Sealed {
    pub(super) staging: Staging,
    pub(super) id: SnapshotId,
    pub(super) bundles: Vec<BundleEntry>,
    pub(super) index: seal::Sealed,
}

impl Sealing {
    /// Takes items and index out of `read`.
    pub(super) fn of(job: &Job<'_>, read: &mut Read, began: Instant) -> Result<Self> {
        let node = read.node.as_deref();
        let id = SnapshotId::new(job.now, read.set, node, job.random);
        // The id becomes a path, and the node's name comes from outside.
        let id = id.as_str().parse().map_err(|_| {
            Error::usage(format!("`{}` cannot be the name of a node", node.unwrap_or_default()))
                .hint("a node's name is a DNS name of at most 200 characters")
        })?;
        Ok(Self {
            repository: job.repository.clone(),
            id,
            captured_at: job.now,
            now: job.now + began.elapsed(),
            recipients: job.recipients.clone(),
            index_recipients: match job.index_key {
                Some(key) => job.recipients.and(&key.recipients()?),
                None => job.recipients.clone(),
            },
            bundles: std::mem::take(&mut read.bundles),
            index: std::mem::take(&mut read.index),
        })
    }

    /// [`Sealing::run`] on a thread of its own: who waits for it can be interrupted, also while it waits for a lock.
    pub(super) async fn run_aside(self) -> Result<Sealed> {
        let sealed = tokio::task::spawn_blocking(move || self.run()).await;
        sealed.map_err(|e| Error::failed("sealing the snapshot was interrupted").because(e))?
    }

    /// Seals one component after the other; each one's items are dropped before the next.
    pub(super) fn run(self) -> Result<Sealed> {
        let staging = self.repository.stage(&self.id, self.now)?;
        let mut bundles = Vec::with_capacity(self.bundles.len());
        for (component, items) in self.bundles {
            let seal::Sealed { sha256, bytes, items } = staging.bundle(component, |out| {
                seal::seal_bundle(&items, self.captured_at, &self.recipients, out)
            })?;
            bundles.push(BundleEntry { component, sha256, bytes, items });
        }
        let index = staging.index(|out| seal::seal_index(&self.index, &self.index_recipients, out))?;
        Ok(Sealed { staging, id: self.id, bundles, index })
    }
}

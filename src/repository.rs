//! The repository: where snapshots are kept, and which of them can be relied on.
//!
//! In: sealed files and a header. Out: snapshots by id, each with its trust. Invariant: the header is the commit
//! point: a snapshot is wholly there or not at all, and nothing in it ever changes.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use crate::{
    Error, Result,
    model::{Component, Index, Item, ItemKey, Set, SnapshotHeader, SnapshotId},
    seal::{Identities, Sealed},
    signature::{Trust, TrustedSigners},
};

pub mod retention;
pub use retention::{PrunePlan, Retention};

/// An opened repository on a local path.
#[derive(Clone, Debug)]
pub struct Repository {
    root: PathBuf,
    id: String,
}

/// One folder below `snapshots/`, whatever is in it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The folder's name.
    pub id: SnapshotId,
    /// Its header; an error text where it cannot be read.
    pub header: std::result::Result<SnapshotHeader, String>,
    /// Whether its signature is one of ours, and header and folder agree.
    pub trust: Trust,
}

/// A snapshot on its way in: dropped before [`Staging::commit`], it leaves nothing.
pub struct Staging {}

/// What choosing `latest` came to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The one chosen.
    pub header: SnapshotHeader,
    /// Newer ones that were passed over, and why.
    pub passed_over: Vec<(SnapshotId, String)>,
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Whose.
    pub snapshot: SnapshotId,
    /// What is wrong.
    pub what: String,
    /// Which file or item.
    pub place: String,
}

impl Repository {
    /// Makes a new one at `root`, which is empty or does not exist.
    pub fn init(_root: &Path, _random: u64) -> Result<Self> {
        Err(seam())
    }
    /// Opens one; only `init` makes one.
    pub fn open(_root: &Path) -> Result<Self> {
        Err(seam())
    }
    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Every snapshot, oldest first.
    pub fn list(&self, _trusted: &TrustedSigners, _now: DateTime<Utc>) -> Result<Vec<Listed>> {
        Err(seam())
    }
    /// One snapshot.
    pub fn get(&self, _id: &SnapshotId, _trusted: &TrustedSigners, _now: DateTime<Utc>) -> Result<Listed> {
        Err(seam())
    }
    /// Begins a snapshot: takes the shared lock.
    pub fn stage(&self, _id: &SnapshotId, _now: DateTime<Utc>) -> Result<Staging> {
        Err(seam())
    }
    /// Opens the index, checked against the header's sha256.
    pub fn index(&self, _header: &SnapshotHeader, _identities: &Identities) -> Result<Index> {
        Err(seam())
    }
    /// Hands over a component's items that `wanted` picks; the bundle is checked against the header, each item against the index.
    pub fn items(
        &self,
        _header: &SnapshotHeader,
        _index: &Index,
        _component: Component,
        _identities: &Identities,
        _wanted: &dyn Fn(&ItemKey) -> bool,
        _each: &mut dyn FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        Err(seam())
    }
    /// Unpacks a component's bundle below `to`.
    pub fn extract(
        &self,
        _header: &SnapshotHeader,
        _component: Component,
        _identities: &Identities,
        _to: &Path,
    ) -> Result<u64> {
        Err(seam())
    }
    /// Checks a snapshot's files against its header; with identities every item too.
    pub fn verify(&self, _listed: &Listed, _identities: Option<&Identities>) -> Result<Vec<Damage>> {
        Err(seam())
    }
    /// Deletes what the plan names, header first, under the exclusive lock; returns what is gone.
    pub fn prune(&self, _plan: &PrunePlan, _now: DateTime<Utc>) -> Result<Vec<SnapshotId>> {
        Err(seam())
    }
    /// The folder of a run, made if need be: `runs/<run>`.
    pub fn run_folder(&self, _run: &crate::model::RunId) -> Result<PathBuf> {
        Err(seam())
    }
}

impl Staging {
    /// The file of a bundle, to be written once.
    pub fn bundle(&self, _component: Component) -> Result<File> {
        Err(seam())
    }
    /// The file of the index.
    pub fn index(&self) -> Result<File> {
        Err(seam())
    }
    /// Writes signature and header, syncs, and renames the folder into place.
    pub fn commit(self, _header: &SnapshotHeader, _sign: &dyn Fn(&[u8]) -> Result<String>) -> Result<()> {
        Err(seam())
    }
}

/// The newest complete, unshrunk, trusted snapshot of this cluster and set captured before `before`.
pub fn choose(
    _listed: &[Listed],
    _cluster: &str,
    _set: Set,
    _node: Option<&str>,
    _before: DateTime<Utc>,
) -> Result<Choice> {
    Err(seam())
}

fn seam() -> Error {
    Error::failed("seam")
}
#[allow(unused)]
fn unused(_: Sealed, _: &mut dyn Write) {}

//! The repository: where snapshots are kept, and which of them can be relied on.
//!
//! In: sealed files and a header. Out: snapshots by id, each with its trust. Invariant: the header is the commit
//! point: a snapshot is wholly there or not at all, and nothing in it ever changes.

pub mod archive;
mod choose;
mod disk;
pub mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
pub mod git_seen;
mod init;
mod layout;
mod lock;
pub mod passed;
mod process;
pub mod proof;
mod proved;
pub mod prune;
mod read;
pub mod regular;
pub mod replicate;
pub mod reports;
mod resealed;
pub mod retention;
pub mod s3;
mod staging;
mod status;
#[cfg(test)]
mod tests;
pub mod thaw;
mod verify;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub use choose::{Choice, Unchosen, choose};
pub use init::FORMAT;
pub use lock::Rotating;
pub use proved::Proved;
pub use resealed::{replaced, resealed, stand_in};
pub use retention::{PrunePlan, Retention};
pub use staging::Staging;
pub use status::Status;
pub use verify::Damage;

use crate::{
    model::{Component, SnapshotHeader, SnapshotId},
    signature::Trust,
};

/// What to do where nothing is here: on a machine that is new, a backup would capture the disaster.
const COPIES: &str =
    "what was copied to places outside (`replicas:` in netdr.yaml) is brought here by: netdr fetch latest";

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
    /// Its files here that are missing or not as large as its header says: of which component (the index is of all), and
    /// what is wrong. Of the bytes in them only reading says more.
    pub damage: Vec<(Option<Component>, String)>,
    /// Its files here that cannot be looked at (a network file system that hangs): they may be whole. Nobody relies on them,
    /// and nothing is deleted for it.
    pub unseen: Vec<(Option<Component>, String)>,
}

impl Listed {
    /// Its header where it is to be relied on; else why nobody takes it.
    ///
    /// # Errors
    /// When it cannot be read, or nobody who is trusted answers for it.
    pub fn believed(&self) -> std::result::Result<&SnapshotHeader, &str> {
        match (&self.header, &self.trust) {
            (Err(why), _) | (_, Trust::Untrusted(why)) => Err(why),
            (Ok(header), Trust::Trusted(_)) => Ok(header),
        }
    }

    /// Whether it is to be relied on that it is of another cluster than the one of this name; where none is named, of none:
    /// several clusters may share a repository.
    pub fn is_of_another(&self, cluster: Option<&str>) -> bool {
        cluster.is_some_and(|cluster| self.believed().is_ok_and(|header| header.cluster.name != cluster))
    }

    /// Whether all its files are here and as large as its header says, as far as anybody sees.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty() && self.unseen.is_empty()
    }

    /// By its header alone, as one in a place outside: what is wrong with the files here says nothing of those there.
    #[must_use]
    pub fn by_header(&self) -> Self {
        Self { damage: Vec::new(), unseen: Vec::new(), ..self.clone() }
    }

    /// What is known to be wrong with the files of these components, or with the index.
    pub fn damage_of(&self, components: &BTreeSet<Component>) -> Option<&str> {
        let concerns = |(of, _): &&(Option<Component>, String)| of.is_none_or(|of| components.contains(&of));
        self.damage.iter().chain(&self.unseen).find(concerns).map(|(_, what)| what.as_str())
    }

    /// Whether a change occasioned it (`netdr watch`), not a schedule or a person.
    pub fn is_of_a_change(&self) -> bool {
        self.header.as_ref().is_ok_and(|header| !header.occasion.is_backup())
    }
}

impl Repository {
    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }
}

//! The names of everything in a repository, in one place.
//!
//! In: a root and ids. Out: paths. Invariant: pure, and every path is below the root, because ids are checked
//! when they are parsed.

use std::path::{Path, PathBuf};

use crate::model::{Component, RunId, SnapshotHeader, SnapshotId};

/// The file that makes a folder a repository.
pub(super) const REPOSITORY: &str = "netdr-repository.json";
/// The file [`REPOSITORY`] is written as before it is renamed.
pub(super) const REPOSITORY_NEW: &str = ".netdr-repository.json.new";
/// Folder of snapshots.
pub(super) const SNAPSHOTS: &str = "snapshots";
/// Folder of locks.
pub(super) const LOCKS: &str = "locks";
/// Folder of runs.
const RUNS: &str = "runs";
/// Folder of what was asked of archives.
const THAWS: &str = "thaws";
/// Which identities were proved to open what.
pub(super) const PROOFS: &str = "proofs.json";
/// The file [`PROOFS`] is written as before it is renamed.
pub(super) const PROOFS_NEW: &str = ".proofs.json.new";
/// Folder of when Git was seen equal to the cluster.
const GIT: &str = "git";
/// Folder of reports.
pub(super) const REPORTS: &str = "reports";
/// Folder of what verbs leave for those after them.
const STATUS: &str = "status";

/// The header: the commit point.
pub(super) const HEADER: &str = "snapshot.json";
/// Its signature.
pub(super) const SIGNATURE: &str = "snapshot.json.sig";
/// The sealed index.
pub(super) const INDEX: &str = "index.jsonl.zst.age";

/// No sealed file is shorter (age-encryption.org/v1): its first line, a MAC's, a nonce and a tag.
pub(super) const LEAST_SEALED: u64 = 22 + 48 + 16 + 16;

/// In a place outside: that an object beside it was changed on its way, and could not be deleted.
pub(super) const CHANGED: &str = "netdr-changed";

/// Hidden folders are no snapshots: one on its way in, one on its way out.
const STAGING: &str = ".staging-";
const GONE: &str = ".gone-";

/// Whether netdr makes an entry of this name in a repository's root; `lost+found` is every new file system's.
pub(super) fn is_ours(name: &str) -> bool {
    [
        REPOSITORY,
        REPOSITORY_NEW,
        SNAPSHOTS,
        LOCKS,
        RUNS,
        THAWS,
        GIT,
        REPORTS,
        STATUS,
        PROOFS,
        PROOFS_NEW,
        "lost+found",
    ]
    .contains(&name)
}

/// A component's bundle.
pub(super) fn bundle(component: Component) -> String {
    format!("{component}.tar.zst.age")
}

/// The sealed files of a snapshot, its bundles and then its index: name, sha256, and size where the header says it.
pub(super) fn sealed(header: &SnapshotHeader) -> impl Iterator<Item = (String, &str, Option<u64>)> {
    let bundles = header.bundles.iter().map(|b| (bundle(b.component), b.sha256.as_str(), Some(b.bytes)));
    bundles.chain([(INDEX.to_owned(), header.index_sha256.as_str(), None)])
}

pub(super) fn snapshots(root: &Path) -> PathBuf {
    root.join(SNAPSHOTS)
}

pub(super) fn locks(root: &Path) -> PathBuf {
    root.join(LOCKS)
}

pub(super) fn snapshot(root: &Path, id: &SnapshotId) -> PathBuf {
    snapshots(root).join(id.as_str())
}

pub(super) fn staging(root: &Path, id: &SnapshotId) -> PathBuf {
    snapshots(root).join(format!("{STAGING}{id}"))
}

/// Where a folder goes that is being deleted: out of every listing by one rename.
pub(super) fn gone(root: &Path, id: &SnapshotId) -> PathBuf {
    snapshots(root).join(format!("{GONE}{id}"))
}

/// The snapshot that a hidden folder was, or was to become.
pub(super) fn leftover(name: &str) -> Option<SnapshotId> {
    name.strip_prefix(STAGING).or_else(|| name.strip_prefix(GONE))?.parse().ok()
}

/// When which object of a snapshot was asked for in a place.
pub(super) fn thaw(root: &Path, place: &str, id: &SnapshotId) -> PathBuf {
    root.join(THAWS).join(format!("{place}-{id}.json"))
}

/// What is known of branches of Git.
pub(super) fn git(root: &Path) -> PathBuf {
    root.join(GIT)
}

pub(super) fn status(root: &Path) -> PathBuf {
    root.join(STATUS)
}

pub(super) fn reports(root: &Path) -> PathBuf {
    root.join(REPORTS)
}

pub(super) fn run(root: &Path, id: &RunId) -> PathBuf {
    root.join(RUNS).join(id.as_str())
}

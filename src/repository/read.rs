//! Reading snapshots back.
//!
//! In: an id or a header. Out: index, items or files. Invariant: not a byte of a sealed file is opened before all
//! of it has the sha256 that the header says.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{COPIES, Listed, Repository, disk, layout, regular};
use crate::{
    Error, Kind, Result,
    model::{BundleEntry, Component, FORMAT, Index, Item, ItemKey, SnapshotHeader, SnapshotId, hex},
    seal::{self, Identities},
    signature::{self, Trust, TrustedSigners},
};

/// No header or signature of ours comes near; anything larger is not read into memory.
pub(super) const LARGEST_HEADER: u64 = 1 << 20;

impl Repository {
    /// Every snapshot, oldest first, whatever is wrong with it; folders that no snapshot can be called are none.
    ///
    /// # Errors
    /// When the folder of snapshots cannot be read.
    pub fn list(&self, trusted: &TrustedSigners, now: DateTime<Utc>) -> Result<Vec<Listed>> {
        let names = disk::names(&layout::snapshots(&self.root))?;
        let ids = names.iter().filter_map(|name| name.parse().ok());
        let mut listed: Vec<Listed> = ids.map(|id| self.listed(id, trusted, now)).collect();
        listed.sort_by(|a, b| a.age().cmp(&b.age()));
        Ok(listed)
    }

    /// One snapshot.
    ///
    /// # Errors
    /// When there is none of this id; the nearest is named.
    pub fn get(&self, id: &SnapshotId, trusted: &TrustedSigners, now: DateTime<Utc>) -> Result<Listed> {
        if layout::snapshot(&self.root, id).is_dir() {
            return Ok(self.listed(id.clone(), trusted, now));
        }
        let names = disk::names(&layout::snapshots(&self.root))?;
        let near = names.iter().filter(|name| name.parse::<SnapshotId>().is_ok()).max_by(|a, b| {
            let close = |name: &str| strsim::jaro_winkler(name, id.as_str());
            close(a).total_cmp(&close(b))
        });
        let error = Error::usage(format!("no snapshot {id} in {}", self.root.display()));
        let error = match near {
            Some(near) => error.hint(format!("the nearest there is: {near}")),
            None => error.hint("there are no snapshots here; make one with: netdr backup").hint(COPIES),
        };
        Err(error.hint("list them with: netdr snapshots"))
    }

    fn listed(&self, id: SnapshotId, trusted: &TrustedSigners, now: DateTime<Utc>) -> Listed {
        let folder = layout::snapshot(&self.root, &id);
        let place = folder.join(layout::SIGNATURE);
        let signature = small_file(&place);
        let header = small_file(&folder.join(layout::HEADER));
        let mut listed = Listed::judge(id, header, signature.as_deref().ok(), trusted, now);
        if let (Ok(_), Err(why)) = (&listed.header, signature)
            && place.exists()
        {
            listed.trust = Trust::Untrusted(why); // there is one, whatever it is
        }
        (listed.damage, listed.unseen) =
            listed.believed().map(|header| sizes(&folder, header)).unwrap_or_default();
        listed
    }

    /// Opens the index, checked against the header's sha256.
    ///
    /// # Errors
    /// Damaged, when it is missing or not what the header says; or when the identities do not open it.
    pub fn index(&self, header: &SnapshotHeader, identities: &Identities) -> Result<Index> {
        let path = layout::snapshot(&self.root, &header.id).join(layout::INDEX);
        let mut sealed = Vec::new();
        checked(&header.id, &path, &header.index_sha256, None)?
            .read_to_end(&mut sealed)
            .map_err(|e| disk::cannot("read", &path, e))?;
        // Every item is proved by the index alone, so it is opened from the very bytes that were hashed: whoever may
        // write here could have changed the file since.
        if disk::digest(&mut &sealed[..]).is_ok_and(|(sha256, _)| sha256 != header.index_sha256) {
            return Err(Error::damaged(format!(
                "{} changed while it was read",
                named(&header.id, layout::INDEX)
            )));
        }
        seal::open_index(&mut &sealed[..], identities, &named(&header.id, layout::INDEX))
            .map_err(|error| unopened(error, header))
    }

    /// Hands over a component's items that `wanted` picks; the bundle is checked against the header, each item
    /// against the index.
    ///
    /// # Errors
    /// Damaged, when the bundle is missing, or it or an item is not what header and index say; when the
    /// identities do not open it, or the snapshot has no such component; and those of `each`.
    pub fn items(
        &self,
        header: &SnapshotHeader,
        index: &Index,
        component: Component,
        identities: &Identities,
        wanted: &dyn Fn(&ItemKey) -> bool,
        each: &mut dyn FnMut(Item) -> Result<()>,
    ) -> Result<()> {
        let (mut file, what, _) = self.open_bundle(header, component)?;
        seal::open_bundle(&mut file, identities, component, index, &what, wanted, each)
            .map_err(|error| unopened(error, header))
    }

    /// Proves that a component's bundle is what the header says, and that the identities open it.
    ///
    /// # Errors
    /// As [`Repository::items`].
    pub fn prove(
        &self,
        header: &SnapshotHeader,
        component: Component,
        identities: &Identities,
    ) -> Result<()> {
        let (mut file, what, _) = self.open_bundle(header, component)?;
        seal::prove(&mut file, identities, &what).map_err(|error| unopened(error, header))
    }

    /// Unpacks a component's bundle below `to`; returns how many files.
    ///
    /// # Errors
    /// As [`Repository::items`], when `to` has content or a path would leave it, and once `stop` is set; then nothing
    /// is left below `to`.
    pub fn extract(
        &self,
        header: &SnapshotHeader,
        component: Component,
        identities: &Identities,
        to: &Path,
        stop: &AtomicBool,
    ) -> Result<u64> {
        let (file, what, sha256) = self.open_bundle(header, component)?;
        seal::extract(&mut Unchanged { file, hash: Sha256::new(), sha256, stop }, identities, &what, to)
            .map_err(|error| unopened(error, header))
    }

    fn open_bundle<'a>(
        &self,
        header: &'a SnapshotHeader,
        component: Component,
    ) -> Result<(File, String, &'a str)> {
        let Some(bundle) = header.bundles.iter().find(|b| b.component == component) else {
            let has: Vec<&str> = header.bundles.iter().map(|b| b.component.name()).collect();
            return Err(Error::failed(format!("snapshot {} has no component {component}", header.id))
                .hint(format!("it has: {}; others: netdr snapshots", has.join(", "))));
        };
        let BundleEntry { sha256, bytes, .. } = bundle;
        let name = layout::bundle(component);
        let path = layout::snapshot(&self.root, &header.id).join(&name);
        Ok((checked(&header.id, &path, sha256, Some(*bytes))?, named(&header.id, &name), sha256))
    }

    /// The folder of a run: `runs/<run>`; its journal makes it.
    pub fn run_folder(&self, run: &crate::model::RunId) -> PathBuf {
        layout::run(&self.root, run)
    }
}

impl Listed {
    /// What header and signature are worth, wherever they were read; an error says why there is no header.
    pub(super) fn judge(
        id: SnapshotId,
        header: Result<Vec<u8>, String>,
        signature: Option<&[u8]>,
        trusted: &TrustedSigners,
        now: DateTime<Utc>,
    ) -> Self {
        let (bytes, header) = match header.and_then(|bytes| parse(&bytes).map(|header| (bytes, header))) {
            Ok(read) => read,
            Err(why) => return Self::unread(id, why),
        };
        let signature = signature.map(String::from_utf8_lossy);
        let mut trust = trusted.check(signature::SNAPSHOT, &bytes, signature.as_deref(), now);
        if trust.is_trusted() && header.id != id {
            trust = Trust::Untrusted(format!("its header is that of {}", header.id));
        }
        Self { id, header: Ok(header), trust, damage: Vec::new(), unseen: Vec::new() }
    }

    /// One whose header cannot be read, and why.
    pub(crate) fn unread(id: SnapshotId, why: String) -> Self {
        Self {
            id,
            trust: Trust::Untrusted(why.clone()),
            header: Err(why),
            damage: Vec::new(),
            unseen: Vec::new(),
        }
    }
}

/// Words about files, each with its component.
type Files = Vec<(Option<Component>, String)>;

/// The files of a snapshot that are not there, or not as large as its header says; and those of which nobody can tell.
fn sizes(folder: &Path, header: &SnapshotHeader) -> (Files, Files) {
    let (mut damage, mut unseen) = (Vec::new(), Vec::new());
    let components = header.bundles.iter().map(|bundle| Some(bundle.component)).chain([None]);
    for ((name, _, bytes), component) in layout::sealed(header).zip(components) {
        match (fs::metadata(folder.join(&name)), bytes) {
            (Err(e), _) if e.kind() == ErrorKind::NotFound => {
                damage.push((component, format!("{name} is missing")));
            }
            (Err(e), _) => unseen.push((component, format!("{name} cannot be looked at: {e}"))),
            (Ok(found), Some(bytes)) if found.len() != bytes => {
                damage.push((component, format!("{name} has {} bytes, not {bytes}", found.len())));
            }
            // Of the index the header says no size.
            (Ok(found), None) if found.len() < layout::LEAST_SEALED => {
                damage.push((
                    component,
                    format!("{name} has {} bytes, fewer than any sealed file", found.len()),
                ));
            }
            _ => {}
        }
    }
    (damage, unseen)
}

/// A bundle that is unpacked without its index: hashed again while it is read, because whoever may write here could
/// have changed it since it was opened. It ends in an error where it did, and once it is stopped.
struct Unchanged<'a, R> {
    file: R,
    hash: Sha256,
    sha256: &'a str,
    stop: &'a AtomicBool,
}

impl<R: Read> Read for Unchanged<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        let read = self.file.read(buffer)?;
        self.hash.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() && hex(&self.hash.clone().finalize()) != self.sha256 {
            return Err(io::Error::new(ErrorKind::InvalidData, "it changed while it was read"));
        }
        Ok(read)
    }
}

/// Whose identity would open it, where the error says that the one at hand does not.
fn unopened(error: Error, header: &SnapshotHeader) -> Error {
    match &header.sealed_to[..] {
        to if error.kind() == Kind::Failed && !error.hints().is_empty() && !to.is_empty() => {
            error.hint(format!("it is sealed to the recipients with fingerprint {}", to.join(" and ")))
        }
        _ => error,
    }
}

/// What errors call a file of a snapshot.
pub(super) fn named(id: &SnapshotId, file: &str) -> String {
    format!("{file} of snapshot {id}")
}

/// Parses a header; the error fits after "untrusted: ".
fn parse(bytes: &[u8]) -> Result<SnapshotHeader, String> {
    let broken = |e: serde_json::Error| format!("{} cannot be parsed: {e}", layout::HEADER);
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(broken)?;
    match value["format"].as_u64() {
        Some(format) if format > u64::from(FORMAT) => Err(format!(
            "it is of snapshot format {format}, newer than this netdr reads ({FORMAT}): update netdr to the \
                 version that wrote it"
        )),
        _ => serde_json::from_value(value).map_err(broken),
    }
}

fn small_file(path: &Path) -> Result<Vec<u8>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut bytes = Vec::new();
    match regular::open(path).and_then(|f| f.take(LARGEST_HEADER + 1).read_to_end(&mut bytes)) {
        Err(e) if e.kind() == ErrorKind::NotFound => Err(format!("{name} is missing")),
        Err(e) if regular::is_odd(&e) => Err(format!("{name} {e}")),
        Err(e) => Err(format!("{name} cannot be read: {e}")),
        Ok(_) if bytes.len() as u64 > LARGEST_HEADER => Err(format!("{name} is over a mebibyte large")),
        Ok(_) => Ok(bytes),
    }
}

/// Opens a sealed file after all of it was hashed; the same open file is read again, so that no other can be put in
/// its place in between. What is changed in it is found by the index, item by item.
fn checked(id: &SnapshotId, path: &Path, sha256: &str, bytes: Option<u64>) -> Result<File> {
    let (file, wrong) = inspect(path, sha256, bytes)?;
    match (file, wrong) {
        (Some(file), None) => Ok(file),
        (_, wrong) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let wrong = wrong.unwrap_or_else(|| "is missing".into());
            Err(damaged(id, &name, &wrong))
        }
    }
}

fn damaged(id: &SnapshotId, file: &str, wrong: &str) -> Error {
    Error::damaged(format!("snapshot {id} is damaged: {file} {wrong}"))
        .hint(format!("see all that is wrong with it: netdr verify {id}"))
        .hint("choose another snapshot: netdr snapshots")
}

/// The file, rewound, and what is wrong with it in words that fit after its name.
pub(super) fn inspect(
    path: &Path,
    sha256: &str,
    bytes: Option<u64>,
) -> Result<(Option<File>, Option<String>)> {
    let mut file = match regular::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok((None, Some("is missing".into()))),
        Err(e) if regular::is_odd(&e) => return Ok((None, Some(e.to_string()))),
        Err(e) => return Err(disk::cannot("read", path, e)),
    };
    let (is, length) = disk::digest(&mut file).map_err(|e| disk::cannot("read", path, e))?;
    file.rewind().map_err(|e| disk::cannot("read", path, e))?;
    let wrong = match bytes {
        Some(bytes) if bytes != length => Some(format!("has {length} bytes, not {bytes}")),
        _ if is != sha256 => Some(format!("has sha256 {is}, not {sha256}")),
        _ => None,
    };
    Ok((Some(file), wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_while_it_is_unpacked_and_what_is_stopped_ends_in_an_error() {
        let (sha256, _) = disk::digest(&mut &b"sealed"[..]).unwrap();
        let read = |bytes: &[u8], stop: bool| {
            let stop = AtomicBool::new(stop);
            let mut input = Unchanged { file: bytes, hash: Sha256::new(), sha256: &sha256, stop: &stop };
            io::copy(&mut input, &mut io::sink()).map_err(|e| e.to_string())
        };
        assert_eq!(read(b"sealed", false), Ok(6));
        assert_eq!(read(b"forged", false), Err("it changed while it was read".into()));
        assert_eq!(read(b"sealed", true), Err("interrupted".into()));
    }
}

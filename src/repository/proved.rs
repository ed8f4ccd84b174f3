//! Which identities were proved to open what: `proofs.json` of the repository.
//!
//! In: what `keys check` saw. Out: a line for each recipient and set. Invariant: only fingerprints of recipients are in it,
//! which headers hold as well; it is not signed, so it reminds people and proves nothing to them.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Repository, disk, layout, regular};
use crate::{
    Error, Result,
    model::{Set, SnapshotId},
};

/// That an identity opened a snapshot, all of which was then read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proved {
    /// Fingerprint of the recipient whose identity it is.
    pub recipient: String,
    /// Of which set the snapshot is.
    pub set: Set,
    /// Which one.
    pub snapshot: SnapshotId,
    /// When.
    pub at: DateTime<Utc>,
}

impl Repository {
    /// What was proved last, of each recipient and set.
    ///
    /// # Errors
    /// When the file cannot be read, or is not what netdr wrote.
    pub fn proofs(&self) -> Result<Vec<Proved>> {
        let path = self.root.join(layout::PROOFS);
        let read = disk::if_some(regular::read(&path)).map_err(|e| disk::cannot("read", &path, e))?;
        let Some(bytes) = read else { return Ok(Vec::new()) };
        serde_json::from_slice(&bytes).map_err(|e| {
            Error::damaged(format!("{} cannot be parsed", path.display()))
                .because(e)
                .hint(format!("prove anew: rm {}, then netdr keys check", path.display()))
        })
    }

    /// Records proofs, each in place of an older one of its recipient and set.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn record_proofs(&self, new: &[Proved]) -> Result<()> {
        let mut all = self.proofs()?;
        all.retain(|old| !new.iter().any(|new| (&new.recipient, new.set) == (&old.recipient, old.set)));
        all.extend_from_slice(new);
        all.sort_by(|a, b| (a.set, &a.recipient).cmp(&(b.set, &b.recipient)));
        let text = serde_json::to_vec_pretty(&all).map_err(io::Error::from);
        let (path, made) = (self.root.join(layout::PROOFS), self.root.join(layout::PROOFS_NEW));
        let text = text.map_err(|e| disk::cannot("write", &path, e))?;
        disk::replace(&made, &path, &text)?;
        disk::sync_folder(&self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::fixture::at;

    fn proved(recipient: &str, set: Set, day: u32) -> Proved {
        let snapshot = format!("202611{day:02}T010000Z-{set}-7f3a9c").parse().unwrap();
        Proved { recipient: recipient.into(), set, snapshot, at: at(&format!("2026-11-{day:02}T10:00:00Z")) }
    }

    #[test]
    fn the_last_proof_of_each_recipient_and_set_is_kept() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository { root: folder.path().into(), id: "r".into() };
        assert_eq!(repository.proofs()?, []);
        repository.record_proofs(&[proved("b", Set::Network, 1), proved("a", Set::Network, 1)])?;
        repository.record_proofs(&[proved("a", Set::Network, 2), proved("a", Set::Certificates, 2)])?;
        let wanted =
            [proved("a", Set::Network, 2), proved("b", Set::Network, 1), proved("a", Set::Certificates, 2)];
        assert_eq!(repository.proofs()?, wanted);
        std::fs::write(folder.path().join("proofs.json"), "{").unwrap();
        let error = repository.proofs().unwrap_err();
        assert!(error.hints()[0].contains("netdr keys check"), "{error:?}");
        Ok(())
    }
}

//! Sealing what is there to new recipients.
//!
//! In: snapshots, an identity that opens them, new recipients, a signing key. Out: for each, a new snapshot of the same
//! content, and the old one gone; or why not. Invariant: an old snapshot goes only after the new one was read back whole
//! and is trusted; whoever dies in between leaves both, of which `resealed` counts the new one only.

use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::{
    Error, Kind, Result,
    model::{BundleEntry, Index, Item, SnapshotHeader, SnapshotId},
    repository::{Damage, Listed, Repository, resealed},
    seal::{self, Identities, Recipients},
    signature::{self, SigningKey, Trust, TrustedSigners},
};

/// What sealing anew needs.
pub struct Rotation<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// Opens what is there.
    pub identities: &'a Identities,
    /// Whom it is sealed to from now on.
    pub recipients: &'a Recipients,
    /// Indexes are sealed to the job's own key too.
    pub index_key: &'a Identities,
    /// Signs the new headers.
    pub signing_key: &'a SigningKey,
    /// Whose snapshots are sealed anew.
    pub trusted: &'a TrustedSigners,
    /// When the command began, and the same moment of a clock that never jumps.
    pub now: (DateTime<Utc>, Instant),
}

/// What there is to do, oldest first.
#[derive(Debug, Default)]
pub struct Work {
    /// To be sealed anew.
    pub reseal: Vec<SnapshotHeader>,
    /// Sealed anew by a rotation that died before the old one was gone: old, new.
    pub finish: Vec<(SnapshotId, SnapshotId)>,
    /// Sealed to the new recipients already.
    pub done: Vec<SnapshotId>,
    /// What stays as it is, and why.
    pub left: Vec<Left>,
}

/// A snapshot that stays as it is.
#[derive(Debug)]
pub struct Left {
    /// Which.
    pub id: SnapshotId,
    /// Why.
    pub why: Error,
}

impl Rotation<'_> {
    /// Looks what there is to do; nothing is changed. Every snapshot's keys are tried.
    ///
    /// # Errors
    /// When what the signing key signs would not be trusted.
    pub fn work(&self, listed: &[Listed]) -> Result<Work> {
        self.signer_is_trusted()?;
        let resealed = resealed(listed);
        let to = self.recipients.fingerprints();
        let mut work = Work::default();
        for one in listed {
            let header = match one.believed() {
                Ok(header) => header,
                Err(why) => {
                    let why = Error::failed(format!("it is untrusted: {why}"));
                    work.left.push(Left { id: one.id.clone(), why });
                    continue;
                }
            };
            if let Some(new) = resealed.get(&one.id) {
                work.finish.push((one.id.clone(), (*new).clone()));
            } else if header.sealed_to == to {
                work.done.push(one.id.clone());
            } else {
                match self.repository.opens(header, self.identities) {
                    Ok(true) => work.reseal.push(header.clone()),
                    Ok(false) => {
                        let why = Error::failed("the identity at hand does not open it");
                        let why = match &header.sealed_to[..] {
                            [] => why,
                            to => why.hint(format!(
                                "bring an identity of a recipient with fingerprint {}: --identity FILE",
                                to.join(" or ")
                            )),
                        };
                        work.left.push(Left { id: one.id.clone(), why });
                    }
                    Err(why) => work.left.push(Left { id: one.id.clone(), why }),
                }
            }
        }
        Ok(work)
    }

    /// Seals one snapshot anew, and deletes the old one; `random` makes ids differ. Returns the new one's id.
    ///
    /// # Errors
    /// When the old one is damaged or does not open, the repository cannot be written or is locked, or the new one is not
    /// what was written. The old one is there then, the new one perhaps too.
    pub fn reseal(&self, header: &SnapshotHeader, random: u32) -> Result<SnapshotId> {
        let id = self.seal(header, random)?;
        self.finish(&header.id, &id)?;
        Ok(id)
    }

    /// Deletes a snapshot that was sealed anew, once the new one was read back.
    ///
    /// # Errors
    /// As [`Rotation::reseal`]. A new one that is damaged is deleted, so that the next rotation makes it again; where the
    /// old one is damaged, too, both stay.
    pub fn finish(&self, old: &SnapshotId, new: &SnapshotId) -> Result<()> {
        let written = self.repository.get(new, self.trusted, self.now())?;
        if let Some(Damage { what, place, .. }) = self.repository.verify(&written, None)?.first() {
            let error = Error::damaged(format!("{new}, which was to stand in for {old}, is damaged"))
                .why(format!("{place} {what}"));
            let before = self.repository.get(old, self.trusted, self.now())?;
            if !self.repository.verify(&before, None)?.is_empty() {
                return Err(error.hint(format!(
                    "{old} is damaged, too, and nothing is deleted; see: netdr verify {old} {new}"
                )));
            }
            self.repository.prune(std::slice::from_ref(new), self.now())?;
            return Err(
                error.hint(format!("{old} is as it was and the damaged copy is deleted; run the same again"))
            );
        }
        self.repository.prune(std::slice::from_ref(old), self.now())?;
        Ok(())
    }

    /// The new snapshot, committed beside the old one.
    pub(super) fn seal(&self, header: &SnapshotHeader, random: u32) -> Result<SnapshotId> {
        let id = SnapshotId::new(header.captured_at, header.set, header.node.as_deref(), random);
        let index = self.repository.index(header, self.identities)?;
        let staging = self.repository.stage(&id, self.now())?;
        let mut bundles = Vec::with_capacity(header.bundles.len());
        for bundle in &header.bundles {
            let component = bundle.component;
            let items = self.items(header, &index, bundle)?;
            let sealed = staging.bundle(component, |out| {
                seal::seal_bundle(&items, header.captured_at, self.recipients, out)
            })?;
            bundles.push(BundleEntry {
                component,
                sha256: sealed.sha256,
                bytes: sealed.bytes,
                items: sealed.items,
            });
        }
        let to = self.recipients.and(&self.index_key.recipients()?);
        let sealed = staging.index(|out| seal::seal_index(&index, &to, out))?;
        let new = SnapshotHeader {
            id: id.clone(),
            tool: env!("CARGO_PKG_VERSION").into(),
            bundles,
            index_sha256: sealed.sha256,
            sealed_to: self.recipients.fingerprints(),
            reseals: Some(header.id.clone()),
            ..header.clone()
        };
        staging.commit(&new, &|bytes| self.signing_key.sign(signature::SNAPSHOT, bytes))?;
        Ok(id)
    }

    /// A component's items, each as the index says.
    fn items(&self, header: &SnapshotHeader, index: &Index, bundle: &BundleEntry) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut each = |item| {
            items.push(item);
            Ok(())
        };
        self.repository.items(header, index, bundle.component, self.identities, &|_| true, &mut each)?;
        Ok(items)
    }

    /// Found out before anything is sealed: an untrusted copy could stand in for nothing.
    fn signer_is_trusted(&self) -> Result<()> {
        const PROBE: &[u8] = b"would this be trusted?";
        let signature = self.signing_key.sign(signature::SNAPSHOT, PROBE)?;
        match self.trusted.check(signature::SNAPSHOT, PROBE, Some(&signature), self.now.0) {
            Trust::Trusted(_) => Ok(()),
            Trust::Untrusted(why) => Err(Error::new(
                Kind::Usage,
                "what the signing key signs would not be trusted, and so nothing is sealed anew",
            )
            .why(why)
            .hint(
                "sign with a trusted key: --signing-key FILE, or add its public half to the trusted signers",
            )),
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.now.0 + self.now.1.elapsed()
    }
}

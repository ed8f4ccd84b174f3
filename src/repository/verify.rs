//! Proving that a snapshot is what was written.
//!
//! In: a listed snapshot, and identities where there are some. Out: everything that is wrong with it.
//! Invariant: damage never hides other damage.

use std::collections::BTreeSet;

use super::{Listed, Repository, disk, layout, read};
use crate::{
    Kind, Result,
    model::{Component, Index, ItemKey, SnapshotHeader, SnapshotId},
    seal::Identities,
    signature::Trust,
};

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
    /// Checks a snapshot's signature and files against its header; with identities every item too.
    ///
    /// # Errors
    /// When something cannot be checked at all: a file that cannot be read, identities that open nothing.
    pub fn verify(&self, listed: &Listed, identities: Option<&Identities>) -> Result<Vec<Damage>> {
        let mut damages = Vec::new();
        let mut damage = |place: &str, what: String| {
            damages.push(Damage { snapshot: listed.id.clone(), what, place: place.into() });
        };
        let header = match (&listed.header, &listed.trust) {
            (Err(why), _) => {
                damage(layout::HEADER, why.clone());
                return Ok(damages);
            }
            (Ok(header), Trust::Untrusted(why)) => {
                damage(layout::SIGNATURE, format!("untrusted: {why}"));
                header
            }
            (Ok(header), Trust::Trusted(_)) => header,
        };
        let folder = layout::snapshot(&self.root, &listed.id);
        let sealed = header.bundles.iter().map(|b| (layout::bundle(b.component), &b.sha256, Some(b.bytes)));
        let sealed = sealed.chain([(layout::INDEX.to_owned(), &header.index_sha256, None)]);
        let mut known = BTreeSet::from([layout::HEADER.to_owned(), layout::SIGNATURE.to_owned()]);
        for (name, sha256, bytes) in sealed {
            if let (_, Some(wrong)) = read::inspect(&folder.join(&name), sha256, bytes)? {
                damage(&name, wrong);
            }
            known.insert(name);
        }
        for name in BTreeSet::from_iter(disk::names(&folder)?).difference(&known) {
            damage(name, "is not in the header".into());
        }
        // Files that were moved here from another snapshot lie beside a header of that id, which is not this folder.
        if let Some(identities) = identities.filter(|_| header.id == listed.id) {
            self.verify_items(header, identities, &mut damage)?;
        }
        Ok(damages)
    }

    /// What is not readable as a whole was reported by its sha256 already.
    fn verify_items(
        &self,
        header: &SnapshotHeader,
        identities: &Identities,
        damage: &mut dyn FnMut(&str, String),
    ) -> Result<()> {
        let folder = layout::snapshot(&self.root, &header.id);
        let whole = |name: &str, sha256: &str| -> Result<bool> {
            Ok(read::inspect(&folder.join(name), sha256, None)?.1.is_none())
        };
        if !whole(layout::INDEX, &header.index_sha256)? {
            return Ok(());
        }
        let index = match self.index(header, identities) {
            Err(e) if e.kind() == Kind::Damaged => {
                damage(layout::INDEX, e.to_string());
                return Ok(());
            }
            index => index?,
        };
        for bundle in &header.bundles {
            let name = layout::bundle(bundle.component);
            if whole(&name, &bundle.sha256)? {
                self.verify_bundle(header, &index, bundle.component, identities, &mut |what| {
                    damage(&name, what)
                })?;
            }
        }
        Ok(())
    }

    fn verify_bundle(
        &self,
        header: &SnapshotHeader,
        index: &Index,
        component: Component,
        identities: &Identities,
        damage: &mut dyn FnMut(String),
    ) -> Result<()> {
        let entries = index.entries.iter().filter(|e| e.component == component);
        let mut missing: BTreeSet<&ItemKey> = entries.map(|e| &e.key).collect();
        let opened = self.items(header, index, component, identities, &|_| true, &mut |item| {
            missing.remove(&item.key);
            Ok(())
        });
        match opened {
            Err(e) if e.kind() == Kind::Damaged => damage(e.to_string()),
            Err(e) => return Err(e),
            Ok(()) => missing.iter().for_each(|key| damage(format!("lacks {key}, which the index has"))),
        }
        Ok(())
    }
}

//! Proving that a snapshot is what was written.
//!
//! In: a listed snapshot, and identities where there are some. Out: everything that is wrong with it.
//! Invariant: damage never hides other damage.

use std::collections::BTreeSet;

use super::{Listed, Repository, disk, layout, read, regular};
use crate::{
    Kind, Result,
    model::{SnapshotHeader, SnapshotId},
    seal::{self, Identities},
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

impl Damage {
    /// Whether it is that nobody trusted signed it; else something is not as it was written.
    pub fn is_untrusted(&self) -> bool {
        self.place.ends_with(layout::SIGNATURE)
    }
}

impl Listed {
    /// Its header as far as there is one, and what is wrong with it or its signature: which file, and why.
    pub(super) fn claimed(&self) -> (Option<&SnapshotHeader>, Option<(&'static str, String)>) {
        match (&self.header, &self.trust) {
            (Err(why), _) => (None, Some((layout::HEADER, why.clone()))),
            (Ok(header), Trust::Untrusted(why)) => {
                (Some(header), Some((layout::SIGNATURE, format!("untrusted: {why}"))))
            }
            (Ok(header), Trust::Trusted(_)) => (Some(header), None),
        }
    }
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
        let (header, flaw) = listed.claimed();
        if let Some((file, what)) = flaw {
            damage(file, what);
        }
        let Some(header) = header else { return Ok(damages) };
        let folder = layout::snapshot(&self.root, &listed.id);
        let mut known = BTreeSet::from([layout::HEADER.to_owned(), layout::SIGNATURE.to_owned()]);
        let mut intact = BTreeSet::new();
        for (name, sha256, bytes) in layout::sealed(header) {
            match read::inspect(&folder.join(&name), sha256, bytes)? {
                (_, Some(wrong)) => damage(&name, wrong),
                _ => drop(intact.insert(name.clone())),
            }
            known.insert(name);
        }
        for name in BTreeSet::from_iter(disk::names(&folder)?).difference(&known) {
            damage(name, "is not in the header".into());
        }
        // Items are found by the header's id: not where the header lies in a folder that is not its own.
        let identities = identities.filter(|_| header.id == listed.id && intact.contains(layout::INDEX));
        if let Some(identities) = identities {
            self.verify_items(header, &intact, identities, &mut damage)?;
        }
        Ok(damages)
    }

    /// Whether the identities open every sealed file of a snapshot. Keys are tried, content is not read: whether that is
    /// whole says [`Repository::verify`].
    ///
    /// # Errors
    /// When a file is missing, cannot be read, or is not sealed.
    pub fn opens(&self, header: &SnapshotHeader, identities: &Identities) -> Result<bool> {
        let folder = layout::snapshot(&self.root, &header.id);
        for (name, ..) in layout::sealed(header) {
            let path = folder.join(&name);
            let mut file = regular::open(&path).map_err(|e| disk::cannot("read", &path, e))?;
            if !seal::opens(&mut file, identities, &read::named(&header.id, &name))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens the index and every intact bundle.
    fn verify_items(
        &self,
        header: &SnapshotHeader,
        intact: &BTreeSet<String>,
        identities: &Identities,
        damage: &mut dyn FnMut(&str, String),
    ) -> Result<()> {
        let Some(index) = note(self.index(header, identities), layout::INDEX, damage)? else { return Ok(()) };
        for component in header.bundles.iter().map(|b| b.component) {
            let name = layout::bundle(component);
            if intact.contains(&name) {
                let opened = self.items(header, &index, component, identities, &|_| true, &mut |_| Ok(()));
                note(opened, &name, damage)?;
            }
        }
        Ok(())
    }
}

/// Takes note of damage; any other failure is the caller's.
fn note<T>(opened: Result<T>, place: &str, damage: &mut dyn FnMut(&str, String)) -> Result<Option<T>> {
    match opened {
        Err(e) if e.kind() == Kind::Damaged => {
            damage(place, e.to_string());
            Ok(None)
        }
        opened => opened.map(Some),
    }
}

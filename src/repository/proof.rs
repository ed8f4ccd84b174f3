//! Proving that what is in a place is what was written.
//!
//! In: a snapshot as a place lists it. Out: everything that is wrong with it there, and what could not be proved.
//! Invariant: nothing is thawed for it, and no damage hides other damage. What can be read is read; of what is archived, S3
//! is asked for the sha256 that it keeps (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).

use std::io;

use chrono::{DateTime, Utc};

use super::{
    Damage, Listed,
    archive::{ArchiveState, restore_status},
    layout,
    s3::{self, Bucket, Object},
    thaw::wrong,
};
use crate::Result;

/// What proving a snapshot came to.
#[derive(Debug, Default)]
pub struct Proof {
    /// What is wrong.
    pub damages: Vec<Damage>,
    /// What is archived and of which the place keeps no sha256 of the whole: only a thaw can prove it.
    pub unproved: Vec<String>,
}

impl Bucket {
    /// Reads every object of a snapshot that can be read, and compares it with the header.
    ///
    /// # Errors
    /// When the place refuses or does not answer: then nothing is said of the snapshot.
    pub async fn prove(&self, listed: &Listed, objects: &[Object], now: DateTime<Utc>) -> Result<Proof> {
        let mut proof = Proof::default();
        let mut damage = |file: &str, what: String| {
            let place = self.place().url(&s3::path(&listed.id, file));
            proof.damages.push(Damage { snapshot: listed.id.clone(), what, place });
        };
        let (header, flaw) = listed.claimed();
        if let Some((file, what)) = flaw {
            damage(file, what);
        }
        let Some(header) = header else { return Ok(proof) };
        let wrong = wrong(header, objects);
        let mut unproved = Vec::new();
        for (file, sha256, _) in layout::sealed(header) {
            let Some(object) = objects.iter().find(|object| object.name == file) else { continue };
            if wrong.iter().any(|(other, _)| *other == file) {
                continue;
            }
            match self.sha256(&s3::path(&listed.id, &file), object, now).await? {
                None => unproved.push(file),
                Some(is) if is != sha256 => damage(&file, format!("has sha256 {is}, not {sha256}")),
                Some(_) => {}
            }
        }
        wrong.into_iter().for_each(|(file, why)| damage(&file, why));
        proof.unproved = unproved;
        Ok(proof)
    }

    /// Of an object's bytes, where they can be read; else the one that the place keeps.
    async fn sha256(&self, path: &str, object: &Object, now: DateTime<Utc>) -> Result<Option<String>> {
        if let Some(class) = object.class.filter(|class| class.is_archive()) {
            let Some(head) = self.head(path).await? else { return Ok(None) };
            let restore = head.restore.as_deref().map(restore_status).transpose()?;
            if !ArchiveState::of(class, restore, None, now).is_readable() {
                return Ok(head.sha256);
            }
        }
        Ok(self.get(path, object.bytes, &mut io::sink()).await?.map(|(sha256, _)| sha256))
    }
}

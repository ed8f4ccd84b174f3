//! Deleting one object.
//!
//! In: its path. Out: it is gone, with every version of it. Invariant: only what is named exactly so is deleted; a lock that
//! has not expired is the place's to enforce, and never bypassed.

use super::{
    Bucket,
    refusal::{self, DELETE, VERSIONS},
};
use crate::Result;

impl Bucket {
    /// Deletes every version of an object and its delete markers; returns how many there were. Without versioning there is
    /// one, called `null`.
    ///
    /// # Errors
    /// When the place refuses, such as for a lock, or does not answer.
    pub async fn delete(&self, path: &str) -> Result<usize> {
        let versions = self.versions(path).await?;
        for version in &versions {
            self.client
                .delete_object()
                .bucket(&self.place.bucket)
                .key(self.place.key(path))
                .version_id(version)
                .send()
                .await
                .map_err(|e| refusal::words(&self.place, DELETE, path, e))?;
        }
        Ok(versions.len())
    }

    async fn versions(&self, path: &str) -> Result<Vec<String>> {
        let key = self.place.key(path);
        let mut found = Vec::new();
        let (mut next_key, mut next_version) = (None, None);
        loop {
            let page = (self.client.list_object_versions().bucket(&self.place.bucket).prefix(&key))
                .set_key_marker(next_key)
                .set_version_id_marker(next_version)
                .send()
                .await
                .map_err(|e| refusal::words(&self.place, VERSIONS, path, e))?;
            let kept = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let gone = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let ours = kept.chain(gone).filter(|(of, _)| *of == Some(key.as_str()));
            found.extend(ours.filter_map(|(_, version)| version.map(ToOwned::to_owned)));
            if !page.is_truncated().unwrap_or_default() {
                return Ok(found);
            }
            (next_key, next_version) = (page.next_key_marker, page.next_version_id_marker);
        }
    }
}

//! When `netdr watch` last looked at a cluster, and when it will at the latest: below `status/`.
//!
//! In: a look. Out: the last one of each cluster. Invariant: none of it is needed to restore anything; it is not signed, so
//! that it reminds people and proves nothing to them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Repository;
use crate::{Error, Result, model::hex};

const PREFIX: &str = "watched-";

/// A look at both sets of a cluster that found all of them saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// The cluster.
    pub cluster: String,
    /// When.
    pub at: DateTime<Utc>,
    /// When it is late, should there be no other by then.
    pub until: DateTime<Utc>,
}

impl Repository {
    /// The last look at each cluster.
    ///
    /// # Errors
    /// When the folder cannot be read; a file that does not read is passed over.
    pub fn watched(&self) -> Result<Vec<Watched>> {
        let read = |(_, text): (String, String)| serde_json::from_str(&text).ok();
        Ok(self.status(PREFIX)?.into_iter().filter_map(read).collect())
    }

    /// Keeps a look in the place of the one before at the same cluster.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_watched(&self, watched: &Watched) -> Result<()> {
        let text = serde_json::to_string(watched)
            .map_err(|e| Error::failed("cannot write when netdr watch looked").because(e))?;
        let cluster = hex(&Sha256::digest(&watched.cluster));
        self.put_status(&format!("{PREFIX}{cluster:.16}.json"), &(text + "\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::fixture::at;

    #[test]
    fn the_last_look_at_each_cluster_is_kept() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(&folder.path().join("repo"), 1)?;
        assert_eq!(repository.watched()?, []);
        let watched = |cluster: &str, hour: u32| Watched {
            cluster: cluster.into(),
            at: at(&format!("2026-11-26T{hour:02}:00:00Z")),
            until: at(&format!("2026-11-26T{hour:02}:25:00Z")),
        };
        for one in [watched("a/b", 1), watched("c", 2), watched("a/b", 3)] {
            repository.keep_watched(&one)?;
        }
        let mut all = repository.watched()?;
        all.sort_by_key(|one| one.at);
        assert_eq!(all, [watched("c", 2), watched("a/b", 3)]);
        Ok(())
    }
}

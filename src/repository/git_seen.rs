//! When branches of Git were last compared with the cluster.
//!
//! In: a comparison. Out: what is known of each branch. Invariant: it is the recovery point of a commit whose own age says
//! nothing; where it cannot be read, less is claimed, and nothing else changes.

use std::process;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Repository, disk, layout, regular};
use crate::{Error, Result, model::hex};

/// What of a cluster a branch was compared with, and how that came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSeen {
    /// The repository.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// The cluster.
    pub cluster: String,
    /// Which part of it: `sources`, or the set of a snapshot that was committed (`host/NODE` of one).
    pub part: String,
    /// The commit that was compared.
    pub commit: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether they were equal.
    pub equal: bool,
    /// When that commit was last equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal_at: Option<DateTime<Utc>>,
}

impl GitSeen {
    fn is_of(&self, other: &Self) -> bool {
        self.url == other.url
            && self.branch == other.branch
            && self.cluster == other.cluster
            && self.part == other.part
    }

    fn file(&self) -> String {
        let name =
            [&self.url, &self.branch, &self.cluster, &self.part].map(|word| format!("{word}\n")).concat();
        format!("{:.16}.json", hex(&Sha256::digest(name)))
    }
}

impl Repository {
    /// All that is known; what cannot be read is not known.
    pub fn git_seen(&self) -> Vec<GitSeen> {
        let folder = layout::git(&self.root);
        let names =
            disk::names(&folder).unwrap_or_default().into_iter().filter(|name| name.ends_with(".json"));
        let read = |name: String| serde_json::from_slice(&regular::read(&folder.join(name)).ok()?).ok();
        names.filter_map(read).collect()
    }

    /// Keeps a comparison, in the place of the one before of the same branch and part.
    ///
    /// # Errors
    /// When the repository cannot be written.
    pub fn keep_git_seen(&self, mut seen: GitSeen) -> Result<()> {
        let before = self.git_seen().into_iter().find(|before| before.is_of(&seen));
        seen.equal_at = match seen.equal {
            true => Some(seen.at),
            false => before.filter(|before| before.commit == seen.commit).and_then(|before| before.equal_at),
        };
        let folder = layout::git(&self.root);
        disk::make(&folder)?;
        let text = serde_json::to_vec(&seen)
            .map_err(|e| Error::failed("cannot write what was seen of Git").because(e))?;
        let file = folder.join(seen.file());
        let aside = file.with_extension(format!("{}.new", process::id()));
        disk::replace(&aside, &file, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_a_commit_was_equal_outlives_a_comparison_that_found_differences() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(&folder.path().join("repo"), 1).unwrap();
        assert_eq!(repository.git_seen(), []);
        let at = |hour: u32| format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap();
        let seen = |part: &str, commit: &str, hour, equal| GitSeen {
            url: "/forge/k8s".into(),
            branch: "main".into(),
            cluster: "c".into(),
            part: part.into(),
            commit: commit.into(),
            at: at(hour),
            equal,
            equal_at: None,
        };
        let kept = |seen: GitSeen| {
            repository.keep_git_seen(seen.clone()).unwrap();
            repository.git_seen().into_iter().find(|one| one.is_of(&seen)).unwrap().equal_at
        };
        assert_eq!(kept(seen("sources", "a", 1, true)), Some(at(1)));
        assert_eq!(kept(seen("sources", "a", 2, false)), Some(at(1)));
        assert_eq!(kept(seen("sources", "b", 3, false)), None, "of another commit nothing is known");
        assert_eq!(kept(seen("network", "a", 4, true)), Some(at(4)));
        assert_eq!(repository.git_seen().len(), 2);
    }
}

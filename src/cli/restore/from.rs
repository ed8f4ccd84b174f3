//! What a restore is from, as its flags name it.
//!
//! In: words of a command line. Out: a snapshot, a source, a commit. Invariant: pure; what once_more of a run prints reads as
//! the very same.

use std::{path::PathBuf, str::FromStr};

use crate::{Error, Result, gitops::Revision, model::SnapshotId};

/// A snapshot by its id, or `latest`: `--snapshot`.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Source {
    Latest,
    Snapshot(SnapshotId),
}

/// `--from`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Snapshot,
    Git(Revision),
    Velero(PathBuf),
}

impl FromStr for Place {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match (s, s.strip_prefix("git@"), s.strip_prefix("velero:")) {
            ("snapshot", ..) => Ok(Self::Snapshot),
            ("git", ..) => Ok(Self::Git(Revision::Head)),
            (_, Some(revision), _) if !revision.is_empty() => Ok(Self::Git(revised(revision))),
            (_, _, Some(file)) if !file.is_empty() => Ok(Self::Velero(file.into())),
            _ => Err(Error::usage("a source is snapshot, git, git@REV or velero:FILE")),
        }
    }
}

/// Commits are told from the name of a branch by their full ids.
fn revised(text: &str) -> Revision {
    let commits: Option<Vec<String>> = text.split(',').map(|id| commit(id).ok()).collect();
    match commits {
        Some(commits) if commits.len() > 1 => Revision::Among(commits),
        _ => Revision::Named(text.into()),
    }
}

impl FromStr for Source {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        if s == "latest" { Ok(Self::Latest) } else { s.parse().map(Self::Snapshot) }
    }
}

/// `--trust-commit`.
pub(super) fn commit(text: &str) -> Result<String> {
    // SHA-1, or SHA-256.
    let full = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    full.then(|| text.to_ascii_lowercase()).ok_or_else(|| {
        Error::usage("a commit is answered for by its full id, as git rev-parse REV prints it")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_of_several_repositories_are_told_from_the_name_of_a_branch() {
        let (one, two) = ("a".repeat(40), "b".repeat(40));
        let git = |text: &str| text.parse::<Place>().unwrap();
        let among = Place::Git(Revision::Among(vec![one.clone(), two.clone()]));
        assert_eq!(git(&format!("git@{one},{two}")), among);
        for name in ["main", "a,b", &one] {
            assert_eq!(git(&format!("git@{name}")), Place::Git(Revision::Named(name.into())));
        }
        assert!("git@".parse::<Place>().is_err());
    }
}

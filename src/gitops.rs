//! Git as a source: what people authored, at one commit that somebody trusted answers for. What netdr itself commits is
//! [`history`].
//!
//! In: which folders of which repositories, and which revision of them. Out: a [`Checkout`] per repository: the commit,
//! who signed it, and the files below the folders. Invariant: no file is read before its commit is trusted, and nothing
//! of a repository is ever run: no hook, no filter, no submodule.

mod fetch;
pub mod history;
mod kustomize;
mod manifests;
mod tree;
mod values;

pub use fetch::local;
use fetch::{Commit, Fetched, Place};
pub use history::History;
pub use manifests::{Manifest, Manifests, manifests};
pub use values::{Values, values};

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Error, Result,
    model::Component,
    signature::{self, Trust, TrustedSigners},
    yaml,
};

/// A folder of a repository in which people author objects of one component, or the values file of a Helm release: an
/// entry of `git.sources`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    /// Where the repository is: a path of this machine, `https://…`, `ssh://…` or `git@host:path`.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// The folder, or one file; empty for all of it.
    pub path: String,
    /// Whose objects are in it.
    pub component: Component,
    /// `namespace/name` of the release whose values the file is; none where it holds objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// Which commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revision {
    /// The newest of each branch.
    #[default]
    Head,
    /// A commit, a tag or a branch.
    Named(String),
    /// Commits by full ids: of each repository the one that its branch has, or else that it has.
    Among(Vec<String>),
    /// Exactly these, by URL: what an interrupted run began with.
    Exactly(BTreeMap<String, String>),
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Where.
    pub sources: Vec<GitSource>,
    /// At which commit.
    pub revision: Revision,
    /// Full ids of commits whose content the operator answers for: `--trust-commit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_commits: Vec<String>,
    /// SSH private keys to try where no agent has one.
    #[serde(skip)]
    pub ssh_keys: Vec<PathBuf>,
}

/// A commit of one repository, and its files below the folders that were asked for.
#[derive(Debug)]
pub struct Checkout {
    /// The repository.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The commit's full id.
    pub commit: String,
    /// When it was committed.
    pub committed_at: DateTime<Utc>,
    /// Who answers for it.
    pub answers: String,
    /// Whether it is the newest of its branch, wherever people push to.
    pub newest: bool,
    /// When netdr captured what is in it, where it is a commit of a history.
    pub seen_at: Option<DateTime<Utc>>,
    /// Every YAML file, in order of path.
    pub files: Vec<File>,
    /// What was not followed, and may lead to more objects.
    pub passed_over: Vec<String>,
}

/// One file. Its `Debug` names it and never shows its content.
pub struct File {
    /// Whose objects are in it.
    pub component: Component,
    /// Where it is in the repository.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes)", self.path, self.bytes.len())
    }
}

impl File {
    /// The YAML documents in it.
    ///
    /// # Errors
    /// Damaged, where it is no text; the one given, where it is a template; else where it is no YAML, by line.
    fn documents(&self, template: impl FnOnce() -> Error) -> Result<Vec<Value>> {
        let path = &self.path;
        let text =
            std::str::from_utf8(&self.bytes).map_err(|_| Error::damaged(format!("{path} is not text")))?;
        yaml::documents(text)
            .map_err(|error| if text.contains("{{") { template() } else { error.doing(path) })
    }
}

/// Reads what was asked for, each repository once.
///
/// # Errors
/// Damaged, where nobody trusted answers for a commit; usage, where the branch, the revision or the folder is not
/// there; failed, where the repository cannot be reached.
pub async fn read(wanted: &Wanted, trusted: &TrustedSigners, now: DateTime<Utc>) -> Result<Vec<Checkout>> {
    let mut repositories: BTreeMap<(&str, &str), Vec<GitSource>> = BTreeMap::new();
    for source in &wanted.sources {
        repositories.entry((&source.url, &source.branch)).or_default().push(source.clone());
    }
    let mut checkouts = Vec::with_capacity(repositories.len());
    for ((url, branch), sources) in repositories {
        let place = Place {
            url: url.to_owned(),
            branch: branch.to_owned(),
            revisions: wanted.revision.of(url),
            ssh_keys: wanted.ssh_keys.clone(),
            token: None,
            most: fetch::MOST,
        };
        let (trusted, trust_commits) = (trusted.clone(), wanted.trust_commits.clone());
        let checkout = move |fetched: &Fetched, place: &Place| {
            let commit = fetched.commit(place)?;
            let answers = answers(&commit, &place.url, &trusted, &trust_commits, now)?;
            let (files, passed_over) = tree::files(&fetched.repository, &commit, &sources)?;
            Ok(Checkout {
                url: place.url.clone(),
                branch: place.branch.clone(),
                commit: commit.id.to_string(),
                committed_at: commit.at,
                answers,
                newest: commit.newest,
                seen_at: commit.seen_at,
                files,
                passed_over,
            })
        };
        checkouts.push(fetch::with(place, checkout).await?);
    }
    Ok(checkouts)
}

impl Revision {
    /// Those that a repository may have; none for the newest of its branch.
    fn of(&self, url: &str) -> Vec<String> {
        match self {
            Self::Head => Vec::new(),
            Self::Named(name) => vec![name.clone()],
            Self::Among(commits) => commits.clone(),
            Self::Exactly(commits) => commits.get(url).cloned().into_iter().collect(),
        }
    }
}

/// Who answers for a commit: its signer, who is trusted now, or the operator who named it. Its tree, and so every file,
/// is bound by it.
fn answers(
    commit: &Commit,
    url: &str,
    trusted: &TrustedSigners,
    trust_commits: &[String],
    now: DateTime<Utc>,
) -> Result<String> {
    let id = commit.id.to_string();
    let openpgp = commit.signature.as_ref().is_some_and(|s| s.starts_with("-----BEGIN PGP"));
    let trust = match openpgp {
        true => Trust::Untrusted("it is signed with OpenPGP, and netdr checks SSH signatures".into()),
        false => trusted.check(signature::GIT, &commit.signed, commit.signature.as_deref(), now),
    };
    match trust {
        Trust::Trusted(who) => Ok(who),
        Trust::Untrusted(why) if trust_commits.contains(&id) => {
            Ok(format!("the operator, with --trust-commit ({why})"))
        }
        Trust::Untrusted(why) => {
            let mut error = Error::damaged(format!("commit {id} of {url} is untrusted: {why}"));
            if !trust_commits.is_empty() {
                error = error
                    .why(format!("--trust-commit names {}, and not this commit", trust_commits.join(", ")));
            }
            Err(error
                .hint("its author signs it with: git -c gpg.format=ssh commit --amend --no-edit -S; whose key is trusted says a line in the trusted_signers file: NAME namespaces=\"git\" ssh-ed25519 AAAA…")
                .hint(format!("or, for a restore, read it (git show {id}) and answer for it yourself: --trust-commit {id}")))
        }
    }
}

#[cfg(test)]
mod tests;

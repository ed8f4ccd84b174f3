//! The history of what netdr saw: a branch of a Git repository, one signed commit a changed snapshot.
//!
//! In: what snapshots saw, a branch. Out: the commits that were made and pushed. Invariant: no secret reaches Git; nothing
//! outside of the history's folder is touched, nothing is ever forced, a branch that moved is followed: the commit is
//! made again on what is there; and an older capture never undoes a later one.

mod commit;
mod filter;
mod mark;
mod push;
mod seen;
mod tree;
mod values;

pub use commit::Made;
pub(super) use commit::captured_at;
pub(super) use filter::is_filtered;
pub use seen::Seen;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use git2::{Commit, Repository};
use serde::Serialize;

pub use super::fetch::Token;
use super::fetch::{self, Place};
use crate::{
    Result,
    model::SnapshotId,
    repository::retention::SKEW,
    signature::{self, SigningKey, TrustedSigners},
};

/// So many commits of the branch are looked at for netdr's own last one.
pub(super) const DEPTH: usize = 50;

/// Where the history is kept: `git.history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where the repository is: a path of this machine, `https://…`, `ssh://…` or `git@host:path`.
    pub url: String,
    /// Its branch.
    pub branch: String,
    /// The folder; `clusters/CLUSTER/networking` where none is named.
    pub path: Option<String>,
    /// A file with the token that an HTTPS server takes, or `USER:TOKEN`, for a machine without git's credential helper.
    pub token_file: Option<PathBuf>,
}

/// What it takes to write to it.
pub struct Writing<'a> {
    /// Signs commits: the job's own key.
    pub signer: &'a SigningKey,
    /// Whose commits are nothing to speak of.
    pub trusted: &'a TrustedSigners,
    /// The commit that netdr made last, as far as is known.
    pub last: Option<String>,
    /// SSH private keys to try where no agent has one.
    pub ssh_keys: Vec<PathBuf>,
    /// What is in the token file.
    pub token: Option<Token>,
    /// Judges signatures.
    pub now: DateTime<Utc>,
}

/// What writing to it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// The repository.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// Its newest commit; none where there never was anything to commit.
    pub commit: Option<String>,
    /// The commits that were made, oldest first; none where nothing changed.
    pub commits: Vec<Made>,
    /// Snapshots that were not committed, because a later one of the same part is there already.
    pub outdated: Vec<SnapshotId>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What one attempt needs; owned, for a thread of its own.
struct Job {
    place: Place,
    path: Option<String>,
    seen: Vec<Seen>,
    signer: SigningKey,
    /// Netdr itself, as one who is trusted.
    own: Option<TrustedSigners>,
    trusted: TrustedSigners,
    last: Option<String>,
    now: DateTime<Utc>,
}

/// Commits what was seen, and pushes it where the repository is elsewhere.
///
/// # Errors
/// When the repository cannot be read or written, or refuses the commit. Nothing is left half-done: the next call makes one
/// commit with what is seen then.
pub async fn record(history: &History, seen: Vec<Seen>, writing: Writing<'_>) -> Result<Recorded> {
    let own = writing.signer.public().and_then(|key| TrustedSigners::parse(&format!("netdr {key}"), "netdr"));
    let job = Job {
        place: Place {
            url: history.url.clone(),
            branch: history.branch.clone(),
            revisions: Vec::new(),
            ssh_keys: writing.ssh_keys,
            token: writing.token,
            most: fetch::MOST,
        },
        path: history.path.clone(),
        seen,
        signer: writing.signer.clone(),
        own: own.ok(),
        trusted: writing.trusted.clone(),
        last: writing.last,
        now: writing.now,
    };
    fetch::aside(&history.url, true, move |alive| push::record(&job, alive)).await
}

impl Job {
    /// The commits that follow `tip`, in a repository that holds it, and the snapshots that are outdated there.
    fn commits<'r>(
        &self,
        repository: &'r Repository,
        tip: Option<&Commit<'r>>,
    ) -> Result<(Vec<Made>, Vec<SnapshotId>)> {
        let outdated = self.outdated(repository, tip);
        let mut tip = tip.cloned();
        let mut commits = Vec::new();
        for seen in self.seen.iter().filter(|seen| !outdated.contains(&seen.snapshot)) {
            let path = self.path.clone().unwrap_or_else(|| usual(&seen.cluster));
            let made = commit::next(repository, tip.as_ref(), &path, seen, &self.signer)?;
            if let Some((id, made)) = made {
                tip = Some(repository.find_commit(id).map_err(tree::failed)?);
                commits.push(made);
            }
        }
        Ok((commits, outdated))
    }

    /// Snapshots captured before what netdr committed of the same part: a backup takes minutes, in which `watch` commits.
    fn outdated(&self, repository: &Repository, tip: Option<&Commit<'_>>) -> Vec<SnapshotId> {
        let is_outdated = |seen: &&Seen| {
            let committed = ancestors(tip).find_map(|commit| {
                let at = commit::captured_alike(commit.message().ok()?, seen)?;
                // Of no clock that is ahead, and of nobody who may write what he likes.
                (at <= self.now + SKEW && self.doubt(repository, &commit).is_none()).then_some(at)
            });
            committed.is_some_and(|at| at > seen.captured_at)
        };
        self.seen.iter().filter(is_outdated).map(|seen| seen.snapshot.clone()).collect()
    }

    fn recorded(
        &self,
        tip: Option<&Commit<'_>>,
        commits: Vec<Made>,
        outdated: Vec<SnapshotId>,
        mut warnings: Vec<String>,
    ) -> Recorded {
        let newest = push::newest(&commits);
        let branch = &self.place.branch;
        warnings.extend(outdated.iter().map(|id| {
            format!(
                "{id} is not committed: a later capture is on branch {branch} of {} already",
                self.place.url
            )
        }));
        Recorded {
            url: self.place.url.clone(),
            branch: self.place.branch.clone(),
            commit: newest.or(tip.map(|tip| tip.id().to_string())),
            commits,
            outdated,
            warnings,
        }
    }

    /// What happened to the branch since netdr's own last commit.
    fn remarks(&self, repository: &Repository, tip: Option<&Commit<'_>>) -> Vec<String> {
        let Place { url, branch, .. } = &self.place;
        let (Some(tip), last) = (tip, self.last.as_deref()) else {
            let what = if self.last.is_some() {
                "is gone, and was made anew"
            } else {
                "was not there, and was made"
            };
            return vec![format!("branch {branch} of {url} {what}")];
        };
        let (mut found, mut unsigned) = (false, Vec::new());
        for commit in ancestors(Some(tip)) {
            found = last == Some(commit.id().to_string().as_str());
            // Without a last one of its own, the newest is all that netdr builds upon.
            if found || (last.is_none() && commit.id() != tip.id()) {
                break;
            }
            if let Some(why) = self.doubt(repository, &commit) {
                unsigned.push(format!("{:.12} ({why})", commit.id().to_string()));
            }
        }
        let mut remarks = Vec::new();
        if let (Some(last), false) = (last, found) {
            remarks.push(format!(
                "the history of branch {branch} of {url} was rewritten, or is longer by {DEPTH} commits: commit {last}, \
                 netdr's last, is not in what is there now; it goes on from there, and who may rewrite it is to be asked: {}",
                look(branch, url)
            ));
        } else if !unsigned.is_empty() {
            remarks.push(format!(
                "on branch {branch} of {url} there is, above netdr's own: {}; it goes on from there; see what they are: {}",
                unsigned.join(", "),
                look(branch, url)
            ));
        }
        remarks
    }

    /// Why nobody trusted answers for a commit; none where netdr itself or somebody trusted does.
    fn doubt(&self, repository: &Repository, commit: &Commit<'_>) -> Option<String> {
        let Ok((signature, signed)) = repository.extract_signature(&commit.id(), None) else {
            return Some("not signed".into());
        };
        let text = String::from_utf8_lossy(&signature);
        let mut why = None;
        for trusted in self.own.iter().chain([&self.trusted]) {
            match trusted.check(signature::GIT, &signed, Some(&text), self.now) {
                signature::Trust::Trusted(_) => return None,
                signature::Trust::Untrusted(reason) => why = Some(reason),
            }
        }
        why
    }
}

/// The command that shows a history.
fn look(branch: &str, url: &str) -> String {
    format!("git clone -b {branch} {url} seen && git -C seen log --stat")
}

/// A commit and those before it, as many as are looked at.
fn ancestors<'r>(tip: Option<&Commit<'r>>) -> impl Iterator<Item = Commit<'r>> {
    std::iter::successors(tip.cloned(), |commit| commit.parent(0).ok()).take(DEPTH)
}

/// The folder of a cluster, where the configuration names none.
fn usual(cluster: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = cluster.chars().map(safe).collect();
    format!("clusters/{}/networking", name.trim_start_matches('.'))
}

#[cfg(test)]
mod tests;

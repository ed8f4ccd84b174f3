//! Reaching a repository, and finding the commit in it.
//!
//! In: a [`Place`]. Out: a repository on this machine, and a commit of it. Invariant: a clone on this machine is only
//! read; what is fetched goes into a bare repository in a temporary folder; a network that is silent ends in an error,
//! not in a wait; and what a remote may send before anybody answers for its commit has a limit.

mod login;
mod words;

use std::{path::PathBuf, thread, time::Duration};

use chrono::{DateTime, Utc};
use git2::{
    AutotagOption, CertificateCheckStatus, ErrorCode, FetchOptions, Oid, RemoteCallbacks, RemoteRedirect,
    Repository,
};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::history;
use crate::{Error, Result};
pub(super) use login::Login;
pub use login::Token;
use words::unreachable;
pub(super) use words::{Seen, refused};

/// How long a repository may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much a remote may send, in bytes: far more than the newest commit of what people author, far less than a disk.
pub(super) const MOST: usize = 512 << 20;

/// A branch of a repository, and which commit of it: one of these; none for the newest.
pub(super) struct Place {
    pub(super) url: String,
    pub(super) branch: String,
    pub(super) revisions: Vec<String>,
    pub(super) ssh_keys: Vec<PathBuf>,
    pub(super) token: Option<Token>,
    /// How much may come over the network, in bytes.
    pub(super) most: usize,
}

/// A repository on this machine.
pub(super) struct Fetched {
    pub(super) repository: Repository,
    /// Whether it is a clone, which may lag behind what people push to.
    is_clone: bool,
    /// Holds it, where it was fetched.
    _folder: Option<TempDir>,
}

/// A commit, with what signs it.
pub(super) struct Commit {
    pub(super) id: Oid,
    pub(super) at: DateTime<Utc>,
    /// Armored.
    pub(super) signature: Option<String>,
    /// What the signature is of.
    pub(super) signed: Vec<u8>,
    pub(super) newest: bool,
    /// When netdr captured it, where it is netdr's own.
    pub(super) seen_at: Option<DateTime<Utc>>,
}

enum News<T> {
    Progress,
    Ended(Result<T>),
}

/// Tells that there was progress; whether anybody still waits for the end.
pub(super) type Alive<'a> = &'a dyn Fn() -> bool;

/// Reaches the place and does the work there.
pub(super) async fn with<T: Send + 'static>(
    place: Place,
    work: impl FnOnce(&Fetched, &Place) -> Result<T> + Send + 'static,
) -> Result<T> {
    let url = place.url.clone();
    aside(&url, false, move |alive| reach(&place, alive).and_then(|fetched| work(&fetched, &place))).await
}

/// Does work with a repository on a thread of its own: libgit2 waits for the network as long as the network likes.
pub(super) async fn aside<T: Send + 'static>(
    url: &str,
    writing: bool,
    work: impl FnOnce(Alive<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (tell, mut told) = unbounded_channel();
    let job = move || {
        let answer = work(&|| tell.send(News::Progress).is_ok());
        let _ = tell.send(News::Ended(answer)); // nobody waits any more
    };
    let started = thread::Builder::new().name("git".into()).spawn(job);
    started.map_err(|e| Error::failed("cannot start a thread for Git").because(e))?;
    loop {
        match tokio::time::timeout(PATIENCE, told.recv()).await {
            Ok(Some(News::Progress)) => {}
            Ok(Some(News::Ended(answer))) => return answer,
            Ok(None) => return Err(unreachable(url, "it broke off", writing)),
            Err(_) => return Err(unreachable(url, "it has been silent for 60 s", writing)),
        }
    }
}

fn reach(place: &Place, alive: Alive<'_>) -> Result<Fetched> {
    if let Some(path) = local(&place.url) {
        return open(path);
    }
    let folder =
        tempfile::tempdir().map_err(|e| Error::failed("cannot make a temporary folder").because(e))?;
    let repository = Repository::init_bare(folder.path())
        .map_err(|error| unreachable(&place.url, error.message(), false))?;
    let (branch, all) = (
        format!("+refs/heads/{0}:refs/heads/{0}", place.branch),
        ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"],
    );
    let (refs, depth) = match place.revisions[..] {
        [] => (&[branch.as_str()][..], 1),
        [..] => (&all[..], 0),
    };
    let seen = Seen::default();
    fetch(&repository, place, refs, depth, &seen, alive)
        .map_err(|error| refused(&place.url, &error, &seen))?;
    Ok(Fetched { repository, is_clone: false, _folder: Some(folder) })
}

/// Fetches these refs; of each branch so many commits, or all.
pub(super) fn fetch(
    repository: &Repository,
    place: &Place,
    refs: &[&str],
    depth: i32,
    seen: &Seen,
    alive: Alive<'_>,
) -> Result<(), git2::Error> {
    let mut login = Login::new(place, &seen.tried);
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks(place, &mut login, seen, alive)).download_tags(AutotagOption::None);
    if depth > 0 {
        options.depth(depth);
    }
    if place.token.is_some() {
        options.follow_redirects(RemoteRedirect::None); // it is for this server alone
    }
    repository.remote_anonymous(&place.url)?.fetch(refs, Some(&mut options), None)
}

/// Who netdr says it is, whom it believes, and how much it takes.
pub(super) fn callbacks<'a>(
    place: &'a Place,
    login: &'a mut Login<'a>,
    seen: &'a Seen,
    alive: Alive<'a>,
) -> RemoteCallbacks<'a> {
    // Whether it may go on; what it says of its own progress counts, too.
    let more = move || {
        let enough = seen.received.get().saturating_add(seen.chatter.get()) > place.most;
        seen.too_much.set(seen.too_much.get().or(enough.then_some(place.most)));
        !enough && alive()
    };
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(move |url, user, allowed| login.next(url, user, allowed));
    callbacks.certificate_check(|certificate, _| {
        let key = certificate.as_hostkey().and_then(|key| key.hash_sha256());
        seen.host_key.set(key.copied());
        Ok(CertificateCheckStatus::CertificatePassthrough) // libgit2 judges: it has the known hosts
    });
    callbacks.transfer_progress(move |progress| {
        seen.received.set(progress.received_bytes());
        more()
    });
    callbacks.sideband_progress(move |text| {
        seen.chatter.set(seen.chatter.get() + text.len());
        seen.heard(text);
        more()
    });
    callbacks
}

pub(super) fn open(path: &str) -> Result<Fetched> {
    let fail = |error: git2::Error| {
        let wrong = Error::failed(format!("{path} cannot be read as a Git repository")).why(error.message());
        match error.code() {
            ErrorCode::Owner => wrong.hint(format!(
                "it belongs to somebody else; if you trust it: git config --global --add safe.directory {path}"
            )),
            _ => wrong,
        }
    };
    let repository = Repository::open(path).map_err(fail)?;
    let is_clone = !repository.remotes().map_err(fail)?.is_empty();
    Ok(Fetched { repository, is_clone, _folder: None })
}

/// The path of a URL that is of this machine.
pub fn local(url: &str) -> Option<&str> {
    match url.strip_prefix("file://") {
        Some(path) => Some(path),
        // `host:path` is SSH's.
        None => (url.starts_with(['/', '.']) || !url.contains(':')).then_some(url),
    }
}

impl Fetched {
    /// The commit that was asked for.
    pub(super) fn commit(&self, place: &Place) -> Result<Commit> {
        let head = self.find(&place.branch)?;
        let commit = match place.revisions[..] {
            [] => head.clone(),
            [..] => self.one_of(&place.revisions, head.as_ref())?,
        };
        let Some(commit) = commit else {
            let what = if place.revisions.is_empty() { &place.branch } else { &place.revisions.join("`, `") };
            return Err(Error::usage(format!("Git repository {} has no `{what}`", place.url))
                .hint(format!("its branches: {}", self.branches().join(", "))));
        };
        let id = commit.id();
        let damaged = |error: git2::Error| {
            Error::damaged(format!("commit {id} of {} cannot be read", place.url)).why(error.message())
        };
        let (signature, signed) = match self.repository.extract_signature(&id, None) {
            Ok((signature, signed)) => {
                (Some(String::from_utf8_lossy(&signature).into_owned()), signed.to_vec())
            }
            Err(error) if error.code() == ErrorCode::NotFound => (None, Vec::new()),
            Err(error) => return Err(damaged(error)),
        };
        let newest = !self.is_clone && head.is_some_and(|head| head.id() == id);
        let at = DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default();
        let seen_at = commit.message().ok().and_then(history::captured_at);
        Ok(Commit { id, at, signature, signed, newest, seen_at })
    }

    /// The first of these that the branch has; else the first that there is.
    fn one_of(&self, names: &[String], head: Option<&git2::Commit<'_>>) -> Result<Option<git2::Commit<'_>>> {
        let mut other = None;
        for name in names {
            let Some(commit) = self.find(name)? else { continue };
            let in_branch = head.is_some_and(|head| {
                head.id() == commit.id()
                    || self.repository.graph_descendant_of(head.id(), commit.id()).unwrap_or_default()
            });
            if in_branch {
                return Ok(Some(commit));
            }
            other = other.or(Some(commit));
        }
        Ok(other)
    }

    /// A branch, a tag or a commit; in a clone also a branch of where it was cloned from.
    pub(super) fn find(&self, name: &str) -> Result<Option<git2::Commit<'_>>> {
        for name in [format!("refs/heads/{name}"), name.to_owned(), format!("refs/remotes/origin/{name}")] {
            match self.repository.revparse_single(&name).and_then(|object| object.peel_to_commit()) {
                Ok(commit) => return Ok(Some(commit)),
                Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {}
                Err(error) => {
                    return Err(Error::usage(format!("`{name}` names no commit")).why(error.message()));
                }
            }
        }
        Ok(None)
    }

    fn branches(&self) -> Vec<String> {
        let branches = self.repository.branches(None).into_iter().flatten().flatten();
        branches.filter_map(|(branch, _)| branch.name().ok().flatten().map(ToOwned::to_owned)).collect()
    }
}

//! Bringing commits to where the history is kept.
//!
//! In: a job. Out: what was made. Invariant: a ref moves only from the commit that the new one follows; where somebody was
//! quicker, the commits are made again on theirs. Nothing of a repository is run on this machine, no hook either.

use std::{cell::RefCell, path::Path, thread, time::Duration};

use git2::{Commit, ErrorClass, ErrorCode, PushOptions, RemoteRedirect, Repository};

use super::{DEPTH, Job, Made, Recorded};
use crate::{
    Error, Result,
    gitops::fetch::{self, Alive, Login, Seen},
    model::SnapshotId,
};

/// Each time somebody is quicker, somebody is done: with fewer writers than this, everybody gets through.
const ATTEMPTS: usize = 12;
/// A network that breaks this often in a row is not there.
const BREAKS: usize = 3;
/// What a repository of this machine remembers of a moved branch.
const REFLOG: &str = "netdr: seen";
/// Before a repository is tried again that was locked, or broke off.
const PAUSE: Duration = Duration::from_millis(500);

/// Why an attempt came to nothing.
enum Failed {
    /// Somebody else was quicker, or is at it.
    Again(Error),
    /// The network, perhaps.
    Broke(Error),
    /// It would go the same way once more.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Makes the commits, and tries until they are there.
pub(super) fn record(job: &Job, alive: Alive<'_>) -> Result<Recorded> {
    let mut breaks = 0;
    // Made by an attempt whose answer was lost: they may be there.
    let mut attempted = Vec::new();
    let mut last = Error::failed(format!("Git repository {} cannot be written", job.place.url));
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        let tried = match fetch::local(&job.place.url) {
            Some(path) => here(job, path),
            None => elsewhere(job, &mut attempted, alive),
        };
        last = match tried {
            Ok(recorded) if recorded.commits.is_empty() && recorded.commit == newest(&attempted) => {
                return Ok(Recorded { commits: attempted, ..recorded });
            }
            Ok(recorded) => return Ok(recorded),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Broke(error)) if breaks + 1 == BREAKS => return Err(error),
            Err(Failed::Broke(error)) => {
                breaks += 1;
                error
            }
            Err(Failed::Again(error)) => error,
        };
        alive();
    }
    Err(last)
}

/// In a repository of this machine: objects, and then the ref.
fn here(job: &Job, path: &str) -> Result<Recorded, Failed> {
    let absent = |error: Error| match Path::new(path).exists() {
        true => error,
        false => error.hint(format!("make one: git init --bare {path}")),
    };
    let fetched = fetch::open(path).map_err(absent)?;
    let repository = &fetched.repository;
    let branch = &job.place.branch;
    let name = format!("refs/heads/{branch}");
    if is_checked_out(repository, &name) {
        return Err(Failed::Final(
            Error::usage(format!("branch {branch} is checked out in {path}, whose files would not follow a commit"))
                .hint(format!("name a bare repository as `url` in git.history (git init --bare {path}.git), or another branch")),
        ));
    }
    let tip = tip(repository, &name)?;
    let (made, outdated) = job.commits(repository, tip.as_ref())?;
    if let Some(new) = made.last() {
        let moved = new_id(new).and_then(|new| match &tip {
            Some(tip) => repository.reference_matching(&name, new, true, tip.id(), REFLOG),
            None => repository.reference(&name, new, false, REFLOG),
        });
        moved.map_err(|error| unmoved(path, &name, &error))?;
    }
    Ok(done(job, repository, tip.as_ref(), made, outdated))
}

/// By way of a bare repository in a temporary folder, which holds nothing that Git may not hold.
fn elsewhere(job: &Job, attempted: &mut Vec<Made>, alive: Alive<'_>) -> Result<Recorded, Failed> {
    let place = &job.place;
    let folder = tempfile::tempdir().map_err(|e| {
        Error::failed("cannot make a temporary folder for the commit")
            .because(e)
            .hint("name one that can be written: TMPDIR=DIR netdr …; in a pod, mount one at /tmp")
    })?;
    let seen = Seen::writing();
    let refused = |error: git2::Error| {
        let passes = passes(&error);
        let error = fetch::refused(&place.url, &error, &seen);
        if passes { Failed::Broke(error) } else { Failed::Final(error) }
    };
    let repository = Repository::init_bare(folder.path()).map_err(refused)?;
    let name = format!("refs/heads/{}", place.branch);
    let branch = format!("+{name}:{name}");
    let depth = i32::try_from(DEPTH).unwrap_or(i32::MAX);
    fetch::fetch(&repository, place, &[&branch], depth, &seen, alive).map_err(refused)?;
    let tip = tip(&repository, &name)?;
    let (made, outdated) = job.commits(&repository, tip.as_ref())?;
    if let Some(new) = made.last() {
        new_id(new).and_then(|new| repository.reference(&name, new, true, REFLOG)).map_err(refused)?;
        attempted.clone_from(&made);
        push(job, &repository, &name, alive)?;
    }
    Ok(done(job, &repository, tip.as_ref(), made, outdated))
}

fn push(job: &Job, repository: &Repository, name: &str, alive: Alive<'_>) -> Result<(), Failed> {
    let place = &job.place;
    let seen = Seen::writing();
    let status = RefCell::new(None);
    let pushed = {
        let mut login = Login::new(place, &seen.tried);
        let mut callbacks = fetch::callbacks(place, &mut login, &seen, alive);
        callbacks.push_transfer_progress(|_, _, _| {
            alive();
        });
        callbacks.push_update_reference(|_, refused| {
            *status.borrow_mut() = refused.map(ToOwned::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        if place.token.is_some() {
            options.follow_redirects(RemoteRedirect::None); // it is for this server alone
        }
        let remote = repository.remote_anonymous(&place.url);
        remote.and_then(|mut remote| remote.push(&[format!("{name}:{name}")], Some(&mut options)))
    };
    if let Err(error) = pushed {
        let moved = error.code() == ErrorCode::NotFastForward;
        let passes = passes(&error);
        let error = fetch::refused(&place.url, &error, &seen);
        return Err(match (moved, passes) {
            (true, _) => Failed::Again(error),
            (_, true) => Failed::Broke(error),
            _ => Failed::Final(error),
        });
    }
    let Some(status) = status.into_inner() else { return Ok(()) };
    let said = seen.said();
    let error = Error::failed(format!("{} refuses the commit on branch {}", place.url, place.branch))
        .why(status.clone());
    let error = if said.is_empty() { error } else { error.why(format!("it says: {said}")) };
    // Of a server that found, when it came to it, that somebody was quicker (git's own words, which are not translated).
    let raced = [
        "fetch first",
        "non-fast-forward",
        "failed to update ref",
        "incorrect old value",
        "cannot lock ref",
        "failed to lock",
    ];
    Err(match raced.iter().any(|words| status.contains(words)) {
        true => Failed::Again(error),
        false => Failed::Final(
            error.hint("what refuses it is the server's: a hook, or a rule for the branch; let netdr's user push there without force"),
        ),
    })
}

pub(super) fn newest(made: &[Made]) -> Option<String> {
    made.last().map(|made| made.commit.clone())
}

fn new_id(made: &Made) -> Result<git2::Oid, git2::Error> {
    git2::Oid::from_str(&made.commit)
}

/// What may pass by itself; an answer of no does not.
fn passes(error: &git2::Error) -> bool {
    let network =
        matches!(error.class(), ErrorClass::Net | ErrorClass::Os | ErrorClass::Http | ErrorClass::Ssh);
    let answer = matches!(error.code(), ErrorCode::Auth | ErrorCode::Certificate | ErrorCode::User);
    network && !answer && !["404", "401", "403"].iter().any(|status| error.message().contains(status))
}

fn tip<'r>(repository: &'r Repository, name: &str) -> Result<Option<Commit<'r>>, Failed> {
    match repository.find_reference(name).and_then(|found| found.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => {
            Err(Failed::Final(Error::damaged(format!("{name} cannot be read")).why(error.message())))
        }
    }
}

fn done(
    job: &Job,
    repository: &Repository,
    tip: Option<&Commit<'_>>,
    made: Vec<Made>,
    outdated: Vec<SnapshotId>,
) -> Recorded {
    let warnings = if tip.is_none() && made.is_empty() { Vec::new() } else { job.remarks(repository, tip) };
    job.recorded(tip, made, outdated, warnings)
}

/// Whether somebody's files follow this branch, in the repository or in one of its worktrees.
fn is_checked_out(repository: &Repository, name: &str) -> bool {
    let follows = |repository: &Repository| {
        let head = repository.find_reference("HEAD").ok();
        !repository.is_bare() && head.is_some_and(|head| head.symbolic_target().ok().flatten() == Some(name))
    };
    let worktrees = repository.worktrees();
    let names = worktrees.iter().flat_map(|names| names.iter()).filter_map(|name| name.ok().flatten());
    let opened =
        names.filter_map(|name| Repository::open_from_worktree(&repository.find_worktree(name).ok()?).ok());
    follows(repository) || opened.into_iter().any(|worktree| follows(&worktree))
}

/// A ref that did not move.
fn unmoved(path: &str, name: &str, error: &git2::Error) -> Failed {
    let wrong = Error::failed(format!("{name} of {path} cannot be moved")).why(error.message());
    match error.code() {
        ErrorCode::Modified | ErrorCode::Exists => Failed::Again(wrong),
        ErrorCode::Locked => Failed::Again(wrong.hint(format!(
            "another git holds {path}/{name}.lock; if none runs, it was left by one that was killed: remove it"
        ))),
        _ => Failed::Final(wrong.hint(format!("run netdr as the owner of the repository: ls -ld {path}"))),
    }
}

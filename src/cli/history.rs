//! What a backup saw, committed to `git.history`.
//!
//! In: what snapshots saw. Out: what became of the commit. Invariant: the snapshots are good whatever it is.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    access::ssh_keys, context::Context, exit::Exit, git::absolute, settings::Settings, terminal::Phase,
    words::count,
};
use crate::{
    Error, Result,
    gitops::{
        History,
        history::{Recorded, Seen, Token, Writing, record},
    },
    model::SnapshotId,
    repository::{Repository, git_seen::GitSeen},
    signature::SigningKey,
    task::Problem,
};

/// Says that it commits, where it does.
pub(super) fn phase(cx: &Context, settings: &Settings, seen: &[Seen]) -> Option<Phase> {
    let history = settings.config.git_history.as_ref().filter(|_| !seen.is_empty())?;
    Some(cx.terminal.phase(format!("committing to {}", history.url)))
}

/// Commits what was seen, where the configuration names a history. None where it does not, or nothing was seen.
pub(super) async fn commit(
    cx: &Context,
    settings: &Settings,
    signer: &SigningKey,
    seen: Vec<Seen>,
) -> Option<Result<Recorded>> {
    let history = settings.config.git_history.as_ref()?;
    if seen.is_empty() {
        return None;
    }
    Some(commit_to(cx, settings, history, signer, seen).await)
}

async fn commit_to(
    cx: &Context,
    settings: &Settings,
    history: &History,
    signer: &SigningKey,
    seen: Vec<Seen>,
) -> Result<Recorded> {
    let history = History { url: absolute(&history.url)?, ..history.clone() };
    let repository = settings.repository()?;
    let parts: Vec<(SnapshotId, GitSeen)> =
        seen.iter().map(|seen| (seen.snapshot.clone(), part(&history, seen))).collect();
    let ours = |known: &GitSeen| {
        parts.iter().any(|(_, part)| {
            part.url == known.url && part.branch == known.branch && part.cluster == known.cluster
        }) && known.part != SOURCES
    };
    let last = repository.git_seen().into_iter().filter(ours).max_by_key(|known| known.at);
    let recorded = record(
        &history,
        seen,
        Writing {
            signer,
            trusted: &settings.trusted()?,
            last: last.map(|known| known.commit),
            ssh_keys: ssh_keys(),
            token: history.token_file.as_deref().map(token).transpose()?,
            now: chrono::Utc::now(), // `watch` began months ago
        },
    )
    .await?;
    if let Some(commit) = &recorded.commit {
        // What was not committed is not what the commit holds.
        let committed = parts.into_iter().filter(|(id, _)| !recorded.outdated.contains(id));
        let commit = |(_, part)| GitSeen { commit: commit.clone(), ..part };
        keep(cx, &repository, committed.map(commit));
    }
    Ok(recorded)
}

fn token(file: &Path) -> Result<Token> {
    let text = fs::read_to_string(file).map_err(|e| {
        Error::usage(format!("the token file {} cannot be read", file.display()))
            .because(e)
            .hint("it holds a token that may push, or USER:TOKEN; git.history names it as `token_file`")
    })?;
    Ok(Token::parse(&text))
}

/// The part of what people author.
pub(super) const SOURCES: &str = "sources";

/// The commit holds what was seen, and so is equal to the cluster as it was then, unless something was not read.
fn part(history: &History, seen: &Seen) -> GitSeen {
    GitSeen {
        url: history.url.clone(),
        branch: history.branch.clone(),
        cluster: seen.cluster.clone(),
        part: seen.part(),
        commit: String::new(),
        at: seen.captured_at,
        equal: seen.is_whole(),
        equal_at: None,
    }
}

/// Keeps for restores what was seen of Git.
pub(super) fn keep(cx: &Context, repository: &Repository, seen: impl IntoIterator<Item = GitSeen>) {
    for one in seen {
        if let Err(error) = repository.keep_git_seen(one) {
            cx.terminal.warn(format!("how Git and the cluster compare is not remembered: {error}"));
        }
    }
}

/// Says how the task ended, where there was something to commit.
pub(super) fn ended(cx: &Context, outcome: Option<&Result<Recorded>>) {
    if let Some(outcome) = outcome {
        cx.ended("commit to git", outcome.as_ref().err().map(Problem::failed).into_iter().collect());
    }
}

/// Says what went wrong, and what a person should know.
pub(super) fn report(cx: &Context, outcome: Option<&Result<Recorded>>) -> Exit {
    ended(cx, outcome);
    match outcome {
        Some(Err(error)) => {
            const NEXT: &str =
                "the snapshots here are good; the next backup commits what Git lacks, in one commit";
            cx.terminal.error_with(error, &[NEXT]);
            Exit::Partial
        }
        Some(Ok(recorded)) => {
            recorded.warnings.iter().for_each(|warning| cx.terminal.warn(warning));
            Exit::Done
        }
        None => Exit::Done,
    }
}

pub(super) fn document(outcome: Option<&Result<Recorded>>) -> Value {
    match outcome {
        Some(Ok(recorded)) => json!(recorded),
        Some(Err(error)) => json!({"error": error.to_string()}),
        None => Value::Null,
    }
}

pub(super) fn said(outcome: Option<&Result<Recorded>>) -> String {
    let Some(Ok(Recorded { url, branch, commits, .. })) = outcome else { return String::new() };
    match commits.last() {
        None => format!("{url}: branch {branch} has it all already\n"),
        Some(last) => {
            let commits = count(commits.len() as u64, "commit");
            format!("{url}: {commits} on branch {branch}, up to {:.12}\n", last.commit)
        }
    }
}

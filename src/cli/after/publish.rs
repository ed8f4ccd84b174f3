//! Publishing metrics where the configuration asks for them.
//!
//! In: what a repository and its records hold; without one what tasks found themselves. Out: a file, a push. Invariant: a
//! task that sees no repository publishes in a part of its own, and replaces nothing that others say.

use std::path::Path;

use chrono::Utc;
use futures::future::join_all;

use super::{Here, check, tell::delivered};
use crate::{
    Result,
    cli::metrics,
    metrics::{self as library, Checked, Known, push, textfile},
    repository::Repository,
    task::Ran,
    web,
};

/// Publishes what is known now, of which `ran` and `checked` are the newest.
pub(super) async fn publish(here: &Here<'_>, ran: &[Ran], checked: &[Checked]) {
    if !here.settings.config.metrics.is_asked_for() {
        return;
    }
    let published = match &here.repository {
        Some(repository) => whole(here, repository).await,
        None => join_all(ran.iter().map(|ran| part(here, ran, checked))).await.into_iter().collect(),
    };
    if let Err(error) = published {
        here.cx.terminal.warn_of("no metrics", &error);
    }
}

async fn whole(here: &Here<'_>, repository: &Repository) -> Result<()> {
    let text = metrics::text(here.cx, here.settings, repository, &here.cluster).await?;
    pushed(here, None, &text).await;
    here.settings.config.metrics.textfile.as_ref().map_or(Ok(()), |file| textfile(file, &text))
}

/// Of a task of a job that sees no repository, as those of checks: what it found itself, beside what others say of the
/// repository, and in a part of its own, for what is published takes the place of that part.
async fn part(here: &Here<'_>, ran: &Ran, checked: &[Checked]) -> Result<()> {
    // It stands in an address, and in a file's name.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let part: String = ran.task.chars().map(plain).collect();
    let its = |checked: &&Checked| check(&checked.subject) == ran.task;
    let checks: Vec<Checked> = checked.iter().filter(its).cloned().collect();
    let tasks = std::slice::from_ref(ran);
    let text = library::of(&Known { tasks, checks: &checks, ..Known::nothing(&here.cluster) }, Utc::now());
    pushed(here, Some(&part), &text).await;
    // A pod without a repository mostly has not its folder either.
    match here
        .settings
        .config
        .metrics
        .textfile
        .as_deref()
        .filter(|file| file.parent().is_some_and(Path::is_dir))
    {
        Some(file) => textfile(&file.with_extension(format!("{part}.prom")), &text),
        None => Ok(()),
    }
}

/// Pushes where the configuration says so, and remembers how that was taken.
async fn pushed(here: &Here<'_>, part: Option<&str>, text: &str) {
    let to = &here.settings.config.metrics;
    if let Some(gateway) = &to.pushgateway {
        let pushed = push(to, gateway, (&here.cluster, part), text).await;
        delivered(here, format!("pushgateway {}", web::server(gateway)), pushed);
    }
}

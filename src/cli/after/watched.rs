//! What `netdr watch` says of each of its looks: it has no end that could be waited for.
//!
//! In: when a look began that is over. Out: as after a verb. Invariant: it is done beside the looks, and none waits for it:
//! of those that are over meanwhile the last one counts. However often it looks, the repository is read for metrics once in
//! some minutes.

use std::{mem, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

use super::{Found, Here, conclude, is_asked_for, prompt, publish::publish};
use crate::{
    Error,
    cli::{context::Context, exit::Exit, settings::Settings},
    model::Set,
    repository::Repository,
    task::{Ended, Ran},
};

/// Metrics read every snapshot here and ask every place outside: no more often than this. It is well within what
/// NetdrWatchDead waits for.
const PUBLISHED: Duration = Duration::from_secs(300);

/// The task of watching a set.
pub(in crate::cli) fn watch(set: Set) -> String {
    format!("watch {set}")
}

impl Context {
    /// Does after each look what is done after a verb, for as long as somebody says that one is over. Who watches at a
    /// terminal sees it, and ends it. `settings` are those that it began with.
    pub(in crate::cli) async fn after_looks(
        &self,
        settings: &Settings,
        cluster: String,
        mut looks: Receiver<DateTime<Utc>>,
    ) {
        let (mut unpublished, mut next) = (Vec::new(), Instant::now());
        loop {
            // Who is told may be another by now.
            let now = || match Settings::read(&self.flags) {
                Ok(settings) => (settings, None),
                Err(error) => (settings.clone(), Some(error)),
            };
            tokio::select! {
                over = looks.changed() => {
                    if over.is_err() {
                        return;
                    }
                    let began = *looks.borrow_and_update();
                    let (settings, refused) = now();
                    unpublished = self.looked(&settings, &cluster, refused, began).await;
                }
                () = sleep_until(next), if !unpublished.is_empty() => {
                    let (settings, refused) = now();
                    publish(&self.here(&settings, &cluster, refused), &mem::take(&mut unpublished), &[]).await;
                    next = Instant::now() + PUBLISHED;
                }
            }
        }
    }

    /// Tells by the same rules what ended meanwhile; what is to be published.
    async fn looked(
        &self,
        settings: &Settings,
        cluster: &str,
        refused: Option<Error>,
        began: DateTime<Utc>,
    ) -> Vec<Ran> {
        let ended: Vec<Ended> = mem::take(&mut *self.tasks.told())
            .tasks
            .into_iter()
            .map(|(task, problems)| Ended { task, problems: problems.unwrap_or_default() })
            .collect();
        if prompt::somebody() || !is_asked_for(settings) {
            return Vec::new();
        }
        let exit = if ended.iter().all(Ended::is_done) { Exit::Done } else { Exit::Failed };
        conclude(&self.here(settings, cluster, refused), &ended, Found::default(), (began, exit)).await.0
    }

    fn here<'a>(&'a self, settings: &'a Settings, cluster: &str, refused: Option<Error>) -> Here<'a> {
        let repository = settings.repository().ok();
        let status = repository.as_ref().map(Repository::status);
        Here { cx: self, settings, repository, status, cluster: cluster.into(), refused }
    }
}

//! What `netdr watch` says of each of its looks: it has no end that could be waited for.

use std::{mem, time::Duration};

use chrono::{DateTime, Utc};

use super::{Here, LOOKED, conclude, is_asked_for, prompt};
use crate::{
    cli::{context::Context, exit::Exit, settings::Settings},
    metrics::Watched,
    model::Set,
    task::Ended,
};

/// A look that is over.
pub(in crate::cli) struct Look {
    /// When it began.
    pub(in crate::cli) began: DateTime<Utc>,
    /// Whether a snapshot was taken.
    pub(in crate::cli) took: bool,
    /// The next one follows after so long at the latest.
    pub(in crate::cli) every: Duration,
}

/// The task of watching a set.
pub(in crate::cli) fn watch(set: Set) -> String {
    format!("watch {set}")
}

impl Context {
    /// Does after a look what is done after a verb: what ended meanwhile is told of by the same rules. Who watches at a
    /// terminal sees it, and ends it.
    pub(in crate::cli) async fn looked(&self, settings: &Settings, look: Look) {
        let ended: Vec<Ended> = mem::take(&mut *self.tasks.told())
            .tasks
            .into_iter()
            .map(|(task, problems)| Ended { task, problems: problems.unwrap_or_default() })
            .collect();
        if prompt::somebody() || !is_asked_for(settings) {
            return;
        }
        let here = Here::of(self, settings);
        remember(&here, &look);
        let exit = if ended.iter().all(Ended::is_done) { Exit::Done } else { Exit::Failed };
        conclude(&here, &ended, &[], (look.began, exit)).await;
    }
}

fn remember(here: &Here<'_>, look: &Look) {
    let Some(records) = here.records() else { return };
    let before = records.read::<Watched>(LOOKED).unwrap_or_default().into_values().next();
    let now = Utc::now();
    let watched = Watched {
        cluster: here.cluster.clone(),
        looked_at: now,
        due_at: now + look.every,
        taken_at: if look.took { Some(now) } else { before.and_then(|before| before.taken_at) },
    };
    if let Err(error) = records.keep(LOOKED, LOOKED, &watched) {
        here.cx.terminal.warn(format!("when it looked is not remembered: {error}"));
    }
}

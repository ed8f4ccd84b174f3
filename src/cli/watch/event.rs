//! What `netdr watch` tells, as it happens.
//!
//! In: an event. Out: a line: of words, or an object of JSON. Invariant: an event is one line, whatever is said of it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    Result,
    backup::Summary,
    cli::{
        terminal::Terminal,
        words::{count, time},
    },
    gitops::history::Recorded,
    model::{Set, SnapshotId, SnapshotState},
};

/// What there is once it is stopped.
const STAYS: &str = "what was taken stays; nothing of an unfinished snapshot is kept";

/// A line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event<'a> {
    /// It follows so many kinds, or objects by name.
    Watching {
        targets: usize,
        settle_s: u64,
        at_least_every_s: u64,
    },
    Changed {
        kind: &'a str,
        times: u64,
        objects: Vec<&'a str>,
    },
    Snapshot {
        #[serde(flatten)]
        summary: &'a Summary,
    },
    Committed {
        #[serde(flatten)]
        recorded: &'a Recorded,
    },
    /// Git lacks what was seen of these sets; the next look commits it.
    Uncommitted {
        sets: Vec<Set>,
        why: String,
    },
    /// Of what could be read nothing differs.
    Unchanged {
        set: Set,
        unread: Vec<String>,
    },
    Failed {
        set: Set,
        why: String,
    },
    Pruned {
        snapshots: Vec<SnapshotId>,
    },
    Lost {
        kind: &'a str,
        why: &'a str,
    },
    Back {
        kind: &'a str,
    },
    Served {
        kind: &'a str,
    },
    Gone {
        kind: &'a str,
    },
    Silent {
        why: &'a str,
    },
    AnswersAgain,
    /// By a signal.
    Stopped,
}

/// The event, and when it was.
#[derive(Serialize)]
struct Line<'a> {
    time: DateTime<Utc>,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

impl Event<'_> {
    /// Tells it now; with `-q`, where nobody asked for JSON, only what went wrong and that it is over.
    pub(super) fn say(&self, terminal: &Terminal) -> Result<()> {
        if terminal.is_quiet() && !terminal.json && !self.is_trouble() {
            return Ok(());
        }
        let line = Line { time: Utc::now(), event: self };
        terminal.line(&line, || format!("{} {}", time(line.time), words(self)))
    }

    /// Whether something went wrong, or is over.
    fn is_trouble(&self) -> bool {
        match self {
            Self::Snapshot { summary } => summary.state != SnapshotState::Complete,
            Self::Unchanged { unread, .. } => !unread.is_empty(),
            Self::Uncommitted { .. } | Self::Failed { .. } | Self::Lost { .. } | Self::Silent { .. } => true,
            Self::Back { .. } | Self::AnswersAgain => true,
            Self::Watching { .. } | Self::Changed { .. } | Self::Committed { .. } | Self::Pruned { .. } => {
                false
            }
            Self::Served { .. } | Self::Gone { .. } | Self::Stopped => false,
        }
    }
}

fn words(event: &Event<'_>) -> String {
    match event {
        Event::Watching { targets, settle_s, at_least_every_s } => format!(
            "watching {}; a change settles in {settle_s} s, the rest is looked at every {at_least_every_s} s",
            count(*targets as u64, "target")
        ),
        Event::Changed { kind, times, objects } => {
            let more = times.saturating_sub(objects.len() as u64);
            let more = if more > 0 { format!(" and {} more", count(more, "change")) } else { String::new() };
            format!("changed {kind}: {}{more}", objects.join(", "))
        }
        Event::Snapshot { summary } => {
            let why = match summary.state {
                SnapshotState::Complete => String::new(),
                _ => format!(": {}", summary.reasons.join("; ")),
            };
            let Summary { id, state, items, .. } = summary;
            format!("snapshot {id}, {}, {}{why}", state.name(), count(*items, "item"))
        }
        Event::Committed { recorded } => match recorded.commits.last() {
            Some(last) => {
                format!("committed {:.12} to branch {} of {}", last.commit, recorded.branch, recorded.url)
            }
            None => format!("committed: branch {} of {} has it already", recorded.branch, recorded.url),
        },
        Event::Uncommitted { sets, why } => {
            let sets: Vec<&str> = sets.iter().map(|set| set.name()).collect();
            format!("uncommitted: Git lacks what was seen of {}: {why}", sets.join(" and "))
        }
        Event::Unchanged { set, unread } => match unread.is_empty() {
            true => format!("unchanged: nothing that {set} captures differs"),
            false => format!(
                "unchanged: nothing that could be read of {set} differs; not read, so not compared: {}",
                unread.join("; ")
            ),
        },
        Event::Failed { set, why } => format!("failed: no snapshot of {set}: {why}"),
        Event::Pruned { snapshots } => format!("pruned {}", count(snapshots.len() as u64, "snapshot")),
        Event::Lost { kind, why } => format!("lost {kind}: it cannot be watched: {why}"),
        Event::Back { kind } => format!("back {kind}: it is watched again"),
        Event::Served { kind } => format!("served {kind}: it is watched from now on"),
        Event::Gone { kind } => format!("gone {kind}: the cluster serves it no longer"),
        Event::Silent { why } => format!("silent: the API server does not answer: {why}"),
        Event::AnswersAgain => "answers again: what it serves is watched as before".into(),
        Event::Stopped => format!("stopped: {STAYS}"),
    }
}

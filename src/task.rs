//! Tasks: what a verb is to do, each with an end of its own, as `backup network` or `replicate s3`.
//!
//! In: how tasks ended. Out: records of it, kept in the repository, so that the next process knows. Invariant: pure but for
//! [`Records`]; a problem is named by task and event alone, so that it is the same one the next night.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    model::{Severity, hex},
    repository::{Repository, Status},
};
use sha2::{Digest as _, Sha256};

/// The task that says whether checks could ask the cluster at all.
pub const CHECK_CLUSTER: &str = "check cluster";

/// What a person may want to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It was not done.
    Failed,
    /// It was done in part.
    Partial,
    /// A snapshot has much less in it than the one before.
    Shrunk,
    /// The live state is not that of the snapshot, or of Git.
    Drift,
    /// A check's threshold is crossed, or nobody knows.
    Check,
    /// Recovered, but over an objective.
    ObjectiveMissed,
    /// A problem that was told of is over.
    Recovered,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Partial,
        Self::Shrunk,
        Self::Drift,
        Self::Check,
        Self::ObjectiveMissed,
        Self::Recovered,
    ];

    /// As a configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Shrunk => "shrunk",
            Self::Drift => "drift",
            Self::Check => "check",
            Self::ObjectiveMissed => "objective-missed",
            Self::Recovered => "recovered",
        }
    }

    /// As a subject has it, behind the task.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Shrunk => "shrunk",
            Self::Drift => "differences found",
            Self::Check => "threshold crossed",
            Self::ObjectiveMissed => "objective missed",
            Self::Recovered => "recovered",
        }
    }
}

/// What is wrong with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub event: Event,
    /// The highest severity of it; the lowest, where its kind has no degrees.
    pub severity: Severity,
    /// What of it is critical, by name.
    pub critical: BTreeSet<String>,
    /// Why, a line each, the most severe first; without content of any object.
    pub why: Vec<String>,
    /// What to do.
    pub next: Vec<String>,
    /// Whether it is none any more, and was not mended either: a newer snapshot, which the task compares with, holds it.
    pub is_taken_over: bool,
}

impl Problem {
    /// One without degrees; what several findings have in common is said once.
    pub fn new(event: Event, why: Vec<String>, next: Vec<String>) -> Self {
        Self {
            event,
            severity: Severity::default(),
            critical: BTreeSet::new(),
            why: once(why),
            next: once(next),
            is_taken_over: false,
        }
    }

    /// That it was not done, as an error says it.
    pub fn failed(error: &Error) -> Self {
        Self::new(Event::Failed, vec![error.to_string()], error.hints().to_vec())
    }

    /// With what is wrong, by name, and the severity of each.
    #[must_use]
    pub fn graded(mut self, of: impl IntoIterator<Item = (String, Severity)>) -> Self {
        for (name, severity) in of {
            self.severity = self.severity.max(severity);
            self.critical.extend((severity == Severity::Critical).then_some(name));
        }
        self
    }
}

/// Each line where it comes first.
fn once(lines: Vec<String>) -> Vec<String> {
    let mut said = BTreeSet::new();
    lines.into_iter().filter(|line| said.insert(line.clone())).collect()
}

/// A task that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// As `backup network`.
    pub task: String,
    /// Empty where all is well.
    pub problems: Vec<Problem>,
}

impl Ended {
    /// Whether it did what it was to do: differences and thresholds are findings of a task that did.
    pub fn is_done(&self) -> bool {
        !self.problems.iter().any(|p| matches!(p.event, Event::Failed | Event::Partial))
    }

    /// Whether it came to no result at all.
    pub fn has_failed(&self) -> bool {
        self.problems.iter().any(|p| p.event == Event::Failed)
    }
}

/// How a task ended lately, of one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Whose.
    pub cluster: String,
    /// As `backup network`.
    pub task: String,
    /// When it ended last.
    pub at: DateTime<Utc>,
    /// How long its verb took then.
    pub seconds: f64,
    /// The exit code of its verb then.
    pub exit_code: u8,
    /// How many problems it had then.
    pub problems: usize,
    /// When it last did what it was to do.
    pub done_at: Option<DateTime<Utc>>,
    /// When it last did not.
    pub failed_at: Option<DateTime<Utc>>,
}

impl Ran {
    /// What is known after a task ended, `before` being what was.
    pub fn after(
        before: Option<&Self>,
        cluster: &str,
        ended: &Ended,
        at: DateTime<Utc>,
        took: (f64, u8),
    ) -> Self {
        let done = ended.is_done();
        Self {
            cluster: cluster.into(),
            task: ended.task.clone(),
            at,
            seconds: took.0,
            exit_code: took.1,
            problems: ended.problems.iter().filter(|problem| !problem.is_taken_over).count(),
            done_at: if done { Some(at) } else { before.and_then(|b| b.done_at) },
            failed_at: if done { before.and_then(|b| b.failed_at) } else { Some(at) },
        }
    }
}

/// A look of `netdr watch` takes its time, and one that failed is tried again within this.
const LATE: TimeDelta = TimeDelta::seconds(300);

/// What `netdr watch` last did with a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Which.
    pub cluster: String,
    /// Whether somebody is at its terminal, and sees how it does.
    pub attended: bool,
    /// When it last looked, whatever came of it.
    pub looked_at: DateTime<Utc>,
    /// By when it looks again, whatever changes; one that is dead does not.
    pub due_at: DateTime<Utc>,
    /// As of when all that it watches could be read and is in snapshots.
    pub saved_at: Option<DateTime<Utc>>,
    /// When it last took a snapshot.
    pub taken_at: Option<DateTime<Utc>>,
}

impl Watched {
    /// Whether it still saves all that it watches: an objective of no loss is believed for so long.
    pub fn saves(&self, now: DateTime<Utc>) -> bool {
        let every = self.due_at - self.looked_at;
        self.saved_at.is_some_and(|at| now - at <= every * 2 + LATE)
    }

    /// Whether it still looks.
    pub fn looks(&self, now: DateTime<Utc>) -> bool {
        now - self.due_at <= LATE
    }
}

/// What is kept below `status/` of a repository: one file each, so that two jobs of one night do not write one.
#[derive(Debug)]
pub struct Records<'a> {
    status: Status,
    cluster: &'a str,
}

impl<'a> Records<'a> {
    /// Those of a cluster.
    pub fn of(repository: &Repository, cluster: &'a str) -> Self {
        Self::below(repository.status(), cluster)
    }

    /// Those of a cluster, where only they may be seen.
    pub fn below(status: Status, cluster: &'a str) -> Self {
        Self { status, cluster }
    }

    /// All of a kind, by their names. One that does not read is as good as absent: it is written anew by the next task.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn read<T: for<'de> Deserialize<'de>>(&self, kind: &str) -> Result<BTreeMap<String, T>> {
        let ours = |text: &str| {
            let value: serde_json::Value = serde_json::from_str(text).ok()?;
            (value["cluster"] == self.cluster).then(|| serde_json::from_value(value).ok())?
        };
        let all = self.status.read(&format!("{kind}-"))?.into_iter();
        Ok(all.filter_map(|(name, text)| Some((name, ours(&text)?))).collect())
    }

    /// Keeps one, in place of the one of the same `subject`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, kind: &str, subject: &str, record: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(record)
            .map_err(|e| Error::failed("a record cannot be written as JSON").because(e))?;
        self.status.put(&self.name(kind, subject), &(text + "\n"))
    }

    /// Lets one go.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, kind: &str, subject: &str) -> Result<()> {
        self.status.remove(&self.name(kind, subject))
    }

    /// A file's name that nothing but its own cluster, kind and subject has, whatever they are called.
    fn name(&self, kind: &str, subject: &str) -> String {
        let word: String =
            subject.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
        let hash = Sha256::digest(format!("{}\0{subject}", self.cluster));
        format!("{kind}-{word}-{}.json", &hex(&hash)[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(event: Option<Event>) -> Ended {
        let problems = event.into_iter().map(|event| Problem::new(event, vec![], vec![])).collect();
        Ended { task: "backup network".into(), problems }
    }

    #[test]
    fn when_it_was_last_done_outlives_the_failures_after_it() {
        let at = |s: i64| DateTime::from_timestamp(1_800_000_000 + s, 0).unwrap();
        let first = Ran::after(None, "c", &ended(None), at(0), (1.0, 0));
        let second = Ran::after(Some(&first), "c", &ended(Some(Event::Failed)), at(1), (1.0, 1));
        assert_eq!((second.done_at, second.failed_at, second.exit_code), (Some(at(0)), Some(at(1)), 1));
        let third = Ran::after(Some(&second), "c", &ended(Some(Event::Drift)), at(2), (1.0, 4));
        assert_eq!((third.done_at, third.failed_at), (Some(at(2)), Some(at(1))), "a finding is no failure");
    }

    #[test]
    fn a_watch_is_believed_until_its_next_look_is_late_and_only_of_what_it_saved() {
        let at = |s: i64| DateTime::from_timestamp(1_800_000_000 + s, 0).unwrap();
        let saved = |saved_at| Watched {
            cluster: "c".into(),
            attended: false,
            looked_at: at(600),
            due_at: at(1200),
            saved_at,
            taken_at: None,
        };
        let whole = saved(Some(at(0)));
        assert!(whole.saves(at(1500)) && !whole.saves(at(1501)));
        assert!(whole.looks(at(1500)) && !whole.looks(at(1501)));
        assert!(!saved(None).saves(at(600)), "it looked, and could not read or save something");
    }

    #[test]
    fn records_are_of_one_cluster_and_survive_what_does_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(&folder.path().join("r"), 7).unwrap();
        let ran = |cluster: &str| Ran::after(None, cluster, &ended(None), DateTime::UNIX_EPOCH, (1.0, 0));
        for cluster in ["a/b", "a b"] {
            Records::of(&repository, cluster).keep("ran", "backup network", &ran(cluster)).unwrap();
        }
        repository.status().put("ran-broken.json", "{\"cluster\":\"a/b\"").unwrap();
        let records = Records::of(&repository, "a/b");
        let read: Vec<Ran> = records.read("ran").unwrap().into_values().collect();
        assert_eq!(read, [ran("a/b")]);
        assert!(records.read::<Ran>("told").unwrap().is_empty());
        records.remove("ran", "backup network").unwrap();
        records.remove("ran", "backup network").unwrap();
        assert!(records.read::<Ran>("ran").unwrap().is_empty());
        let other = Records::of(&repository, "a b");
        assert_eq!(other.read::<Ran>("ran").unwrap().len(), 1, "another cluster's is another matter");
    }
}

//! The journal of a run: `runs/<run>/journal.jsonl`, one JSON line an event.
//!
//! In: what is about to be done, and what came of it. Out: lines that survive a power cut, and a reader for them.
//! Invariant: an intent is on disk before its act begins. Many intents share one sync, because one sync an act would
//! be the slowest part of a restore; outcomes are written at once and synced with the end of their batch. Only
//! names, verbs, digests and outcomes are in it, never content.

mod needed;
mod past;
mod read;

pub use needed::needed;
pub use past::Past;
pub use read::{RunSummary, list, read, unfinished};

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    gitops::Wanted,
    model::{ClusterIdentity, Component, ItemKey, RunId, SourceName},
    plan::{Isolation, Verb},
    repository::regular,
};

/// The journal format this netdr writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// The journal's name in the folder of its run.
const FILE: &str = "journal.jsonl";

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Entry {
    /// The run begins: what was decided.
    Begun {
        /// Format of the journal; 1 where it is not said. A reader refuses a newer one by name.
        #[serde(default = "first_format")]
        format: u32,
        /// Its id.
        run: String,
        /// The plan's name.
        scenario: String,
        /// Digest of the resolved plan.
        plan: String,
        /// Where the wanted state comes from.
        source: Vec<SourceName>,
        /// Which cluster is restored.
        cluster: ClusterIdentity,
        /// Who runs it.
        operator: String,
        /// How it was asked for, so that it can be resumed; none of an undo, nor in journals of netdr 0.1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Box<Asked>>,
        /// The run that this one undoes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<RunId>,
    },
    /// The run, which had not ended, goes on in another process.
    Resumed {
        /// Digest of what is left to do.
        plan: String,
        /// Who resumed it.
        operator: String,
        /// Which cluster answers now; none where none does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<ClusterIdentity>,
    },
    /// The API server, which did not answer when the run began, does: the rest was resolved.
    Reached {
        /// Which cluster it is of.
        cluster: ClusterIdentity,
        /// Digest of the rest.
        plan: String,
    },
    /// What the run will overwrite is sealed in this file beside the journal; undo trusts this digest.
    Safety {
        /// Its name.
        file: String,
        /// sha256 of the sealed bytes, in hex.
        sha256: String,
        /// How many items it holds.
        items: u64,
    },
    /// An act is about to happen.
    Intent {
        /// The step's id.
        step: String,
        /// Which object.
        key: ItemKey,
        /// Its component; none in journals of netdr 0.1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        component: Option<Component>,
        /// What is to be done.
        verb: Verb,
        /// sha256 of the live content that the plan saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        live: Option<String>,
        /// sha256 of the wanted content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wanted: Option<String>,
        /// Of a scaling: how many replicas there were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replicas: Option<u32>,
    },
    /// What became of an act.
    Outcome {
        /// The step's id.
        step: String,
        /// Which object.
        key: ItemKey,
        /// What was to be done.
        verb: Verb,
        /// `done`, `unchanged`, `changed-since-planned`, `failed`.
        outcome: String,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A program is about to be run.
    Run {
        /// The step's id.
        step: String,
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A program ended.
    Exited {
        /// The step's id.
        step: String,
        /// Its exit status; none where it was stopped at its deadline or a signal ended it.
        status: Option<i32>,
        /// How much it wrote.
        bytes: u64,
        /// Where that is sealed, beside the journal.
        file: String,
        /// sha256 of the sealed bytes, in hex.
        sha256: String,
    },
    /// A step ended.
    Step {
        /// Its id.
        step: String,
        /// The plan's word for what it does: of some there is no undo.
        #[serde(default)]
        action: String,
        /// `done`, `nothing to do`, `not probed`, `partial`, `failed`, `skipped`, `interrupted`.
        outcome: String,
        /// Wall time.
        seconds: f64,
        /// What failed in it, with why.
        failures: Vec<String>,
    },
    /// The run ended.
    Ended {
        /// The report's outcome.
        outcome: String,
        /// Items that still differ.
        differences_left: u64,
        /// Steps that no API server let anybody look at.
        #[serde(default, skip_serializing_if = "is_none_left")]
        not_begun: u64,
    },
}

const fn is_none_left(count: &u64) -> bool {
    *count == 0
}

const fn first_format() -> u32 {
    1
}

/// What was asked of a restore, beyond what its journal says anyway: another process resolves from it afresh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The authored plan, as it stood in its file.
    pub plan: String,
    /// How it was named: `--scenario NAME`, `--plan FILE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_flag: Option<String>,
    /// When the incident began.
    pub incident_start: DateTime<Utc>,
    /// `--from-cluster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_cluster: Option<String>,
    /// `--keep-extras`.
    #[serde(default)]
    pub keep_extras: bool,
    /// `--policy-order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// `--allow-run`.
    #[serde(default)]
    pub allow_run: bool,
    /// `--from git`: which places of it, and whose word is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<Wanted>,
}

/// A line: when, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A journal that is being written.
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Begins `folder/journal.jsonl`; makes the folder where it is missing.
    ///
    /// # Errors
    /// When there is one already, or the folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().append(true).create_new(true).open(&path))
            .map_err(|e| {
                Error::failed(format!("cannot begin the journal {}", path.display())).because(e).hint(
                    "nothing was changed; free the disk or choose another place with --state-dir DIR, then run again",
                )
            })?;
        // The names must survive a power cut as well as the lines.
        for folder in folder.ancestors().take(2) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| {
                Error::failed(format!("cannot sync the folder of {}", path.display())).because(e)
            })?;
        }
        Ok(Self { file, path })
    }

    /// Goes on writing the journal of a run that did not end; a line that a crash cut off is taken away.
    ///
    /// # Errors
    /// When there is none, or it cannot be written.
    pub fn reopen(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let whole = |text: Vec<u8>| text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let open = || {
            let file = OpenOptions::new().append(true).open(&path)?;
            let end = whole(regular::read(&path)?);
            file.set_len(u64::try_from(end).unwrap_or(u64::MAX))?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|e: std::io::Error| {
            Error::failed(format!("cannot go on with the journal {}", path.display())).because(e)
        })?;
        Ok(Self { file, path })
    }

    /// Appends entries with one write and one sync: they are durable when this returns.
    ///
    /// # Errors
    /// When they cannot be written; nothing may be done then.
    pub fn write(&self, at: DateTime<Utc>, entries: impl IntoIterator<Item = Entry>) -> Result<()> {
        self.note(at, entries)?;
        self.sync()
    }

    /// Appends entries that a crash of netdr leaves on disk and a power cut may take: outcomes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn note(&self, at: DateTime<Utc>, entries: impl IntoIterator<Item = Entry>) -> Result<()> {
        let mut text = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut text, &Line { at, entry })
                .map_err(|e| Error::failed("cannot write a line of the journal").because(e))?;
            text.push(b'\n');
        }
        (&self.file).write_all(&text).map_err(|e| self.failed(e))
    }

    /// Makes every line so far durable.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| self.failed(e))
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::failed(format!("cannot write the journal {}", self.path.display()))
            .because(cause)
            .hint("nothing is done that is not journalled: the run stopped here; free the disk")
    }
}

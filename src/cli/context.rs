//! What every verb gets: the flags, the terminal, the clock, and the settings when it asks for them.

use std::{path::Path, sync::OnceLock, time::Instant};

use chrono::{DateTime, Utc};
use rand::random;

use super::{
    access::{machine, surroundings},
    after::Tasks,
    global::Global,
    record::Record,
    settings::Settings,
    terminal::Terminal,
};
use crate::{
    Error, Result, host,
    model::{RunId, SnapshotId},
    plan::CommandLine,
    repository::passed,
    task::Problem,
};

pub(super) struct Context {
    pub(super) flags: Global,
    pub(super) terminal: Terminal,
    /// When the command began.
    pub(super) now: DateTime<Utc>,
    /// The same moment, to measure from: nobody sets this clock.
    pub(super) began: Instant,
    /// What the verb is about.
    pub(super) tasks: Tasks,
    /// What it did, for logs.
    pub(super) record: Record,
    /// Makes this run's id differ from another's of the same second.
    random: u32,
    settings: OnceLock<Settings>,
}

impl Context {
    /// Of a run that began then.
    pub(super) fn new(flags: Global, now: DateTime<Utc>, random: u32) -> Self {
        let terminal = Terminal::new(flags.json, flags.quiet, flags.verbose, flags.no_progress);
        let (tasks, record, settings) = (Tasks::default(), Record::default(), OnceLock::new());
        Self { flags, terminal, now, began: Instant::now(), tasks, record, random, settings }
    }

    /// The id of this run, as what it is of.
    pub(super) fn run(&self, what: &str) -> RunId {
        RunId::new(self.now, what, self.random)
    }

    /// The settings in force; verbs that need none never read a file.
    pub(super) fn settings(&self) -> Result<Settings> {
        let settings = match self.settings.get() {
            Some(settings) => settings,
            None => {
                let settings = Settings::load(&self.flags, &self.terminal)?;
                self.settings.get_or_init(|| settings)
            }
        };
        Ok(settings.clone())
    }

    /// The settings, where the verb asked for them.
    pub(super) fn loaded(&self) -> Option<Settings> {
        self.settings.get().cloned()
    }

    /// Says that the verb is about this task, as `backup network`: how it ends is remembered, and somebody may be told.
    pub(super) fn about(&self, task: impl Into<String>) {
        self.tasks.begun(task.into());
    }

    /// Says how a task ended, where it has an end of its own; else it ends as the verb does.
    pub(super) fn ended(&self, task: &str, problems: Vec<Problem>) {
        self.tasks.ended(task, problems);
    }

    /// What a command that is printed must repeat of this one; `state_dir` is the verb's own flag.
    pub(super) fn again(&self, state_dir: Option<&Path>) -> CommandLine {
        let line = self.flags.again(&surroundings());
        state_dir.into_iter().fold(line, |line, folder| line.with("--state-dir", folder))
    }

    /// Whether the host root is that of an RKE2 node.
    ///
    /// # Errors
    /// When a host root was named that is none: what is mistyped must not read as "no server".
    pub(super) fn server_node(&self) -> Result<bool> {
        let root = &self.flags.host_root;
        match host::is_configured(root)? {
            false if root != Path::new("/") => Err(self.no_server()),
            server => Ok(server),
        }
    }

    /// What a task calls this server: as its files name the node, also where they are damaged; else as this machine calls
    /// itself. A failure must have the name under which its end comes.
    pub(super) fn host(&self) -> String {
        host::likely_node(&self.flags.host_root).map_or_else(|_| machine().to_lowercase(), |node| node.name)
    }

    /// That the host root is no server's, and what to do.
    pub(super) fn no_server(&self) -> Error {
        let root = self.flags.host_root.display();
        Error::failed(format!("{root} is no RKE2 server's, so there are no files of one to read"))
            .why("its folder etc/rancher/rke2 is not there, or empty")
            .hint("run this on a server node, or name where its files are: --host-root DIR")
    }

    /// Says which newer snapshots `latest` did not take, and why.
    pub(super) fn passed_over(&self, snapshots: &[(SnapshotId, String)]) {
        for line in passed::lines(snapshots, false) {
            self.terminal.note(line);
        }
    }

    /// Makes ids differ.
    pub(super) fn random(&self) -> u32 {
        random()
    }
}

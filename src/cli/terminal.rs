//! The terminal: answers on stdout, everything else on stderr.
//!
//! In: what a verb has to say. Out: text, or with `--json` one document on stdout.
//! Invariant: no escape codes but the progress bars', which only a terminal gets; a reader that has gone away is
//! no error.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    exit::Exit,
    log::{self, Level, say},
    words::printable,
};
use crate::{Error, Result};

/// Warnings and errors that are remembered: nobody reads more in a notification.
const REMEMBERED: usize = 50;

pub(super) struct Terminal {
    /// Whether stdout is for a program.
    pub(super) json: bool,
    quiet: bool,
    verbose: bool,
    bars: bool,
    said: Mutex<Said>,
}

/// What was said that a person must know.
#[derive(Default)]
struct Said {
    troubles: Vec<Trouble>,
    warnings: u64,
    errors: u64,
}

/// A warning, or an error with its hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) next: Vec<String>,
}

impl Terminal {
    pub(super) fn new(json: bool, quiet: bool, verbose: bool, no_progress: bool) -> Self {
        let bars = !no_progress && !quiet && log::is_text() && io::stderr().is_terminal();
        Self { json, quiet, verbose, bars, said: Mutex::default() }
    }

    /// Prints what was done or found, once per command, as [`Terminal::answer`]; with `-q` its text only where not all is
    /// well.
    pub(super) fn report(
        &self,
        exit: Exit,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<()> {
        if self.quiet && !self.json && exit == Exit::Done { Ok(()) } else { self.answer(document, text) }
    }

    /// Prints what was asked for, once per command: the document or its text.
    pub(super) fn answer(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json {
            let json = serde_json::to_string_pretty(document)
                .map_err(|e| Error::failed("the answer cannot be written as JSON").because(e))?;
            format!("{json}\n")
        } else {
            printable(&text())
        };
        write(&text)
    }

    /// Prints one line of many, as it happens: the document in one line, or its text in one.
    pub(super) fn line(&self, document: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json {
            serde_json::to_string(document)
                .map_err(|e| Error::failed("a line cannot be written as JSON").because(e))?
        } else {
            printable(&text().replace('\n', " "))
        };
        write(&(text + "\n"))
    }

    /// Whether only what went wrong is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Shows what comes before the report, as [`Terminal::preview`]; nothing with `-q`.
    pub(super) fn show(&self, text: String) -> Result<()> {
        if self.quiet { Ok(()) } else { self.preview(text) }
    }

    /// Shows what a question is about: on stdout, or with `--json`, where that is the document's, on stderr.
    pub(super) fn preview(&self, text: String) -> Result<()> {
        if self.json {
            say(Level::Info, text.trim_end(), &[]);
            return Ok(());
        }
        self.answer(&(), || text)
    }

    /// Says something useful that is not the answer.
    pub(super) fn note(&self, text: impl AsRef<str>) {
        if !self.quiet {
            say(Level::Info, text.as_ref(), &[]);
        }
    }

    /// Says something only those who ask want to know.
    pub(super) fn detail(&self, text: impl AsRef<str>) {
        if self.verbose {
            say(Level::Debug, text.as_ref(), &[]);
        }
    }

    /// Says something a person must know, even with `-q`.
    pub(super) fn warn(&self, text: impl AsRef<str>) {
        self.warn_with(text, &[]);
    }

    /// A warning, and what to do.
    pub(super) fn warn_with(&self, text: impl AsRef<str>, hints: &[String]) {
        say(Level::Warning, text.as_ref(), hints);
        self.remember(Level::Warning, text.as_ref().to_owned(), hints);
    }

    /// Warns that something beside what was asked for failed: what, and the error's why and what to do.
    pub(super) fn warn_of(&self, what: impl Display, error: &Error) {
        self.warn_with(format!("{what}: {error}"), error.hints());
    }

    pub(super) fn error(&self, error: &Error) {
        self.error_with(error, &[]);
    }

    /// An error, and what more there is to do than it says itself.
    pub(super) fn error_with(&self, error: &Error, more: &[&str]) {
        let more = more.iter().map(|hint| (*hint).to_owned());
        let hints: Vec<String> = error.hints().iter().cloned().chain(more).collect();
        say(Level::Error, &error.to_string(), &hints);
        self.remember(Level::Error, error.to_string(), &hints);
    }

    /// Writes a line that only a program reads.
    pub(super) fn record(&self, message: &str, fields: Map<String, Value>) {
        if !self.quiet {
            log::record(message, fields);
        }
    }

    /// How many warnings and errors were said.
    pub(super) fn said(&self) -> (u64, u64) {
        let said = self.lock();
        (said.warnings, said.errors)
    }

    /// The warnings and errors that were said, the first ones first.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        self.lock().troubles.clone()
    }

    fn remember(&self, level: Level, what: String, next: &[String]) {
        let mut said = self.lock();
        *(if level == Level::Error { &mut said.errors } else { &mut said.warnings }) += 1;
        if said.troubles.len() < REMEMBERED {
            said.troubles.push(Trouble { what, next: next.to_vec() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how a phase ended, where the bar that showed it is gone; elsewhere its line stands already.
    pub(super) fn ended(&self, text: &str) {
        if self.bars {
            say(Level::Info, text, &[]);
        }
    }

    /// Says that something lasts, where there is no bar that shows it.
    pub(super) fn still(&self, text: &str) {
        if !self.bars {
            self.note(text);
        }
    }

    /// Something that takes time: a spinner on a terminal, else one line.
    pub(super) fn phase(&self, text: impl Into<String>) -> Phase {
        let text = text.into();
        if !self.bars {
            self.note(text);
            return Phase(ProgressBar::hidden());
        }
        let bar = ProgressBar::new_spinner().with_message(printable(&text));
        bar.enable_steady_tick(Duration::from_millis(100));
        Phase(bar)
    }
}

/// A phase under way; its bar goes when it is dropped.
pub(super) struct Phase(ProgressBar);

impl Phase {
    /// Turns the spinner into a bar of so many parts.
    pub(super) fn parts(&self, parts: u64) {
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}");
        self.0.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        self.0.set_length(parts);
    }

    /// What it waits for, where there is a bar to say it on.
    pub(super) fn waiting(&self, what: &str) {
        self.0.set_message(printable(what));
    }

    /// One part is done.
    pub(super) fn part(&self) {
        self.0.inc(1);
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed("stdout cannot be written").because(e))
        }
        _ => Ok(()),
    }
}

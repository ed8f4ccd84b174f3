//! Lines on stderr: as a person reads them, or one JSON object each (`--log-format`).
//!
//! In: a level and words. Out: a line. Invariant: a line of JSON says when, how grave, by which verb, in which run and of
//! what; neither kind has an escape code, whatever the words are.

use std::{
    io::{self, Write as _},
    sync::{Mutex, OnceLock, PoisonError},
};

use chrono::{SecondsFormat, Utc};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::words::printable;
use crate::model::RunId;

/// How lines on stderr are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    // No doc comments: clap would write every help in its long form for them.
    #[default]
    Text,
    Json,
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

/// The process's own: before it is set, lines are text.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    format: Format,
    verb: String,
    of: Mutex<Of>,
}

/// What lines are of.
#[derive(Default)]
struct Of {
    run: String,
    snapshot: Option<String>,
}

/// Says once how lines are written from here on, by which verb and in which run.
pub(super) fn begin(format: Format, verb: &str, run: &RunId) {
    let of = Mutex::new(Of { run: run.to_string(), snapshot: None });
    let _ = LOG.set(Log { format, verb: verb.into(), of }); // a second call is a test's
}

/// Names the run that the lines from here on are of: the one that `netdr runs` shows.
pub(super) fn run(id: &RunId) {
    of(|of| id.as_str().clone_into(&mut of.run));
}

/// Names the snapshot that the lines from here on are of, or that they are of none.
pub(super) fn snapshot(id: Option<&str>) {
    of(|of| of.snapshot = id.map(ToOwned::to_owned));
}

fn of(change: impl FnOnce(&mut Of)) {
    if let Some(log) = LOG.get() {
        change(&mut log.of.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Whether a person reads them.
pub(super) fn is_text() -> bool {
    LOG.get().is_none_or(|log| log.format == Format::Text)
}

/// Writes what only a program reads: a line with fields of its own.
pub(super) fn record(message: &str, fields: Map<String, Value>) {
    if let Some(log) = LOG.get().filter(|log| log.format == Format::Json) {
        let mut line = log.json(Level::Info, message, &[]);
        line.extend(fields);
        let _ = writeln!(io::stderr(), "{}", Value::Object(line)); // nobody is left to tell
    }
}

/// Writes a line; `hints` say what to do.
pub(super) fn say(level: Level, message: &str, hints: &[String]) {
    let line = match LOG.get() {
        Some(log) if log.format == Format::Json => Value::Object(log.json(level, message, hints)).to_string(),
        _ => printable(&text(level, message, hints)),
    };
    let _ = writeln!(io::stderr(), "{line}"); // nobody is left to tell
}

fn text(level: Level, message: &str, hints: &[String]) -> String {
    let prefix = match level {
        Level::Debug | Level::Info => "",
        Level::Warning => "warning: ",
        Level::Error => "error: ",
    };
    let hints: String = hints.iter().map(|hint| format!("\n  hint: {hint}")).collect();
    format!("{prefix}{message}{hints}")
}

impl Log {
    fn json(&self, level: Level, message: &str, hints: &[String]) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("time".into(), Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true).into());
        line.insert("level".into(), json!(level));
        line.insert("verb".into(), self.verb.as_str().into());
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        line.insert("run".into(), of.run.as_str().into());
        if let Some(id) = &of.snapshot {
            line.insert("snapshot".into(), id.as_str().into());
        }
        line.insert("message".into(), message.trim().into());
        if !hints.is_empty() {
            line.insert("hints".into(), json!(hints));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_says_when_how_grave_by_whom_and_of_what() {
        let of = Mutex::new(Of { run: "20261124T031500Z-traefik-5b21d0".into(), snapshot: None });
        let log = Log { format: Format::Json, verb: "restore".into(), of };
        let line = log.json(Level::Error, "\nstep \u{1b}[2J failed\n  because", &["look".into()]);
        assert_eq!(line["level"], "error");
        assert_eq!(
            (&line["verb"], &line["run"]),
            (&json!("restore"), &json!("20261124T031500Z-traefik-5b21d0"))
        );
        assert_eq!(line["hints"], json!(["look"]));
        assert!(line["time"].as_str().unwrap().parse::<chrono::DateTime<Utc>>().is_ok());
        let line = Value::Object(line).to_string();
        assert!(!line.contains(['\n', '\u{1b}']), "{line}");
    }

    #[test]
    fn a_person_reads_what_to_do_below_what_went_wrong() {
        assert_eq!(text(Level::Error, "no", &["a".into(), "b".into()]), "error: no\n  hint: a\n  hint: b");
        assert_eq!(text(Level::Info, "phase", &[]), "phase");
    }
}

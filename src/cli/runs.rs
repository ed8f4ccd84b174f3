//! `netdr runs`: the restores that were run, from their journals.

use std::{collections::BTreeSet, fs, path::PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    context::Context,
    exit::Exit,
    words::{count, left, table, time},
};
use crate::{
    Error, Result,
    model::RunId,
    plan::CommandLine,
    restore::{Entry, journal, journal::Line},
};

/// List the restores that were run, newest last
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Runs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Where `restore --state-dir` kept them [default: the repository]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Verb {
    Show(Show),
}

/// Show what one run did, act by act
#[derive(Args)]
struct Show {
    /// Which run
    run: RunId,
    /// Where `restore --state-dir` kept it [default: the repository]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Runs {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        match &self.verb {
            Some(Verb::Show(show)) => show.run(cx),
            None => self.list(cx),
        }
    }

    fn list(&self, cx: &Context) -> Result<Exit> {
        let (runs, unreadable) = journal::list(&folder(&self.state_dir, cx)?)?;
        for run in &unreadable {
            cx.terminal.warn(run);
        }
        cx.terminal.answer(&json!({"runs": runs, "unreadable": unreadable}), || {
            let row = |r: &journal::RunSummary| {
                vec![
                    r.run.to_string(),
                    r.scenario.clone(),
                    time(r.began),
                    match (&r.undone_by, &r.undoes) {
                        (Some(undo), _) => format!("{}, undone by {undo}", r.outcome),
                        (None, Some(of)) => format!("{}, of {of}", r.outcome),
                        (None, None) => r.outcome.clone(),
                    },
                    r.operator.clone(),
                    r.changed.to_string(),
                    r.failed.to_string(),
                ]
            };
            let head = ["run", "scenario", "began", "outcome", "operator", "changed", "failed"];
            table(&head, &runs.iter().map(row).collect::<Vec<_>>())
        })?;
        Ok(Exit::Damaged.when(!unreadable.is_empty()))
    }
}

impl Show {
    fn run(&self, cx: &Context) -> Result<Exit> {
        let folder = folder(&self.state_dir, cx)?.join(self.run.as_str());
        if !fs::exists(&folder).unwrap_or(false) {
            return Err(Error::usage(format!("there is no run at {}", folder.display()))
                .hint("list them with: netdr runs"));
        }
        let lines = journal::read(&folder)?;
        let document = json!({"run": self.run, "folder": folder, "journal": lines});
        cx.terminal.answer(&document, || {
            let mut text: String =
                lines.chunk_by(|a, b| skipped(a).is_some() && skipped(a) == skipped(b)).map(told).collect();
            if !lines.iter().any(|line| matches!(line.entry, Entry::Ended { .. })) {
                text += &open_ended(&self.run, &lines, &cx.again(self.state_dir.as_deref()));
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

fn folder(state_dir: &Option<PathBuf>, cx: &Context) -> Result<PathBuf> {
    let base = match state_dir {
        Some(state) => state.clone(),
        None => cx.settings()?.repository()?.root().to_owned(),
    };
    Ok(base.join("runs"))
}

/// What a journal without an end leaves open: acts that began, of which nobody knows whether they were done.
fn open_ended(run: &RunId, lines: &[Line], again: &CommandLine) -> String {
    let ended = lines.iter().filter_map(|line| match &line.entry {
        Entry::Outcome { step, key, verb, .. } => Some((step, key, verb)),
        _ => None,
    });
    let ended: BTreeSet<_> = ended.collect();
    let begun = lines.iter().filter_map(|line| match &line.entry {
        Entry::Intent { step, key, verb, .. } => Some((step, key, verb)),
        _ => None,
    });
    let unknown = begun.filter(|act| !ended.contains(act));
    let unknown: String =
        unknown.map(|(_, key, verb)| format!("  {} {key}: begun, may be done\n", verb.name())).collect();
    let on = match lines.first().map(|line| &line.entry) {
        Some(Entry::Begun { undoes: Some(undone), .. }) => again.again(&format!("undo {undone}")),
        _ => again.again(&format!("restore --resume {run}")),
    };
    format!("no end: it still runs, or was interrupted; go on with: {on}\n{unknown}")
}

/// Why a step was not tried, where none was: it has no other reason than the step that stopped the run.
fn skipped(line: &Line) -> Option<&[String]> {
    match &line.entry {
        Entry::Step { outcome, failures, .. } if outcome == "skipped" => Some(failures),
        _ => None,
    }
}

/// Steps that were skipped for one reason are one line, as any other entry is.
fn told(lines: &[Line]) -> String {
    let steps = lines.iter().filter_map(|line| match &line.entry {
        Entry::Step { step, .. } => Some(step.as_str()),
        _ => None,
    });
    let steps: Vec<&str> = steps.collect();
    match lines {
        [first, _, ..] => {
            let why = skipped(first).unwrap_or_default().join("; ");
            format!("{}  steps {} skipped: {why}\n", time(first.at), steps.join(", "))
        }
        lines => lines.iter().filter_map(said).collect(),
    }
}

/// An entry as a line; of intents, the outcome tells.
fn said(line: &Line) -> Option<String> {
    let text = match &line.entry {
        Entry::Begun { undoes: Some(undone), cluster, operator, .. } => {
            format!("begun: undo of {undone} on {} by {operator}", cluster.name)
        }
        Entry::Resumed { operator, .. } => format!("resumed by {operator}"),
        Entry::Begun { scenario, cluster, operator, source, .. } => {
            let source: Vec<String> = source.iter().map(ToString::to_string).collect();
            format!("begun: {scenario} on {} by {operator}, from {}", cluster.name, source.join(", "))
        }
        Entry::Reached { cluster, .. } => {
            format!("the API server of {} answers: the rest is resolved", cluster.name)
        }
        Entry::Safety { file, .. } if file.ends_with("index.jsonl.zst.age") => {
            format!("saved their index in {file}")
        }
        Entry::Safety { file, items, .. } => {
            format!("saved {} to be overwritten in {file}", count(*items, "item"))
        }
        Entry::Outcome { verb, key, outcome, why, .. } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!("  {} {key}: {outcome}{why}", verb.name())
        }
        Entry::Step { step, outcome, seconds, failures, .. } => {
            let failures: String = failures.iter().map(|f| format!("\n    {f}")).collect();
            format!("step {step} {outcome} after {seconds:.1} s{failures}")
        }
        Entry::Ended { outcome, differences_left, not_begun } => {
            format!("ended: {outcome}, {}", left(*differences_left, *not_begun))
        }
        Entry::Run { step, command } => format!("  run {step}: {}", command.join(" ")),
        Entry::Exited { step, status: Some(status), bytes, file, .. } => {
            format!("  run {step}: exit status {status}, {bytes} bytes of output sealed in {file}")
        }
        Entry::Exited { step, status: None, bytes, file, .. } => {
            format!("  run {step}: stopped, {bytes} bytes of output sealed in {file}")
        }
        Entry::Intent { .. } => return None,
    };
    Some(format!("{}  {text}\n", time(line.at)))
}

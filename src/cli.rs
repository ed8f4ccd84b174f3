//! The command line: arguments → library calls in order → output.
//!
//! In: the process's arguments, environment and terminal. Out: an exit code.
//! Invariant: the only module that touches terminal, environment and clock; nothing is set up before a verb needs it.

mod access;
mod after;
mod against;
mod backup;
mod check;
mod choice;
mod compare;
mod completions;
mod context;
mod course;
mod demo;
mod diff;
mod doctor;
mod drift;
mod drill;
mod exit;
mod extract;
mod fetch;
mod git;
mod global;
mod guard;
mod history;
mod init;
mod interrupt;
mod keys;
mod log;
mod man;
mod metrics;
mod notify;
mod places;
mod plan;
mod plans;
mod probe;
mod prompt;
mod prune;
mod record;
mod replicate;
mod restore;
mod runs;
mod schedule;
mod settings;
mod show;
mod snapshots;
mod terminal;
mod thaw;
mod undo;
mod verify;
mod watch;
mod words;

use std::{ffi::OsStr, process::ExitCode, sync::Arc, time::Instant};

use chrono::Utc;
use clap::{
    ArgMatches, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _,
    error::{ContextKind, ContextValue, ErrorKind},
};
use rand::random;
use serde_json::json;

use crate::{Error, Kind, Result, model::RunId};
use context::Context;
use exit::Exit;
use global::{Global, LOG_FORMAT};
use log::Format;
use terminal::Terminal;

/// Back up, restore and prove the networking state of an RKE2 cluster.
#[derive(Parser)]
#[command(
    name = "netdr",
    version,
    max_term_width = 110,
    after_help = FIRST_STEPS,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const FIRST_STEPS: &str = "\
First steps:
  netdr init --repo /backup/netdr --generate-keys /etc/netdr   make keys, repository and netdr.yaml
  netdr backup                                                 take the first snapshots
  netdr snapshots                                              see them
  netdr restore --scenario network-policies --dry-run          see what a restore would do

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 done in part, 4 differences found,
5 damaged or untrusted data, 6 recovered but over an objective,
7 waiting for the archive, 8 a check is not ok, 130 interrupted.";

#[derive(Subcommand)]
enum Verb {
    #[command(subcommand)]
    Keys(keys::Keys),
    Init(init::Init),
    Backup(backup::Backup),
    Snapshots(snapshots::Snapshots),
    Show(show::Show),
    Extract(extract::Extract),
    Verify(verify::Verify),
    Diff(diff::Diff),
    Drift(drift::Drift),
    Check(check::Checks),
    Doctor(doctor::Doctor),
    Watch(watch::Watch),
    Restore(restore::Restore),
    Undo(undo::Undo),
    Prune(prune::Prune),
    Replicate(replicate::Replicate),
    Fetch(fetch::Fetch),
    Thaw(thaw::Thaw),
    Metrics(metrics::Metrics),
    Notify(notify::Notify),
    Runs(runs::Runs),
    Drill(drill::Drill),
    #[command(subcommand)]
    Plan(plan::Plan),
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    Demo(demo::Demo),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(subcommand, hide = true)]
    Probe(probe::Probe),
}

/// The definition of the command line, for whoever checks whether words are understood without running them.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn main() -> ExitCode {
    // A variable without a value counts as one that is not set.
    let parsed = heeding(Cli::command(), &|value| !value.is_empty()).try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut Cli::command()))?;
        Ok((cli, verb(&matches)))
    });
    let (cli, verb) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => return refuse(e),
    };
    let (began, now, random) = (Instant::now(), Utc::now(), random());
    let context = Arc::new(Context::new(cli.global, now, random));
    log::begin(context.flags.log_format, &verb, &context.run(&verb.replace(' ', "-")));
    let stopped = Arc::clone(&context);
    interrupt::catch(move || {
        let tasks = after::tasks(&stopped, &Err(Error::new(Kind::Interrupted, "interrupted")));
        record::ended(&stopped, Exit::Interrupted, &tasks, began);
    });
    record::begins(&context);
    let result = cli.verb.run(&context);
    let exit = result.as_ref().map_or_else(|e| report(&context.terminal, e), |exit| *exit);
    let tasks = after::tasks(&context, &result);
    after::verb(&context, &result);
    record::ended(&context, exit, &tasks, began);
    exit.into()
}

impl Verb {
    fn run(&self, cx: &Context) -> Result<Exit> {
        match self {
            Self::Keys(verb) => verb.run(cx),
            Self::Init(verb) => verb.run(cx),
            Self::Backup(verb) => verb.run(cx),
            Self::Snapshots(verb) => verb.run(cx),
            Self::Show(verb) => verb.run(cx),
            Self::Extract(verb) => verb.run(cx),
            Self::Verify(verb) => verb.run(cx),
            Self::Diff(verb) => verb.run(cx),
            Self::Drift(verb) => verb.run(cx),
            Self::Check(verb) => verb.run(cx),
            Self::Doctor(verb) => verb.run(cx),
            Self::Watch(verb) => verb.run(cx),
            Self::Restore(verb) => verb.run(cx),
            Self::Undo(verb) => verb.run(cx),
            Self::Prune(verb) => verb.run(cx),
            Self::Replicate(verb) => verb.run(cx),
            Self::Fetch(verb) => verb.run(cx),
            Self::Thaw(verb) => verb.run(cx),
            Self::Metrics(verb) => verb.run(cx),
            Self::Notify(verb) => verb.run(cx),
            Self::Runs(verb) => verb.run(cx),
            Self::Drill(verb) => verb.run(cx),
            Self::Plan(verb) => verb.run(cx),
            Self::Schedule(verb) => verb.run(cx),
            Self::Demo(verb) => verb.run(cx),
            Self::Completions(verb) => verb.run(cx, Cli::command()),
            Self::Man(verb) => verb.run(cx, Cli::command()),
            Self::Probe(verb) => verb.run(cx),
        }
    }
}

/// A command line that takes those variables of the environment alone whose value `heeded` accepts.
fn heeding(command: Command, heeded: &dyn Fn(&OsStr) -> bool) -> Command {
    let command = command.mut_args(|arg| match arg.get_env().and_then(std::env::var_os) {
        Some(value) if !heeded(&value) => arg.env(None::<&'static str>),
        _ => arg,
    });
    command.mut_subcommands(|verb| heeding(verb, heeded))
}

/// The words of a verb, as `keys rotate`.
fn verb(matches: &ArgMatches) -> String {
    match matches.subcommand() {
        Some((word, below)) => format!("{word} {}", verb(below)).trim_end().to_owned(),
        None => String::new(),
    }
}

/// What clap refuses is a usage error; help and version are answers.
fn refuse(error: clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print(); // a closed pipe leaves nobody to tell
        return Exit::Done.into();
    }
    // What is wrong without any variable, too, is said without them: clap's usage names the flags that they stand for.
    let typed = heeding(Cli::command(), &|_| false).try_get_matches().err();
    let mut error = typed.filter(|typed| typed.kind() == error.kind()).unwrap_or(error);
    let text = error.render().to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let advice = advice(&error);
    if !advice.is_empty() {
        let tips = advice.iter().map(|tip| tip.clone().into()).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let near =
        near.into_iter().filter_map(|kind| error.get(kind)).map(|near| format!("did you mean {near}?"));
    let valid = error.get(ContextKind::ValidValue).map(|valid| format!("there are: {valid}"));
    let hints = near.chain(valid).chain(advice).chain(["see netdr --help".into()]);
    let refused = hints.fold(Error::usage(message), Error::hint);
    log::begin(asked_format(), "", &RunId::new(Utc::now(), "refused", random()));
    let terminal = Terminal::new(std::env::args_os().any(|a| a == "--json"), false, false, true);
    if log::is_text() {
        let _ = error.print();
    } else {
        terminal.error(&refused);
    }
    document(&terminal, &refused);
    Exit::Usage.into()
}

/// What clap has no words for: the hints of whoever read a value, and what `check` is asked about.
fn advice(error: &clap::Error) -> Vec<String> {
    let of_value = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Error>());
    if let Some(refused) = of_value {
        return refused.hints().to_vec();
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return Vec::new();
    };
    let command = Cli::command();
    // Verbs are many, and `netdr --help` has them.
    let verb = std::env::args_os()
        .skip(1)
        .take_while(|arg| **arg != **word)
        .find_map(|arg| command.find_subcommand(arg));
    let names = |verb: &clap::Command| {
        verb.get_subcommands().map(clap::Command::get_name).collect::<Vec<_>>().join(", ")
    };
    verb.map(|verb| format!("there are: {}", names(verb))).into_iter().collect()
}

/// The `--log-format` of a command line that clap does not read.
fn asked_format() -> Format {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let after = |flag: &String| args.iter().skip_while(|arg| *arg != flag).nth(1).cloned();
    let flag = args.iter().find(|arg| arg.starts_with("--log-format"));
    let value =
        flag.and_then(|flag| flag.split_once('=').map(|(_, value)| value.to_owned()).or_else(|| after(flag)));
    let value = value.or_else(|| std::env::var(LOG_FORMAT).ok()).unwrap_or_default();
    Format::from_str(&value, false).unwrap_or_default()
}

/// Says on stderr what failed and what to do; with `--json` also as the one document on stdout.
fn report(terminal: &Terminal, error: &Error) -> Exit {
    terminal.error(error);
    document(terminal, error);
    Exit::of(error)
}

fn document(terminal: &Terminal, error: &Error) {
    if terminal.json {
        let document = json!({"error": {
            "message": error.to_string(), "hints": error.hints(), "exit_code": Exit::of(error).code(),
        }});
        // In one line, for whoever reads lines; it has been said on stderr.
        let _ = terminal.line(&document, String::new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

//! The command line: arguments → library calls in order → output.
//!
//! In: the process's arguments, environment and terminal. Out: an exit code.
//! Invariant: the only module that touches terminal, environment and clock; nothing is set up before a verb needs it.

mod access;
mod against;
mod backup;
mod check;
mod compare;
mod completions;
mod context;
mod course;
mod demo;
mod diff;
mod doctor;
mod drift;
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
mod man;
mod places;
mod plan;
mod plans;
mod probe;
mod prompt;
mod prune;
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

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, error::ErrorKind};
use serde_json::json;

use crate::{Error, Result};
use context::Context;
use exit::Exit;
use global::Global;
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
    Runs(runs::Runs),
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

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return refuse(&e),
    };
    let context = Context::new(cli.global);
    let exit = cli.verb.run(&context).unwrap_or_else(|e| report(&context.terminal, &e));
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
            Self::Runs(verb) => verb.run(cx),
            Self::Plan(verb) => verb.run(cx),
            Self::Schedule(verb) => verb.run(cx),
            Self::Demo(verb) => verb.run(cx),
            Self::Completions(verb) => verb.run(cx, Cli::command()),
            Self::Man(verb) => verb.run(cx, Cli::command()),
            Self::Probe(verb) => verb.run(cx),
        }
    }
}

/// What clap refuses is a usage error; help and version are answers.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print(); // a closed pipe leaves nobody to tell
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Exit::Done.into();
    }
    let terminal = Terminal::new(std::env::args_os().any(|a| a == "--json"), false, false, true);
    let text = error.render().to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    document(&terminal, &Error::usage(message).hint("see netdr --help"));
    Exit::Usage.into()
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
        let _ = terminal.answer(&document, String::new); // it has been said on stderr
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

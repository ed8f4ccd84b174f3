//! What a restore and an undo have in common: the plan is shown, somebody says yes, it is done, proved and reported.

pub(super) mod outcome;
mod preview;
pub(super) mod progress;

use std::{
    cell::Cell,
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::Utc;
use clap::Args;

use super::{access::machine, context::Context, exit::Exit, interrupt, log, prompt};
use crate::{
    Error, Kind, Result,
    cluster::Cluster,
    model::RunId,
    plan::CommandLine,
    report::RecoveryReport,
    repository::Repository,
    restore::{Past, Prepared, Running, run},
    seal::Recipients,
};
use progress::Progress;

/// Acts in flight: enough to keep an API server busy, few enough for its fairness queues.
const PARALLEL: usize = 32;
/// Pause between two looks at a gate.
const POLL: Duration = Duration::from_millis(250);

/// How far it goes, and where it leaves what.
#[derive(Args)]
pub(super) struct Course {
    /// Show the plan and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Refuse any plan but the one with this digest, as --dry-run showed it; where the API server is down that is the
    /// plan of this node's files, and after them the run stops until --resume
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    pub(super) yes: bool,
    /// Write the report into this folder, too
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Keep journal, safety snapshot and report here, where the repository is read-only [default: the repository]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

/// A course under way.
pub(super) struct Going<'a> {
    course: &'a Course,
    cx: &'a Context,
    begun: &'a Cell<bool>,
    /// How a run that broke off goes on.
    advice: &'a str,
}

impl Course {
    /// Whether somebody can be asked, where that is needed.
    pub(super) fn may_ask(&self, verb: &str) -> Result<()> {
        if self.dry_run || self.yes || prompt::somebody() {
            return Ok(());
        }
        Err(Error::usage(format!("{verb} asks before it changes anything, and there is no terminal"))
            .hint("see what it would do with --dry-run, then pass --yes (and --expect DIGEST)"))
    }

    /// What a command that is printed must repeat.
    pub(super) fn again(&self, cx: &Context) -> CommandLine {
        cx.again(self.state_dir.as_deref())
    }

    /// The folder of a run.
    pub(super) fn folder(&self, repository: &Repository, run: &RunId) -> PathBuf {
        match &self.state_dir {
            None => repository.run_folder(run),
            Some(state) => state.join("runs").join(run.as_str()),
        }
    }

    /// Does the work, and says after Ctrl-C or a failure in its midst how it goes on: `go_on` are netdr's words.
    pub(super) fn run(
        &self,
        cx: &Context,
        run: &RunId,
        go_on: &str,
        work: impl AsyncFnOnce(Going<'_>) -> Result<Exit>,
    ) -> Result<Exit> {
        let begun = Cell::new(false);
        let line = self.again(cx);
        let (see, go_on) = (line.again(&format!("runs show {run}")), line.again(go_on));
        let advice = format!("what is done stays done; see it with: {see}; go on with: {go_on}");
        let told = || if begun.get() { advice.clone() } else { "nothing was changed".into() };
        interrupt::run(&told, work(Going { course: self, cx, begun: &begun, advice: &advice }))
    }
}

impl Going<'_> {
    /// From the plan to the report.
    pub(super) async fn on(
        self,
        prepared: Prepared<'_>,
        cluster: &Cluster,
        repository: &Repository,
        recipients: &Recipients,
    ) -> Result<Exit> {
        let Self { course, cx, begun, advice } = self;
        let digest = prepared.plan.digest();
        if course.expect.as_ref().is_some_and(|expected| *expected != digest) {
            return Err(Error::usage(format!("the plan is not the one expected: its digest is {digest}"))
                .hint(
                    "something changed since, or other options are given than with --dry-run (--allow-run, \
                     --keep-extras, …), or the digest is mistyped; look again with --dry-run",
                ));
        }
        let broken = prepared.plan.issuance.broken();
        if let Some(limit) =
            broken.first().filter(|_| course.yes && !course.dry_run && course.expect.is_none())
        {
            return Err(Error::usage(format!("the plan would break a limit: {limit}")).hint(
                "look at it with --dry-run; to do it all the same, pass --expect DIGEST beside --yes",
            ));
        }
        if course.dry_run {
            cx.terminal.answer(&prepared.plan.to_json(), || preview::text(&prepared, cluster, cx))?;
            return Ok(Exit::Done);
        }
        course.show(&prepared, cluster, cx)?;
        prepared.may_write()?;
        let asked = Instant::now();
        if !course.yes && !prepared.plan.is_empty() && !prompt::yes(&preview::question(&prepared, cx))? {
            return Err(Error::new(Kind::Interrupted, "declined; nothing was changed"));
        }
        begun.set(true);
        log::run(prepared.run());
        cx.about(match prepared.undoes() {
            Some(_) => "undo".to_owned(),
            None => format!("restore {}", prepared.plan.plan.name),
        });
        let folder = course.folder(repository, prepared.run());
        let report = course.recover(cx, cluster, &folder, recipients, prepared, asked.elapsed()).await;
        let report = report.map_err(|error| match Past::read(&folder) {
            Ok(_) => error.hint(advice),
            Err(_) => error, // it never began
        })?;
        let base = course.state_dir.clone().unwrap_or_else(|| repository.root().to_owned());
        let folders = [Some(base.join("reports")), course.report.clone()];
        let written = outcome::write(&report, folders.into_iter().flatten(), cx);
        let exit = exit(&report);
        outcome::answer(exit, &report, &written, &folder, cx)?;
        Ok(exit)
    }
}

impl Course {
    /// Shows what would be done; `-q` leaves it out only where nobody is asked about it.
    fn show(&self, prepared: &Prepared<'_>, cluster: &Cluster, cx: &Context) -> Result<()> {
        let shown = preview::text(prepared, cluster, cx);
        if self.yes { cx.terminal.show(shown) } else { cx.terminal.preview(shown) }
    }

    async fn recover(
        &self,
        cx: &Context,
        cluster: &Cluster,
        folder: &Path,
        recipients: &Recipients,
        prepared: Prepared<'_>,
        confirmed: Duration,
    ) -> Result<RecoveryReport> {
        let progress = Progress::new(&cx.terminal);
        let confirm = |question: &str| {
            progress.pause();
            if self.yes { Ok(true) } else { prompt::yes(question) }
        };
        // A digest that was expected is that of the first part; of the rest nobody can have expected one. Nor has
        // anybody who is not asked agreed to break a limit.
        let proceed = |rest: &Prepared<'_>| {
            progress.pause();
            self.show(rest, cluster, cx)?;
            match (&self.expect, self.yes) {
                (Some(_), _) => Ok(false),
                (None, true) => Ok(rest.plan.issuance.broken().is_empty()),
                (None, false) => Ok(rest.plan.is_empty() || prompt::yes(&preview::question(rest, cx))?),
            }
        };
        let running = Running {
            folder,
            recipients,
            operator: &operator(),
            began: cx.began,
            confirm_s: confirmed.as_secs_f64(),
            clock: Utc::now,
            held: None,
            event: &|event| progress.event(&event),
            confirm: &confirm,
            proceed: &proceed,
            parallel: PARALLEL,
            poll: POLL,
        };
        let report = progress.beside(run(prepared, &running)).await;
        progress.pause();
        report
    }
}

fn exit(report: &RecoveryReport) -> Exit {
    match report.outcome {
        "nothing-to-do" | "undone" => Exit::Done,
        "recovered" => Exit::Late.when(!report.rto_met || report.rpo_met == Some(false)),
        "partial" => Exit::Partial,
        "interrupted" => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

/// Who runs it, for journal, report and Lease: the person behind sudo where there is one, and the machine.
pub(super) fn operator() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|v| env::var(v).ok());
    let person = named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{person}@{}", machine())
}

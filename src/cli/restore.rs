//! `netdr restore`: shows what would be done, asks, does it, proves it, reports.

mod outcome;
mod preview;
mod progress;

use std::{
    cell::Cell,
    env, fs,
    path::PathBuf,
    str::FromStr,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Args, ValueEnum};

use super::{context::Context, exit::Exit, interrupt, plans, prompt, settings::Settings, words::age};
use crate::{
    Error, Kind, Result,
    cluster::Cluster,
    model::{RunId, SnapshotId},
    plan::Isolation,
    report::RecoveryReport,
    repository::Repository,
    restore::{Prepared, Request, Running, prepare, run},
    seal::Recipients,
};
use progress::Progress;

/// Acts in flight: enough to keep an API server busy, few enough for its fairness queues.
const PARALLEL: usize = 32;
/// Pause between two looks at a gate.
const POLL: Duration = Duration::from_millis(250);
/// Twice the schedule of a daily backup: with `--yes` nobody sees the age of what is older.
const STALE: TimeDelta = TimeDelta::hours(48);

/// Restore a scenario's part of the networking state
#[derive(Args)]
#[command(
    group(ArgGroup::new("what").required(true).args(["scenario", "plan"])),
    after_help = "Shows the plan with its diff and asks before it changes anything. What it overwrites is saved first."
)]
pub(super) struct Restore {
    /// Restore by this scenario's plan; see netdr plan list
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Restore by this plan
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Restore from this snapshot; repeatable, one per set [default: latest, captured before the incident]
    #[arg(long, value_name = "ID|latest")]
    snapshot: Vec<Source>,
    /// Show the plan and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Refuse any plan but the one with this digest, as --dry-run showed it
    #[arg(long, value_name = "DIGEST")]
    expect: Option<String>,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Measure from when the incident began, as 2026-11-24T03:15:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    incident_start: Option<DateTime<Utc>>,
    /// Accept snapshots of this other cluster
    #[arg(long, value_name = "NAME")]
    from_cluster: Option<String>,
    /// Leave objects that the snapshot lacks, even where the plan deletes them
    #[arg(long)]
    keep_extras: bool,
    /// How policies come back: fail-closed cuts some traffic for a moment and opens none, guarded cuts none and
    /// opens all for a moment [default: the plan's]
    #[arg(long, value_name = "ORDER")]
    policy_order: Option<PolicyOrder>,
    /// Write the report into this folder, too
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Keep journal, safety snapshot and report here, where the repository is read-only [default: the repository]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Clone, Debug)]
enum Source {
    Latest,
    Snapshot(SnapshotId),
}

impl FromStr for Source {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        if s == "latest" { Ok(Self::Latest) } else { s.parse().map(Self::Snapshot) }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyOrder {
    FailClosed,
    Guarded,
}

impl Restore {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        if !self.dry_run && !self.yes && !prompt::somebody() {
            return Err(Error::usage("restore asks before it changes anything, and there is no terminal")
                .hint("see what it would do with --dry-run, then pass --yes (and --expect DIGEST)"));
        }
        let incident_start = self.incident_start.unwrap_or(cx.now);
        if incident_start > cx.now {
            return Err(Error::usage(format!("--incident-start {incident_start} is in the future")));
        }
        let settings = cx.settings()?;
        let authored = match (&self.plan, &self.scenario) {
            (Some(file), _) => plans::read(file)?,
            (None, name) => plans::find(&settings, name.as_deref().unwrap_or_default())?,
        };
        let repository = settings.repository()?;
        let trusted = settings.trusted()?;
        let identities = settings.identities()?;
        let recipients = match settings.recipients() {
            Err(_) if !settings.names_recipients() => identities.recipients()?, // undo will need the same identity
            recipients => recipients?,
        };
        let run_id = RunId::new(cx.now, &authored.plan.name, cx.random());
        let begun = Cell::new(false);
        let kept =
            self.state_dir.as_ref().map_or_else(String::new, |dir| format!(" --state-dir {}", dir.display()));
        let advice = || {
            if begun.get() {
                format!(
                    "what is done stays done; see it with: netdr runs show {run_id}{kept}; the same command goes on from there"
                )
            } else {
                "nothing was changed".into()
            }
        };
        interrupt::run(&advice, async {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let request = Request {
                plan: authored.plan.clone(),
                repository: &repository,
                trusted: &trusted,
                identities: &identities,
                cluster: &cluster,
                cluster_name: settings.config.cluster_name.as_deref(),
                from_cluster: self.from_cluster.as_deref(),
                snapshots: self.ids(),
                scope: settings.config.scope.clone(),
                keep_extras: self.keep_extras,
                isolation: self.policy_order.map(Isolation::from),
                incident_start,
                now: cx.now,
                run: run_id.clone(),
            };
            let phase = cx.terminal.phase(format!("opening the source and reading {}", cluster.server()));
            let prepared = prepare(request).await?;
            drop(phase);
            self.accept(&prepared, cx)?;
            if self.dry_run {
                let plan = &prepared.plan;
                cx.terminal.answer(&plan.to_json(), || preview::text(&prepared, &cluster, cx))?;
                return Ok(Exit::Done);
            }
            cx.terminal.show(preview::text(&prepared, &cluster, cx))?;
            let asked = Instant::now();
            if !self.yes && !prepared.plan.is_empty() && !prompt::yes(&preview::question(&prepared, cx))? {
                return Err(Error::new(Kind::Interrupted, "declined; nothing was changed"));
            }
            begun.set(true);
            self.recover(cx, &repository, &recipients, prepared, asked.elapsed()).await
        })
    }

    fn ids(&self) -> Vec<SnapshotId> {
        let id = |source: &Source| match source {
            Source::Latest => None,
            Source::Snapshot(id) => Some(id.clone()),
        };
        self.snapshot.iter().filter_map(id).collect()
    }

    /// Whether this plan may be carried out.
    fn accept(&self, prepared: &Prepared<'_>, cx: &Context) -> Result<()> {
        let digest = prepared.plan.digest();
        if self.expect.as_ref().is_some_and(|expected| *expected != digest) {
            return Err(Error::usage(format!("the plan is not the one expected: its digest is {digest}"))
                .hint("something changed since; look again with --dry-run"));
        }
        let captured = prepared.plan.source.captured_at;
        if self.yes && !self.dry_run && self.ids().is_empty() && cx.now - captured > STALE {
            return Err(Error::usage(format!(
                "the latest snapshot was captured {}, older than twice its schedule",
                age(captured, cx.now)
            ))
            .hint("run without --yes and judge it, or name it with --snapshot ID"));
        }
        Ok(())
    }

    async fn recover(
        &self,
        cx: &Context,
        repository: &Repository,
        recipients: &Recipients,
        prepared: Prepared<'_>,
        confirmed: Duration,
    ) -> Result<Exit> {
        let folder = match &self.state_dir {
            None => repository.run_folder(prepared.run())?,
            Some(state) => {
                let folder = state.join("runs").join(prepared.run().as_str());
                fs::create_dir_all(&folder)
                    .map_err(|e| Error::failed(format!("{} cannot be made", folder.display())).because(e))?;
                folder
            }
        };
        let progress = Progress::new(&cx.terminal);
        let confirm = |question: &str| {
            progress.pause();
            if self.yes { Ok(true) } else { prompt::yes(question) }
        };
        let running = Running {
            folder: &folder,
            recipients,
            operator: &operator(),
            confirm_s: confirmed.as_secs_f64(),
            clock: &Utc::now,
            event: &|event| progress.event(&event),
            confirm: &confirm,
            parallel: PARALLEL,
            poll: POLL,
        };
        let report = run(prepared, &running).await?;
        progress.pause();
        let base = self.state_dir.clone().unwrap_or_else(|| repository.root().to_owned());
        let folders = [Some(base.join("reports")), self.report.clone()];
        let written = outcome::write(&report, folders.into_iter().flatten(), cx);
        outcome::answer(&report, &written, &folder, cx)?;
        Ok(exit(&report))
    }
}

impl Settings {
    fn names_recipients(&self) -> bool {
        self.config.recipients_file.is_some() || !self.config.recipients.is_empty()
    }
}

impl From<PolicyOrder> for Isolation {
    fn from(order: PolicyOrder) -> Self {
        match order {
            PolicyOrder::FailClosed => Self::FailClosed,
            PolicyOrder::Guarded => Self::Guarded,
        }
    }
}

fn exit(report: &RecoveryReport) -> Exit {
    match report.outcome {
        "nothing-to-do" => Exit::Done,
        "recovered" => Exit::Late.when(!report.rto_met || !report.rpo_met),
        "partial" => Exit::Partial,
        "interrupted" => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

fn moment(text: &str) -> Result<DateTime<Utc>> {
    text.parse()
        .map_err(|_| Error::usage(format!("`{text}` is not a time; write it as 2026-11-24T03:15:00Z")))
}

/// Who runs it, for journal and report: the person behind sudo where there is one.
fn operator() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|v| env::var(v).ok());
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

//! `netdr restore`: shows what would be done, asks, does it, proves it, reports.

mod from;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{self, Path, PathBuf},
};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Args, ValueEnum};

pub(super) use from::Source;
use from::{Place, commit};

use super::{
    access::ssh_keys,
    context::Context,
    course::Course,
    exit::Exit,
    git::authored,
    places, plans,
    settings::{Settings, there},
    words::age,
};
use crate::{
    Error, Result,
    cluster::Cluster,
    gitops::{self, Revision},
    model::{ClusterIdentity, Index, RunId, SnapshotId, SourceName},
    plan::{Action, CommandLine, Earlier, Isolation, RestorePlan, StepSpec, shell_word, spec},
    repository::Repository,
    restore::{Chosen, Past, Prepared, Request, journal, prepare},
    seal::{self, Identities, Recipients},
};

/// Twice the schedule of a daily backup: with `--yes` nobody sees the age of what is older.
const STALE: TimeDelta = TimeDelta::hours(48);
/// Runs without an end that are named, the newest.
const UNFINISHED: usize = 3;

/// Restore a scenario's part of the networking state
#[derive(Args)]
#[command(
    group(ArgGroup::new("what").required(true).args(["scenario", "plan", "resume"])),
    after_help = "Shows the plan with its diff and asks before it changes anything. What it overwrites is saved first:\nnetdr undo puts it back."
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
    /// Restore from this: snapshot; git or git@REV, what people author (git.sources), at a commit, tag or branch, or at
    /// git@SHA,SHA, one commit of each repository; velero:FILE, a Velero backup archive
    #[arg(long, value_name = "SOURCE", default_value = "snapshot")]
    from: Place,
    /// Answer for this commit of Git yourself, where no trusted signer does; its full id; repeatable
    #[arg(long, value_name = "SHA", value_parser = commit)]
    trust_commit: Vec<String>,
    /// Measure from when the incident began, as 2026-11-24T03:15:00Z, or 20m for twenty minutes ago; only then is latest one
    /// that netdr watch took [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    incident_start: Option<Moment>,
    /// Accept snapshots of this other cluster
    #[arg(long, value_name = "NAME")]
    from_cluster: Option<String>,
    /// Leave objects that the source lacks, even where the plan deletes them
    #[arg(long)]
    keep_extras: bool,
    /// How policies come back: fail-closed cuts some traffic for a moment and opens none, guarded cuts none and
    /// opens all for a moment [default: the plan's]
    #[arg(long, value_name = "ORDER")]
    policy_order: Option<PolicyOrder>,
    /// Run the programs of the plan's `run` steps; the plan shows them word by word
    #[arg(long)]
    allow_run: bool,
    /// Go on with this run, which was interrupted or killed, has failed or was partial: do what is left
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["snapshot", "from", "trust_commit", "incident_start", "from_cluster", "keep_extras", "policy_order"]
    )]
    resume: Option<RunId>,
    #[command(flatten)]
    course: Course,
}

#[derive(Clone, Copy, ValueEnum)]
enum PolicyOrder {
    FailClosed,
    Guarded,
}

/// What is restored, as the flags or the journal of an interrupted run say.
struct What {
    plan: RestorePlan,
    /// Its YAML.
    text: String,
    /// How it was named.
    flag: String,
    run: RunId,
    sessions: usize,
    from: Chosen,
    incident_start: DateTime<Utc>,
    from_cluster: Option<String>,
    cluster: Option<ClusterIdentity>,
    keep_extras: bool,
    isolation: Option<Isolation>,
    allow_run: bool,
    /// What earlier processes of the run did.
    earlier: Earlier,
}

impl Restore {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        self.course.may_ask("restore")?;
        let settings = cx.settings()?;
        let what = match &self.resume {
            Some(run) => resumed(&self.course.folder(&settings.repository()?, run), &self.course.again(cx))?,
            None => {
                let what = self.what(&settings, cx)?;
                if let Chosen::Snapshots(wanted) = &what.from {
                    places::wanted_here(cx, &settings, wanted, what.plan.rto)?;
                }
                what
            }
        };
        let repository = settings.repository()?;
        let trusted = settings.trusted()?;
        let identities = match what.from {
            Chosen::Snapshots(_) => settings.identities()?,
            // Nothing of these is sealed.
            Chosen::Git(_) | Chosen::Velero { .. } => settings.identities_if_named()?.unwrap_or_default(),
        };
        let recipients = match settings.recipients() {
            Err(_) if !settings.names_recipients() => identities.recipients()?, // undo will need the same identity
            // A dry run seals nothing: whoever has but an identity sees the plan, and what a run will need.
            Err(error) if self.course.dry_run => match identities.recipients() {
                Ok(recipients) => {
                    cx.terminal.warn_of("a run will need the recipients", &error);
                    recipients
                }
                Err(_) => return Err(error),
            },
            recipients => recipients?,
        };
        let go_on = format!("restore --resume {}", what.run);
        self.course.run(cx, &what.run.clone(), &go_on, async |going| {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let configured = settings.config.cluster_name.as_deref();
            let request = Request {
                plan: what.plan,
                plan_text: what.text,
                plan_flag: what.flag,
                repository: &repository,
                trusted: &trusted,
                identities: &identities,
                cluster: &cluster,
                command_line: self.course.again(cx),
                cluster_name: what.cluster.as_ref().map(|cluster| cluster.name.as_str()).or(configured),
                host_root: &cx.flags.host_root,
                from_cluster: what.from_cluster.as_deref(),
                elsewhere: false,
                from: what.from,
                values: authored(&settings, true)?,
                scope: settings.config.scope.clone(),
                spared: BTreeSet::new(),
                keep_extras: what.keep_extras,
                isolation: what.isolation,
                allow_run: what.allow_run || self.allow_run,
                earlier: what.earlier,
                incident_start: what.incident_start,
                now: cx.now,
                run: what.run,
                sessions: what.sessions,
            };
            let phase = cx.terminal.phase(format!("opening the source and reading {}", cluster.server()));
            let mut prepared = prepare(request).await?;
            drop(phase);
            if let Some(began) = &what.cluster {
                same_cluster(began, &prepared.cluster)?;
            }
            self.accept(&prepared, cx)?;
            if self.resume.is_none() {
                let unfinished = self.unfinished(&repository, &prepared, cx);
                prepared.plan.warnings.extend(unfinished);
            }
            if !opens(&identities, &recipients)? {
                prepared.plan.warnings.push(
                    "what this overwrites is sealed to recipients whose identities are not at hand: an undo will need one"
                        .into(),
                );
            }
            going.on(prepared, &cluster, &repository, &recipients).await
        })
    }

    fn what(&self, settings: &Settings, cx: &Context) -> Result<What> {
        let incident_start = self.incident_start.map_or(cx.now, |moment| moment.before(cx.now));
        if incident_start > cx.now {
            return Err(Error::usage(format!("--incident-start {incident_start} is in the future")));
        }
        let authored = match (&self.plan, &self.scenario) {
            (Some(file), _) => plans::read(file)?,
            (None, name) => plans::find(settings, name.as_deref().unwrap_or_default())
                .map_err(|error| error.hint("or restore by a plan of your own: --plan FILE"))?,
        };
        let isolates = |step: &StepSpec| matches!(step.action, Action::Apply { isolation: Some(_), .. });
        if self.policy_order.is_some() && !authored.plan.steps.iter().any(isolates) {
            return Err(Error::usage(format!(
                "--policy-order is about network policies, and plan {} orders none",
                authored.plan.name
            ))
            .hint("leave the flag out"));
        }
        let flag = match &self.plan {
            Some(file) => format!("--plan {}", shell_word(&file.display().to_string())),
            None => format!("--scenario {}", authored.plan.name),
        };
        Ok(What {
            run: cx.run(&authored.plan.name),
            plan: authored.plan,
            flag,
            text: authored.text,
            sessions: 0,
            from: self.from(settings)?,
            incident_start,
            from_cluster: self.from_cluster.clone(),
            cluster: None,
            keep_extras: self.keep_extras,
            isolation: self.policy_order.map(Isolation::from),
            allow_run: self.allow_run,
            earlier: Earlier::default(),
        })
    }

    /// The source that the flags name.
    fn from(&self, settings: &Settings) -> Result<Chosen> {
        let stray = [
            ("--snapshot", "snapshots", !self.snapshot.is_empty() && !matches!(self.from, Place::Snapshot)),
            (
                "--from-cluster",
                "snapshots",
                self.from_cluster.is_some() && !matches!(self.from, Place::Snapshot),
            ),
            (
                "--trust-commit",
                "commits",
                !self.trust_commit.is_empty() && !matches!(self.from, Place::Git(_)),
            ),
        ];
        if let Some((flag, what, _)) = stray.into_iter().find(|(.., stray)| *stray) {
            return Err(Error::usage(format!("{flag} is about {what}, and --from names another source")));
        }
        Ok(match &self.from {
            Place::Snapshot => Chosen::Snapshots(ids(&self.snapshot)),
            Place::Git(revision) => Chosen::Git(gitops::Wanted {
                revision: revision.clone(),
                trust_commits: self.trust_commit.clone(),
                ..authored(settings, false)?
            }),
            Place::Velero(file) => {
                there(
                    file,
                    "Velero archive",
                    "--from",
                    "download it: velero backup download BACKUP --output BACKUP.tar.gz",
                )?;
                Chosen::Velero { file: anywhere(file)?, sha256: None }
            }
        })
    }

    /// Runs on this cluster that have not come to their end, as long as neither an undo nor a later run of the same scenario
    /// has; the newest first.
    fn unfinished(&self, repository: &Repository, prepared: &Prepared<'_>, cx: &Context) -> Vec<String> {
        let folder = |run: &RunId| self.course.folder(repository, run);
        let runs = folder(prepared.run()).parent().and_then(|folder| journal::list(folder).ok());
        let again = self.course.again(cx);
        let said = |run: &RunId| {
            format!(
                "run {run} on this cluster has not come to its end: {}, or {}",
                again.again(&format!("restore --resume {run}")),
                again.again(&format!("undo {run}"))
            )
        };
        let cluster = prepared.cluster.name.as_str();
        let (runs, _) = runs.unwrap_or_default();
        journal::unfinished(&runs, cluster).into_iter().rev().take(UNFINISHED).map(said).collect()
    }

    /// With `--yes` nobody sees how old what was taken is.
    fn accept(&self, prepared: &Prepared<'_>, cx: &Context) -> Result<()> {
        let unseen = self.course.yes && !self.course.dry_run && self.resume.is_none();
        let latest = prepared.latest();
        if let Some(captured) = latest.filter(|at| unseen && cx.now - *at > STALE) {
            return Err(Error::usage(format!(
                "the latest snapshot was captured {}, older than twice its schedule",
                age(captured, cx.now)
            ))
            .hint("run without --yes and judge it, or name it with --snapshot ID"));
        }
        Ok(())
    }
}

/// The snapshots that are named.
pub(super) fn ids(sources: &[Source]) -> Vec<SnapshotId> {
    let id = |source: &Source| match source {
        Source::Latest => None,
        Source::Snapshot(id) => Some(id.clone()),
    };
    sources.iter().filter_map(id).collect()
}

/// An interrupted run, as its journal says.
fn resumed(folder: &Path, again: &CommandLine) -> Result<What> {
    let past = Past::read(folder)?;
    past.resumable(again)?;
    Ok(What {
        plan: past.plan()?,
        flag: past.plan_flag(),
        earlier: past.earlier(),
        text: past.asked.plan,
        run: past.run,
        sessions: past.sessions,
        from: began_from(past.source, past.asked.git),
        incident_start: past.asked.incident_start,
        from_cluster: past.asked.from_cluster,
        cluster: Some(past.cluster),
        keep_extras: past.asked.keep_extras,
        isolation: past.asked.isolation,
        allow_run: past.asked.allow_run,
    })
}

/// A path that a resumed run finds from any folder.
fn anywhere(path: &Path) -> Result<PathBuf> {
    path::absolute(path).map_err(|e| Error::usage(format!("{} is no path", path.display())).because(e))
}

/// The very source that a run began with.
fn began_from(names: Vec<SourceName>, git: Option<gitops::Wanted>) -> Chosen {
    let mut commits = BTreeMap::new();
    let mut snapshots = Vec::new();
    for name in names {
        match name {
            SourceName::Snapshot(id) => snapshots.push(id),
            SourceName::Git { url, commit } => drop(commits.insert(url, commit)),
            SourceName::Velero { file, sha256 } => {
                return Chosen::Velero { file: file.into(), sha256: Some(sha256) };
            }
        }
    }
    match git {
        Some(git) => {
            Chosen::Git(gitops::Wanted { revision: Revision::Exactly(commits), ssh_keys: ssh_keys(), ..git })
        }
        None => Chosen::Snapshots(snapshots),
    }
}

/// Whether what is sealed to these recipients opens with one of these identities, of whichever kind: by trying.
fn opens(identities: &Identities, recipients: &Recipients) -> Result<bool> {
    let mut sealed = Vec::new();
    seal::seal_index(&Index::default(), recipients, &mut sealed)?;
    Ok(seal::open_index(&mut sealed.as_slice(), identities, "a trial").is_ok())
}

fn same_cluster(began: &ClusterIdentity, live: &ClusterIdentity) -> Result<()> {
    // Empty while no API server answered.
    if began.uid == live.uid || began.uid.is_empty() || live.uid.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!("the run began on another cluster: {}, with uid {}", began.name, began.uid))
        .why(format!("this one's is {}", live.uid))
        .hint("name that cluster's kubeconfig with --kubeconfig FILE"))
}

impl From<PolicyOrder> for Isolation {
    fn from(order: PolicyOrder) -> Self {
        match order {
            PolicyOrder::FailClosed => Self::FailClosed,
            PolicyOrder::Guarded => Self::Guarded,
        }
    }
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    At(DateTime<Utc>),
    Ago(TimeDelta),
}

impl Moment {
    fn before(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now - ago,
        }
    }
}

fn moment(text: &str) -> Result<Moment> {
    let longest = TimeDelta::days(3660); // no clock reaches as far back as a number can
    let ago =
        || TimeDelta::from_std(spec::duration(text)?).ok().filter(|ago| *ago <= longest).map(Moment::Ago);
    text.parse().ok().map(Moment::At).or_else(ago).ok_or_else(|| {
        Error::usage(format!(
            "`{text}` is not a time; write it as 2026-11-24T03:15:00Z, or as 20m for twenty minutes ago"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_an_incident_began_is_a_time_or_how_long_ago() {
        let now: DateTime<Utc> = "2026-11-24T03:15:00Z".parse().unwrap();
        let at = |text: &str| moment(text).map(|moment| moment.before(now).to_rfc3339());
        assert_eq!(at("2026-11-24T02:00:00Z").unwrap(), "2026-11-24T02:00:00+00:00");
        assert_eq!(at("1h20m").unwrap(), "2026-11-24T01:55:00+00:00");
        for wrong in ["", "20", "yesterday", "-5m", "99999999d"] {
            assert!(at(wrong).unwrap_err().to_string().contains("20m for twenty minutes ago"), "{wrong}");
        }
    }
}

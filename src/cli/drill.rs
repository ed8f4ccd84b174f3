//! `netdr drill`: proves that what is backed up can be restored, where nothing of production is.

mod conclude;
mod outcome;
mod outside;
mod signer;

use std::{cell::OnceCell, env, io, path::PathBuf};

use chrono::Utc;
use clap::{ArgGroup, Args};
use rand::random;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::{
    context::Context,
    course::{operator, progress::Progress},
    exit::Exit,
    interrupt, keys,
    plans::{self, Authored},
    prompt,
    restore::{self, Source},
    settings::Settings,
};
use crate::{
    Error, Kind, Result,
    cluster::Cluster,
    drill::{self, Drilled, Memory, MemoryFolder, Programs, Rehearsal, Subject, Wanted, marker},
    report::drill::Scenario,
};
use conclude::Progressed;

/// Prove a recovery: load the snapshots where nothing of production is, break it, restore it, verify, report
#[derive(Args)]
#[command(
    group(ArgGroup::new("which").required(true).args(["scenario", "all"])),
    after_help = "Needs an identity and a signing key, and so runs on a custody host. Without --context it starts a control plane \
                  of its own (etcd and kube-apiserver, found by KUBEBUILDER_ASSETS, on the PATH or in target/control-plane/bin) \
                  in memory, reads no kubeconfig, and leaves nothing of it behind. With --context it breaks that cluster, which \
                  must be marked for it."
)]
pub(super) struct Drill {
    /// Drill this scenario; repeatable; see netdr plan list
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Drill every plan
    #[arg(long)]
    all: bool,
    /// Drill this snapshot; repeatable, one per set [default: the latest of each set]
    #[arg(long, value_name = "ID|latest")]
    snapshot: Vec<Source>,
    /// Write the report into this folder, too
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Do not ask before a cluster is broken (--context); needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Ask the archives of places outside for the snapshots, too; that costs, and takes hours
    #[arg(long)]
    thaw: bool,
    /// Take the control plane's programs from here first
    #[arg(long, value_name = "DIR", env = "KUBEBUILDER_ASSETS", hide_env_values = true)]
    assets: Option<PathBuf>,
    /// Keep what is unsealed below this folder, which must be in memory (tmpfs)
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    memory: PathBuf,
}

/// Room for a report in all its forms, in bytes: that of five plans and three nodes has 420 KiB.
const REPORT: usize = 1 << 20;

impl Drill {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        cx.about(self.task());
        keep_no_core()?;
        let on_cluster = cx.flags.context.is_some();
        if on_cluster && !self.yes && !prompt::somebody() {
            return Err(Error::usage("drill asks before it breaks a cluster, and there is no terminal")
                .hint("pass --yes; or leave --context out and drill in a sandbox"));
        }
        let plans = self.plans(&settings)?;
        let memory = Memory::at(&self.memory)?;
        let programs = (!on_cluster).then(|| self.programs()).transpose()?;
        let (repository, trusted) = (settings.repository()?, settings.trusted()?);
        let (signing, identities) = (settings.signing_key()?, settings.identities()?);
        let signer = signer::would_count(&signing, &trusted, &signer::Files::of(&settings), cx.now)?;
        if self.report.is_none() {
            repository
                .takes_a_report(REPORT)
                .map_err(|e| e.hint("or keep the report elsewhere: --report DIR"))?;
        }
        let earlier = drill::drills(&repository.reports(), &trusted, cx.now)?;
        for (name, why) in &earlier.untrusted {
            cx.terminal.warn(format!("report {name} counts for nothing: {why}"));
        }
        let components = plans.iter().flat_map(|drilled| drilled.plan.components()).collect();
        let begun = OnceCell::new();
        let left = || match begun.get() {
            Some(_) if on_cluster => {
                "the cluster is as the drill left it; the next drill makes it equal to the snapshots first"
            }
            _ => "nothing of the drill is left",
        };
        let (progressed, progress) = (Progressed::default(), Progress::new(&cx.terminal));
        let ended = interrupt::run(&|| left().into(), async {
            cx.terminal.note("opening the snapshots");
            let wanted = Wanted {
                cluster: settings.config.cluster_name.as_deref(),
                ids: &restore::ids(&self.snapshot),
                components: &components,
                now: cx.now,
            };
            let subject = Subject::open(&repository, &trusted, &identities, &wanted)?;
            keys::record(&repository, &subject.proofs, cx);
            let place = match programs {
                Some(programs) => {
                    memory.has_room(subject.bytes())?;
                    Place::Sandbox(programs)
                }
                None => {
                    let cluster = self.confirmed(&subject, &plans, &settings, cx).await?;
                    Place::Cluster(cluster, memory.folder()?)
                }
            };
            let subject = begun.get_or_init(|| subject);
            let rehearsal = Rehearsal {
                subject,
                repository: &repository,
                trusted: &trusted,
                identities: &identities,
                scope: &settings.config.scope,
                operator: &operator(),
                clock: Utc::now,
                random: random::<u32>,
                tell: &|text| cx.terminal.note(text),
                event: &|event| progress.event(&event),
            };
            let drilled = async {
                for drilled in &plans {
                    progress.of(&drilled.plan.name);
                    progressed.take(place.drill(&rehearsal, drilled, &memory)).await;
                }
            };
            progress.beside(drilled).await;
            Ok(outside::look(&settings, subject, self.thaw).await)
        });
        progress.pause();
        let (checks, mut stopped) = match ended {
            Ok(checks) => (checks, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let Some(subject) = begun.get() else {
            return Err(stopped.unwrap_or_else(|| Error::failed("the drill did not begin")));
        };
        let scenarios = progressed.scenarios(&plans);
        let mut report = conclude::conclude(cx, subject, scenarios, signer, self.all, stopped.is_some());
        (report.checks, report.trend) = (checks, earlier.signed);
        report.trend.retain(|past| past.cluster.name == report.cluster.name);
        let kept = outcome::keep(&report, &signing, &repository, self.report.as_deref(), cx);
        let copied = kept.in_repository && {
            let copied = outcome::copy(&report, &repository, &trusted, &settings, &identities, cx);
            copied.unwrap_or_else(|error| {
                cx.terminal.warn(format!("the report is not copied: {error}"));
                stopped.get_or_insert(error);
                false
            })
        };
        let exit = match stopped {
            Some(error) => {
                let error = error.hint(format!("what was done until then is in report {}", report.report));
                cx.terminal.error(&error); // what was done is the answer
                Exit::of(&error)
            }
            None => outcome::exit(&report).max(Exit::Partial.when(!copied)),
        };
        outcome::answer(exit, &report, &kept, cx)?;
        cx.ended(&self.task(), outcome::problems(&report, exit, cx));
        Ok(exit)
    }

    /// Of some plans it is another one than of all: who tries one proves nothing of the others.
    fn task(&self) -> String {
        self.scenario.iter().fold("drill".into(), |task, name| format!("{task} {name}"))
    }

    fn plans(&self, settings: &Settings) -> Result<Vec<Drilled>> {
        let found = match self.all {
            true => plans::all(settings)?,
            false => self.scenario.iter().map(|name| plans::find(settings, name)).collect::<Result<_>>()?,
        };
        let drilled = |Authored { text, file, plan, .. }: Authored| Drilled { plan, text, file };
        Ok(found.into_iter().map(drilled).collect())
    }

    fn programs(&self) -> Result<Programs> {
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty());
        let folders =
            self.assets.clone().into_iter().chain(path).chain([PathBuf::from("target/control-plane/bin")]);
        Programs::find(&folders.collect::<Vec<_>>())
    }

    /// The cluster, if it is marked and whoever is asked says yes.
    async fn confirmed(
        &self,
        subject: &Subject,
        plans: &[Drilled],
        settings: &Settings,
        cx: &Context,
    ) -> Result<Cluster> {
        let cluster = Cluster::connect(&settings.access()?).await?;
        marker::marked(&cluster, &cx.again(None)).await?;
        let names: Vec<&str> = plans.iter().map(|drilled| drilled.plan.name.as_str()).collect();
        let question = format!(
            "Make {} what the snapshots of {} have, break it and restore it, for {}? Beware: {}.",
            cluster.server(),
            subject.cluster.name,
            names.join(", "),
            marker::CONSEQUENCE
        );
        if !self.yes && !prompt::yes(&question)? {
            return Err(Error::new(Kind::Interrupted, "declined; nothing was changed"));
        }
        Ok(cluster)
    }
}

/// Where plans are drilled.
enum Place {
    /// On control planes made of these programs.
    Sandbox(Programs),
    /// On a marked cluster, what its runs keep in a folder of the drill's own.
    Cluster(Cluster, MemoryFolder),
}

impl Place {
    async fn drill(&self, rehearsal: &Rehearsal<'_>, drilled: &Drilled, memory: &Memory) -> Scenario {
        match self {
            Self::Sandbox(programs) => rehearsal.sandbox(drilled, programs, memory).await,
            Self::Cluster(cluster, folder) => rehearsal.on_cluster(drilled, cluster, folder.path()).await,
        }
    }
}

/// A core of this process, or of one that it starts, would put what is unsealed on a disk.
fn keep_no_core() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|e| Error::failed("cannot turn core dumps off").because(io::Error::from(e)))
}

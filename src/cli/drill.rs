//! `netdr drill`: proves that what is backed up can be restored, where nothing of production is.

mod conclude;
mod outcome;
mod outside;
mod place;
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
    Error, Result,
    drill::{self, Breakage, Drilled, Memory, Programs, Rehearsal, Subject, Wanted},
};
use conclude::Progressed;
use place::{Named, Place};

/// Prove a recovery: load the snapshots where nothing of production is, break it, restore it, verify, report
#[derive(Args)]
#[command(
    group(ArgGroup::new("which").required(true).args(["scenario", "all"])),
    after_help = "Needs an identity and a signing key, and so runs on a custody host. Without --context it starts a control plane \
                  of its own (etcd and kube-apiserver, found by KUBEBUILDER_ASSETS, on the PATH or in target/control-plane/bin) \
                  in memory, reads no kubeconfig, and leaves nothing of it behind. With --context it breaks that cluster, which \
                  must be marked for it, and must be none that the repository has snapshots of (--same-cluster)."
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
    /// Break a cluster although it has the identity of one that the repository has snapshots of (uid of kube-system): for a copy made from
    /// its etcd, or a cluster with snapshots of its own that is there to be broken. Never production. Needs --context
    #[arg(long)]
    same_cluster: bool,
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
        interrupt::outside("nothing of the drill is left");
        keep_no_core()?;
        let on_cluster = cx.flags.context.is_some();
        if on_cluster && !self.yes && !prompt::somebody() {
            return Err(Error::usage("drill asks before it breaks a cluster, and there is no terminal")
                .hint("pass --yes; or leave --context out and drill in a sandbox"));
        }
        if self.same_cluster && !on_cluster {
            return Err(Error::usage(
                "--same-cluster is about a cluster that --context names, and none is named",
            ));
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
        let (begun, target, breakage) = (OnceCell::new(), OnceCell::new(), Breakage::default());
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
                    let context = cx.flags.context.as_deref().unwrap_or_default();
                    let named = Named { context, same_cluster: self.same_cluster, yes: self.yes };
                    let (place, named) = named.confirmed(&subject, &plans, &settings, &memory, cx).await?;
                    target.get_or_init(|| named);
                    place
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
                breakage: &breakage,
            };
            let drilled = async {
                for drilled in &plans {
                    progress.of(&drilled.plan.name);
                    progressed.take(place.drill(&rehearsal, drilled, &memory)).await;
                }
            };
            progress.beside(drilled).await;
            if let Some(kept) = place.leave().await {
                cx.terminal.warn(kept);
            }
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
        let scenarios = progressed.scenarios(&plans, subject, &breakage);
        let mut report = conclude::conclude(cx, subject, scenarios, signer, self.all, stopped.is_some());
        report.target = target.into_inner();
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
}

/// A core of this process, or of one that it starts, would put what is unsealed on a disk.
fn keep_no_core() -> Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|e| Error::failed("cannot turn core dumps off").because(io::Error::from(e)))
}

//! One scenario drilled: its failure caused, its plan replayed as `netdr restore` does, the outcome judged.
//!
//! In: a plan, the opened snapshots, and where to drill: a control plane made for it, or a marked cluster. Out: a
//! [`Scenario`]. Invariant: a plan is replayed without the steps that would touch the machine netdr runs on, and these are
//! named.

mod files;
mod on_cluster;
mod within;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use super::{
    ControlPlane, Memory, Options, Programs, Subject,
    damage::{self, Breakage, Damage},
    load::{self, Loaded},
    player::Player,
};
use crate::{
    Error, Result,
    capture::Scope,
    cluster::Cluster,
    gitops,
    model::{Component, ItemKey, RunId, hex},
    plan::{CommandLine, Earlier, RestorePlan, taken},
    report::{
        RecoveryReport,
        drill::{Procedure, Scenario, judge, own_time, rpo_met, rto_met},
    },
    repository::Repository,
    restore::{Chosen, Clock, Event, Lease, Request, Running, prepare, run, unplayable},
    seal::Identities,
    signature::TrustedSigners,
};
use within::{hurried, restricted};

/// Acts in flight, and the pause between two looks at a gate.
const PARALLEL: usize = 32;
const POLL: Duration = Duration::from_millis(100);
/// What is played is played in seconds, be the machine busy; what is not ready after this, nobody plays. For each item of
/// the snapshots a little more: they are played one after the other.
const PLAYED: Duration = Duration::from_secs(60);
const PLAYED_EACH: Duration = Duration::from_millis(20);

/// Why a plan is not tested of which the snapshots have what it restores, and the drill has not.
const NOTHING_THERE: &str = "nothing could be broken: of what it restores nothing is there, because it was not loaded or not drilled here; \
                             see what else was not tested";

/// A plan to drill.
pub struct Drilled {
    /// The plan.
    pub plan: RestorePlan,
    /// Its YAML.
    pub text: String,
    /// The file that it is of; none where it is built in.
    pub file: Option<String>,
}

impl Drilled {
    /// Its scenario where nothing came back: `failed`, `not tested`, `interrupted`; and why.
    pub fn without(&self, outcome: &'static str, why: String) -> Scenario {
        let RestorePlan { name, title, role, rto, rpo, .. } = &self.plan;
        let procedure = Procedure { file: self.file.clone(), sha256: hex(&Sha256::digest(&self.text)) };
        let objectives = (rto.as_secs(), rpo.as_secs());
        Scenario { procedure, ..Scenario::without(outcome, name, title, role, objectives, why) }
    }

    /// Its scenario where somebody stopped the drill while it was under way: with what was broken until then, for on a cluster it
    /// still is.
    pub fn interrupted(&self, subject: &Subject, breakage: &Breakage) -> Scenario {
        let caused = breakage.caused();
        let broken = match caused.is_empty() {
            true => Vec::new(),
            false => damage::broken(&self.plan, &subject.items, &caused),
        };
        let caused = caused.iter().map(ToString::to_string).collect();
        let why = "the drill was interrupted while this was under way";
        Scenario { caused, broken, ..self.without("interrupted", why.into()) }
    }
}

/// What every scenario of a drill has in common.
pub struct Rehearsal<'a> {
    /// What is drilled.
    pub subject: &'a Subject,
    /// Where its snapshots are.
    pub repository: &'a Repository,
    /// Whose snapshots may be restored.
    pub trusted: &'a TrustedSigners,
    /// Opens them.
    pub identities: &'a Identities,
    /// As captures have it.
    pub scope: &'a Scope,
    /// Who drills.
    pub operator: &'a str,
    /// The wall clock.
    pub clock: Clock,
    /// Makes ids differ.
    pub random: fn() -> u32,
    /// Told what is under way.
    pub tell: &'a (dyn Fn(&str) + Sync),
    /// Told what a run does, step by step, and what it waits for.
    pub event: &'a (dyn Fn(Event<'_>) + Sync),
    /// Has what was broken so far, also of a drill that is stopped.
    pub breakage: &'a Breakage,
}

/// Where runs take place.
struct Stage<'a> {
    cluster: &'a Cluster,
    /// Keeps others out of it for the whole drill; none where nobody else is.
    lease: Option<&'a Lease>,
    /// Where runs keep their journals: gone with the drill.
    runs: &'a Path,
    /// The files of each node.
    roots: &'a BTreeMap<String, PathBuf>,
    /// Below which there are none.
    nowhere: &'a Path,
    /// What no run may touch.
    spared: BTreeSet<ItemKey>,
}

/// What was done so far.
#[derive(Default)]
struct SoFar {
    nodes: Vec<String>,
    runs: Vec<RecoveryReport>,
}

impl Rehearsal<'_> {
    /// Drills one scenario on a control plane of its own, which is gone afterwards. What goes wrong is in its outcome.
    pub async fn sandbox(&self, drilled: &Drilled, programs: &Programs, memory: &Memory) -> Scenario {
        self.breakage.begin();
        let scenario = self.in_sandbox(drilled, programs, memory).await;
        scenario.unwrap_or_else(|error| failed(drilled, &error))
    }

    async fn in_sandbox(&self, drilled: &Drilled, programs: &Programs, memory: &Memory) -> Result<Scenario> {
        let name = &drilled.plan.name;
        let chosen = damage::choose(&drilled.plan, &self.subject.items);
        if chosen.damage.is_empty() {
            return Ok(untested(drilled, nothing_to_break(&drilled.plan)));
        }
        let controllers = programs.has(&["kube-controller-manager", "kube-scheduler", "kwok"]);
        let options = Options {
            controllers,
            nodes: controllers,
            memory: Some(memory.clone()),
            unattended: true,
            service_cidr: self.subject.facts.service_cidr.clone(),
            ..Options::default()
        };
        (self.tell)(&format!("{name}: starting a control plane"));
        let plane = ControlPlane::start(programs, &options, &|_| ()).await?;
        let cluster = plane.cluster().await?;
        let player = Player::new(cluster.clone(), controllers);
        (self.tell)(&format!("{name}: loading the snapshots"));
        let Loaded { left_out, made_up, spared } = load::load(&cluster, self.subject).await?;
        let (roots, not_rooted) = files::roots(self.subject, plane.folder())?;
        let (mut plan, mut not_tested) = restricted(&drilled.plan, !roots.is_empty());
        hurried(&mut plan, self.patience());
        if drilled.plan.components().contains(&Component::Host) {
            not_tested.extend(not_rooted);
        }
        not_tested.extend(left_out.iter().map(|what| format!("not loaded: {what}")));
        let (runs, nowhere) = (plane.folder().join("runs"), plane.folder().join("nowhere"));
        let stage =
            Stage { cluster: &cluster, lease: None, runs: &runs, roots: &roots, nowhere: &nowhere, spared };
        let mut simulated = vec![match controllers {
            true => {
                "nodes and their pods (kwok): controllers and scheduler are real, and nothing was started: a rollout says nothing of \
                 images, ports or traffic"
            }
            false => "nodes, pods and the controllers of workloads: that something is rolled out was only said",
        }]
        .into_iter()
        .map(str::to_owned)
        .chain(["cert-manager’s and helm-controller’s words: that they accept what was restored was only said; no webhook was asked".to_owned()])
        .collect::<Vec<_>>();
        simulated.extend(made_up);
        let work = async {
            match self.unplayable(drilled, &plan, &stage).await {
                Ok(Some(why)) => untested(drilled, why),
                Ok(None) => self.drill(drilled, &plan, &stage, chosen).await,
                Err(error) => failed(drilled, &error),
            }
        };
        tokio::select! {
            scenario = work => {
                Ok(Scenario { rto_met: None, simulated, unseen: Vec::new(), not_tested: [not_tested, scenario.not_tested].concat(), ..scenario })
            }
            never = player.play() => match never {},
        }
    }

    /// How long whatever is played may take.
    fn patience(&self) -> Duration {
        PLAYED + PLAYED_EACH * u32::try_from(self.subject.items.len()).unwrap_or(u32::MAX)
    }

    /// Why the plan cannot be played here, where it cannot: before anything is broken, all that it waits for must hold.
    async fn unplayable(
        &self,
        drilled: &Drilled,
        plan: &RestorePlan,
        stage: &Stage<'_>,
    ) -> Result<Option<String>> {
        (self.tell)(&format!("{}: looking whether all that its plan waits for can be played", plan.name));
        let node = stage.roots.keys().next().map(String::as_str);
        let node = node.filter(|_| plan.components().contains(&Component::Host));
        let prepared = prepare(self.request(drilled, plan, stage, node, (self.clock)())).await?;
        let lacking = unplayable(stage.cluster, &prepared.plan, self.patience(), POLL, self.event).await?;
        let why = || format!("nobody plays what its plan waits for: {}", lacking.join("; "));
        Ok((!lacking.is_empty()).then(why))
    }

    /// Breaks, replays, judges. Where something breaks that should not, what was done until then is told.
    async fn drill(
        &self,
        drilled: &Drilled,
        plan: &RestorePlan,
        stage: &Stage<'_>,
        damage::Chosen { damage, not_broken }: damage::Chosen,
    ) -> Scenario {
        let name = &plan.name;
        let mut so_far = SoFar::default();
        let ended = self.replay(drilled, plan, stage, damage, &mut so_far).await;
        let SoFar { nodes, runs } = so_far;
        let caused = self.breakage.caused();
        if ended.is_ok() && caused.is_empty() {
            return untested(drilled, NOTHING_THERE.into());
        }
        let again = match &ended {
            Ok(_) => {
                let taken = taken(plan, &self.subject.items);
                damage::left(stage.cluster, stage.roots, &caused, &taken).await
            }
            Err(_) => Ok(Vec::new()),
        };
        let broken = damage::broken(plan, &self.subject.items, &caused);
        let caused: Vec<String> = caused.iter().map(ToString::to_string).collect();
        let (outcome, why, checks) = match &ended {
            Ok(_) => judge(&caused, &runs, &nodes, again.map_err(|error| error.to_string())),
            Err(error) => ("failed", Some(error.to_string()), Vec::new()),
        };
        let took = ended.ok();
        let recovered = outcome == "recovered";
        let mut not_tested: Vec<String> =
            runs.iter().flat_map(|run| run.not_probed.iter().cloned()).collect();
        not_tested.extend(not_broken.into_iter().map(|kind| format!("not broken: {kind}")));
        if plan.rpo.is_zero() {
            not_tested.push(format!(
                "a recovery point of 0 of {name}: whether Git or netdr watch has every change, a drill cannot tell"
            ));
        }
        not_tested.sort();
        not_tested.dedup();
        let lines = |of: fn(&RecoveryReport) -> &Vec<String>| -> Vec<String> {
            runs.iter().flat_map(of).cloned().collect()
        };
        let (simulated, unseen) = (lines(|run| &run.simulated), lines(|run| &run.unseen));
        let real = simulated.is_empty() && unseen.is_empty();
        let point = runs.iter().map(|run| run.recovery_point_s).max();
        let gap = self.subject.longest_gap(&plan.components(), &nodes);
        Scenario {
            outcome,
            why,
            own_time_s: took.map(|_| own_time(&runs)),
            recovery_time_s: took.map(|took| took.as_secs_f64()),
            rto_met: took.and_then(|took| rto_met(recovered, took <= plan.rto, real)),
            recovery_point_s: took.and(point),
            rpo_met: point.filter(|_| recovered).and_then(|age| rpo_met(age, plan.rpo.as_secs(), gap)),
            longest_gap_s: gap,
            simulated,
            unseen,
            not_tested,
            caused,
            broken,
            checks,
            runs,
            nodes,
            ..drilled.without(outcome, String::new())
        }
    }

    /// Breaks and replays, and says how long it took from the failure to the last proof; what was done, `so_far` has, however
    /// far it came.
    async fn replay(
        &self,
        drilled: &Drilled,
        plan: &RestorePlan,
        stage: &Stage<'_>,
        damage: Vec<Damage>,
        so_far: &mut SoFar,
    ) -> Result<Duration> {
        let name = &plan.name;
        (self.tell)(&format!("{name}: causing its failure"));
        damage::cause(stage.cluster, stage.roots, stage.lease, damage, self.breakage).await?;
        let caused = self.breakage.caused().len();
        if caused == 0 {
            return Ok(Duration::ZERO);
        }
        let (incident, began) = ((self.clock)(), Instant::now());
        (self.tell)(&format!("{name}: {caused} failures caused, replaying its plan"));
        // A plan that restores no files of nodes has nothing to do on a second one.
        let nodes: Vec<String> = match plan.components().contains(&Component::Host) {
            true => stage.roots.keys().cloned().collect(),
            false => Vec::new(),
        };
        if nodes.is_empty() {
            so_far.runs.push(self.restore(drilled, plan, stage, None, incident).await?);
        }
        for (number, node) in nodes.iter().enumerate() {
            if nodes.len() > 1 {
                (self.tell)(&format!("{name}: run {} of {}, node {node}", number + 1, nodes.len()));
            }
            so_far.nodes.push(node.clone());
            so_far.runs.push(self.restore(drilled, plan, stage, Some(node), incident).await?);
        }
        Ok(began.elapsed()) // the wall clock may have been set since
    }

    /// One run of a plan, as `netdr restore` makes it, on the node whose files are among it.
    async fn restore(
        &self,
        drilled: &Drilled,
        plan: &RestorePlan,
        stage: &Stage<'_>,
        node: Option<&str>,
        incident_start: DateTime<Utc>,
    ) -> Result<RecoveryReport> {
        let began = Instant::now();
        let request = self.request(drilled, plan, stage, node, incident_start);
        let id = request.run.clone();
        let prepared = prepare(request).await?;
        let running = Running {
            folder: &stage.runs.join(id.as_str()),
            recipients: &self.identities.recipients()?,
            operator: self.operator,
            began,
            confirm_s: 0.0,
            clock: self.clock,
            held: stage.lease,
            event: self.event,
            confirm: &|_| Ok(true),
            proceed: &|_| Ok(true),
            parallel: PARALLEL,
            poll: POLL,
        };
        run(prepared, &running).await
    }

    /// What such a run asks for.
    fn request<'r>(
        &'r self,
        drilled: &Drilled,
        plan: &RestorePlan,
        stage: &'r Stage<'_>,
        node: Option<&str>,
        incident_start: DateTime<Utc>,
    ) -> Request<'r> {
        let now = (self.clock)();
        let root = node.and_then(|node| stage.roots.get(node)).map_or(stage.nowhere, PathBuf::as_path);
        Request {
            plan: plan.clone(),
            plan_text: drilled.text.clone(),
            plan_flag: format!("--scenario {}", plan.name),
            repository: self.repository,
            trusted: self.trusted,
            identities: self.identities,
            cluster: stage.cluster,
            command_line: CommandLine::default(),
            cluster_name: Some(&self.subject.cluster.name),
            host_root: root,
            from_cluster: None,
            elsewhere: true,
            from: Chosen::Snapshots(self.subject.ids(&plan.components(), node)),
            values: gitops::Wanted::default(),
            scope: self.scope.clone(),
            spared: stage.spared.clone(),
            keep_extras: false,
            isolation: None,
            allow_run: false,
            earlier: Earlier::default(),
            incident_start,
            now,
            run: RunId::new(now, &plan.name, (self.random)()),
            sessions: 0,
        }
    }
}

fn failed(drilled: &Drilled, error: &Error) -> Scenario {
    drilled.without("failed", error.to_string())
}

fn untested(drilled: &Drilled, why: String) -> Scenario {
    drilled.without("not tested", why)
}

fn nothing_to_break(plan: &RestorePlan) -> String {
    let components: Vec<String> = plan.components().iter().map(ToString::to_string).collect();
    format!(
        "nothing could be broken: the snapshots have nothing of {} that it restores",
        components.join(", ")
    )
}

//! One scenario drilled: its failure caused, its plan replayed as `netdr restore` does, the outcome judged.
//!
//! In: a plan, the opened snapshots, and where to drill: a control plane made for it, or a marked cluster. Out: a
//! [`Scenario`]. Invariant: a plan is replayed without the steps that would touch the machine netdr runs on, and these are
//! named.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    ControlPlane, Memory, Options, Programs, Subject, damage,
    load::{self, Loaded},
    player::Player,
};
use crate::{
    Error, Result,
    capture::Scope,
    cluster::Cluster,
    gitops,
    host::{self, Writer},
    model::{Class, Component, Content, ItemKey, RunId},
    plan::{Action, CommandLine, Earlier, RestorePlan},
    report::{
        RecoveryReport,
        drill::{Scenario, judge, own_time},
    },
    repository::Repository,
    restore::{Chosen, Clock, Request, Running, prepare, run},
    seal::Identities,
    signature::TrustedSigners,
};

/// Acts in flight, and the pause between two looks at a gate.
const PARALLEL: usize = 32;
const POLL: Duration = Duration::from_millis(100);

/// A plan to drill.
pub struct Drilled {
    /// The plan.
    pub plan: RestorePlan,
    /// Its YAML.
    pub text: String,
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
}

/// Where runs take place.
struct Stage<'a> {
    cluster: &'a Cluster,
    /// Where runs keep their journals: gone with the drill.
    runs: &'a Path,
    /// The files of each node.
    roots: &'a BTreeMap<String, PathBuf>,
    /// Below which there are none.
    nowhere: &'a Path,
}

impl Rehearsal<'_> {
    /// Drills one scenario on a control plane of its own, which is gone afterwards. What goes wrong is in its outcome.
    pub async fn sandbox(&self, drilled: &Drilled, programs: &Programs, memory: &Memory) -> Scenario {
        let scenario = self.in_sandbox(drilled, programs, memory).await;
        scenario.unwrap_or_else(|error| failed(drilled, &error))
    }

    async fn in_sandbox(&self, drilled: &Drilled, programs: &Programs, memory: &Memory) -> Result<Scenario> {
        let name = &drilled.plan.name;
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
        let Loaded { left_out, made_up } = load::load(&cluster, self.subject).await?;
        let (roots, not_rooted) = self.roots(plane.folder())?;
        let (plan, mut not_tested) = restricted(&drilled.plan, !roots.is_empty());
        if drilled.plan.components().contains(&Component::Host) {
            not_tested.extend(not_rooted);
        }
        not_tested.extend(left_out.iter().map(|what| format!("not loaded: {what}")));
        let (runs, nowhere) = (plane.folder().join("runs"), plane.folder().join("nowhere"));
        let stage = Stage { cluster: &cluster, runs: &runs, roots: &roots, nowhere: &nowhere };
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
        let work = self.drill(drilled, &plan, &stage);
        tokio::select! {
            scenario = work => {
                let scenario = scenario?;
                Ok(Scenario { rto_met: None, simulated, not_tested: [not_tested, scenario.not_tested].concat(), ..scenario })
            }
            never = player.play() => match never {},
        }
    }

    /// Drills one scenario on a cluster that is marked for it: the plan first makes it equal to the snapshot, then it is
    /// broken and the plan is replayed. What goes wrong is in its outcome.
    pub async fn on_cluster(&self, drilled: &Drilled, cluster: &Cluster, folder: &Path) -> Scenario {
        let scenario = self.in_cluster(drilled, cluster, folder).await;
        scenario.unwrap_or_else(|error| failed(drilled, &error))
    }

    async fn in_cluster(&self, drilled: &Drilled, cluster: &Cluster, folder: &Path) -> Result<Scenario> {
        let (plan, not_tested) = restricted(&drilled.plan, false);
        let (runs, nowhere, roots) = (folder.join("runs"), folder.join("nowhere"), BTreeMap::new());
        let stage = Stage { cluster, runs: &runs, roots: &roots, nowhere: &nowhere };
        (self.tell)(&format!("{}: making the cluster equal to the snapshots", plan.name));
        let loaded = self.restore(drilled, &plan, &stage, None, (self.clock)()).await?;
        if loaded.differences_left > 0 {
            let left = loaded.differences_left;
            let name = &plan.name;
            return Err(Error::failed(format!(
                "the cluster could not be made equal to the snapshots of {name}"
            ))
            .why(format!("{left} differences are left after its plan: {}", loaded.remarks.join("; "))));
        }
        let scenario = self.drill(drilled, &plan, &stage).await?;
        Ok(Scenario { not_tested: [not_tested, scenario.not_tested].concat(), ..scenario })
    }

    /// Breaks, replays, judges.
    async fn drill(&self, drilled: &Drilled, plan: &RestorePlan, stage: &Stage<'_>) -> Result<Scenario> {
        let (name, components) = (&plan.name, plan.components());
        (self.tell)(&format!("{name}: causing its failure"));
        let chosen = damage::choose(&components, &self.subject.items);
        let caused = damage::cause(stage.cluster, stage.roots, &chosen).await?;
        let incident = (self.clock)();
        (self.tell)(&format!("{name}: {} failures caused, replaying its plan", caused.len()));
        let mut runs = Vec::new();
        let nodes: Vec<&String> = stage.roots.keys().collect();
        let nodes: Vec<Option<&String>> = match nodes[..] {
            [] => vec![None],
            _ => nodes.into_iter().map(Some).collect(),
        };
        for node in nodes {
            runs.push(self.restore(drilled, plan, stage, node.map(String::as_str), incident).await?);
        }
        let took = ((self.clock)() - incident).to_std().unwrap_or_default();
        let (outcome, why, checks) = judge(&caused, &runs, &stage.roots.keys().cloned().collect());
        let recovered = outcome == "recovered";
        let mut not_tested: Vec<String> =
            runs.iter().flat_map(|run| run.not_probed.iter().cloned()).collect();
        not_tested.sort();
        not_tested.dedup();
        let simulated: Vec<String> = runs.iter().flat_map(|run| run.simulated.iter().cloned()).collect();
        let point = runs.iter().map(|run| run.recovery_point_s).max().unwrap_or_default();
        Ok(Scenario {
            outcome,
            why,
            own_time_s: own_time(&runs),
            recovery_time_s: took.as_secs_f64(),
            // Where nodes are only played, so is the time that they take.
            rto_met: simulated.is_empty().then_some(recovered && took <= plan.rto),
            recovery_point_s: point,
            rpo_met: recovered.then(|| u64::try_from(point).unwrap_or_default() <= plan.rpo.as_secs()),
            simulated,
            not_tested,
            caused,
            checks,
            runs,
            ..empty(drilled, String::new())
        })
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
        let now = (self.clock)();
        let id = RunId::new(now, &plan.name, (self.random)());
        let root = node.and_then(|node| stage.roots.get(node)).map_or(stage.nowhere, PathBuf::as_path);
        let cluster = &self.subject.cluster.name;
        let request = Request {
            plan: plan.clone(),
            plan_text: drilled.text.clone(),
            plan_flag: format!("--scenario {}", plan.name),
            repository: self.repository,
            trusted: self.trusted,
            identities: self.identities,
            cluster: stage.cluster,
            command_line: CommandLine::default(),
            cluster_name: Some(cluster),
            host_root: root,
            from_cluster: None,
            from: Chosen::Snapshots(self.subject.ids(&plan.components(), node)),
            values: gitops::Wanted::default(),
            scope: self.scope.clone(),
            keep_extras: false,
            isolation: None,
            allow_run: false,
            earlier: Earlier::default(),
            incident_start,
            now,
            run: id.clone(),
            sessions: 0,
        };
        let prepared = prepare(request).await?;
        let running = Running {
            folder: &stage.runs.join(id.as_str()),
            recipients: &self.identities.recipients()?,
            operator: self.operator,
            confirm_s: 0.0,
            clock: self.clock,
            event: &|_| (),
            confirm: &|_| Ok(true),
            proceed: &|_| Ok(true),
            parallel: PARALLEL,
            poll: POLL,
        };
        run(prepared, &running).await
    }

    /// The files of each node below a folder of its own; or why they are not drilled.
    fn roots(&self, folder: &Path) -> Result<(BTreeMap<String, PathBuf>, Vec<String>)> {
        let mut roots = BTreeMap::new();
        let files: Vec<_> = self
            .subject
            .items
            .iter()
            .filter_map(|item| match (&item.key, &item.content) {
                (ItemKey::File { node, path }, Content::File(file)) => Some((node, path, file, item.class)),
                _ => None,
            })
            .collect();
        if files.is_empty() {
            return Ok((roots, vec!["files of nodes: there is no snapshot of them".into()]));
        }
        if let Err(error) = host::may_own(files.iter().map(|(_, _, file, _)| *file)) {
            return Ok((roots, vec![format!("files of nodes: {error}")]));
        }
        for node in self.subject.nodes() {
            let root = folder.join("hosts").join(&node);
            let failed = |e| Error::failed(format!("cannot make {}", root.display())).because(e);
            std::fs::create_dir_all(root.join("etc/rancher/rke2")).map_err(failed)?;
            std::fs::write(root.join("etc/hostname"), format!("{node}\n")).map_err(failed)?;
            let writer = Writer::open(&root)?;
            let own = files.iter().filter(|(of, _, _, class)| **of == node && *class == Class::Config);
            for (_, path, file, _) in own {
                writer.put(path, file, None).map_err(Error::failed)?;
            }
            roots.insert(node, root);
        }
        Ok((roots, Vec::new()))
    }
}

/// The plan without what would touch this machine, and what that is.
fn restricted(plan: &RestorePlan, files: bool) -> (RestorePlan, Vec<String>) {
    let mut not_tested = Vec::new();
    let mut plan = plan.clone();
    plan.steps.retain(|step| {
        let left_out = match &step.action {
            Action::Run { command, .. } => {
                Some(format!("step `{}`: `{}` was not run", step.id, command.join(" ")))
            }
            Action::HostFiles if !files => {
                Some(format!("step `{}`: no files of a node were restored", step.id))
            }
            _ => None,
        };
        let keep = left_out.is_none();
        not_tested.extend(left_out);
        keep
    });
    (plan, not_tested)
}

fn failed(drilled: &Drilled, error: &Error) -> Scenario {
    empty(drilled, error.to_string())
}

fn empty(Drilled { plan, .. }: &Drilled, why: String) -> Scenario {
    Scenario::failed(&plan.name, &plan.title, &plan.role, plan.rto.as_secs(), plan.rpo.as_secs(), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_drilled_without_what_would_touch_this_machine_and_that_is_named() {
        let (_, text) = RestorePlan::builtin().into_iter().find(|(name, _)| *name == "cni").unwrap();
        let plan = RestorePlan::parse(text, "cni").unwrap();
        let (with_files, said) = restricted(&plan, true);
        assert_eq!(with_files.steps.len(), plan.steps.len() - 1);
        assert_eq!(said, ["step `service`: `systemctl restart rke2-server` was not run"]);
        let (without, said) = restricted(&plan, false);
        assert_eq!((without.steps.len(), said.len()), (plan.steps.len() - 2, 2));
        assert!(!without.components().contains(&Component::Host));
    }
}

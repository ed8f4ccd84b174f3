//! Preparing an undo: from the journal and the safety snapshot of a run to a resolved plan.
//!
//! In: a run's folder, a cluster, what opens the safety snapshot. Out: a [`Prepared`] run of its own. Invariant: nothing
//! is changed; the journal says what was done, its digests say which sealed files to believe, and the cluster says what
//! of it is still so.

mod changes;
mod look;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};

use super::{
    journal::{Entry, Past},
    prepared::{Origin, Part, Prepared},
    safety::{self, Saved},
};
use crate::{
    Error, Result,
    cluster::{Cluster, Discovery},
    host,
    model::{ClusterIdentity, Component, ItemKey, RunId},
    plan::{Changed, CommandLine, ResolvedPlan, RestorePlan, Source, UndoInputs, Verb, undo},
    report::Phase,
    seal::Identities,
};

/// Objects looked at at once.
const LOOKS: usize = 16;
/// What an undo is given where the plan of the undone run cannot be read any more.
const OBJECTIVE: Duration = Duration::from_secs(15 * 60);

/// What is asked for.
pub struct Undo<'a> {
    /// The run to be undone.
    pub past: Past,
    /// Its folder.
    pub folder: &'a Path,
    /// What opens its safety snapshot; asked for only where there is one.
    pub identities: &'a dyn Fn() -> Result<Identities>,
    /// What it is undone on.
    pub cluster: &'a Cluster,
    /// Below which the files of this machine are.
    pub host_root: &'a Path,
    /// The flags of this call, for commands that are shown.
    pub command_line: CommandLine,
    /// When the command began.
    pub now: DateTime<Utc>,
    /// The id of the undo's own run.
    pub run: RunId,
}

/// What an undo resolves from, again after it is done.
pub(super) struct Undoing<'a> {
    pub(super) past: Past,
    cluster: &'a Cluster,
    pub(super) host_root: &'a Path,
    pub(super) command_line: CommandLine,
    changes: Vec<Changed>,
    plan: RestorePlan,
    source: Source,
}

impl<'a> Undo<'a> {
    /// Reads, opens, looks, and resolves.
    ///
    /// # Errors
    /// When the run was on another cluster, its journal is of netdr 0.1, its safety snapshot is missing, changed or sealed
    /// to others, or the cluster cannot be reached.
    pub async fn prepare(self) -> Result<Prepared<'a>> {
        let began = Instant::now();
        let Self { past, folder, identities, cluster: target, host_root, command_line, now, run } = self;
        let held = past.lines.iter().any(|line| matches!(line.entry, Entry::Safety { .. }));
        // Files of a node are put back without an API server, for they may be why it does not answer.
        let files = past.changed().all(|key| matches!(key, ItemKey::File { .. }));
        let offline = files && target.answers().await.is_err();
        let cluster = match offline {
            true => past.cluster.clone(),
            false => target.identity(Some(&past.cluster.name)).await?,
        };
        same_cluster(&past, &cluster)?;
        let saved = if held { safety::open(folder, &past.lines, &identities()?)? } else { Saved::new() };
        let changes = changes::changes(&past, saved)?;
        let opened = began.elapsed().as_secs_f64();
        let plan = head(&past);
        let source = Source { captured_at: now, ..Source::default() };
        let undoing = Undoing { past, cluster: target, host_root, command_line, changes, plan, source };
        let plan = undoing.resolve(&cluster).await?;
        let planned = began.elapsed().as_secs_f64() - opened;
        let phases = vec![Phase { name: "open", seconds: opened }, Phase { name: "plan", seconds: planned }];
        Ok(Prepared {
            plan,
            cluster,
            target,
            run,
            incident_start: now,
            now,
            sessions: 0,
            part: Part::All,
            offline,
            origin: Origin::Run(Box::new(undoing)),
            phases,
        })
    }
}

impl Undoing<'_> {
    pub(super) async fn resolve(&self, cluster: &ClusterIdentity) -> Result<ResolvedPlan> {
        let files = self.changes.iter().all(|changed| matches!(changed.key, ItemKey::File { .. }));
        let discovery = if files { Discovery::default() } else { self.cluster.discover().await? };
        let looks =
            self.changes.iter().map(|changed| look::look(self.cluster, &discovery, self.host_root, changed));
        let found: Vec<_> = stream::iter(looks).buffered(LOOKS).collect().await;
        let mut plan = undo(UndoInputs {
            plan: self.plan.clone(),
            source: self.source.clone(),
            cluster: cluster.uid.clone(),
            changes: self.changes.iter().cloned().zip(found).collect(),
            warnings: for_good(&self.past),
        });
        if host::is_rke2(self.host_root)
            && self.changes.iter().any(|changed| matches!(changed.key, ItemKey::File { .. }))
            && let Ok(host::Node { name, doubt: Some(doubt) }) = host::likely_node(self.host_root)
        {
            plan.warnings.push(format!("this node is taken for {name}: {doubt}"));
        }
        let emptied = emptied(self.host_root, &plan);
        plan.warnings.extend(emptied);
        Ok(plan)
    }

    pub(super) fn components(&self) -> BTreeSet<Component> {
        self.changes.iter().map(|changed| changed.component).collect()
    }
}

/// Folders of the node that are empty afterwards. They stay: whether the run made one or found it is in no journal.
fn emptied(root: &Path, plan: &ResolvedPlan) -> Vec<String> {
    let mut going: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for act in plan.acts().filter(|act| act.verb == Verb::Delete) {
        if let ItemKey::File { path, .. } = &act.key
            && let Some((folder, name)) = path.rsplit_once('/')
        {
            going.entry(folder).or_default().insert(name);
        }
    }
    let all =
        |names: &BTreeSet<String>, gone: &BTreeSet<&str>| names.iter().all(|n| gone.contains(n.as_str()));
    let empty =
        going.into_iter().filter(|(folder, gone)| host::names(root, folder).is_ok_and(|n| all(&n, gone)));
    empty
        .map(|(folder, _)| {
            format!("folder {folder} will be empty and stays; if the run made it: rmdir {folder}")
        })
        .collect()
}

/// A run can only be undone where it was done.
fn same_cluster(past: &Past, live: &ClusterIdentity) -> Result<()> {
    if past.cluster.uid == live.uid || past.cluster.uid.is_empty() {
        return Ok(());
    }
    let (run, name) = (&past.run, &past.cluster.name);
    Err(Error::usage(format!("run {run} changed another cluster: {name}, with uid {}", past.cluster.uid))
        .why(format!("this one's is {}", live.uid))
        .hint("name that cluster's kubeconfig with --kubeconfig FILE"))
}

/// An undo as a plan: its name, and the objective of the run that it undoes.
fn head(past: &Past) -> RestorePlan {
    let plan = past.plan().ok();
    RestorePlan {
        name: "undo".into(),
        title: format!("What run {} changed, as it was before", past.run),
        rto: plan.as_ref().map_or(OBJECTIVE, |plan| plan.rto),
        rpo: Duration::ZERO,
        role: plan.as_ref().map_or_else(String::new, |plan| plan.role.clone()),
        runbook: plan.map_or_else(String::new, |plan| plan.runbook),
        steps: Vec::new(),
    }
}

/// What was done that is no object's content, said before: there is no way back.
fn for_good(past: &Past) -> Vec<String> {
    let mut lost: Vec<(&str, &str)> = Vec::new();
    for line in &past.lines {
        let (step, what) = match &line.entry {
            Entry::Run { step, .. } => (step, "run"),
            Entry::Intent { step, verb: Verb::Restart, .. } => (step, "rolloutRestart"),
            Entry::Intent { step, verb: Verb::Renew, .. } => (step, "renewCertificates"),
            _ => continue,
        };
        if !lost.contains(&(step, what)) {
            lost.push((step, what));
        }
    }
    lost.into_iter()
        .map(|(step, what)| format!("step `{step}` ({what}) is not undone: what it did has no way back"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_way_back_is_said_once_and_only_where_it_was_done() {
        let lines = [
            r#""event":"begun","run":"20261124T031500Z-cni-5b21d0","scenario":"cni","plan":"d","source":[],"cluster":{"name":"c","uid":"u","kubernetes":""},"operator":"me""#,
            r#""event":"step","step":"service","action":"run","outcome":"done","seconds":0,"failures":[]"#,
            r#""event":"intent","step":"restart","key":"resources/apps/daemonsets/kube-system/rke2-canal","verb":"restart""#,
            r#""event":"resumed","plan":"d","operator":"me""#,
            r#""event":"intent","step":"restart","key":"resources/apps/daemonsets/kube-system/rke2-canal","verb":"restart""#,
            r#""event":"run","step":"again","command":["x"]"#,
        ];
        let folder = tempfile::tempdir().unwrap();
        let text: String =
            lines.iter().map(|line| format!("{{\"at\":\"2026-11-24T03:15:00Z\",{line}}}\n")).collect();
        std::fs::write(folder.path().join("journal.jsonl"), text).unwrap();
        let said = for_good(&Past::read(folder.path()).unwrap());
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("step `restart` (rolloutRestart)")
                && said[1].starts_with("step `again` (run)")
        );
    }
}

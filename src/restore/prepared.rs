//! A run that waits for a yes, whether it restores or undoes.
//!
//! In: a resolved plan and where its wanted state comes from. Out: what a run needs of both kinds. Invariant: what is left
//! to do is found again from the very same source.

use std::{collections::BTreeSet, time::Instant};

use chrono::{DateTime, Utc};

use super::{
    journal::{Entry, FORMAT},
    machine::Machine,
    prepare::Request,
    sources::Sources,
    undo::Undoing,
};
use crate::{
    Result,
    cluster::Cluster,
    host::{self, Writer},
    model::{ClusterIdentity, Component, Content, FileContent, ItemKey, RunId, Set, SnapshotId},
    plan::{Act, AuthoredValues, CommandLine, ResolvedPlan},
    report::Phase,
};

/// A run that waits for a yes.
pub struct Prepared<'a> {
    /// What will be done, with every warning.
    pub plan: ResolvedPlan,
    /// Which cluster it will be done to.
    pub cluster: ClusterIdentity,
    pub(super) target: &'a Cluster,
    pub(super) run: RunId,
    pub(super) incident_start: DateTime<Utc>,
    /// When the command began.
    pub(super) now: DateTime<Utc>,
    /// In how many processes the run was at work before this one.
    pub(super) sessions: usize,
    pub(super) part: Part,
    /// Whether no API server answers that could hold the Lease.
    pub(super) offline: bool,
    pub(super) origin: Origin<'a>,
    /// `open` and `plan`, so far.
    pub(super) phases: Vec<Phase>,
}

/// Which steps of the plan.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Those that need no API server, which does not answer.
    First,
    /// The others, when it does.
    Rest,
}

/// Where the wanted state comes from.
pub(super) enum Origin<'a> {
    /// A restore.
    Source(Box<Restoring<'a>>),
    /// An undo: the journal and the safety snapshot of a run.
    Run(Box<Undoing<'a>>),
}

/// What a restore resolves from, again after it is done.
pub(super) struct Restoring<'a> {
    pub(super) request: Request<'a>,
    pub(super) sources: Sources,
    /// What people author of the releases in them.
    pub(super) authored: Vec<AuthoredValues>,
    pub(super) machine: Machine<'a>,
}

/// The files of a node that acts put, write over or take away.
fn files<'a>(acts: impl Iterator<Item = &'a Act>) -> impl Iterator<Item = &'a FileContent> {
    let contents = acts.flat_map(|act| act.item.iter().map(|item| &item.content).chain(&act.live));
    contents.filter_map(|content| match content {
        Content::File(file) => Some(file),
        Content::Resource(_) | Content::Release(_) => None,
    })
}

impl Prepared<'_> {
    /// Refuses what this process could not write or take away.
    ///
    /// # Errors
    /// Usage: there are files of the node among it, and it is not root.
    pub fn may_write(&self) -> Result<()> {
        host::may_own(files(self.plan.acts()))
    }

    /// What writes the files of this node, where the plan may have some.
    pub(super) fn writer(&self) -> Result<Option<Writer>> {
        let root = match &self.origin {
            Origin::Source(from) => {
                let files =
                    from.machine.node.is_some() && from.request.plan.components().contains(&Component::Host);
                files.then_some(from.request.host_root)
            }
            Origin::Run(undoing) => {
                let files = self.plan.acts().any(|act| matches!(act.key, ItemKey::File { .. }));
                files.then_some(undoing.host_root)
            }
        };
        root.map(Writer::open).transpose()
    }

    /// Who answers for the source.
    pub fn signed_by(&self) -> String {
        match &self.origin {
            Origin::Source(from) => from.sources.signed_by.clone(),
            Origin::Run(undoing) => {
                format!("nobody; the journal of run {} names it by its sha256", undoing.past.run)
            }
        }
    }

    /// The source, in words.
    pub fn source(&self) -> String {
        match &self.origin {
            Origin::Source(_) => {
                let names: Vec<String> = self.plan.source.names.iter().map(ToString::to_string).collect();
                names.join(", ")
            }
            Origin::Run(undoing) => format!("the safety snapshot of run {}", undoing.past.run),
        }
    }

    /// When the oldest was captured of those snapshots that nobody named.
    pub fn latest(&self) -> Option<DateTime<Utc>> {
        let Origin::Source(from) = &self.origin else { return None };
        let named = |id: &SnapshotId| from.request.from.snapshots().contains(id);
        from.sources.headers.iter().filter(|header| !named(&header.id)).map(|header| header.captured_at).min()
    }

    /// The run's id.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The command that does what is left: an undo is repeated, and a run whose end was reached is not resumed.
    pub(super) fn go_on(&self, ended: bool) -> String {
        match &self.origin {
            Origin::Run(undoing) => undoing.command_line.again(&format!("undo {}", undoing.past.run)),
            Origin::Source(from) if ended => from.request.once_more(&self.plan.source.names),
            Origin::Source(from) => from.request.resume(),
        }
    }

    /// What a source that people author leaves out of the files beside it.
    pub fn narrowed(&self) -> &[String] {
        match &self.origin {
            Origin::Source(from) => from.sources.narrowed(),
            Origin::Run(_) => &[],
        }
    }

    /// The command that unpacks the node's files as the source has them, in clear, into a private folder.
    pub fn extract_files(&self) -> Option<String> {
        let Origin::Source(from) = &self.origin else { return None };
        let header = from.sources.headers.iter().find(|header| header.set == Set::Host)?;
        let words = format!("extract {} --component host --to extracted", header.id);
        Some(from.request.command_line.again(&words))
    }

    /// The flags of this call.
    pub(super) fn command_line(&self) -> &CommandLine {
        match &self.origin {
            Origin::Source(from) => &from.request.command_line,
            Origin::Run(undoing) => &undoing.command_line,
        }
    }

    /// The run that is undone.
    pub fn undoes(&self) -> Option<&RunId> {
        match &self.origin {
            Origin::Source(_) => None,
            Origin::Run(undoing) => Some(&undoing.past.run),
        }
    }

    /// Looks at the cluster again and says what would have to be done still.
    pub(super) async fn resolve(&self, now: DateTime<Utc>) -> Result<ResolvedPlan> {
        match &self.origin {
            Origin::Source(from) => {
                let part = if self.part == Part::First { Part::First } else { Part::All };
                from.request
                    .resolve(&from.machine, &from.sources, &from.authored, &self.cluster, part, now)
                    .await
            }
            Origin::Run(undoing) => undoing.resolve(&self.cluster).await,
        }
    }

    /// What the plan touches.
    pub(super) fn components(&self) -> BTreeSet<Component> {
        match &self.origin {
            Origin::Source(from) => from.request.plan.components(),
            Origin::Run(undoing) => undoing.components(),
        }
    }

    /// The rest, now that the API server answers.
    pub(super) async fn rest(mut self, now: DateTime<Utc>) -> Result<Self> {
        let began = Instant::now();
        if let Origin::Source(from) = &mut self.origin {
            // What is tied to a step of the first part must know that it changed something.
            let changed = self.plan.steps.iter().filter(|step| !step.batches.is_empty());
            from.request.earlier.changed.extend(changed.map(|step| step.id.clone()));
            self.cluster = self.target.identity(Some(&self.cluster.name)).await?;
            from.same_cluster(&self.cluster)?;
            (self.part, self.offline) = (Part::Rest, false);
            self.plan = from.plan(&self.cluster, self.part, now).await?;
        }
        if let Some(plan) = self.phases.iter_mut().find(|phase| phase.name == "plan") {
            plan.seconds += began.elapsed().as_secs_f64();
        }
        Ok(self)
    }

    /// The line with which this process begins, or goes on with, the journal.
    pub(super) fn entry(&self, operator: &str) -> Entry {
        let (plan, operator) = (self.plan.digest(), operator.to_owned());
        if self.sessions > 0 {
            let cluster = (!self.offline).then(|| self.cluster.clone());
            return Entry::Resumed { plan, operator, cluster };
        }
        let asked = match &self.origin {
            Origin::Source(from) => Some(Box::new(from.request.asked())),
            Origin::Run(_) => None,
        };
        Entry::Begun {
            format: FORMAT,
            run: self.run.to_string(),
            scenario: self.plan.plan.name.clone(),
            plan,
            source: self.plan.source.names.clone(),
            cluster: self.cluster.clone(),
            operator,
            asked,
            undoes: self.undoes().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Verb;

    #[test]
    fn who_takes_a_file_away_needs_the_rights_of_its_owner_too() {
        let theirs = FileContent { mode: 0o600, uid: 12, gid: 34, bytes: b"x".to_vec() };
        let file = ItemKey::File { node: "n1".into(), path: "/etc/sysctl.d/x.conf".into() };
        let live = Some(Content::File(theirs.clone()));
        let act = Act { live, ..Act::of(file, Component::Host, Verb::Delete) };
        let found: Vec<_> = files([act].iter()).map(FileContent::sha256).collect();
        assert_eq!(found, [theirs.sha256()]);
    }
}

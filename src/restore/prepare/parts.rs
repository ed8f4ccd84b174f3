//! A plan in parts: where no API server answers, the node's files come first, and the rest when it does.
//!
//! In: which part, and the cluster as far as it is known. Out: what will be done in that part. Invariant: the first part
//! asks no cluster, and the rest is of the cluster that the source is of.

use chrono::{DateTime, Utc};

use super::{Request, Restoring};
use crate::{
    Error, Result,
    model::{ClusterIdentity, Set, SourceName},
    plan::{ResolvedPlan, RestorePlan},
    restore::{prepared::Part, sources::Sources},
};

impl Restoring<'_> {
    /// What will be done in a part of the plan, with all that a person should know.
    pub(in crate::restore) async fn plan(
        &self,
        cluster: &ClusterIdentity,
        part: Part,
        now: DateTime<Utc>,
    ) -> Result<ResolvedPlan> {
        let Self { request, sources, authored, machine } = self;
        let mut plan = request.resolve(machine, sources, authored, cluster, part, now).await?;
        plan.warnings.extend(plan.unread.iter().cloned());
        // What this run itself did before says nothing of the source.
        let first = part != Part::Rest && request.sessions == 0;
        if first && plan.changes().next().is_none() && plan.differences.is_empty() {
            plan.warnings.push(request.nothing_differs(sources, part)?);
        }
        Ok(plan)
    }

    /// Refuses a cluster that has the name of the source's and is another one: nobody could see that before it answered.
    pub(in crate::restore) fn same_cluster(&self, live: &ClusterIdentity) -> Result<()> {
        let Request { run, from_cluster, .. } = &self.request;
        let headers = self.sources.headers.iter().filter(|header| !header.cluster.uid.is_empty());
        let mut others = headers.filter(|header| header.cluster.uid != live.uid);
        let Some(other) = others.next().filter(|_| from_cluster.is_none()) else { return Ok(()) };
        let name = &live.name;
        Err(Error::usage(format!(
            "the API server that answers is not that of {name} as it was captured, so the run stops after this node's files"
        ))
        .why(format!(
            "its kube-system has uid {}, in snapshot {} it has {}",
            live.uid, other.id, other.cluster.uid
        ))
        .hint(format!(
            "if {name} was rebuilt and is to be restored: {}",
            self.request.resume()
        ))
        .hint(format!(
            "else put the node's files back: {}",
            self.request.command_line.again(&format!("undo {run}"))
        )))
    }
}

impl Request<'_> {
    /// The authored plan with the steps of a part alone.
    pub(super) fn part(&self, part: Part) -> RestorePlan {
        let mut plan = self.plan.clone();
        let first = plan.without_cluster();
        match part {
            Part::All => {}
            Part::First => plan.steps.truncate(first),
            Part::Rest => drop(plan.steps.drain(..first)),
        }
        plan
    }

    /// Equal does not mean right: the damage may be older than the snapshot.
    fn nothing_differs(&self, sources: &Sources, part: Part) -> Result<String> {
        let components = self.part(part).components();
        let of_part = |name: &&SourceName| match (part, name) {
            (Part::First, SourceName::Snapshot(id)) => {
                sources.headers.iter().any(|h| h.id == *id && h.set == Set::Host)
            }
            _ => true,
        };
        let source = sources.source();
        let names: Vec<String> = source.names.iter().filter(of_part).map(ToString::to_string).collect();
        let equal = equal(part, &names);
        if sources.given.is_some() {
            return Ok(format!("{equal}; if that is wrong, so is the source"));
        }
        let listed = self.repository.list(self.trusted, self.now)?;
        let older = sources.older_that_differs(self.repository, &listed, self.identities, &components);
        let next = match older {
            Some(id) => format!(
                "the newest one before it that differs is {id}: {}",
                self.command_line.again(&format!("{} --snapshot {id}", self.anew()))
            ),
            None => "no older snapshot differs".into(),
        };
        let wrong = match part {
            Part::First => "if they are wrong",
            Part::All | Part::Rest => "if the live state is wrong",
        };
        Ok(format!("{equal}; {wrong}, so is what was captured; {next}"))
    }
}

/// What was compared, and with what.
fn equal(part: Part, names: &[String]) -> String {
    let (source, equals) = match names {
        [name] => (format!("source {name}"), "equals"),
        names => (format!("sources {}", names.join(" and ")), "equal"),
    };
    match part {
        Part::First => format!(
            "the {source} {equals} the files of this node; nothing of the cluster was compared, for its API server does \
             not answer"
        ),
        Part::All | Part::Rest => format!("the {source} {equals} the live state"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_says_what_was_compared() {
        let (one, two) = (["a".to_owned()], ["a".to_owned(), "b".to_owned()]);
        assert_eq!(equal(Part::All, &one), "the source a equals the live state");
        assert_eq!(equal(Part::All, &two), "the sources a and b equal the live state");
        let files = equal(Part::First, &one);
        assert!(
            files.starts_with("the source a equals the files of this node; nothing of the cluster"),
            "{files}"
        );
    }
}

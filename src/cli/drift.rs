//! `netdr drift`: how the live state differs from the snapshots to rely on, or from what people author in Git.

mod told;
mod traces;

use chrono::{DateTime, Utc};
use clap::Args;

use super::{
    after::TOLD,
    against,
    choice::one_of,
    compare::{Live, STEADY, Snapshot},
    context::Context,
    exit::Exit,
    interrupt,
    settings::Settings,
    words::count,
};
use crate::{
    Error, Result,
    cluster::Cluster,
    drift::{self, Report},
    host,
    model::{Component, Set, Severity, SnapshotId, SourceName},
    notify::Told,
    plan::{Change, Difference},
    repository::{Listed, Repository, choose},
    seal::Identities,
    task::{Event, Problem, Records},
};

/// Tell what differs from the latest snapshots (the index key is enough) or from Git, how grave it is and why
#[derive(Args)]
pub(super) struct Drift {
    /// A snapshot; the `latest` of every set (of `host` only on a server node); or what people author in Git (`git.sources`)
    #[arg(long, value_name = "latest|git|ID", default_value = "latest")]
    against: Against,
    /// Only these sets; repeatable [default: all, `host` only on a server node]
    #[arg(long = "set", value_name = "SET", value_parser = one_of::<Set>(Set::ALL.map(Set::name)))]
    sets: Vec<Set>,
    /// Tell only of what is, or may be, at least that grave
    #[arg(long, value_name = "SEVERITY", default_value = "low", value_parser = one_of::<Severity>(Severity::ALL.map(Severity::name)))]
    min_severity: Severity,
}

#[derive(Clone)]
enum Against {
    Latest,
    Git,
    Snapshot(SnapshotId),
}

impl std::str::FromStr for Against {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        match s {
            "latest" => Ok(Self::Latest),
            "git" => Ok(Self::Git),
            id => id.parse().map(Self::Snapshot),
        }
    }
}

impl Drift {
    pub(super) fn run(&self, cx: &Context) -> Result<Exit> {
        let settings = cx.settings()?;
        let task = self.task(cx);
        cx.about(&task);
        let (report, taken_over) = match &self.against {
            Against::Git if !self.sets.is_empty() => {
                return Err(Error::usage("--set chooses among snapshots, and Git has none")
                    .hint("compare all of git.sources: netdr drift --against git"));
            }
            Against::Git => {
                let report = against::git(cx, &settings, self.min_severity)?;
                cx.drifted_from_git(&report);
                (report, None)
            }
            Against::Latest | Against::Snapshot(_) => self.find(cx, &settings, &task)?,
        };
        for unread in &report.unread {
            cx.terminal.warn(format!("not read, so not compared: {unread}"));
        }
        cx.ended(&task, self.problems(&report).into_iter().chain(taken_over).collect());
        let partial = Exit::Partial.when(!report.unread.is_empty());
        let exit = Exit::Different.when(!report.items.is_empty()).max(partial);
        cx.record.counted("differences", report.items.len() as u64);
        cx.terminal.report(exit, &report, || said(&report))?;
        Ok(exit)
    }

    /// What is told of: who compared less, or with something else, says nothing of whether the rest is well again. Sets
    /// are of no account where they are refused: what failed must be able to succeed.
    fn task(&self, cx: &Context) -> String {
        let sets = if matches!(self.against, Against::Git) { &[][..] } else { &self.sets };
        let mut words = vec!["drift".to_owned()];
        match &self.against {
            Against::Latest => {}
            Against::Git => words.push("git".into()),
            Against::Snapshot(id) => words.push(id.to_string()),
        }
        words.extend(sets.iter().map(ToString::to_string));
        words.extend(sets.contains(&Set::Host).then(|| cx.host()));
        words.extend((self.min_severity > Severity::Low).then(|| self.min_severity.to_string()));
        words.join(" ")
    }

    /// Compares, and judges what differs; and what a newer snapshot took over of it, where nothing does.
    fn find(&self, cx: &Context, settings: &Settings, task: &str) -> Result<(Report, Option<Problem>)> {
        let repository = settings.repository()?;
        let openers = settings.index_openers(&cx.terminal)?;
        let identities = settings.identities_if_named()?;
        interrupt::run(&|| "nothing was changed".into(), async {
            let cluster = Cluster::connect(&settings.access()?).await?;
            let name = settings.cluster_name(&cluster);
            let yardsticks = |until| self.yardsticks(cx, settings, &repository, &openers, &name, until);
            let compare = async |with| self.compare(cx, settings, &cluster, identities.as_ref(), with).await;
            let latest = yardsticks(cx.now)?;
            let of = |one: &Snapshot<'_>| (one.header.set, one.header.node.clone());
            let sets: Vec<_> = latest.0.iter().map(of).collect();
            let report = compare(latest).await?;
            // Who compares with an older one finds what is known since.
            if matches!(self.against, Against::Latest) {
                cx.drifted(&sets, &report);
            }
            let since = match &self.against {
                Against::Latest if report.is_well() => drifting_since(&repository, &name, task),
                _ => None,
            };
            let Some(since) = since else { return Ok((report, None)) };
            let before = match yardsticks(since) {
                Ok((of_then, _)) if of_then.iter().map(|one| &one.header.id).eq(compared(&report)) => {
                    return Ok((report, None)); // it was put back
                }
                Ok(of_then) => compare(of_then).await,
                Err(error) => Err(error),
            };
            let taken_over = self.taken_over(&report, &before, since);
            Ok((report, taken_over))
        })
    }

    /// Compares with these snapshots, and judges.
    async fn compare(
        &self,
        cx: &Context,
        settings: &Settings,
        cluster: &Cluster,
        identities: Option<&Identities>,
        (yardsticks, unread): (Vec<Snapshot<'_>>, Vec<String>),
    ) -> Result<Report> {
        let scope = &settings.config.scope;
        let mut live = Live { seen: Vec::new(), unread, revisions: Vec::new() };
        for snapshot in &yardsticks {
            let _phase = cx.terminal.phase(format!("comparing with {}", snapshot.header.id));
            live.merge(if snapshot.is_of_cluster() {
                snapshot.against_cluster(cluster, scope, identities, STEADY, cx).await?
            } else {
                snapshot.against_host(identities, STEADY, cx)?
            });
        }
        live.seen.retain(|seen| {
            let Difference { key, component, change, .. } = &seen.difference;
            // A namespace is in each bundle that has something in it: what is there first is told of as itself. So is a
            // Secret in each that names it.
            let elsewhere = key.is_kind("", "namespaces") && *component != Component::Policies;
            *change != Change::Added || !(elsewhere || yardsticks.iter().any(|s| s.holds(key)))
        });
        let traces = traces::read(cluster, scope, &mut live).await?;
        let mut report = Report::of(live.seen, &traces, self.min_severity, cx.now);
        report.against = yardsticks.into_iter().map(|s| SourceName::Snapshot(s.header.id)).collect();
        report.unread = live.unread;
        Ok(report)
    }

    /// The snapshots to compare with, captured before `until`, and the sets whose snapshots cannot be relied on.
    fn yardsticks<'a>(
        &self,
        cx: &Context,
        settings: &Settings,
        repository: &'a Repository,
        openers: &Identities,
        cluster: &str,
        until: DateTime<Utc>,
    ) -> Result<(Vec<Snapshot<'a>>, Vec<String>)> {
        if let Against::Snapshot(id) = &self.against {
            let snapshot = Snapshot::get(repository, id, settings, openers, cx)?;
            let of = &snapshot.header.cluster.name;
            if of != cluster {
                cx.terminal.warn(format!("{id} is of cluster {of}, and this is {cluster}"));
            }
            snapshot.warn(cx);
            return Ok((vec![snapshot], vec![]));
        }
        let mut listed = repository.list(&settings.trusted()?, cx.now)?;
        // Compared with what was taken because of a change, no change would ever show.
        listed.retain(|one| !one.is_of_a_change());
        let node = cx.server_node()?.then(|| host::node_name(&cx.flags.host_root)).transpose()?;
        if node.is_none() && self.sets.contains(&Set::Host) {
            return Err(cx.no_server());
        }
        let mut sets = vec![(Set::Network, None), (Set::Certificates, None)];
        sets.extend(node.as_deref().map(|node| (Set::Host, Some(node))));
        sets.retain(|(set, _)| self.sets.is_empty() || self.sets.contains(set));
        let (mut yardsticks, mut missing) = (Vec::new(), Vec::new());
        for (set, node) in sets {
            match choose(&listed, cluster, set, node, &set.components().collect(), until) {
                Ok(choice) => {
                    cx.passed_over(&choice.passed_over);
                    let chosen = listed.iter().find(|l| l.id == choice.header.id);
                    yardsticks.extend(chosen.map(|l| Snapshot::open(repository, l, openers)).transpose()?);
                }
                Err(none) => missing.push((set, node, none.to_compare())),
            }
        }
        if yardsticks.is_empty() {
            return Err(missing
                .into_iter()
                .next()
                .map_or_else(|| Error::failed("no snapshot to compare with"), |(.., error)| error));
        }
        let (unread, unused): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|(set, node, _)| self.is_gap(*set, *node, &listed));
        for (.., error) in unused {
            cx.terminal.warn(format!("not compared: {error}"));
        }
        Ok((yardsticks, unread.into_iter().map(|(.., error)| error.to_string()).collect()))
    }

    /// Whether a set without a snapshot to rely on is a gap in what was asked for: it was asked for by name, or its snapshots
    /// went bad. A set that nobody backs up is none.
    fn is_gap(&self, set: Set, node: Option<&str>, listed: &[Listed]) -> bool {
        let backed_up = |one: &Listed| {
            one.header.as_ref().map_or_else(|_| one.is_of(set, node), |header| header.set == set)
        };
        self.sets.contains(&set) || listed.iter().any(backed_up)
    }
}

/// The snapshots that it was compared with.
fn compared(report: &Report) -> impl Iterator<Item = &SnapshotId> {
    report.against.iter().filter_map(SourceName::snapshot)
}

/// Since when somebody knows of drift that this task found.
fn drifting_since(repository: &Repository, cluster: &str, task: &str) -> Option<DateTime<Utc>> {
    let told = Records::of(repository, cluster).read::<Told>(TOLD).ok()?;
    let known = told.into_values().find(|told| told.task == task && told.event == Event::Drift)?;
    known.at.map(|_| known.since)
}

fn said(report: &Report) -> String {
    let mut lines: Vec<String> = report.items.iter().flat_map(drift::lines).collect();
    lines.extend(report.expected.iter().map(|e| format!("expected ~ {}: {}", e.key, e.why)));
    let of = |severity: Severity| {
        let n = report.items.iter().filter(|finding| finding.severity == severity).count();
        (n > 0).then(|| format!("{n} {severity}"))
    };
    let counts: Vec<String> = Severity::ALL.into_iter().rev().filter_map(of).collect();
    let mut last = match report.items.len() as u64 {
        0 if report.unread.is_empty() => "no differences".into(),
        0 => "no differences in what could be read".into(),
        n => format!("{}: {}", count(n, "difference"), counts.join(", ")),
    };
    if report.less_grave > 0 {
        last += &format!("; {} less grave, shown without --min-severity", report.less_grave);
    }
    if report.sealed() > 0 {
        last += &format!(
            "; {} may be graver: who opens the snapshot is told, with --identity FILE",
            report.sealed()
        );
    }
    lines.push(last);
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::SnapshotState, repository::fixture::listed, signature::Trust};

    #[test]
    fn a_set_that_is_named_or_went_bad_is_a_gap_and_one_that_nobody_backs_up_is_none() {
        let drift =
            |sets: &[Set]| Drift { against: Against::Latest, sets: sets.into(), min_severity: Severity::Low };
        let mut bad = listed("2026-11-24T01:00:00Z", SnapshotState::Complete);
        assert!(drift(&[]).is_gap(Set::Network, None, std::slice::from_ref(&bad)));
        assert!(!drift(&[]).is_gap(Set::Certificates, None, std::slice::from_ref(&bad)));
        assert!(drift(&[Set::Certificates]).is_gap(Set::Certificates, None, &[]));
        (bad.header, bad.trust) = (Err("it is no JSON".into()), Trust::Untrusted("it is no JSON".into()));
        assert!(
            drift(&[]).is_gap(Set::Network, None, std::slice::from_ref(&bad)),
            "its folder's name says it"
        );
        assert!(!drift(&[]).is_gap(Set::Certificates, None, std::slice::from_ref(&bad)));
    }
}

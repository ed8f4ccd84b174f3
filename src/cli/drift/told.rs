//! What somebody is told of drift: which items, how grave, and the commands to go on with.
//!
//! In: a report. Out: problems. Invariant: pure; no value of any item is told, and what a newer snapshot took over is never
//! told as put back.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{Against, Drift};
use crate::{
    Result,
    drift::{self, Finding, Report},
    model::{Component, SourceName},
    task::{Event, Problem},
};

impl Drift {
    /// What somebody is to be told: which items and how grave, and no value of any.
    pub(super) fn problems(&self, report: &Report) -> Vec<Problem> {
        let look = |what: &str| format!("{what}: {}", self.command());
        let found = (!report.items.is_empty()).then(|| {
            let next = [vec![look("see what differs")], self.put_back(report)].concat();
            let grave = report.items.iter().map(|found| (found.difference.key.to_string(), found.gravest()));
            Problem::new(Event::Drift, report.items.iter().map(line).collect(), next).graded(grave)
        });
        let unread = (!report.unread.is_empty()).then(|| {
            let next = vec![look("see to it that all of it can be read")];
            Problem::new(Event::Partial, report.unread.clone(), next)
        });
        found.into_iter().chain(unread).collect()
    }

    /// What is not as it was before somebody was told of it, though it is as newer snapshots have it; `before` is the
    /// comparison with the snapshots of then.
    pub(super) fn taken_over(
        &self,
        report: &Report,
        before: &Result<Report>,
        since: DateTime<Utc>,
    ) -> Option<Problem> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let problem = match before {
            Ok(before) if before.is_well() => return None,
            Ok(before) => {
                let unread = before.unread.iter().map(|unread| format!("not compared: {unread}"));
                let why = before.items.iter().map(line).chain(unread).collect();
                let ids = before.against.iter().filter(|name| !report.against.contains(name));
                let look = ids.map(|id| format!("see what differs from then: netdr drift --against {id}"));
                Problem::new(Event::Drift, why, look.chain(self.put_back(before)).collect())
            }
            Err(why) => {
                let why = format!("nobody knows whether it was put back: of before {since} {why}");
                Problem::new(Event::Drift, vec![why], vec!["see what there is: netdr snapshots".into()])
            }
        };
        Some(Problem { is_taken_over: true, ..problem })
    }

    /// The command that shows it again.
    fn command(&self) -> String {
        let mut command = "netdr drift".to_owned();
        match &self.against {
            Against::Latest => {}
            Against::Git => command += " --against git",
            Against::Snapshot(id) => command += &format!(" --against {id}"),
        }
        command + &self.sets.iter().map(|set| format!(" --set {set}")).collect::<String>()
    }

    /// The restores that put it back, the gravest first: from the very snapshots, for `latest` is another one tomorrow.
    fn put_back(&self, report: &Report) -> Vec<String> {
        let mut next: Vec<String> = Vec::new();
        for Finding { difference, .. } in &report.items {
            let set = difference.component.set();
            let is_of_set = |name: &&SourceName| name.snapshot().is_some_and(|id| id.is_of(set));
            let scenario = scenario(difference.component);
            next.push(match (&self.against, report.against.iter().find(is_of_set)) {
                (Against::Git, _) => {
                    format!("put it back: netdr restore --scenario {scenario} --from git --dry-run")
                }
                (_, Some(id)) => {
                    format!("put it back: netdr restore --scenario {scenario} --snapshot {id} --dry-run")
                }
                (_, None) => continue,
            });
        }
        let mut said = std::collections::BTreeSet::new();
        next.retain(|command| said.insert(command.clone()));
        next
    }
}

/// The plan that is about a component.
const fn scenario(component: Component) -> &'static str {
    match component {
        Component::Policies => "network-policies",
        Component::Ingress => "traefik",
        Component::Certificates => "certificates",
        Component::Cni | Component::Host => "cni",
        Component::Loadbalancer => "full-stack",
    }
}

fn line(finding: &Finding) -> String {
    let reasons: Vec<&str> = finding.reasons.iter().map(String::as_str).collect();
    let what = drift::lines(finding).into_iter().next().unwrap_or_default();
    [vec![what.as_str()], reasons].concat().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Error,
        model::{ItemKey, Set, Severity},
        plan::{Change, Difference},
    };

    const OLD: &str = "20261124T010000Z-network-aaaaaa";
    const NEW: &str = "20261125T010000Z-network-bbbbbb";

    fn drift(against: Against, sets: &[Set]) -> Drift {
        Drift { against, sets: sets.into(), min_severity: Severity::Low }
    }

    fn finding(name: &str, severity: Severity, may_be: Option<Severity>) -> Finding {
        Finding {
            difference: Difference {
                component: Component::Policies,
                key: ItemKey::resource("", "namespaces", None, name),
                change: Change::Removed,
                fields: vec![],
            },
            severity,
            may_be,
            reasons: vec!["it is gone".into()],
        }
    }

    fn against(id: &str, items: Vec<Finding>) -> Report {
        Report { against: vec![SourceName::Snapshot(id.parse().unwrap())], items, ..Report::default() }
    }

    #[test]
    fn who_is_told_learns_which_objects_differ_and_how_grave_that_may_be() {
        let items =
            vec![finding("a", Severity::Low, Some(Severity::Critical)), finding("b", Severity::High, None)];
        let report = Report { items, unread: vec!["policies: 403".into()], ..Report::default() };
        let told = drift(Against::Git, &[]).problems(&report);
        let [found, unread] = &told[..] else { panic!("{told:?}") };
        assert!(found.why[0].ends_with("- namespaces a; it is gone") && found.why.len() == 2, "{found:?}");
        assert_eq!((found.severity, found.critical.len()), (Severity::Critical, 1));
        assert_eq!(
            found.next,
            [
                "see what differs: netdr drift --against git",
                "put it back: netdr restore --scenario network-policies --from git --dry-run"
            ]
        );
        assert_eq!((unread.event, unread.severity), (Event::Partial, Severity::Low));
    }

    #[test]
    fn the_command_looks_at_the_same_sets_and_the_restore_takes_the_very_snapshot() {
        let report =
            against(OLD, vec![finding("a", Severity::High, None), finding("b", Severity::Low, None)]);
        let told = drift(Against::Latest, &[Set::Network]).problems(&report);
        let restore =
            format!("put it back: netdr restore --scenario network-policies --snapshot {OLD} --dry-run");
        assert_eq!(told[0].next, ["see what differs: netdr drift --set network".to_owned(), restore]);
    }

    #[test]
    fn what_a_newer_snapshot_took_over_is_told_by_name_and_what_was_put_back_is_over() {
        let taken_over = |before: Result<Report>| {
            drift(Against::Latest, &[]).taken_over(&against(NEW, vec![]), &before, DateTime::UNIX_EPOCH)
        };
        let left = taken_over(Ok(against(OLD, vec![finding("a", Severity::High, None)]))).unwrap();
        assert!(left.is_taken_over && left.event == Event::Drift);
        assert!(left.why[0].contains("- namespaces a"), "{left:?}");
        assert_eq!(left.next[0], format!("see what differs from then: netdr drift --against {OLD}"));
        assert!(left.next[1].contains(&format!("--snapshot {OLD} ")), "{left:?}");
        assert_eq!(taken_over(Ok(against(OLD, vec![]))), None, "put back");
        assert_eq!(taken_over(Ok(against(NEW, vec![]))), None, "no newer snapshot has it");
        let unknown = taken_over(Err(Error::failed("no snapshot"))).unwrap();
        assert!(unknown.why[0].starts_with("nobody knows whether it was put back"), "{unknown:?}");
    }
}

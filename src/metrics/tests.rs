use chrono::TimeDelta;

use super::*;
use crate::{
    model::{BundleEntry, Occasion},
    report,
    repository::fixture::{at, listed},
};

const NOW: &str = "2026-11-24T12:00:00Z";

/// A snapshot of every component of set network.
fn night(time: &str, state: SnapshotState) -> Listed {
    let mut one = listed(time, state);
    let bundle = |component| BundleEntry { component, sha256: String::new(), bytes: 100, items: 7 };
    one.header.as_mut().unwrap().bundles = Set::Network.components().map(bundle).collect();
    one
}

fn text<'a>(known: impl FnOnce(&mut Known<'a>)) -> String {
    let mut empty = Known { listed: Some(&[]), ..Known::nothing("c1") };
    known(&mut empty);
    of(&empty, at(NOW))
}

/// The value of one sample.
#[track_caller]
fn value(text: &str, name: &str, labels: &str) -> f64 {
    let sample = format!("{name}{{cluster=\"c1\"{labels}}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&sample));
    line.unwrap_or_else(|| panic!("{sample} is not in\n{text}")).parse().unwrap()
}

const NETWORK: &str = ",set=\"network\",node=\"\",place=\"local\"";
const LAST: &str = "netdr_snapshot_last_timestamp_seconds";
const LAST_COMPLETE: &str = "netdr_snapshot_last_complete_timestamp_seconds";

fn seconds(time: &str) -> f64 {
    at(time).timestamp() as f64
}

#[test]
fn the_age_is_that_of_the_newest_complete_snapshot() {
    let mut all = [
        night("2026-11-22T01:00:00Z", SnapshotState::Complete),
        night("2026-11-23T01:00:00Z", SnapshotState::Shrunk),
        night("2026-11-24T01:00:00Z", SnapshotState::Partial),
        night("2026-11-25T01:00:00Z", SnapshotState::Complete), // a clock that is wrong
        night("2026-11-24T02:00:00Z", SnapshotState::Complete),
    ];
    all[4].header.as_mut().unwrap().occasion = Occasion::Change;
    let damaged = Listed {
        damage: vec![(None, "it is missing".into())],
        ..night("2026-11-24T03:00:00Z", SnapshotState::Complete)
    };
    let all: Vec<Listed> = all.into_iter().chain([damaged]).collect();
    let text = text(|known| known.listed = Some(&all));
    assert_eq!(value(&text, LAST_COMPLETE, NETWORK), seconds("2026-11-22T01:00:00Z"));
    assert_eq!(value(&text, LAST, NETWORK), seconds("2026-11-24T01:00:00Z"));
    let state = |state: &str| value(&text, "netdr_snapshots", &format!("{NETWORK},state=\"{state}\""));
    assert_eq!([state("complete"), state("partial"), state("shrunk")], [3.0, 1.0, 1.0]);
    assert_eq!(value(&text, "netdr_snapshots_bytes", ",set=\"network\",node=\"\""), 2400.0);
}

/// One of some components may be complete in itself, and restores nothing of the others.
#[test]
fn a_snapshot_of_some_components_is_no_complete_one_of_its_set() {
    let mut some = night("2026-11-24T01:00:00Z", SnapshotState::Complete);
    some.header.as_mut().unwrap().bundles.truncate(1);
    let all = [night("2026-11-20T01:00:00Z", SnapshotState::Complete), some];
    let text = text(|known| known.listed = Some(&all));
    assert_eq!(value(&text, LAST_COMPLETE, NETWORK), seconds("2026-11-20T01:00:00Z"));
}

#[test]
fn where_there_is_none_it_says_never_and_another_clusters_are_not_ours() {
    let mut other = night("2026-11-24T01:00:00Z", SnapshotState::Complete);
    other.header.as_mut().unwrap().cluster.name = "c2".into();
    let all = [other];
    let text = text(|known| known.listed = Some(&all));
    for set in ["network", "certificates"] {
        let labels = format!(",set=\"{set}\",node=\"\",place=\"local\"");
        assert_eq!(value(&text, LAST_COMPLETE, &labels), 0.0);
    }
    assert_eq!(value(&text, "netdr_drill_last_success_timestamp_seconds", ""), 0.0);
    assert!(!text.contains("c2"), "{text}");
}

#[test]
fn a_place_outside_has_what_is_whole_there_and_one_that_is_silent_says_nothing() {
    let all = [
        night("2026-11-23T01:00:00Z", SnapshotState::Complete),
        night("2026-11-24T01:00:00Z", SnapshotState::Complete),
    ];
    let places = [("s3".to_owned(), Some([all[0].id.clone()].into())), ("far".to_owned(), None)];
    let text = text(|known| (known.listed, known.places) = (Some(&all[..]), &places));
    let s3 = NETWORK.replace("local", "s3");
    assert_eq!(value(&text, LAST_COMPLETE, &s3), seconds("2026-11-23T01:00:00Z"));
    assert_eq!(value(&text, LAST_COMPLETE, NETWORK), seconds("2026-11-24T01:00:00Z"));
    assert_eq!(value(&text, "netdr_place_up", ",place=\"s3\""), 1.0);
    assert_eq!(value(&text, "netdr_place_up", ",place=\"far\""), 0.0);
    assert!(!text.contains("place=\"far\",state"), "{text}");
}

#[test]
fn what_retention_keeps_and_lets_go_is_counted() {
    let night = |n: i64| night(&(at(NOW) - TimeDelta::days(n)).to_rfc3339(), SnapshotState::Complete);
    let all: Vec<Listed> = (0..40).map(night).collect();
    let text = text(|known| known.listed = Some(&all));
    let kept = |rule: &str| {
        value(&text, "netdr_snapshots_kept", &format!(",set=\"network\",node=\"\",rule=\"{rule}\""))
    };
    assert_eq!([kept("daily"), kept("weekly"), kept("monthly")], [7.0, 4.0, 2.0]);
    let expired = value(&text, "netdr_snapshots_expired", ",set=\"network\",node=\"\"");
    assert_eq!(expired, 40.0 - retention::plan(&all, Retention::default(), at(NOW)).keep.len() as f64);
}

#[test]
fn certificates_tasks_checks_and_the_last_recovery_of_a_scenario_are_there() {
    let certificates = [("traefik/wildcard".to_owned(), at("2026-12-01T00:00:00Z"))].into();
    let recovery = |cluster: &str, day: &str, recovery_time_s| Recovery {
        scenario: "traefik".into(),
        cluster: cluster.into(),
        at: at(&format!("2026-11-{day}T00:00:00Z")),
        succeeded: recovery_time_s < 60.0,
        recovery_time_s: Some(recovery_time_s),
        rto_s: None,
    };
    let recoveries = [recovery("c1", "02", 5.0), recovery("c1", "01", 99.0), recovery("c2", "05", 1.0)];
    let drills = [
        drill("c1", "03", true, &[("traefik", "recovered", 7.0)]),
        drill("c1", "04", false, &[("traefik", "failed", 70.0), ("cni", "recovered", 8.0)]),
    ];
    let at = at(NOW);
    let ran = Ran {
        cluster: "c1".into(),
        task: "prune local".into(),
        at,
        seconds: 1.5,
        exit_code: 1,
        problems: 1,
        done_at: None,
        failed_at: Some(at),
    };
    let finding = Finding { name: "cni pod connectivity".into(), status: 2, value: Some(94.0) };
    let check = Checked { cluster: "c1".into(), subject: "cni".into(), at, found: vec![finding] };
    let text = text(|known| {
        (known.certificates, known.recoveries, known.drills) = (&certificates, &recoveries, &drills);
        (known.tasks, known.checks) = (std::slice::from_ref(&ran), std::slice::from_ref(&check));
    });
    let certificate = ",namespace=\"traefik\",name=\"wildcard\"";
    let not_after = value(&text, "netdr_certificate_not_after_timestamp_seconds", certificate);
    assert_eq!(not_after, seconds("2026-12-01T00:00:00Z"));
    let scenario = ",scenario=\"traefik\"";
    assert_eq!(value(&text, "netdr_restore_last_recovery_time_seconds", scenario), 5.0);
    assert_eq!(value(&text, "netdr_drill_last_success", scenario), 0.0);
    let last_good = value(&text, "netdr_drill_last_success_timestamp_seconds", "");
    assert_eq!(last_good, seconds("2026-11-03T00:00:00Z"));
    assert_eq!(value(&text, "netdr_task_last_success_timestamp_seconds", ",task=\"prune local\""), 0.0);
    assert_eq!(value(&text, "netdr_check_value", ",subject=\"cni\",check=\"cni pod connectivity\""), 94.0);
}

/// A drill as its report says, that ended on this day of the month.
fn drill(cluster: &str, day: &str, good: bool, scenarios: &[(&str, &str, f64)]) -> Past {
    let mut past = report::drill::tests::report().trend.remove(0);
    past.cluster.name = cluster.into();
    (past.ended_at, past.good) = (at(&format!("2026-11-{day}T00:00:00Z")), good);
    let of = |(name, outcome, recovery_time_s): &(&str, &str, f64)| PastScenario {
        name: (*name).into(),
        outcome: (*outcome).into(),
        recovery_time_s: Some(*recovery_time_s),
        ..past.scenarios[0].clone()
    };
    past.scenarios = scenarios.iter().map(of).collect();
    past
}

#[test]
fn drift_has_its_time_and_every_severity_even_where_none_is_left() {
    let found = |set: &str, node: &str, items: &[(Severity, u64)]| Drifted {
        cluster: "c1".into(),
        set: set.into(),
        node: node.into(),
        at: at(NOW),
        items: items.iter().copied().collect(),
    };
    let drifted = [found("network", "", &[(Severity::High, 2)]), found("host", "n1", &[])];
    let text = text(|known| known.drifted = &drifted);
    let items = |set: &str, severity: &str| {
        value(&text, "netdr_drift_items", &format!(",{set},severity=\"{severity}\""))
    };
    let (network, host) = ("set=\"network\",node=\"\"", "set=\"host\",node=\"n1\"");
    assert_eq!([items(network, "high"), items(network, "critical"), items(host, "low")], [2.0, 0.0, 0.0]);
    assert_eq!(value(&text, "netdr_drift_last_timestamp_seconds", &format!(",{host}")), seconds(NOW));
}

/// What `netdr check recoverability` goes by: one scenario by itself is no drill of the whole, and another cluster's proves
/// nothing of this one.
#[test]
fn a_drill_of_the_cluster_counts_where_it_was_good_and_its_scenarios_in_any_case() {
    let drills = [
        drill("c1", "01", true, &[("cni", "recovered", 40.0), ("traefik", "recovered", 7.0)]),
        drill("c1", "02", false, &[("cni", "recovered", 41.5)]), // as `drill --scenario cni`
        drill("c1", "03", false, &[("traefik", "failed", 9.0)]),
        drill(
            "c1",
            "05",
            false,
            &[("cni", "not tested", 0.0), ("traefik", "interrupted", 0.0), ("own", "not tested", 0.0)],
        ),
        drill("c2", "04", true, &[("cni", "failed", 1.0), ("metallb", "recovered", 1.0)]),
    ];
    let text = text(|known| known.drills = &drills);
    let of = |metric: &str, scenario: &str| {
        value(&text, &format!("netdr_drill_last_{metric}"), &format!(",scenario=\"{scenario}\""))
    };
    let took = |readiness: &str| {
        let labels = format!(",scenario=\"cni\",readiness=\"{readiness}\"");
        value(&text, "netdr_drill_last_recovery_time_seconds", &labels)
    };
    assert_eq!((took("simulated"), of("success", "cni")), (41.5, 1.0), "in a sandbox it is netdr's own time");
    assert_eq!(of("rto_seconds", "cni"), drills[1].scenarios[0].rto_s as f64);
    assert_eq!(of("timestamp_seconds", "cni"), seconds("2026-11-02T00:00:00Z"));
    assert_eq!(of("success", "traefik"), 0.0);
    assert_eq!(of("timestamp_seconds", "traefik"), seconds("2026-11-03T00:00:00Z"));
    assert!(!text.contains("metallb") && !text.contains("\"own\""), "{text}");
    let last_good = value(&text, "netdr_drill_last_success_timestamp_seconds", "");
    assert_eq!(last_good, seconds("2026-11-01T00:00:00Z"));
}

/// A job without a repository says nothing of snapshots: not that there are none. What it says stands beside what others
/// say, and is not the sign of life of those who do see a repository.
#[test]
fn where_no_repository_is_at_hand_nothing_is_said_of_it() {
    assert_eq!(text(|known| known.listed = None), "");
}

#[test]
fn a_watch_says_when_it_looked_and_by_when_it_will() {
    let mut watched = Watched {
        cluster: "c1".into(),
        attended: false,
        looked_at: at("2026-11-24T11:55:00Z"),
        due_at: at("2026-11-24T12:05:00Z"),
        saved_at: None,
        taken_at: None,
    };
    let of = |watched: &Watched| {
        let text = text(|known| known.watched = Some(watched));
        ["last_look", "next_look", "last_snapshot"]
            .map(|what| value(&text, &format!("netdr_watch_{what}_timestamp_seconds"), ""))
    };
    let (looked, due) = (seconds("2026-11-24T11:55:00Z"), seconds("2026-11-24T12:05:00Z"));
    assert_eq!(of(&watched), [looked, due, 0.0]);
    watched.taken_at = Some(watched.looked_at);
    assert_eq!(of(&watched), [looked, due, looked]);
    assert!(!text(|_| {}).contains("netdr_watch"), "where nobody watches nobody is dead");
}

/// Every metric of the table has its help and its type once, and no sample is of one that is not in the table.
#[test]
fn a_sample_is_of_a_metric_that_the_table_has() {
    let text = text(|known| known.cluster = "a\"b");
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    for line in text.lines() {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        let name = name.split(['{', ' ']).next().unwrap();
        assert!(names.contains(&name), "{line}");
    }
    assert_eq!(text.matches("# TYPE netdr_snapshots gauge\n").count(), 1);
    assert!(text.contains("cluster=\"a\\\"b\""), "{text}");
}

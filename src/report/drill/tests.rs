//! A sample, and what must hold of every form of the report and of what is read off it.

mod cards;
mod objectives;

use super::*;
use crate::report::tests as samples;

fn scenario(name: &str, outcome: &'static str) -> Scenario {
    Scenario {
        outcome,
        own_time_s: Some(1.5),
        recovery_time_s: Some(3.0),
        recovery_point_s: Some(7800),
        rpo_met: Some(true),
        caused: vec!["networkpolicies.networking.k8s.io demo/a is lost".into()],
        broken: vec![Broken {
            kind: "networkpolicies.networking.k8s.io".into(),
            broken: 38,
            of: 74,
            slipped_in: 1,
        }],
        checks: vec![Check::new("nothing differs"), Check::not_made("DNS", "the nodes are played")],
        runs: vec![samples::report()],
        ..Scenario::without(outcome, name, "A title", "Infrastructure Admin", (900, 86_400), String::new())
    }
}

/// A good drill in a sandbox, and one before it.
pub(crate) fn report() -> DrillReport {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let mut scenarios: Vec<Scenario> =
        ["cni", "traefik"].map(|name| Scenario { why: None, ..scenario(name, "recovered") }).into();
    let file = Some("/etc/netdr/plans/traefik.yaml".into());
    scenarios[1].procedure = Procedure { file, sha256: "0a0b".into() };
    let mut report = DrillReport {
        report: "20261124T031500Z-drill-5b21d0".parse().unwrap(),
        place: Place::Sandbox,
        target: None,
        cluster: samples::report().cluster,
        kubernetes: "v1.36.3".into(),
        tool: "0.1.0".into(),
        operator: "ada@custody".into(),
        signed_by: Signer {
            key: "SHA256:K8q0iG5b9nLwGqQm0T6vA1xWfS3yZr2uYtJ4hDpNcEo".into(),
            principal: "drill".into(),
            trusted_signers: "/etc/netdr/trusted_signers".into(),
        },
        started_at: at("2026-11-24T03:15:00Z"),
        ended_at: at("2026-11-24T03:16:00Z"),
        complete: true,
        interrupted: false,
        good: DrillReport::judge(true, &scenarios),
        sources: vec![Source {
            snapshot: "20261124T010000Z-network-7f3a9c".parse().unwrap(),
            set: Set::Network,
            node: None,
            captured_at: at("2026-11-24T01:00:00Z"),
            state: SnapshotState::Complete,
            signed_by: "netdr".into(),
            opened_by: vec!["3f2a9c0d11e24b57".into()],
        }],
        nights: vec![Nights { set: Set::Network, node: None, days: 6, longest_gap_s: Some(86_520) }],
        scenarios,
        simulated: vec!["nodes".into()],
        unseen: vec![],
        not_tested: vec!["that RKE2 starts".into()],
        certificates: vec![Expiry {
            secret: "secrets traefik/wildcard".into(),
            not_after: Some(at("2027-01-01T00:00:00Z")),
            wrong: None,
        }],
        checks: vec![],
        trend: vec![],
    };
    report.trend = vec![report.as_past()];
    report
}

#[test]
fn a_later_drill_reads_of_an_earlier_one_what_it_says() {
    let past: Past = serde_json::from_value(report().to_json()).unwrap();
    assert_eq!((past.good, past.place, past.scenarios.len()), (true, Place::Sandbox, 2));
    assert_eq!((past.scenarios[0].rto_met, past.scenarios[0].own_time_s), (None, Some(1.5)));
    assert_eq!(
        format!("{past:?}"),
        format!("{:?}", report().as_past()),
        "what is drawn of a report itself is what is stored"
    );
    let mut restore = samples::report().to_json();
    restore["report"] = "x".into();
    assert!(serde_json::from_value::<Past>(restore).is_err(), "a restore is no drill");
}

/// As netdr wrote them before it said null: what was never begun took 0 s.
#[test]
fn an_older_report_of_a_drill_that_was_stopped_is_read_and_its_zero_is_no_time() {
    let mut report = report();
    report.scenarios[1] =
        Scenario::without("interrupted", "traefik", "A title", "Admin", (900, 86_400), String::new());
    let mut stored = report.to_json();
    for field in ["own_time_s", "recovery_time_s", "recovery_point_s"] {
        stored["scenarios"][1][field] = 0.into();
    }
    let past: Past = serde_json::from_value(stored).unwrap();
    assert_eq!((past.of("cni").unwrap().took(), past.of("traefik").unwrap().took()), (Some(3.0), None));
}

#[test]
fn the_last_good_drill_is_the_newest_good_one_of_the_cluster() {
    let past = |day: u32, good: bool| {
        let mut past = report().trend.remove(0);
        past.ended_at = format!("2026-11-{day:02}T00:00:00Z").parse().unwrap();
        past.good = good;
        past
    };
    let drills = [past(3, true), past(1, true), past(9, false)];
    assert_eq!(last(&drills, None).map(|past| past.ended_at), Some(drills[0].ended_at));
    assert!(last(&drills, Some("proj-k8s")).is_some());
    assert!(last(&drills, Some("another")).is_none());
    assert!(last(&drills[2..], None).is_none());
}

#[test]
fn a_drill_is_good_only_if_every_plan_came_back_and_no_measured_time_was_too_long() {
    let good = [scenario("cni", "recovered"), scenario("traefik", "recovered")];
    assert!(DrillReport::judge(true, &good));
    assert!(!DrillReport::judge(false, &good), "not every plan");
    assert!(!DrillReport::judge(true, &[]));
    assert!(!DrillReport::judge(true, &[scenario("cni", "recovered"), scenario("traefik", "partial")]));
    let late = Scenario { rto_met: Some(false), ..scenario("cni", "recovered") };
    let old = Scenario { rpo_met: Some(false), ..scenario("cni", "recovered") };
    let open = Scenario { rto_met: None, rpo_met: None, ..scenario("cni", "recovered") };
    let judged = [late, old, open].map(|one| DrillReport::judge(true, &[one]));
    assert_eq!(judged, [false, false, true], "too long, too old, open");
}

#[test]
fn what_could_not_be_tested_is_neither_proved_nor_lost() {
    let mut report = report();
    report.scenarios[1] = Scenario {
        why: Some("nobody plays what its plan waits for".into()),
        ..Scenario::without("not tested", "traefik", "A title", "Admin", (900, 86_400), String::new())
    };
    report.good = DrillReport::judge(true, &report.scenarios);
    assert_eq!((report.good, report.headline()), (false, "Recovery proved in part"));
    assert!(report.sentence().starts_with("1 of 2 scenarios came back"), "{}", report.sentence());
    for text in [html::render(&report), markdown::render(&report)] {
        for said in ["not tested", "one could not be tested", "nobody plays what its plan waits for"] {
            assert!(text.contains(said), "{said}");
        }
    }
    let times = |field: &str| report.to_json()["scenarios"][1][field].clone();
    for field in ["own_time_s", "recovery_time_s", "recovery_point_s"] {
        assert_eq!(times(field), Value::Null, "{field}: no time is not a time of 0 s");
    }
    let text = markdown::render(&report);
    let row = text.lines().find(|line| line.starts_with("| traefik |")).unwrap();
    let objectives = [words::duration(900.0), words::duration(86_400.0)];
    assert_eq!(
        row,
        format!(
            "| traefik | not tested | – | – | {} | not judged | – | {} | not judged | – |",
            objectives[0], objectives[1]
        )
    );
    report.scenarios.remove(0);
    assert_eq!(report.headline(), "Recovery not proved", "nothing came back");
}

#[test]
fn what_a_place_lacks_is_said_and_takes_nothing_from_the_drill() {
    let mut report = report();
    let mut check = Check::new("place s3 has the snapshots that were drilled");
    check.failed("it is missing".into());
    report.checks = vec![Check::new("place near has the snapshots that were drilled"), check];
    assert!(report.good && report.headline() == "Recovery proved");
    let sentence = report.sentence();
    assert!(sentence.ends_with(" 1 place outside: not seen to have what was drilled."), "{sentence}");
}

#[test]
fn a_drill_that_was_interrupted_says_so_and_counts_for_nothing() {
    let mut report = report();
    report.scenarios[1] = scenario("traefik", "interrupted");
    (report.complete, report.interrupted, report.good) =
        (false, true, DrillReport::judge(false, &report.scenarios));
    assert_eq!((report.good, report.headline()), (false, "Recovery proved in part"));
    assert!(report.sentence().contains("the drill was interrupted"), "{}", report.sentence());
    let past: Past = serde_json::from_value(report.to_json()).unwrap();
    assert!(last(&[past], None).is_none());
}

#[test]
fn what_was_broken_must_have_been_seen_done_and_equal_afterwards() {
    let caused = ["x is lost".to_owned()];
    let judged = |run: crate::report::RecoveryReport| judge(&caused, &[run], &[], Ok(vec![])).0;
    assert_eq!(judged(samples::report()), "recovered");
    let mut unseen = samples::report();
    unseen.steps.iter_mut().for_each(|step| (step.applied, step.deleted) = (0, 0));
    assert_eq!(judged(unseen), "partial");
    let mut left = samples::report();
    left.differences_left = 1;
    assert_eq!(judged(left), "partial");
    let mut failed = samples::report();
    (failed.outcome, failed.steps[1].outcome) = ("failed", "failed");
    assert_eq!(judged(failed), "failed");
    let mut unproved = samples::report();
    let mut check = Check::new("serials");
    check.failed("another".into());
    unproved.checks.push(check);
    assert_eq!(judged(unproved), "partial");
    assert_eq!(judge(&caused, &[], &[], Ok(vec![])).0, "failed");
    assert_eq!(judge(&[], &[samples::report()], &[], Ok(vec![])).0, "partial", "nothing was broken");
    for left in [Ok(vec!["x is still there".to_owned()]), Err("no answer".to_owned())] {
        let (outcome, why, _) = judge(&caused, &[samples::report()], &[], left.clone());
        let why = why.unwrap();
        assert_eq!(outcome, "partial", "nothing differs in the plan's scope, and {left:?}");
        assert!(why.contains("what was broken is as it was: "), "{why}");
    }
}

#[test]
fn what_probes_wait_for_is_no_time_of_netdrs_own() {
    let mut run = samples::report();
    let before = own_time(std::slice::from_ref(&run));
    let mut step = run.steps[0].clone();
    (step.action, step.acting_s, step.waiting_s) = ("probe", 0.5, 60.0);
    run.steps.push(step);
    run.phases.push(crate::report::Phase { name: "probe", seconds: 60.5 });
    assert!((own_time(&[run]) - before - 0.5).abs() < 1e-9);
}

#[test]
fn files_of_a_node_that_had_a_run_of_its_own_are_done() {
    let part =
        crate::plan::NotDone { what: "files of node n2".into(), node: Some("n2".into()), command: None };
    let mut run = samples::report();
    run.not_done = vec![part];
    let caused = ["x is lost".to_owned()];
    let judged = |nodes: &[String]| judge(&caused, std::slice::from_ref(&run), nodes, Ok(vec![]));
    let (outcome, _, checks) = judged(&["n2".to_owned()]);
    assert_eq!((outcome, judged(&[]).0), ("recovered", "partial"));
    let done = checks.iter().find(|check| check.what.starts_with("every step")).unwrap();
    assert_eq!(done.details.len(), 1, "what a run did is said once: {:?}", done.details);
}

#[test]
fn a_sandbox_leaves_the_objective_open_and_claims_no_conformity() {
    let report = report();
    let scenario = &report.to_json()["scenarios"][0];
    assert_eq!((&scenario["rto_met"], &scenario["runs"][0]["rto_met"]), (&Value::Null, &Value::Null));
    for text in [html::render(&report), markdown::render(&report)] {
        for said in [
            "open",
            "readiness is simulated",
            "no conformity",
            "CIS v8.1 11.5",
            "signature good, by netdr; opened by the identity of recipient 3f2a9c0d11e24b57",
            "Not looked at: no place outside is configured",
            "SHA256:K8q0iG5b9nLwGqQm0T6vA1xWfS3yZr2uYtJ4hDpNcEo",
            "ssh-keygen -Y verify -f /etc/netdr/trusted_signers -I drill -n netdr-report -s 20261124T031500Z-drill-5b21d0.",
            "networkpolicies.networking.k8s.io: 38 of 74, and 1 slipped in",
            "built in, as ",
            "/etc/netdr/plans/traefik.yaml",
            "; sha256 0a0b",
            "days left",
            "Recovery time, drill by drill",
        ] {
            assert!(text.contains(said), "{said}");
        }
        for forbidden in ["<script", "http://", "https://", "src=", "NaN", "Compliant"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
    let mut named = report.clone();
    named.signed_by.principal = "drill,netdr".into();
    assert!(named.to_json()["signed_by"]["verify"].as_str().unwrap().contains(" -I drill -n "));
    let html = html::render(&report);
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
}

#[test]
fn waiting_bars_have_their_pattern_once_whichever_scenario_is_drawn_first() {
    let mut report = report();
    report.scenarios[0].runs.clear();
    report.scenarios[1].runs.push(samples::report());
    let html = html::render(&report);
    assert_eq!(html.matches("<svg ").count(), 3, "two timelines, and the drills before");
    let pattern = "<pattern id=\"hatch\"";
    assert_eq!(html.matches(pattern).count(), 1);
    assert!(html.find(pattern).unwrap() < html.find("<rect class=\"waiting\"").unwrap());
    for drawing in 0..2 {
        assert_eq!(html.matches(&format!("<title id=\"timeline-name-{drawing}\"")).count(), 1);
    }
}

#[test]
fn hostile_names_are_no_markup() {
    let hostile = "a<script>alert('x')</script>\" onload=\"x|y\u{202e}";
    let mut report = report();
    report.scenarios[0].caused = vec![hostile.into()];
    report.scenarios[0].name = hostile.into();
    report.certificates[0].secret = hostile.into();
    report.cluster.name = hostile.into();
    report.not_tested = vec![hostile.into()];
    for text in [html::render(&report), samples::without_code(&markdown::render(&report))] {
        assert!(!text.contains("<script") && !text.contains('\u{202e}'));
    }
    assert!(!html::render(&report).contains(" onload=\"x"), "an attribute");
}

#[test]
fn a_row_of_the_controls_names_only_evidence_that_the_report_has() {
    let found = |report: &DrillReport, what: &str| {
        CONTROLS.iter().find(|control| control.what == what).unwrap().found_in(report)
    };
    let mut report = report();
    let isolated = |report: &DrillReport| found(report, "A copy is isolated");
    assert_eq!(isolated(&report), "none: no place outside is configured");
    report.interrupted = true;
    assert_eq!(isolated(&report), "none: the drill was interrupted before places outside were asked");
    let mut failed = Check::new("place b has the snapshots that were drilled");
    failed.failed("it is not there".into());
    report.checks = vec![failed];
    assert_eq!(isolated(&report), "none: no place outside was seen to have the snapshots");
    report.checks.push(Check::new("place a has the snapshots that were drilled"));
    assert_eq!(isolated(&report), "the check of each place outside: 1 of 2 passed");

    let automatic = |report: &DrillReport| found(report, "Backups are automatic");
    let host = Nights { set: Set::Host, node: Some("n1".into()), days: 0, longest_gap_s: None };
    report.nights.push(host);
    assert_eq!(
        automatic(&report),
        "complete backups of the last 7 days: network on 6, at most 1 d apart; host of n1 on 0"
    );
    report.nights.remove(0);
    assert_eq!(automatic(&report), "none: no complete backup of the last 7 days is in the repository");

    let encrypted = |report: &DrillReport| found(report, "Traffic is encrypted");
    let boundary = |report: &DrillReport| found(report, "Network boundary");
    assert_eq!(encrypted(&report), "none: scenario certificates was not drilled; expiry of 1 certificate");
    assert_eq!(
        boundary(&report),
        "none: scenario network-policies was not drilled, scenario full-stack was not drilled"
    );
    report.scenarios = vec![
        scenario("certificates", "failed"),
        scenario("full-stack", "recovered"),
        scenario("network-policies", "partial"),
    ];
    assert_eq!(encrypted(&report), "none: scenario certificates: failed; expiry of 1 certificate");
    assert_eq!(boundary(&report), "scenario full-stack: policies equal the snapshot afterwards");
    assert_eq!(
        found(&report, "Deny by default, allow by exception"),
        "none: scenario network-policies: partial"
    );
    report.scenarios.truncate(1);
    assert_eq!(found(&report, "Restores are tested"), "none: no scenario came back");
    let evidence = &report.to_json()["controls"][0]["evidence"];
    assert_eq!(evidence, "none: no scenario came back", "JSON has the same");
}

#[test]
fn checks_of_several_runs_are_one_row_each_with_the_nodes_that_differ() {
    let nodes = ["n1", "n2", "n3"].map(str::to_owned);
    let mut runs = [samples::report(), samples::report(), samples::report()];
    for run in &mut runs {
        run.probes.clear();
        run.checks = vec![Check::new("serials"), Check::not_made("DNS", "the nodes are played")];
    }
    runs[1].checks[0].failed("another".into());
    let (outcome, _, checks) = judge(&["x is lost".to_owned()], &runs, &nodes, Ok(vec![]));
    assert_eq!(outcome, "partial");
    let of = |what: &str| {
        let found: Vec<&Check> = checks.iter().filter(|check| check.what == what).collect();
        assert_eq!(found.len(), 1, "{what}");
        (found[0].outcome, found[0].details.join("; "))
    };
    assert_eq!(of("DNS"), ("not made", "the nodes are played (3 of 3 runs)".into()));
    let differ = "another (1 of 3 runs: node n2); passed (2 of 3 runs: node n1, node n3)";
    assert_eq!(of("serials"), ("failed", differ.into()));
    let (_, equal) = of("nothing differs from the snapshot afterwards");
    assert!(equal.contains("node n3: read again, 0 differences"), "{equal}");
    let (_, done) = of("every step that was drilled was done");
    assert!(done.starts_with(&format!("run {}, node n1: 4 steps done", runs[0].run)), "{done}");
    let (_, seen) = of("the failure was seen: the plan had something to do");
    let writes: u64 = runs.iter().flat_map(|run| &run.steps).map(|step| step.applied + step.deleted).sum();
    assert!(
        seen.starts_with(&format!("1 failure caused; {writes} writes of objects and files, by step: `")),
        "{seen}"
    );
}

#[test]
fn a_drill_of_one_plan_that_came_back_is_called_that() {
    let mut report = report();
    report.scenarios.truncate(1);
    report.trend[0].good = false;
    (report.complete, report.good) = (false, false);
    for text in [html::render(&report), markdown::render(&report)] {
        assert!(
            text.contains("one plan") && text.contains("2 plans") && !text.contains("not good"),
            "{text}"
        );
    }
    report.scenarios[0].outcome = "partial";
    assert!(markdown::render(&report).contains("not good"));
}

#[test]
fn a_drill_of_every_plan_that_was_too_late_is_not_called_one_of_some_plans() {
    let mut report = report();
    report.scenarios[1].rpo_met = Some(false);
    report.good = DrillReport::judge(true, &report.scenarios);
    let past: Past = serde_json::from_value(report.to_json()).unwrap();
    assert_eq!(past.word(), "not good");
}

#[test]
fn markdown_has_the_steps_and_this_drill_in_its_trend() {
    let report = report();
    let text = markdown::render(&report);
    assert!(text.contains("| Step | Title |") && text.contains("apply "), "{text}");
    let (_, trend) = text.split_once("## Recovery time, drill by drill").unwrap();
    let (trend, _) = trend.split_once("## Controls").unwrap();
    assert_eq!(trend.lines().filter(|line| line.contains("| good |")).count(), 2, "{trend}");
}

//! Samples, and what must hold of every form of the report.

use super::*;

fn step(n: usize, outcome: &'static str) -> StepOutcome {
    StepOutcome {
        id: format!("step-{n}"),
        title: format!("Step number {n}"),
        action: "apply",
        outcome,
        began_s: n as f64 * 0.7,
        acting_s: 0.4,
        waiting_s: if n.is_multiple_of(2) { 0.3 } else { 0.0 },
        applied: n as u64,
        unchanged: 10,
        deleted: 1,
        failures: vec![],
        probes: vec![],
        skipped: None,
        ran: false,
        idle: false,
        unready: vec![],
        acts: vec![],
    }
}

/// A recovery that met its objectives.
pub(crate) fn report() -> RecoveryReport {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    RecoveryReport {
        run: "20261124T031500Z-traefik-5b21d0".parse().unwrap(),
        scenario: "traefik".into(),
        undoes: None,
        title: "Traefik is gone or broken".into(),
        role: "platform on-call".into(),
        cluster: ClusterIdentity {
            name: "proj-k8s".into(),
            uid: "4c8c6a4e-0d5a-4f3b-9a35-3d2f1f3a9b10".into(),
            kubernetes: "v1.36.3".into(),
        },
        source: vec!["20261124T010000Z-network-7f3a9c".parse().unwrap()],
        signed_by: "netdr@proj-k8s".into(),
        captured_at: at("2026-11-24T01:00:00Z"),
        incident_start: at("2026-11-24T03:10:00Z"),
        started_at: at("2026-11-24T03:15:00Z"),
        ended_at: at("2026-11-24T03:15:06Z"),
        tool: "0.1.0".into(),
        operator: "ada@n1".into(),
        outcome: "recovered",
        recovery_time_s: 305.9,
        rto_s: 1800,
        rto_met: true,
        recovery_point_s: 7800,
        rpo_s: 86_400,
        rpo_met: Some(true),
        phases: [
            ("open", 0.31),
            ("plan", 0.42),
            ("confirm", 1.7),
            ("apply", 2.0),
            ("wait", 0.9),
            ("probe", 0.57),
        ]
        .map(|(name, seconds)| Phase { name, seconds })
        .into(),
        steps: (0..4).map(|n| step(n, "done")).collect(),
        differences_left: 0,
        not_begun: vec![],
        not_done: vec![],
        checks: Vec::new(),
        remarks: vec!["The restored release is at revision 7".into()],
        simulated: vec!["nodes and pods (kwok)".into()],
        unseen: vec![],
        probes: vec![Probed { name: "DNS".into(), result: "passed", detail: "2 addresses".into() }],
        not_probed: vec!["HTTP through the ingress".into()],
        next: vec![],
    }
}

const HOSTILE: &str = "a<script>alert('x')</script>\" onload=\"x|y\\|`*_[l](u)\n# h\u{202e}&amp;";

/// Every text field holds markup of some kind.
pub(crate) fn hostile() -> RecoveryReport {
    let mut report = report();
    let text = || HOSTILE.to_owned();
    report.scenario = text();
    report.title = text();
    report.role = text();
    report.cluster = ClusterIdentity { name: text(), uid: text(), kubernetes: text() };
    report.signed_by = text();
    report.tool = text();
    report.operator = text();
    report.probes[0] = Probed { name: text(), result: "failed", detail: text() };
    report.steps[0].id = text();
    report.steps[1] = step(1, "partial");
    report.steps[1].title = text();
    report.steps[1].failures = vec![text()];
    (report.remarks, report.simulated, report.not_probed) = (vec![text()], vec![text()], vec![text()]);
    report
}

/// Tags and attributes of an HTML text, values and text between tags left out.
fn skeleton(html: &str) -> Vec<String> {
    let tags = html.split('<').skip(1).filter_map(|part| part.split_once('>')).map(|(tag, _)| tag);
    tags.map(|tag| tag.split('"').step_by(2).collect::<String>()).collect()
}

/// What in Markdown is not in code spans.
pub(crate) fn without_code(markdown: &str) -> String {
    let outside = |line: &str| -> String {
        let line = line.replace("\\\\", "").replace("\\`", "");
        assert_eq!(line.matches('`').count() % 2, 0, "a span does not end: {line}");
        line.split('`').step_by(2).collect()
    };
    markdown.lines().map(outside).collect::<Vec<_>>().join("\n")
}

#[test]
fn hostile_text_adds_no_tag_and_no_attribute() {
    let mut plain = hostile();
    let harmless = |text: &mut String| *text = text.replace(HOSTILE, "x");
    harmless(&mut plain.title);
    harmless(&mut plain.cluster.name);
    harmless(&mut plain.steps[0].id);
    harmless(&mut plain.steps[1].title);
    harmless(&mut plain.steps[1].failures[0]);
    harmless(&mut plain.remarks[0]);
    harmless(&mut plain.probes[0].name);
    harmless(&mut plain.probes[0].detail);
    let html = html::render(&hostile());
    let tags = |html: &str| skeleton(&html.replace("<code>", "").replace("</code>", ""));
    assert_eq!(
        tags(&html),
        tags(&html::render(&plain)),
        "what stands between backticks is code, and no more"
    );
    // Once for each of the seventeen fields, and again where a field is shown twice: escaped, never dropped.
    assert!(html.matches("a&lt;script&gt;alert(&#39;x&#39;)").count() >= 17);
    for text in [html, without_code(&markdown::render(&hostile()))] {
        assert!(!text.contains("<script") && !text.contains('\u{202e}'));
    }
}

#[test]
fn any_run_can_be_rendered() {
    let mut empty = report();
    (empty.phases, empty.steps, empty.outcome) = (vec![], vec![], "nothing-to-do");
    let mut zero = report();
    zero.phases.iter_mut().for_each(|phase| phase.seconds = 0.0);
    zero.steps.iter_mut().for_each(|step| (step.began_s, step.acting_s, step.waiting_s) = (0.0, 0.0, 0.0));
    let mut long = report();
    long.steps = (0..100).map(|n| step(n, "done")).collect();
    let mut failed = report();
    (failed.outcome, failed.differences_left) = ("failed", 3);
    failed.steps[2] = step(2, "failed");
    failed.steps[2].failures = (0..250).map(|n| format!("policy {n}: 403")).collect();
    failed.steps[3] = step(3, "skipped");
    for (report, said) in [
        (empty, "No step was run."),
        (zero, "step-3"),
        (long, "step-99"),
        (failed, "and 150 more, in the run’s journal"),
    ] {
        for text in [html::render(&report), markdown::render(&report)] {
            assert!(text.contains(said), "{said}");
            assert!(!text.contains("NaN") && !text.contains("inf\""), "{said}");
        }
        assert_eq!(html::render(&report), html::render(&report.clone()));
    }
}

#[test]
fn the_verdict_is_never_better_than_the_run() {
    let verdict = |outcome, rto_met, rpo_met| {
        Verdict::of(&RecoveryReport { outcome, rto_met, rpo_met: Some(rpo_met), ..report() })
    };
    assert_eq!(verdict("recovered", true, true), Verdict::Recovered);
    assert_eq!(verdict("recovered", false, true), Verdict::OverObjective);
    assert_eq!(verdict("recovered", true, false), Verdict::OverObjective);
    assert_eq!(verdict("partial", true, true), Verdict::Partial);
    assert_eq!(verdict("failed", true, true), Verdict::Failed);
    assert_eq!(verdict("nothing-to-do", true, true), Verdict::NothingToDo);
    assert_eq!(verdict("a word of tomorrow", true, true), Verdict::Failed);
    // No age is made up where the source is young enough and something else is missing.
    let young = RecoveryReport {
        outcome: "recovered",
        rpo_met: Some(false),
        rpo_s: 0,
        recovery_point_s: -1,
        ..report()
    };
    let said = markdown::render(&young);
    assert!(
        said.contains("other values than are authored in Git") && !said.contains("older than its"),
        "{said}"
    );
}

#[test]
fn a_recovery_point_of_which_nothing_was_restored_is_not_judged() {
    let undone = RecoveryReport { rpo_met: None, ..report() };
    assert_eq!(Verdict::of(&undone), Verdict::Recovered);
    let (markdown, html) = (markdown::render(&undone), html::render(&undone));
    assert!(markdown.contains("| not judged |") && !markdown.contains("Both objectives"), "{markdown}");
    assert!(html.contains("nothing was restored, so not judged by the objective of"), "{html}");
    assert!(undone.to_json()["rpo_met"].is_null());
}

#[test]
fn where_readiness_was_simulated_no_objective_of_time_was_met_and_one_that_was_missed_was_missed() {
    let (real, played) = (RecoveryReport { simulated: vec![], ..report() }, report());
    let forms = |report: &RecoveryReport| [markdown::render(report), html::render(report)];
    for text in forms(&real) {
        assert!(text.contains("Both objectives were met") && !text.contains("stays open"), "{text}");
    }
    for text in forms(&played) {
        assert!(text.contains("stays open: readiness was simulated"), "{text}");
        assert!(
            !text.contains("Both objectives") && !text.contains("within the objective of 30 min"),
            "{text}"
        );
    }
    let late = RecoveryReport { rto_met: false, ..played };
    assert_eq!((Verdict::of(&late), late.rto_proved()), (Verdict::OverObjective, Some(false)));
}

#[test]
fn a_real_restore_whose_nodes_could_not_be_seen_is_not_called_simulated() {
    let why = "whether nodes are played by kwok could not be seen: nodes is forbidden (403)";
    let unseen = RecoveryReport { simulated: vec![], unseen: vec![why.into()], ..report() };
    assert_eq!((unseen.rto_proved(), &unseen.to_json()["simulated"]), (None, &json!([])));
    assert_eq!((&unseen.to_json()["unseen"], &unseen.to_json()["rto_met"]), (&json!([why]), &json!(null)));
    for text in [markdown::render(&unseen), html::render(&unseen)] {
        assert!(text.contains("stays open: whether the nodes are real could not be seen"), "{text}");
        assert!(
            text.contains("nodes is forbidden (403)") && !text.contains("readiness was simulated"),
            "{text}"
        );
        assert!(!text.contains("Both objectives"), "{text}");
    }
    let late = RecoveryReport { rto_met: false, ..unseen };
    assert_eq!((late.rto_proved(), &late.to_json()["rto_met"]), (Some(false), &json!(false)));
    let real = RecoveryReport { unseen: vec![], ..RecoveryReport { rto_met: true, ..late } };
    assert_eq!(real.to_json()["rto_met"], true);
}

#[test]
fn a_step_that_looked_at_nothing_is_not_called_done() {
    let mut report = report();
    report.steps = vec![StepOutcome { action: "probe", ..step(1, "done") }];
    let unseen = Probed { name: "DNS".into(), result: "not probed", detail: "no kubelet".into() };
    report.steps[0].probes = vec![unseen.clone()];
    assert_eq!(report.steps[0].word(), "not probed");
    assert_eq!(report.to_json()["steps"][0]["outcome"], "not probed");
    for text in [html::render(&report), markdown::render(&report)] {
        assert!(text.contains("not probed"), "{text}");
    }
    report.steps[0].probes.push(Probed { result: "passed", ..unseen });
    assert_eq!(report.steps[0].word(), "done");
}

#[test]
fn what_people_author_is_committed_and_not_captured() {
    let source = SourceName::Git { url: "/ops".into(), commit: "a".repeat(40) };
    for (outcome, recovery_point_s) in [("recovered", 0), ("nothing-to-do", -1), ("recovered", -1)] {
        let authored = RecoveryReport { outcome, recovery_point_s, source: vec![source.clone()], ..report() };
        for text in [html::render(&authored), markdown::render(&authored)] {
            assert!(text.contains("committed") && !text.contains("captured"), "{text}");
        }
    }
}

#[test]
fn json_has_what_scripts_were_promised() {
    let json = RecoveryReport { simulated: vec![], ..report() }.to_json();
    for key in [
        "run",
        "scenario",
        "source",
        "outcome",
        "recovery_time_s",
        "rto_s",
        "rto_met",
        "recovery_point_s",
        "rpo_s",
        "rpo_met",
        "phases",
        "differences_left",
    ] {
        assert!(!json[key].is_null(), "{key}");
    }
    let step = &json["steps"][2];
    assert_eq!(
        (&step["id"], &step["action"], &step["outcome"]),
        (&json!("step-2"), &json!("apply"), &json!("done"))
    );
    assert!((step["seconds"].as_f64().unwrap() - 0.7).abs() < 1e-9);
    assert_eq!((&step["applied"], &step["unchanged"]), (&json!(2), &json!(10)));
    assert_eq!((&step["deleted"], &step["failed"]), (&json!(1), &json!(0)));
}

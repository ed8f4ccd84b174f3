//! When an objective was met, missed, or stays open.

use super::*;

#[test]
fn where_nodes_are_played_an_objective_can_be_missed_and_never_met() {
    let judged = |in_time, real| rto_met(true, in_time, real);
    assert_eq!([judged(true, true), judged(false, true)], [Some(true), Some(false)]);
    assert_eq!([judged(true, false), judged(false, false)], [None, Some(false)]);
    let mut report = report();
    let run = |report: &DrillReport| report.to_json()["scenarios"][0]["runs"][0]["rto_met"].clone();
    report.place = Place::DrillCluster;
    assert_eq!(run(&report), Value::Null, "kwok plays the nodes of a drill cluster, too");
    report.scenarios[0].runs[0].rto_met = false;
    assert_eq!(run(&report), false);
    report.place = Place::Sandbox;
    assert_eq!(run(&report), Value::Null);
    report.place = Place::DrillCluster;
    (report.scenarios[0].runs[0].simulated, report.scenarios[0].runs[0].rto_met) = (vec![], true);
    assert_eq!(run(&report), true);
}

#[test]
fn how_old_a_backup_was_when_somebody_drilled_can_miss_an_objective_and_never_meet_it() {
    const DAY: u64 = 86_400;
    for (age, gap, met) in [
        (300, None, None),
        (300, Some(90_000), None),
        (300, Some(86_400), Some(true)),
        (90_000, Some(3600), Some(false)),
        (90_000, None, Some(false)),
    ] {
        assert_eq!(rpo_met(age, DAY, gap), met, "{age} {gap:?}");
    }
    assert_eq!(
        [rpo_met(0, 0, Some(0)), rpo_met(300, 0, None)],
        [None, None],
        "nothing lost, nobody can tell"
    );
    let mut report = report();
    report.scenarios[0].rpo_met = None;
    let run = |report: &DrillReport, number: usize| {
        report.to_json()["scenarios"][number]["runs"][0]["rpo_met"].clone()
    };
    assert_eq!((run(&report, 0), run(&report, 1)), (Value::Null, true.into()));
    report.scenarios[0].runs[0].rpo_met = Some(false);
    assert_eq!(run(&report, 0), false);
    report.scenarios[0].rpo_s = 0;
    assert_eq!(run(&report, 0), Value::Null, "no snapshot can tell whether nothing at all was lost");
}

#[test]
fn a_drill_of_backups_that_are_too_old_is_over_its_objective() {
    let mut report = report();
    report.scenarios.iter_mut().for_each(|one| (one.why, one.rpo_met) = (None, Some(false)));
    report.good = DrillReport::judge(true, &report.scenarios);
    assert_eq!((report.good, report.headline()), (false, "Recovered, over objective"));
    assert!(html::render(&report).contains("✕ over the objective of 2 scenarios"));
}

#[test]
fn a_drill_cluster_whose_nodes_are_played_measures_nothing() {
    let mut report = report();
    report.place = Place::DrillCluster;
    let open = |report: &DrillReport| (report.is_measured(), report.unjudged(&report.scenarios[0])[0]);
    assert_eq!(open(&report), (false, "open"));
    assert!(report.sentence().contains("stays open"), "{}", report.sentence());
    assert!(!report.as_past().is_measured());
    report.simulated.clear();
    report.unseen.push("whether nodes are played by kwok could not be seen: 403".into());
    assert_eq!(open(&report), (false, "open"));
    for text in [report.sentence(), html::render(&report)] {
        assert!(text.contains("whether the nodes are real could not be seen"), "{text}");
    }
    assert_eq!(report.to_json()["unseen"], serde_json::json!(report.unseen), "apart for whoever knows it");
    let older: Past = serde_json::from_value(report.to_json()).unwrap();
    assert!(
        !older.is_measured() && older.simulated == report.unseen,
        "and no measured time for whoever does not"
    );
    report.unseen.clear();
    assert_eq!(open(&report), (true, "not judged"));
    assert!(report.sentence().contains("real workloads"), "{}", report.sentence());
    assert!(report.as_past().is_measured());
}

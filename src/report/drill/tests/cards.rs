//! The numbers at the head of the report.

use super::*;

#[test]
fn the_recovery_point_that_is_shown_is_one_that_was_judged() {
    let mut report = report();
    (report.scenarios[1].recovery_point_s, report.scenarios[1].rpo_met) = (Some(90_000), None);
    let html = html::render(&report);
    let (_, card) = html.split_once("<h2>Recovery point</h2>").unwrap();
    let (card, _) = card.split_once("</section>").unwrap();
    for said in [&words::duration(7800.0), "within the objective of 1 scenario<", "open in 1 scenario, "] {
        assert!(card.contains(said), "{said} in {card}");
    }
    assert!(!card.contains(&words::duration(90_000.0)), "{card}");
}

#[test]
fn the_recovery_time_that_is_shown_is_the_one_that_missed_its_objective() {
    let mut report = report();
    (report.scenarios[0].recovery_time_s, report.scenarios[0].rto_met) = (Some(3000.0), Some(true));
    (report.scenarios[1].recovery_time_s, report.scenarios[1].rto_met) = (Some(1200.0), Some(false));
    let card = |report: &DrillReport| {
        let html = html::render(report);
        let (_, card) = html.split_once("<h2>Recovery time</h2>").unwrap();
        card.split_once("</section>").unwrap().0.to_owned()
    };
    let shown = card(&report);
    assert!(shown.contains(&words::duration(1200.0)) && !shown.contains(&words::duration(3000.0)), "{shown}");
    assert!(shown.contains("✕ over the objective of 1 scenario<") && !shown.contains('✓'), "{shown}");
    report.scenarios.iter_mut().for_each(|one| one.rto_met = None);
    let shown = card(&report);
    let open = "open in 2 scenarios, because readiness was simulated, so the time is netdr’s own<";
    assert!(shown.contains(&words::duration(3000.0)) && shown.contains(open), "{shown}");
}

#[test]
fn only_what_was_read_again_is_called_compared() {
    let mut report = report();
    let said = "what was restored was read again and compared with the snapshots";
    assert!(!html::render(&report).contains(said));
    let caused = ["x is lost".to_owned()];
    let of = |run: crate::report::RecoveryReport| judge(&caused, &[run], &[], Ok(vec![]));
    report.scenarios[0].checks = of(samples::report()).2;
    assert!(html::render(&report).contains(&format!("of 1 scenario {said}")));

    let mut unread = samples::report();
    unread.differences_left = 1;
    unread.remarks = vec![format!("{}: no answer", crate::report::NOT_READ_AGAIN)];
    let (outcome, why, checks) = of(unread);
    let equal = checks.iter().find(|check| check.what.starts_with("nothing differs")).unwrap();
    assert_eq!((outcome, equal.outcome), ("partial", "not made"), "what was not seen proves nothing");
    assert!(why.unwrap().contains("no answer"));
    report.scenarios[0].checks = checks;
    assert!(!html::render(&report).contains(said));
}

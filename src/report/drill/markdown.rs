//! The verification report as Markdown, for tickets and chats.
//!
//! In: a report. Out: the content of the HTML, without drawings. Invariant: as of
//! [`crate::report::markdown`]: same report, same bytes; no value is markup.

use super::{Broken, CONTROLS, DrillReport, Scenario, chart::Drills, html::about_points, scenario::label};
use crate::report::{
    Check, RecoveryReport,
    html::{NAMED, NOT_SEEN},
    markdown::{evidence, list, met, named, safe, steps, table},
    words,
};

/// Renders the text.
pub fn render(report: &DrillReport) -> String {
    let mut out = format!("# {}: drill of cluster {}\n\n", report.headline(), safe(&report.cluster.name));
    out += &format!("{}\n\n## Scenarios\n\n", safe(&report.sentence()));
    let names = [
        "Scenario",
        "Outcome",
        "netdr’s own time",
        "Recovery time",
        "Objective",
        "Met",
        "Recovery point",
        "Objective",
        "Met",
        "Longest gap",
    ];
    let row = |scenario: &Scenario| {
        let [rto_open, rpo_open] = report.unjudged(scenario);
        let took = |seconds: Option<f64>| seconds.map_or("–".to_owned(), words::duration);
        vec![
            safe(&scenario.name),
            scenario.outcome.into(),
            took(scenario.own_time_s),
            took(scenario.recovery_time_s),
            words::duration(scenario.rto_s as f64),
            met(scenario.rto_met, rto_open),
            took(scenario.recovery_point_s.map(|seconds| seconds as f64)),
            words::duration(scenario.rpo_s as f64),
            met(scenario.rpo_met, rpo_open),
            took(scenario.longest_gap_s.map(|seconds| seconds as f64)),
        ]
    };
    table(&mut out, &names, "llrrrlrrlr", report.scenarios.iter().map(row));
    out += &format!("\n{}\n", safe(&about_points()));
    for scenario in &report.scenarios {
        out += &format!("\n## Scenario {}: {}\n\n", safe(&scenario.name), safe(&scenario.title));
        if let Some(why) = &scenario.why {
            out += &format!("{}\n\n", safe(why));
        }
        let broken: Vec<String> = scenario.broken.iter().map(Broken::says).collect();
        part(&mut out, "How much was broken, of what there is", &broken);
        part(&mut out, "What was broken", &scenario.caused);
        for (number, run) in scenario.runs.iter().enumerate() {
            self::run(&mut out, run, &label(run, scenario.nodes.get(number)));
        }
        checks(&mut out, &scenario.checks);
        part(&mut out, "Not tested in this scenario", &scenario.not_tested);
    }
    if !report.certificates.is_empty() {
        out += "\n## Certificates in the snapshots\n\n";
        let rows =
            report.certificates.iter().map(|one| vec![safe(&one.secret), safe(&one.says(report.ended_at))]);
        table(&mut out, &["Secret", "Valid until"], "ll", rows);
    }
    out += "\n## Copies outside\n\n";
    match report.unasked() {
        Some(why) => out += &format!("Not looked at: {why}.\n"),
        None => checks(&mut out, &report.checks),
    }
    list(&mut out, "Simulated", &report.simulated, "Nothing.");
    if !report.unseen.is_empty() {
        list(&mut out, NOT_SEEN, &report.unseen, "");
    }
    list(&mut out, "Not tested", &report.not_tested, "Nothing noted.");
    trend(&mut out, report);
    out += "\n## Controls\n\nWhere evidence is. The report claims no conformity.\n\n";
    let rows =
        CONTROLS.iter().map(|row| [row.what, row.guide, row.today, &row.found_in(report)].map(safe).into());
    table(&mut out, &["Subject", "Guide", "Today", "Evidence"], "llll", rows);
    evidence(&mut out, &report.evidence("md"));
    out
}

fn run(out: &mut String, run: &RecoveryReport, label: &str) {
    let phases: Vec<String> =
        run.phases.iter().map(|phase| format!("{} {}", phase.name, words::duration(phase.seconds))).collect();
    *out += &format!("The {}: {}.\n\n", safe(label), safe(&phases.join(", ")));
    steps(out, run);
    *out += "\n";
}

fn part(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    *out += &format!("{title}:\n\n");
    named(out, lines, "the report’s JSON");
    *out += "\n";
}

fn checks(out: &mut String, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    let row = |check: &Check| {
        let mut found: Vec<String> = check.details.iter().take(NAMED).map(|detail| safe(detail)).collect();
        if check.details.len() > NAMED {
            found.push(format!("and {} more, in the report’s JSON", check.details.len() - NAMED));
        }
        vec![safe(&check.what), check.outcome.into(), found.join("; ")]
    };
    table(out, &["Check", "Outcome", "Evidence"], "lll", checks.iter().map(row));
    *out += "\n";
}

fn trend(out: &mut String, report: &DrillReport) {
    *out += "\n## Recovery time, drill by drill\n\n";
    if report.trend.is_empty() {
        *out += "This is the first drill on record.\n";
        return;
    }
    let drills = Drills::of(report);
    let rows = drills.shown.iter().map(|drill| {
        let times = drill.scenarios.iter().map(|then| match then.took() {
            Some(seconds) => format!("{} {}", safe(&then.name), words::duration(seconds)),
            None => format!("{} {}", safe(&then.name), safe(&then.outcome)),
        });
        vec![words::time(drill.ended_at), drill.word(), times.collect::<Vec<_>>().join(", ")]
    });
    table(out, &["Ended", "Drill", "Recovery time"], "lll", rows);
    *out += "\nThe last is this one.\n";
    if drills.earlier > 0 {
        *out += &format!("{} before them, in the report’s JSON.\n", drills.earlier);
    }
}

//! The verification report as one HTML file that needs nothing else, in the clothes of the recovery report.
//!
//! In: a report. Out: the file's text. Invariant: as of [`crate::report::html`]: same report, same bytes; no value is markup.

use super::{CONTROLS, DrillReport, Past, Place, Scenario};
use crate::report::{
    Check,
    html::{NAMED, begin, end, evidence, list, named, step_table},
    markup::Markup,
    timeline::Timeline,
    words,
};

/// Renders the file.
pub fn render(report: &DrillReport) -> String {
    let mut m = Markup::default();
    begin(&mut m, &[report.headline(), "drill", &report.cluster.name, &words::time(report.ended_at)]);
    head(&mut m, report);
    summary(&mut m, report);
    let mut drawn = 0;
    for scenario in &report.scenarios {
        self::scenario(&mut m, scenario, &mut drawn);
    }
    certificates(&mut m, report);
    if !report.checks.is_empty() {
        m.raw("<section>\n<h2>Copies outside</h2>\n");
        checks(&mut m, &report.checks);
        m.raw("</section>\n");
    }
    list(&mut m, "Simulated", &report.simulated, "Nothing.");
    list(&mut m, "Not tested", &report.not_tested, "Nothing noted.");
    trend(&mut m, &report.trend, report);
    controls(&mut m);
    evidence(&mut m, &report.evidence());
    end(&mut m, &report.tool);
    m.finish()
}

fn head(m: &mut Markup, report: &DrillReport) {
    let (class, sign) = match (report.good, report.all_back()) {
        (true, _) => ("<header class=\"verdict good\">\n", "✓"),
        (false, true) => ("<header class=\"verdict warn\">\n", "!"),
        (false, false) => ("<header class=\"verdict bad\">\n", "✕"),
    };
    m.raw(class).raw("<p class=\"over\">Verification report · <span class=\"mono\">").text(&report.report);
    m.raw("</span></p>\n<h1><span class=\"sign\" aria-hidden=\"true\">").raw(sign).raw("</span>");
    m.raw(report.headline()).raw("</h1>\n<p class=\"about\">Disaster recovery drill · cluster ");
    m.text(&report.cluster.name)
        .raw("</p>\n<p class=\"why\">")
        .text(report.sentence())
        .raw("</p>\n</header>\n");
}

fn summary(m: &mut Markup, report: &DrillReport) {
    m.raw("<section>\n<h2>Scenarios</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Scenarios\" tabindex=\"0\">\n");
    m.raw("<table>\n<caption>Times against the objectives of each plan.</caption>\n<thead><tr>");
    m.raw("<th scope=\"col\">Scenario</th><th scope=\"col\">Outcome</th>");
    for name in ["netdr’s own time", "Recovery time", "Objective"] {
        m.raw("<th scope=\"col\" class=\"n\">").raw(name).raw("</th>");
    }
    m.raw("<th scope=\"col\">Met</th><th scope=\"col\" class=\"n\">Recovery point</th>");
    m.raw("<th scope=\"col\" class=\"n\">Objective</th><th scope=\"col\">Met</th></tr></thead>\n<tbody>\n");
    for scenario in &report.scenarios {
        m.raw("<tr><th scope=\"row\">")
            .text(&scenario.name)
            .raw("<small>")
            .text(&scenario.role)
            .raw("</small></th>");
        outcome(m, scenario.outcome);
        for seconds in [scenario.own_time_s, scenario.recovery_time_s, scenario.rto_s as f64] {
            m.raw("<td class=\"n\">").text(words::duration(seconds)).raw("</td>");
        }
        met(m, scenario.rto_met, if report.place == Place::Sandbox { "open" } else { "not judged" });
        for seconds in [scenario.recovery_point_s as f64, scenario.rpo_s as f64] {
            m.raw("<td class=\"n\">").text(words::duration(seconds)).raw("</td>");
        }
        met(m, scenario.rpo_met, "not judged");
        m.raw("</tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n<p class=\"muted\">The recovery point is how old the oldest snapshot was when the failure \
           was caused: an objective of 0 is for what is authored in Git.</p>\n</section>\n");
}

fn outcome(m: &mut Markup, outcome: &'static str) {
    m.raw(match outcome {
        "recovered" | "passed" => "<td class=\"tone good\">✓ ",
        "partial" => "<td class=\"tone warn\">! ",
        "not made" => "<td class=\"tone plain\">– ",
        _ => "<td class=\"tone bad\">✕ ",
    });
    m.raw(outcome).raw("</td>");
}

fn met(m: &mut Markup, met: Option<bool>, open: &'static str) {
    m.raw(match met {
        Some(true) => "<td class=\"tone good\">✓ yes",
        Some(false) => "<td class=\"tone bad\">✕ no",
        None => "<td class=\"tone plain\">– ",
    });
    m.raw(if met.is_none() { open } else { "" }).raw("</td>");
}

/// `drawn` counts the drawings of the document.
fn scenario(m: &mut Markup, scenario: &Scenario, drawn: &mut usize) {
    m.raw("<section>\n<h2>Scenario ").text(&scenario.name).raw(": ").text(&scenario.title).raw("</h2>\n");
    if let Some(why) = &scenario.why {
        m.raw("<p class=\"judged bad\">✕ ").text(why).raw("</p>\n");
    }
    part(m, "What was broken", &scenario.caused);
    for run in &scenario.runs {
        m.raw("<h3>Run ").text(&run.run).raw("</h3>\n<figure>\n");
        m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Timeline of ")
            .text(&run.run)
            .raw("\" tabindex=\"0\">\n");
        Timeline::of(run).draw(m, *drawn);
        *drawn += 1;
        m.raw("</div>\n<figcaption><span class=\"key\"></span>acting<span class=\"key wait\"></span>waiting</figcaption>\n");
        m.raw("</figure>\n");
        step_table(m, run);
    }
    if !scenario.checks.is_empty() {
        m.raw("<h3>Checks of ").text(&scenario.name).raw("</h3>\n");
        checks(m, &scenario.checks);
    }
    part(m, "Not tested in this scenario", &scenario.not_tested);
    m.raw("</section>\n");
}

fn part(m: &mut Markup, title: &'static str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    m.raw("<h3>").raw(title).raw("</h3>\n");
    named(m, lines, "the report’s JSON");
}

fn checks(m: &mut Markup, checks: &[Check]) {
    m.raw("<table>\n<caption>What was checked, and what was found.</caption>\n<thead><tr><th scope=\"col\">Check</th>");
    m.raw("<th scope=\"col\">Outcome</th><th scope=\"col\">Evidence</th></tr></thead>\n<tbody>\n");
    for check in checks {
        m.raw("<tr><th scope=\"row\">").text(&check.what).raw("</th>");
        outcome(m, check.outcome);
        m.raw("<td>");
        for detail in check.details.iter().take(NAMED).filter(|detail| !detail.is_empty()) {
            m.raw("<p>").text(detail).raw("</p>");
        }
        if check.details.len() > NAMED {
            m.raw("<p>and ").text(check.details.len() - NAMED).raw(" more, in the report’s JSON</p>");
        }
        m.raw("</td></tr>\n");
    }
    m.raw("</tbody>\n</table>\n");
}

fn certificates(m: &mut Markup, report: &DrillReport) {
    if report.certificates.is_empty() {
        return;
    }
    m.raw("<section>\n<h2>Certificates in the snapshots</h2>\n<table class=\"tight\">\n");
    m.raw("<caption>The first to expire comes first.</caption>\n");
    m.raw(
        "<thead><tr><th scope=\"col\">Secret</th><th scope=\"col\">Valid until</th></tr></thead>\n<tbody>\n",
    );
    for certificate in &report.certificates {
        m.raw("<tr><th scope=\"row\">").text(&certificate.secret).raw("</th><td>");
        m.text(certificate.says(report.ended_at)).raw("</td></tr>\n");
    }
    m.raw("</tbody>\n</table>\n</section>\n");
}

fn trend(m: &mut Markup, trend: &[Past], report: &DrillReport) {
    m.raw("<section>\n<h2>Earlier drills</h2>\n");
    if trend.is_empty() {
        m.raw("<p class=\"muted\">This is the first one on record.</p>\n</section>\n");
        return;
    }
    m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Earlier drills\" tabindex=\"0\">\n<table>\n");
    m.raw("<caption>netdr’s own time by scenario, oldest drill first; this one is the last.</caption>\n");
    m.raw("<thead><tr><th scope=\"col\">Ended</th><th scope=\"col\">Drill</th>");
    for scenario in &report.scenarios {
        m.raw("<th scope=\"col\" class=\"n\">").text(&scenario.name).raw("</th>");
    }
    m.raw("</tr></thead>\n<tbody>\n");
    for past in trend {
        m.raw("<tr><th scope=\"row\">").text(words::time(past.ended_at)).raw("</th>");
        outcome(m, if past.good { "passed" } else { "failed" });
        for scenario in &report.scenarios {
            let then = past.scenarios.iter().find(|then| then.name == scenario.name);
            m.raw("<td class=\"n\">");
            match then {
                Some(then) if then.outcome == "recovered" => m.text(words::duration(then.own_time_s)),
                Some(then) => m.text(&then.outcome),
                None => m.raw("–"),
            };
            m.raw("</td>");
        }
        m.raw("</tr>\n");
    }
    m.raw("<tr><th scope=\"row\">").text(words::time(report.ended_at)).raw("</th>");
    outcome(m, if report.good { "passed" } else { "failed" });
    for scenario in &report.scenarios {
        m.raw("<td class=\"n\">").text(words::duration(scenario.own_time_s)).raw("</td>");
    }
    m.raw("</tr>\n</tbody>\n</table>\n</div>\n</section>\n");
}

fn controls(m: &mut Markup) {
    m.raw("<section>\n<h2>Controls</h2>\n<p>Where evidence is for controls that an auditor may ask about. The report claims no ");
    m.raw("conformity.</p>\n<div class=\"wide\" role=\"region\" aria-label=\"Controls\" tabindex=\"0\">\n<table>\n");
    m.raw(
        "<caption>As the operations guide names them, and as they are called today.</caption>\n<thead><tr>",
    );
    for name in ["Subject", "Guide", "Today", "Evidence"] {
        m.raw("<th scope=\"col\">").raw(name).raw("</th>");
    }
    m.raw("</tr></thead>\n<tbody>\n");
    for control in CONTROLS {
        m.raw("<tr><th scope=\"row\">").raw(control.what).raw("</th>");
        for cell in [control.guide, control.today, control.evidence] {
            m.raw("<td>").text(cell).raw("</td>");
        }
        m.raw("</tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n</section>\n");
}

//! The verification report as one HTML file that needs nothing else, in the clothes of the recovery report.
//!
//! In: a report. Out: the file's text. Invariant: as of [`crate::report::html`]: same report, same bytes; no value is markup.

use super::{Broken, CONTROLS, DrillReport, Nights, Scenario, chart::Drills, scenario::label};
use crate::report::{
    Check,
    html::{NAMED, NOT_SEEN, begin, card, end, evidence, list, named, step_table},
    markup::Markup,
    timeline::Timeline,
    words,
};

/// What is said of recovery points.
pub(super) fn about_points() -> String {
    format!(
        "The recovery point is how old the oldest snapshot was when the failure was caused, which depends on \
    when one drills: over the objective, that is missed; within it, it is met only if the longest gap between complete backups since the \
    first one of the last {} days is within it, too. Whether nothing at all is lost (an objective of 0 s) is up to Git or netdr watch: a drill cannot \
    tell, and leaves it open.",
        Nights::OF
    )
}

/// Renders the file.
pub fn render(report: &DrillReport) -> String {
    let mut m = Markup::default();
    begin(&mut m, &[report.headline(), "drill", &report.cluster.name, &words::time(report.ended_at)]);
    head(&mut m, report);
    m.raw("<div class=\"cards\">\n");
    cards(&mut m, report);
    m.raw("</div>\n");
    summary(&mut m, report);
    trend(&mut m, report);
    list(&mut m, "Simulated", &report.simulated, "Nothing.");
    if !report.unseen.is_empty() {
        list(&mut m, NOT_SEEN, &report.unseen, "");
    }
    list(&mut m, "Not tested", &report.not_tested, "Nothing noted.");
    let mut drawn = 0;
    for scenario in &report.scenarios {
        self::scenario(&mut m, scenario, &mut drawn);
    }
    certificates(&mut m, report);
    m.raw("<section>\n<h2>Copies outside</h2>\n");
    match report.unasked() {
        Some(why) => drop(m.raw("<p class=\"muted\">Not looked at: ").text(why).raw(".</p>\n")),
        None => checks(&mut m, &report.checks, "copies outside"),
    }
    m.raw("</section>\n");
    controls(&mut m, report);
    evidence(&mut m, &report.evidence("html"));
    end(&mut m, &report.tool);
    m.finish()
}

fn head(m: &mut Markup, report: &DrillReport) {
    let (class, sign) = match (report.good, report.nothing_lost()) {
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

/// The three numbers that the drill is about.
fn cards(m: &mut Markup, report: &DrillReport) {
    let back: Vec<&Scenario> = report.scenarios.iter().filter(|one| one.is_back()).collect();
    let broken: usize = report.scenarios.iter().map(|scenario| scenario.caused.len()).sum();
    card(m, "Scenarios that came back", &format!("{} of {}", back.len(), report.scenarios.len()));
    m.raw("<p class=\"muted\">").text(words::count(broken as u64, "failure")).raw(" caused");
    match report.scenarios.iter().filter(|scenario| scenario.is_compared()).count() as u64 {
        0 => m.raw("; nothing was compared with the snapshots afterwards"),
        n => m
            .raw("; of ")
            .text(words::count(n, "scenario"))
            .raw(" what was restored was read again and compared with the snapshots"),
    };
    m.raw("</p></section>\n");

    let time = |one: &Scenario| (one.recovery_time_s, one.rto_met);
    let open = report.why_open().map(|why| format!(", because {why}")).unwrap_or_default();
    objectives(m, "Recovery time", &back, time, &open);
    m.raw("<p class=\"muted\">from the failure to the last proof</p></section>\n");
    let point = |one: &Scenario| (one.recovery_point_s.map(|seconds| seconds as f64), one.rpo_met);
    objectives(m, "Recovery point", &back, point, ", for how old a backup is depends on when one drills");
    m.raw("<p class=\"muted\">how old the oldest of these snapshots was when a failure was caused</p></section>\n");
}

/// A card of what came back against the objectives. The number is the longest time of what is judged below it: first of what
/// missed its objective, then of what met it, then of what is open.
fn objectives(
    m: &mut Markup,
    title: &'static str,
    back: &[&Scenario],
    of: impl Fn(&Scenario) -> (Option<f64>, Option<bool>),
    why_open: &str,
) {
    let seconds = |wanted: Option<bool>| -> Vec<f64> {
        let judged = back.iter().map(|scenario| of(scenario)).filter(|(_, met)| *met == wanted);
        judged.filter_map(|(seconds, _)| seconds).collect()
    };
    let groups = [Some(false), Some(true), None].map(seconds);
    let gravest = groups.iter().find(|group| !group.is_empty());
    let longest = gravest.and_then(|group| group.iter().copied().max_by(f64::total_cmp));
    card(m, title, &longest.map_or("–".into(), words::duration));
    let [over, within, open] = groups.map(|group| group.len() as u64);
    if over > 0 {
        m.raw("<p class=\"judged bad\">✕ over the objective of ")
            .text(words::count(over, "scenario"))
            .raw("</p>");
    } else if within > 0 {
        m.raw("<p class=\"judged good\">✓ within the objective of ")
            .text(words::count(within, "scenario"))
            .raw("</p>");
    }
    if open > 0 {
        m.raw("<p class=\"muted\">open in ").text(words::count(open, "scenario")).text(why_open).raw("</p>");
    }
}

fn summary(m: &mut Markup, report: &DrillReport) {
    m.raw("<section>\n<h2>Scenarios</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Scenarios\" tabindex=\"0\">\n");
    m.raw("<table>\n<caption>What came back, and the times against the objectives of each plan.</caption>\n<thead><tr>");
    m.raw("<th scope=\"col\">Scenario</th><th scope=\"col\">Outcome</th><th scope=\"col\" class=\"n\">netdr’s own time</th>");
    m.raw(
        "<th scope=\"col\">Recovery time</th><th scope=\"col\">Recovery point</th><th scope=\"col\" class=\"n\">Longest gap</th></tr></thead>\n<tbody>\n",
    );
    for scenario in &report.scenarios {
        let [rto_open, rpo_open] = report.unjudged(scenario);
        m.raw("<tr><th scope=\"row\">")
            .text(&scenario.name)
            .raw("<small>")
            .text(&scenario.title)
            .raw("</small></th>");
        outcome(m, scenario.outcome);
        m.raw("<td class=\"n\">").text(scenario.own_time_s.map_or("–".into(), words::duration)).raw("</td>");
        let point = scenario.recovery_point_s.map(|seconds| seconds as f64);
        against(m, scenario.recovery_time_s, scenario.rto_s, scenario.rto_met, rto_open);
        against(m, point, scenario.rpo_s, scenario.rpo_met, rpo_open);
        let gap = scenario.longest_gap_s.map_or("–".into(), |seconds| words::duration(seconds as f64));
        m.raw("<td class=\"n\">").text(gap).raw("</td>");
        m.raw("</tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n<p class=\"muted\">").text(about_points()).raw("</p>\n</section>\n");
}

/// A time, what it may be, and whether it was.
fn against(m: &mut Markup, seconds: Option<f64>, objective_s: u64, met: Option<bool>, open: &'static str) {
    let Some(seconds) = seconds else {
        m.raw("<td>–</td>");
        return;
    };
    m.raw("<td class=\"word\">").text(words::duration(seconds)).raw("<small>");
    m.raw(match met {
        Some(true) => "<span class=\"tone good\">✓ met</span>",
        Some(false) => "<span class=\"tone bad\">✕ missed</span>",
        None => open,
    });
    m.raw(": objective ").text(words::duration(objective_s as f64)).raw("</small></td>");
}

fn outcome(m: &mut Markup, outcome: &'static str) {
    m.raw(match outcome {
        "recovered" | "passed" => "<td class=\"tone good\">✓ ",
        "partial" | "interrupted" => "<td class=\"tone warn\">! ",
        "not made" | "not tested" | "not begun" => "<td class=\"tone plain\">– ",
        _ => "<td class=\"tone bad\">✕ ",
    });
    m.raw(outcome).raw("</td>");
}

/// `drawn` counts the drawings of the document.
fn scenario(m: &mut Markup, scenario: &Scenario, drawn: &mut usize) {
    m.raw("<section>\n<h2>Scenario ").text(&scenario.name).raw(": ").text(&scenario.title).raw("</h2>\n");
    if let Some(why) = &scenario.why {
        m.raw(match scenario.outcome {
            "not tested" => "<p class=\"judged plain\">– Not tested: ",
            "not begun" => "<p class=\"judged plain\">– Not begun: ",
            "partial" | "interrupted" => "<p class=\"judged warn\">! ",
            _ => "<p class=\"judged bad\">✕ ",
        });
        m.prose(why).raw("</p>\n");
    }
    let broken: Vec<String> = scenario.broken.iter().map(Broken::says).collect();
    part(m, "How much was broken, of what there is", &broken);
    part(m, "What was broken", &scenario.caused);
    for (number, run) in scenario.runs.iter().enumerate() {
        m.raw("<h3>The ").text(label(run, scenario.nodes.get(number))).raw("</h3>\n<figure>\n");
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
        checks(m, &scenario.checks, &scenario.name);
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

/// `of` is what they are checks of: no two regions of a document have one name.
fn checks(m: &mut Markup, checks: &[Check], of: &str) {
    m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Checks of ").text(of).raw("\" tabindex=\"0\">\n");
    m.raw("<table>\n<caption>What was checked, and what was found.</caption>\n<thead><tr><th scope=\"col\">Check</th>");
    m.raw("<th scope=\"col\">Outcome</th><th scope=\"col\">Evidence</th></tr></thead>\n<tbody>\n");
    for check in checks {
        m.raw("<tr><th scope=\"row\">").prose(&check.what).raw("</th>");
        outcome(m, check.outcome);
        m.raw("<td>");
        for detail in check.details.iter().take(NAMED).filter(|detail| !detail.is_empty()) {
            m.raw("<p>").prose(detail).raw("</p>");
        }
        if check.details.len() > NAMED {
            m.raw("<p>and ").text(check.details.len() - NAMED).raw(" more, in the report’s JSON</p>");
        }
        m.raw("</td></tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n");
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

fn trend(m: &mut Markup, report: &DrillReport) {
    m.raw("<section>\n<h2>Recovery time, drill by drill</h2>\n");
    let drills = Drills::of(report);
    if report.trend.is_empty() {
        m.raw("<p class=\"muted\">This is the first drill on record: the next one is drawn beside it.</p>\n</section>\n");
        return;
    }
    m.raw(
        "<figure>\n<div class=\"wide\" role=\"region\" aria-label=\"Recovery times drawn\" tabindex=\"0\">\n",
    );
    drills.draw(m);
    m.raw("</div>\n<figcaption>From the failure to the last proof, on a logarithmic scale; the dashed line is the plan’s objective.");
    m.raw(" ○ readiness was simulated, as it is in a sandbox, or not seen to be real · ● measured on a drill cluster · ✕ did not come back</figcaption>\n</figure>\n");
    m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Recovery times\" tabindex=\"0\">\n<table class=\"tight\">\n");
    m.raw("<caption>Recovery time by scenario, oldest drill first; this one is the last.</caption>\n");
    m.raw("<thead><tr><th scope=\"col\">Ended</th><th scope=\"col\">Drill</th>");
    for scenario in &report.scenarios {
        m.raw("<th scope=\"col\" class=\"n\">").text(&scenario.name).raw("</th>");
    }
    m.raw("</tr></thead>\n<tbody>\n");
    for drill in &drills.shown {
        m.raw("<tr><th scope=\"row\">").text(words::time(drill.ended_at)).raw("</th>");
        m.raw(match (drill.good, drill.part()) {
            (true, _) => "<td class=\"tone good\">✓ ",
            (false, Some(_)) => "<td class=\"tone plain\">– ",
            (false, None) => "<td class=\"tone warn\">! ",
        });
        m.text(drill.word()).raw("</td>");
        for scenario in &report.scenarios {
            m.raw("<td class=\"n\">");
            match drill.of(&scenario.name) {
                Some(then) => m.text(then.took().map_or(then.outcome.clone(), words::duration)),
                None => m.raw("–"),
            };
            m.raw("</td>");
        }
        m.raw("</tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n");
    if drills.earlier > 0 {
        m.raw("<p class=\"muted\">and ").text(drills.earlier).raw(" before them, in the report’s JSON</p>\n");
    }
    m.raw("</section>\n");
}

fn controls(m: &mut Markup, report: &DrillReport) {
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
        for cell in [control.guide, control.today, &control.found_in(report)] {
            m.raw("<td>").text(cell).raw("</td>");
        }
        m.raw("</tr>\n");
    }
    m.raw("</tbody>\n</table>\n</div>\n</section>\n");
}

//! The report as one HTML file that needs nothing else: no script, no request, styles for screen and paper.
//!
//! In: a report. Out: the file's text. Invariant: the same report gives the same bytes, and nothing of it can be
//! markup (see [`Markup`]); should that fail, the content policy in the head still forbids scripts and requests.

use super::{RecoveryReport, Verdict, failures_of, markup::Markup, timeline::Timeline, words};
use crate::restore::StepOutcome;

/// Failures named per step; the journal has them all.
pub(super) const NAMED: usize = 100;

/// Above what could not be seen to be simulated or not.
pub(super) const NOT_SEEN: &str = "Not seen";

/// Renders the file.
pub fn render(report: &RecoveryReport) -> String {
    let verdict = Verdict::of(report);
    let mut m = Markup::default();
    let title = [report.headline(), &report.scenario, &report.cluster.name, &words::time(report.ended_at)];
    begin(&mut m, &title);
    head(&mut m, report, verdict);
    cards(&mut m, report, verdict);
    timeline(&mut m, report);
    steps(&mut m, report);
    if !report.checks.is_empty() {
        list(&mut m, "Checked", &report.checked(), "");
    }
    if !report.probes.is_empty() {
        list(&mut m, "Probed", &report.probed(), "Nothing could be probed.");
    }
    if !report.next.is_empty() {
        list(&mut m, "Next", &report.nexts(), "");
    }
    list(&mut m, "Left to do and to know", &report.remarks, "None noted.");
    list(&mut m, "Simulated", &report.simulated, "None noted.");
    if !report.unseen.is_empty() {
        list(&mut m, NOT_SEEN, &report.unseen, "");
    }
    list(&mut m, "Not probed", &report.not_probed, "None noted.");
    evidence(&mut m, &report.evidence());
    end(&mut m, &report.tool);
    m.finish()
}

/// Everything before the verdict; the title's parts are what a window's list shows.
pub(super) fn begin(m: &mut Markup, title: &[&str]) {
    m.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    m.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    m.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    m.text(title.join(" · ")).raw("</title>\n<style>\n");
    m.raw(include_str!("style.css")).raw("</style>\n</head>\n<body>\n<main>\n");
}

/// Everything after the evidence.
pub(super) fn end(m: &mut Markup, tool: &str) {
    m.raw("<footer>Written by netdr ").text(tool);
    m.raw(" from what the run measured. All times are UTC.</footer>\n</main>\n</body>\n</html>\n");
}

fn head(m: &mut Markup, report: &RecoveryReport, verdict: Verdict) {
    m.raw(match verdict {
        Verdict::Recovered => "<header class=\"verdict good\">\n",
        Verdict::OverObjective | Verdict::Partial => "<header class=\"verdict warn\">\n",
        Verdict::Failed => "<header class=\"verdict bad\">\n",
        Verdict::NothingToDo => "<header class=\"verdict plain\">\n",
    });
    m.raw("<p class=\"over\">").raw(report.genre()).raw(" · <span class=\"mono\">").text(&report.run);
    m.raw("</span></p>\n");
    m.raw("<h1><span class=\"sign\" aria-hidden=\"true\">").text(verdict.sign()).raw("</span>");
    m.text(report.headline()).raw("</h1>\n<p class=\"about\">").text(&report.title).raw(" · cluster ");
    m.text(&report.cluster.name).raw("</p>\n<p class=\"why\">").text(verdict.sentence(report));
    m.raw("</p>\n</header>\n");
}

fn cards(m: &mut Markup, report: &RecoveryReport, verdict: Verdict) {
    m.raw("<div class=\"cards\">\n");
    if report.undoes.is_some() {
        card(m, "Time", &words::duration(report.recovery_time_s));
        m.raw("<p class=\"muted\">").text(report.before_start()).raw("</p></section>\n");
    } else {
        objectives(m, report, verdict);
    }
    card(m, "Differences left", &report.differences_left.to_string());
    m.raw("<p class=\"muted\">").text(report.changes()).raw("</p></section>\n</div>\n");
}

/// Recovery time and recovery point, each with its objective.
fn objectives(m: &mut Markup, report: &RecoveryReport, verdict: Verdict) {
    card(m, verdict.time_name(), &words::duration(report.recovery_time_s));
    let open = format!("open, because {}: objective ", report.why_open().unwrap_or_default());
    judged(m, verdict.rto_met(report), &open, report.rto_s);
    m.raw("<p class=\"muted\">").text(report.before_start()).raw("</p></section>\n");
    card(m, "Recovery point", &words::duration(report.recovery_point_s as f64));
    let unjudged = "nothing was restored, so not judged by the objective of ";
    judged(m, report.rpo_met, unjudged, report.rpo_s);
    m.raw("<p class=\"muted\">").text(report.lost()).raw("</p></section>\n");
}

/// Begins a card: what it is about, and its figure.
pub(super) fn card(m: &mut Markup, title: &'static str, figure: &str) {
    m.raw("<section class=\"card\"><h2>")
        .raw(title)
        .raw("</h2><p class=\"figure\">")
        .text(figure)
        .raw("</p>");
}

fn judged(m: &mut Markup, met: Option<bool>, open: &str, objective_s: u64) {
    match met {
        Some(true) => m.raw("<p class=\"judged good\">✓ within the objective of "),
        Some(false) => m.raw("<p class=\"judged bad\">✕ not within the objective of "),
        None => m.raw("<p class=\"muted\">").text(open),
    };
    m.text(words::duration(objective_s as f64)).raw("</p>");
}

fn timeline(m: &mut Markup, report: &RecoveryReport) {
    m.raw("<section aria-labelledby=\"h-time\">\n<h2 id=\"h-time\">Where the time went</h2>\n<figure>\n");
    m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Timeline\" tabindex=\"0\">\n");
    Timeline::of(report).draw(m, 0);
    m.raw("</div>\n<figcaption><span class=\"key\"></span>acting<span class=\"key wait\"></span>waiting");
    m.raw(" · Phases are sums, drawn end to end; steps are drawn where they ran.</figcaption>\n</figure>\n");
    m.raw("<h3>Phases</h3>\n<table class=\"tight\">\n<caption>Time by phase, since the command began.</caption>\n");
    m.raw("<thead><tr><th scope=\"col\">Phase</th><th scope=\"col\">What it is</th>");
    m.raw("<th scope=\"col\" class=\"n\">Time</th></tr></thead>\n<tbody>\n");
    for phase in &report.phases {
        m.raw("<tr><th scope=\"row\">")
            .text(phase.name)
            .raw("</th><td class=\"muted\">")
            .text(phase.meaning());
        m.raw("</td><td class=\"n\">").text(words::duration(phase.seconds)).raw("</td></tr>\n");
    }
    m.raw("</tbody>\n</table>\n</section>\n");
}

fn steps(m: &mut Markup, report: &RecoveryReport) {
    m.raw("<section aria-labelledby=\"h-steps\">\n<h2 id=\"h-steps\">Steps</h2>\n");
    if report.steps.is_empty() {
        m.raw("<p>No step was run.</p>\n</section>\n");
        return;
    }
    step_table(m, report);
    m.raw("</section>\n");
}

/// What was done, step by step, and why not.
pub(super) fn step_table(m: &mut Markup, report: &RecoveryReport) {
    m.raw("<div class=\"wide\" role=\"region\" aria-label=\"Steps of ").text(&report.run);
    m.raw("\" tabindex=\"0\">\n<table>\n");
    m.raw("<caption>What was done, in order. Numbers count objects and files.</caption>\n<thead><tr>");
    m.raw("<th scope=\"col\">Step</th><th scope=\"col\">Action</th><th scope=\"col\">Outcome</th>");
    for name in ["Time", "Waiting", "Applied", "Unchanged", "Deleted", "Failures"] {
        m.raw("<th scope=\"col\" class=\"n\">").raw(name).raw("</th>");
    }
    m.raw("</tr></thead>\n<tbody>\n");
    for step in &report.steps {
        row(m, step);
    }
    m.raw("</tbody>\n</table>\n</div>\n");
    if let Some(skipped) = report.skipped() {
        m.raw("<p>").prose(skipped).raw("</p>\n");
    }
    for step in report.steps.iter().filter(|step| !step.failures.is_empty()) {
        m.raw("<h3>").raw(failures_of(step)).raw(" ").text(&step.id).raw("</h3>\n");
        named(m, &step.failures, "the run’s journal");
    }
}

/// As many lines as are named; `whole` has them all.
pub(super) fn named(m: &mut Markup, lines: &[String], whole: &'static str) {
    m.raw("<ul>\n");
    for line in lines.iter().take(NAMED) {
        m.raw("<li>").prose(line).raw("</li>\n");
    }
    if lines.len() > NAMED {
        m.raw("<li>and ").text(lines.len() - NAMED).raw(" more, in ").raw(whole).raw("</li>\n");
    }
    m.raw("</ul>\n");
}

fn row(m: &mut Markup, step: &StepOutcome) {
    m.raw("<tr><th scope=\"row\">")
        .text(&step.id)
        .raw("<small>")
        .text(&step.title)
        .raw("</small></th><td class=\"word\">");
    m.text(step.action).raw("</td>");
    m.raw(match step.word() {
        "done" => "<td class=\"tone good\">✓ ",
        "partial" => "<td class=\"tone warn\">! ",
        "skipped" | "not probed" | "nothing to do" => "<td class=\"tone plain\">– ",
        _ => "<td class=\"tone bad\">✕ ",
    });
    m.text(step.word()).raw("</td><td class=\"n\">").text(words::duration(step.acting_s + step.waiting_s));
    m.raw("</td><td class=\"n\">").text(words::duration(step.waiting_s)).raw("</td>");
    for number in [step.applied, step.unchanged, step.deleted, step.failed()] {
        m.raw("<td class=\"n\">").text(number).raw("</td>");
    }
    m.raw("</tr>\n");
}

pub(super) fn list(m: &mut Markup, title: &'static str, lines: &[String], none: &'static str) {
    m.raw("<section>\n<h2>").raw(title).raw("</h2>\n");
    if lines.is_empty() {
        m.raw("<p class=\"muted\">").raw(none).raw("</p>\n");
    } else {
        m.raw("<ul>\n");
        for line in lines {
            m.raw("<li>").prose(line).raw("</li>\n");
        }
        m.raw("</ul>\n");
    }
    m.raw("</section>\n");
}

pub(super) fn evidence(m: &mut Markup, rows: &[(&'static str, String)]) {
    m.raw("<section>\n<h2>Evidence</h2>\n<dl>\n");
    for (name, value) in rows {
        m.raw("<dt>").raw(name).raw("</dt><dd>").prose(value).raw("</dd>\n");
    }
    m.raw("</dl>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests as samples;

    #[test]
    fn needs_nothing_else_and_says_the_verdict_first() {
        let html = render(&samples::report());
        for forbidden in ["<script", "http://", "https://", "@import", "src=", "href="] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        let text = html.split("<main>").nth(1).unwrap();
        assert!(text.find("Recovered").unwrap() < text.find("Recovery time").unwrap());
    }

    #[test]
    fn text_keeps_its_contrast_in_both_schemes() {
        let css = include_str!("style.css");
        let (light, rest) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let (dark, _) = rest.split_once("* {").unwrap();
        for scheme in [light, dark] {
            for ink in ["ink", "muted", "good", "warn", "bad", "plain"] {
                for ground in ["page", "card"] {
                    let ratio = contrast(colour(scheme, ink), colour(scheme, ground));
                    assert!(ratio >= 4.5, "{ink} on {ground}: {ratio:.2}");
                }
            }
        }
    }

    fn colour(css: &str, name: &str) -> [f64; 3] {
        let hex = css.split(&format!("--{name}: #")).nth(1).unwrap();
        [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
    }

    /// WCAG 2.2, "contrast ratio".
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let luminance = |rgb: [f64; 3]| {
            let [r, g, b] =
                rgb.map(|c| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let (a, b) = (luminance(one), luminance(other));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }
}

//! The timeline of a run, drawn as SVG.
//!
//! In: phases and steps with their seconds. Out: rows of bars on one time axis, and the drawing. Invariant: a
//! bar's place and length are its seconds; acting and waiting differ by pattern, so that print shows them too.

use super::{RecoveryReport, markup::Markup, words};

/// One labelled bar: acting first, then waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Phase or step.
    pub label: String,
    /// Seconds from the command's start.
    pub start: f64,
    /// Seconds of acting.
    pub acting: f64,
    /// Seconds of waiting.
    pub waiting: f64,
    /// The outcome, where it is not plainly `done`.
    pub remark: Option<&'static str>,
}

/// All rows, and the length of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// Phases, end to end.
    pub phases: Vec<Row>,
    /// Steps, where they ran.
    pub steps: Vec<Row>,
    /// Seconds; above zero.
    pub length: f64,
}

// Geometry, in SVG units; the drawing is scaled to the page's width.
const WIDTH: f64 = 960.0;
const LABELS: f64 = 210.0;
const PLOT: f64 = 600.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
const TOP: f64 = 30.0;
const GAP: f64 = 34.0;
/// So that a bar of no length is still a mark.
const HAIR: f64 = 2.0;
/// Letters of a label that fit into `LABELS`; the whole of it is in the row's title.
const LETTERS: usize = 30;

impl Row {
    /// Seconds from the command's start.
    pub fn end(&self) -> f64 {
        self.start + self.acting + self.waiting
    }
}

impl Timeline {
    /// Lays a report out.
    pub fn of(report: &RecoveryReport) -> Self {
        let mut end = 0.0;
        let phases: Vec<Row> = report
            .phases
            .iter()
            .map(|phase| {
                let (start, seconds) = (end, length(phase.seconds));
                end += seconds;
                let waits = matches!(phase.name, "confirm" | "wait");
                let (acting, waiting) = if waits { (0.0, seconds) } else { (seconds, 0.0) };
                Row { label: phase.name.into(), start, acting, waiting, remark: None }
            })
            .collect();
        // The engine counts from its own start. On this axis its steps lie between the phases that surround it:
        // not before `apply`, whose first seconds go into the safety snapshot, and if they fit up to `probe`.
        let begin = |name: &str| phases.iter().find(|row| row.label == name).map_or(end, |row| row.start);
        let steps_end =
            report.steps.iter().map(|s| length(s.began_s) + length(s.acting_s) + length(s.waiting_s));
        let shift = begin("apply").max(begin("probe") - steps_end.fold(0.0, f64::max));
        let steps: Vec<Row> = report
            .steps
            .iter()
            .map(|step| Row {
                label: step.id.clone(),
                start: length(step.began_s) + shift,
                acting: length(step.acting_s),
                waiting: length(step.waiting_s),
                remark: (step.outcome != "done").then_some(step.outcome),
            })
            .collect();
        let length = phases.iter().chain(&steps).map(Row::end).fold(0.0, f64::max);
        Self { phases, steps, length: if length > 0.0 { length } else { 1.0 } }
    }

    /// Seconds between the axis' ticks: a number people count by, for at most eight ticks.
    pub fn tick(&self) -> f64 {
        const NICE: [f64; 27] = [
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0,
            120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
        ];
        let least = self.length / 8.0;
        NICE.into_iter().find(|tick| *tick >= least).unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0)
    }

    /// Draws it, as the so manieth of its document.
    pub(super) fn draw(&self, m: &mut Markup, number: usize) {
        let steps_top = TOP + ROW * self.phases.len() as f64 + GAP;
        let height = steps_top + ROW * self.steps.len() as f64 + 8.0;
        let [name, text] = ["name", "text"].map(|of| format!("timeline-{of}-{number}"));
        m.drawing([&name, &text], (WIDTH, height), "Timeline of the run", &self.description());
        let hatch = "<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect class=\"hatch-ground\" width=\"5\" height=\"5\"/>\
             <rect class=\"hatch-line\" width=\"2\" height=\"5\"/></pattern></defs>\n";
        m.raw(if number == 0 { hatch } else { "" }); // one pattern serves every drawing of a document
        self.axis(m, height);
        heading(m, "Phases", TOP - 12.0);
        self.rows(m, &self.phases, TOP);
        if !self.steps.is_empty() {
            heading(m, "Steps", steps_top - 12.0);
            self.rows(m, &self.steps, steps_top);
        }
        m.raw("</svg>\n");
    }

    fn axis(&self, m: &mut Markup, height: f64) {
        let tick = self.tick();
        let mut number = 0.0;
        while number * tick <= self.length * 1.000_1 {
            let x = self.x(number * tick);
            m.raw("<line class=\"grid\" x1=\"").at(x).raw("\" x2=\"").at(x);
            m.raw("\" y1=\"").at(TOP - 8.0).raw("\" y2=\"").at(height).raw("\"/>");
            m.raw("<text class=\"tick\" x=\"").at(x).raw("\" y=\"").at(TOP - 14.0).raw("\">");
            m.text(words::duration(number * tick)).raw("</text>\n");
            number += 1.0;
        }
    }

    fn rows(&self, m: &mut Markup, rows: &[Row], top: f64) {
        for (row, y) in rows.iter().zip((0..).map(|n| top + ROW * f64::from(n))) {
            let seconds = words::duration(row.acting + row.waiting);
            let waiting = match row.waiting {
                w if w > 0.0 => format!(", of it {} waiting", words::duration(w)),
                _ => String::new(),
            };
            m.raw("<g><title>").text(&row.label).raw(": ").text(&seconds).text(waiting).raw("</title>");
            m.raw("<text class=\"label\" x=\"0\" y=\"")
                .at(y + 12.0)
                .raw("\">")
                .text(words::short(&row.label, LETTERS))
                .raw("</text>");
            if row.remark != Some("skipped") {
                self.bar(m, "<rect class=\"acting\"", row.start, row.acting, row.waiting > 0.0, y);
                self.bar(m, "<rect class=\"waiting\"", row.start + row.acting, row.waiting, true, y);
            }
            m.raw(match row.remark {
                Some("failed") => "<text class=\"value failed\" x=\"",
                _ => "<text class=\"value\" x=\"",
            });
            m.at(self.x(row.end()) + HAIR + 6.0);
            m.raw("\" y=\"").at(y + 12.0).raw("\">");
            match row.remark {
                Some("skipped") => m.raw("skipped"),
                Some(remark) => m.text(&seconds).raw(" · ").text(remark),
                None => m.text(&seconds),
            };
            m.raw("</text></g>\n");
        }
    }

    /// One part of a bar; a part of no length is a hairline, unless another part of the bar stands for it.
    fn bar(&self, m: &mut Markup, rect: &'static str, start: f64, seconds: f64, optional: bool, y: f64) {
        if optional && seconds <= 0.0 {
            return;
        }
        let width = (seconds / self.length * PLOT).max(HAIR);
        m.raw(rect).raw(" x=\"").at(self.x(start)).raw("\" y=\"").at(y + 1.0);
        m.raw("\" width=\"").at(width).raw("\" height=\"").at(BAR).raw("\"/>");
    }

    fn x(&self, seconds: f64) -> f64 {
        LABELS + seconds / self.length * PLOT
    }

    /// The drawing in words, for those who do not see it.
    fn description(&self) -> String {
        let longest = self.steps.iter().max_by(|a, b| (a.end() - a.start).total_cmp(&(b.end() - b.start)));
        let longest = longest.map_or(String::new(), |row| {
            format!("; the longest step is {} with {}", row.label, words::duration(row.end() - row.start))
        });
        format!(
            "{} and {} over {}{longest}. The tables below hold every number.",
            words::count(self.phases.len() as u64, "phase"),
            words::count(self.steps.len() as u64, "step"),
            words::duration(self.length),
        )
    }
}

fn heading(m: &mut Markup, text: &'static str, y: f64) {
    m.raw("<text class=\"group\" x=\"0\" y=\"").at(y).raw("\">").raw(text).raw("</text>\n");
}

/// Seconds as a length: a clock that went wrong must not break the drawing.
fn length(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Phase, tests as samples};

    #[test]
    fn phases_stand_end_to_end_and_steps_between_apply_and_probe() {
        let mut report = samples::report();
        let line = Timeline::of(&report);
        let total: f64 = report.phases.iter().map(|p| p.seconds).sum();
        assert!((line.phases.last().unwrap().end() - total).abs() < 1e-9);
        for pair in line.phases.windows(2) {
            assert!((pair[0].end() - pair[1].start).abs() < 1e-9);
        }
        let start =
            |line: &Timeline, name: &str| line.phases.iter().find(|row| row.label == name).unwrap().start;
        assert!(line.steps[0].start >= start(&line, "apply"));
        assert!((line.steps.last().unwrap().end() - start(&line, "probe")).abs() < 1e-9);
        // Steps that do not fit begin with `apply` all the same, and the axis holds them.
        report.steps[3].acting_s = 60.0;
        let line = Timeline::of(&report);
        assert!((line.steps[0].start - start(&line, "apply")).abs() < 1e-9);
        assert!(line.steps.iter().all(|row| row.end() <= line.length));
    }

    #[test]
    fn drawn_bars_are_as_long_as_their_seconds() {
        let report = samples::report();
        let line = Timeline::of(&report);
        let mut m = Markup::default();
        line.draw(&mut m, 0);
        let svg = m.finish();
        let widths = |class: &str| -> f64 {
            svg.split(&format!("<rect class=\"{class}\""))
                .skip(1)
                .map(|rect| rect.split("width=\"").nth(1).unwrap().split('"').next().unwrap())
                .map(|width| width.parse::<f64>().unwrap())
                .sum()
        };
        let rows = || line.phases.iter().chain(&line.steps);
        let scale = PLOT / line.length;
        let slack = (HAIR + 0.1) * rows().count() as f64;
        assert!((widths("acting") - rows().map(|r| r.acting).sum::<f64>() * scale).abs() < slack);
        assert!((widths("waiting") - rows().map(|r| r.waiting).sum::<f64>() * scale).abs() < slack);
    }

    #[test]
    fn ticks_are_few_and_round_at_any_length() {
        let mut report = samples::report();
        report.steps.clear();
        for seconds in [0.0, 0.004, 0.3, 4.2, 61.0, 3000.0, 90_000.0, 40.0 * 86_400.0] {
            report.phases = vec![Phase { name: "apply", seconds }];
            let line = Timeline::of(&report);
            let ticks = line.length / line.tick();
            assert!(ticks <= 8.0, "{seconds}: {ticks}");
            assert!(seconds < 0.001 || ticks >= 2.0, "{seconds}: {ticks}");
        }
    }

    #[test]
    fn a_clock_that_went_wrong_breaks_nothing() {
        let mut report = samples::report();
        report.phases[0].seconds = f64::NAN;
        report.steps[0].waiting_s = f64::INFINITY;
        report.steps[1].began_s = -5.0;
        let line = Timeline::of(&report);
        assert!(line.length.is_finite() && line.steps.iter().all(|row| row.start >= 0.0));
    }
}

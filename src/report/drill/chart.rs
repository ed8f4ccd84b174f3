//! Recovery times over the drills on record, one small drawing a scenario, as SVG.
//!
//! In: a report and the drills before it. Out: what is shown of them, and the drawing. Invariant: pure; a time of a drill
//! where readiness was simulated never looks like one that was measured, and nothing is told by colour alone.

use super::{DrillReport, Past, PastScenario};
use crate::report::{markup::Markup, words};

/// Drills that are shown: two years, by the schedules that are shipped.
const SHOWN: usize = 12;
/// Seconds of the lines across a drawing.
const TICKS: [f64; 10] = [0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36_000.0, 360_000.0, 3_600_000.0];

// Geometry, in SVG units; the drawing is scaled to the page's width.
const WIDTH: f64 = 960.0;
const COLUMNS: usize = 3;
const COLUMN: f64 = 328.0;
const PANEL: f64 = 256.0;
const ROW: f64 = 178.0;
/// Room for the ticks' words, and for the name above.
const LEFT: f64 = 48.0;
const TOP: f64 = 28.0;
const PLOT: f64 = 110.0;
/// Letters of a name that fit above a panel.
const LETTERS: usize = 26;

/// The drills that are shown.
pub(super) struct Drills {
    /// Oldest first; the last is the report's own.
    pub(super) shown: Vec<Past>,
    /// How many there are before them.
    pub(super) earlier: usize,
    /// Each scenario of the report, and its objective in seconds.
    scenarios: Vec<(String, f64)>,
}

impl Drills {
    /// Those before a report, and the report's own.
    pub(super) fn of(report: &DrillReport) -> Self {
        let mut shown: Vec<Past> = report.trend.iter().cloned().chain([report.as_past()]).collect();
        let earlier = shown.len().saturating_sub(SHOWN);
        shown.drain(..earlier);
        let scenarios = report.scenarios.iter().map(|s| (s.name.clone(), s.rto_s as f64)).collect();
        Self { shown, earlier, scenarios }
    }

    /// Draws them.
    pub(super) fn draw(&self, m: &mut Markup) {
        let rows = self.scenarios.len().div_ceil(COLUMNS);
        let title = "Recovery time of each scenario, drill by drill";
        m.drawing(["trend-name", "trend-text"], (WIDTH, ROW * rows as f64), title, &self.description());
        let (floor, ceiling) = self.range();
        for (number, (name, objective)) in self.scenarios.iter().enumerate() {
            let (column, row) = (number % COLUMNS, number / COLUMNS);
            let panel = Panel { x: LEFT + COLUMN * column as f64, y: TOP + ROW * row as f64, floor, ceiling };
            self.panel(m, &panel, name, *objective);
        }
        m.raw("</svg>\n");
    }

    fn panel(&self, m: &mut Markup, panel: &Panel, name: &str, objective: f64) {
        let right = panel.x + PANEL;
        m.raw("<text class=\"panel\" x=\"").at(panel.x).raw("\" y=\"").at(panel.y - 14.0).raw("\">");
        m.text(words::short(name, LETTERS)).raw("</text>\n");
        for tick in TICKS.iter().filter(|tick| (panel.floor..=panel.ceiling).contains(tick)) {
            let y = panel.at(*tick);
            line(m, "<line class=\"grid\"", (panel.x, y), (right, y));
            m.raw("<text class=\"tick end\" x=\"").at(panel.x - 8.0).raw("\" y=\"").at(y + 4.0).raw("\">");
            m.text(words::duration(*tick)).raw("</text>\n");
        }
        if objective > 0.0 {
            let y = panel.at(objective);
            line(m, "<line class=\"goal\"", (panel.x, y), (right, y));
            m.raw("<text class=\"tick end\" x=\"").at(right).raw("\" y=\"").at(y - 5.0).raw("\">objective ");
            m.text(words::duration(objective)).raw("</text>\n");
        }
        let step = (right - panel.x - 24.0) / (self.shown.len().max(2) - 1) as f64;
        let points: Vec<(f64, f64, &Past, &PastScenario)> = (0..)
            .zip(&self.shown)
            .filter_map(|(number, drill)| {
                let then = drill.of(name).filter(|then| then.has_ended())?;
                let seconds = then.recovery_time_s.unwrap_or_default();
                Some((panel.x + 12.0 + step * f64::from(number), panel.at(seconds), drill, then))
            })
            .collect();
        let back = || points.iter().filter(|(.., then)| then.is_back());
        // From what was simulated to what was measured there is no trend.
        let alike = |one: &Past, other: &Past| one.is_measured() == other.is_measured();
        for (one, other) in back().zip(back().skip(1)).filter(|(one, other)| alike(one.2, other.2)) {
            line(m, "<line class=\"trend\"", (one.0, one.1), (other.0, other.1));
        }
        for (x, y, drill, then) in &points {
            mark(m, (*x, *y), drill, then);
        }
        if let Some((x, y, _, then)) = back().next_back() {
            m.raw("<text class=\"value end\" x=\"").at(x + 10.0).raw("\" y=\"").at(y - 10.0).raw("\">");
            m.text(then.took().map(words::duration).unwrap_or_default()).raw("</text>\n");
        }
        let one_day = self.shown.first().map(|drill| drill.ended_at.date_naive())
            == self.shown.last().map(|drill| drill.ended_at.date_naive());
        let days = if one_day { "%H:%M" } else { "%Y-%m-%d" };
        let ends = [
            (self.shown.first(), panel.x, "<text class=\"tick start\" x=\""),
            (self.shown.last(), right, "<text class=\"tick end\" x=\""),
        ];
        for (drill, x, text) in ends {
            let day = drill.map(|drill| drill.ended_at.format(days).to_string()).unwrap_or_default();
            m.raw(text).at(x).raw("\" y=\"").at(panel.y + PLOT + 20.0).raw("\">").text(day).raw("</text>\n");
        }
    }

    /// The ticks that hold every time and every objective.
    fn range(&self) -> (f64, f64) {
        let times = self.shown.iter().flat_map(|drill| &drill.scenarios);
        let numbers: Vec<f64> = times
            .filter_map(PastScenario::took)
            .chain(self.scenarios.iter().map(|(_, objective)| *objective))
            .filter(|seconds| *seconds > 0.0)
            .collect();
        let (least, most) =
            numbers.iter().fold((f64::MAX, 1.0), |(least, most), n| (n.min(least), n.max(most)));
        let [first, .., last] = TICKS;
        let floor = TICKS.into_iter().rfind(|tick| *tick <= least).unwrap_or(first);
        // A little above the highest, so that its words fit.
        let ceiling = TICKS.into_iter().find(|tick| *tick >= most * 1.5).unwrap_or(last);
        (floor, if ceiling > floor { ceiling } else { floor * 10.0 })
    }

    /// The drawing in words, for those who do not see it.
    fn description(&self) -> String {
        let said = self.scenarios.iter().map(|(name, objective)| {
            let mut times = self.shown.iter().filter_map(|drill| drill.of(name)?.took());
            let (first, last) = (times.next(), times.next_back());
            let objective = words::duration(*objective);
            match (first, last) {
                (Some(first), Some(last)) => format!(
                    "{name}: {} at first, {} at last, objective {objective}",
                    words::duration(first),
                    words::duration(last)
                ),
                (Some(only), None) => {
                    format!("{name}: {}, objective {objective}", words::duration(only))
                }
                _ => format!("{name}: no recovery"),
            }
        });
        let drills = words::count(self.shown.len() as u64, "drill");
        format!("{drills}. {}. The table below holds every number.", said.collect::<Vec<_>>().join("; "))
    }
}

/// Where a scenario is drawn, and the seconds of its lowest and highest line.
struct Panel {
    x: f64,
    y: f64,
    floor: f64,
    ceiling: f64,
}

impl Panel {
    /// The height of so many seconds.
    fn at(&self, seconds: f64) -> f64 {
        let seconds = if seconds.is_finite() { seconds.clamp(self.floor, self.ceiling) } else { self.floor };
        let share = (seconds / self.floor).log10() / (self.ceiling / self.floor).log10();
        self.y + PLOT * (1.0 - share)
    }
}

fn line(m: &mut Markup, kind: &'static str, from: (f64, f64), to: (f64, f64)) {
    m.raw(kind).raw(" x1=\"").at(from.0).raw("\" y1=\"").at(from.1);
    m.raw("\" x2=\"").at(to.0).raw("\" y2=\"").at(to.1).raw("\"/>\n");
}

fn mark(m: &mut Markup, (x, y): (f64, f64), drill: &Past, then: &PastScenario) {
    m.raw("<g><title>").text(words::time(drill.ended_at)).raw(": ");
    match then.took() {
        Some(seconds) => m.text(words::duration(seconds)),
        None => m.text(&then.outcome),
    };
    m.raw("</title>");
    if !then.is_back() {
        line(m, "<line class=\"cross\"", (x - 4.0, y - 4.0), (x + 4.0, y + 4.0));
        line(m, "<line class=\"cross\"", (x - 4.0, y + 4.0), (x + 4.0, y - 4.0));
    } else {
        m.raw(match drill.is_measured() {
            false => "<circle class=\"dot hollow\" cx=\"",
            true => "<circle class=\"dot\" cx=\"",
        });
        m.at(x).raw("\" cy=\"").at(y).raw("\" r=\"4\"/>");
    }
    m.raw("</g>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drill::{Place, tests::report};

    /// The value of an attribute in each mark of a kind.
    fn marks(svg: &str, kind: &str, attribute: &str) -> Vec<f64> {
        let kind = format!("<{kind}\"");
        let found = svg.split(&kind).skip(1);
        let value =
            |mark: &str| mark.split(&format!("{attribute}=\"")).nth(1)?.split('"').next()?.parse().ok();
        found.map(|mark| value(mark).unwrap()).collect()
    }

    fn drawn(report: &DrillReport) -> String {
        let mut m = Markup::default();
        Drills::of(report).draw(&mut m);
        m.finish()
    }

    #[test]
    fn a_longer_recovery_stands_higher_and_below_the_objective_that_it_meets() {
        let mut report = report();
        report.scenarios.truncate(1);
        report.trend[0].scenarios[0].recovery_time_s = Some(1.0);
        let svg = drawn(&report);
        let (times, goal) =
            (marks(&svg, "circle class=\"dot hollow", "cy"), marks(&svg, "line class=\"goal", "y1"));
        assert_eq!((times.len(), goal.len()), (2, 1));
        assert!(times[1] < times[0] && goal[0] < times[1], "{times:?} {goal:?}");
        report.scenarios[0].recovery_time_s = Some(4000.0);
        let times = marks(&drawn(&report), "circle class=\"dot hollow", "cy");
        assert!(times[1] < marks(&drawn(&report), "line class=\"goal", "y1")[0], "over its objective");
    }

    #[test]
    fn what_was_simulated_and_what_did_not_come_back_differ_by_their_form() {
        let mut report = report();
        report.trend[0].scenarios[1].outcome = "failed".into();
        report.trend[0].place = Place::DrillCluster;
        let count = |report: &DrillReport| {
            let svg = drawn(report);
            ["dot hollow", "dot", "cross"].map(|mark| svg.matches(&format!("\"{mark}\"")).count())
        };
        assert_eq!(count(&report), [3, 0, 2], "kwok plays nodes on a drill cluster, too");
        assert_eq!(drawn(&report).matches("\"trend\"").count(), 1);
        report.trend[0].simulated.clear();
        assert_eq!(count(&report), [2, 1, 2]);
        assert_eq!(drawn(&report).matches("\"trend\"").count(), 0, "from one to the other leads no line");
    }

    #[test]
    fn years_of_drills_and_odd_numbers_break_nothing() {
        let mut report = report();
        let past = report.trend[0].clone();
        report.trend = vec![past; 40];
        report.trend[39].scenarios[0].recovery_time_s = Some(f64::NAN);
        report.scenarios[0].recovery_time_s = Some(0.0);
        report.scenarios[1].rto_s = u64::MAX;
        let drills = Drills::of(&report);
        assert_eq!((drills.shown.len(), drills.earlier), (SHOWN, 29));
        let svg = drawn(&report);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        report.scenarios.clear();
        assert!(!drawn(&report).contains("NaN"));
    }
}

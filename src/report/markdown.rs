//! The report as Markdown (CommonMark with tables), for tickets and chats.
//!
//! In: a report. Out: the same content as the HTML, without the drawing. Invariant: the same report gives the same
//! bytes; no value can be markup, a table's cell border, a link or a mention.

use super::{
    RecoveryReport, Verdict, failures_of,
    html::{NAMED, NOT_SEEN},
    words::{self, Piece},
};

/// Renders the text.
pub fn render(report: &RecoveryReport) -> String {
    let verdict = Verdict::of(report);
    let mut out = format!("# {}: {}\n\n", report.headline(), safe(&report.title));
    out += &format!("{}\n\n", safe(&verdict.sentence(report)));
    match report.undoes {
        Some(_) => out += &format!("Time: {}.\n", safe(&report.took())),
        None => {
            let head = ["Objective", "Measured", "Allowed", "Met", "Remark"];
            table(&mut out, &head, "lrrll", objectives(report, verdict));
        }
    }
    out += &format!("\nDifferences left: **{}**. {}\n", report.differences_left, safe(&report.changes()));
    out += "\n## Phases\n\n";
    let phases = report
        .phases
        .iter()
        .map(|phase| vec![safe(phase.name), safe(phase.meaning()), words::duration(phase.seconds)]);
    table(&mut out, &["Phase", "What it is", "Time"], "llr", phases);
    out += "\n## Steps\n\n";
    steps(&mut out, report);
    if !report.checks.is_empty() {
        list(&mut out, "Checked", &report.checked(), "");
    }
    if !report.probes.is_empty() {
        list(&mut out, "Probed", &report.probed(), "Nothing could be probed.");
    }
    if !report.next.is_empty() {
        list(&mut out, "Next", &report.nexts(), "");
    }
    list(&mut out, "Left to do and to know", &report.remarks, "None noted.");
    list(&mut out, "Simulated", &report.simulated, "None noted.");
    if !report.unseen.is_empty() {
        list(&mut out, NOT_SEEN, &report.unseen, "");
    }
    list(&mut out, "Not probed", &report.not_probed, "None noted.");
    evidence(&mut out, &report.evidence());
    out
}

fn objectives(report: &RecoveryReport, verdict: Verdict) -> Vec<Vec<String>> {
    vec![
        vec![
            verdict.time_name().into(),
            words::duration(report.recovery_time_s),
            words::duration(report.rto_s as f64),
            met(verdict.rto_met(report), "open"),
            safe(&report.before_start()),
        ],
        vec![
            "Recovery point".into(),
            words::duration(report.recovery_point_s as f64),
            words::duration(report.rpo_s as f64),
            met(report.rpo_met, "not judged"),
            safe(&report.lost()),
        ],
    ]
}

/// What was done, step by step, and why not.
pub(super) fn steps(out: &mut String, report: &RecoveryReport) {
    if report.steps.is_empty() {
        *out += "No step was run.\n";
        return;
    }
    let names = [
        "Step",
        "Title",
        "Action",
        "Outcome",
        "Time",
        "Waiting",
        "Applied",
        "Unchanged",
        "Deleted",
        "Failures",
    ];
    let rows = report.steps.iter().map(|step| {
        vec![
            safe(&step.id),
            safe(&step.title),
            safe(step.action),
            safe(step.word()),
            words::duration(step.acting_s + step.waiting_s),
            words::duration(step.waiting_s),
            step.applied.to_string(),
            step.unchanged.to_string(),
            step.deleted.to_string(),
            step.failed().to_string(),
        ]
    });
    table(out, &names, "llllrrrrrr", rows);
    if let Some(skipped) = report.skipped() {
        *out += &format!("\n{}\n", safe(&skipped));
    }
    for step in report.steps.iter().filter(|step| !step.failures.is_empty()) {
        *out += &format!("\n### {} {}\n\n", failures_of(step), safe(&step.id));
        named(out, &step.failures, "the run’s journal");
    }
}

/// Whether an objective was met; `open` says it where that is not known.
pub(super) fn met(met: Option<bool>, open: &str) -> String {
    match met {
        Some(true) => "yes".into(),
        Some(false) => "**no**".into(),
        None => open.into(),
    }
}

/// As many lines as are named; `whole` has them all.
pub(super) fn named(out: &mut String, lines: &[String], whole: &str) {
    for line in lines.iter().take(NAMED) {
        *out += &format!("- {}\n", safe(line));
    }
    if lines.len() > NAMED {
        *out += &format!("- and {} more, in {whole}\n", lines.len() - NAMED);
    }
}

pub(super) fn evidence(out: &mut String, rows: &[(&'static str, String)]) {
    *out += "\n## Evidence\n\n";
    for (name, value) in rows {
        *out += &format!("- {name}: {}\n", safe(value));
    }
}

/// A table; `align` has `l` or `r` for each column.
pub(super) fn table(
    out: &mut String,
    names: &[&str],
    align: &str,
    rows: impl IntoIterator<Item = Vec<String>>,
) {
    *out += &format!("| {} |\n", names.join(" | "));
    let rule: Vec<&str> = align.chars().map(|c| if c == 'r' { "---:" } else { "---" }).collect();
    *out += &format!("| {} |\n", rule.join(" | "));
    for row in rows {
        *out += &format!("| {} |\n", row.join(" | "));
    }
}

pub(super) fn list(out: &mut String, title: &str, lines: &[String], none: &str) {
    *out += &format!("\n## {title}\n\n");
    if lines.is_empty() {
        *out += &format!("{none}\n");
    }
    for line in lines {
        *out += &format!("- {}\n", safe(line));
    }
}

/// A value as inert text on one line: code, and each word in which a viewer would see markup, a link or a mention, is in a code
/// span, where nothing is any of these and nothing needs a sign that a plain viewer shows.
pub(super) fn safe(value: &str) -> String {
    let value = words::visible(value);
    let pieces = words::pieces(value.trim()).into_iter().map(|piece| match piece {
        Piece::Code(code) => span(code),
        Piece::Text(text) => text.split(' ').map(word).collect::<Vec<_>>().join(" "),
    });
    pieces.collect()
}

/// A word, without the marks around it in a code span where it is not plain.
fn word(word: &str) -> String {
    let is_plain = !word.contains(|c| "\\`*_{}[]#|~$<>&@!".contains(c));
    if is_plain && !["://", "www."].iter().any(|link| word.contains(link)) {
        return word.into();
    }
    let core = word.trim_matches(|c| "().,;:“”…\"'".contains(c));
    let (before, after) = word.split_once(core).unwrap_or_default();
    format!("{before}{}{after}", span(core))
}

/// A code span; but text with its marks escaped where it has one that would end the span, or the cell that it is in.
fn span(code: &str) -> String {
    if !code.contains(['`', '|', '\\']) {
        return format!("`{code}`");
    }
    let mut out = String::with_capacity(code.len());
    for c in code.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '@' => out += "&#64;",
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' => {
                out.extend(['\\', c])
            }
            c => out.push(c),
        }
    }
    out.replace("://", ":&#47;&#47;").replace("www.", "www&#46;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests as samples;

    #[test]
    fn every_row_of_a_table_has_the_columns_of_its_head() {
        let mut columns = None;
        for line in render(&samples::hostile()).lines() {
            if !line.starts_with('|') {
                columns = None;
                continue;
            }
            let bars = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            assert_eq!(*columns.get_or_insert(bars), bars, "{line}");
        }
    }

    #[test]
    fn code_addresses_and_mentions_are_in_code_spans_and_nothing_else_is() {
        for (value, said) in [
            ("see https://x.y/z, (www.x.y) @all.", "see `https://x.y/z`, (`www.x.y`) `@all`."),
            ("step `a`: `systemctl restart x` was not run", "step `a`: `systemctl restart x` was not run"),
            ("uid 0@vm", "uid `0@vm`"),
            ("secrets traefik/wildcard: 5 of 12", "secrets traefik/wildcard: 5 of 12"),
            ("*.lab <none> #3 a_b", "`*.lab` `<none>` `#3` `a_b`"),
        ] {
            assert_eq!(safe(value), said);
        }
        // A span with a bar would end a table's cell, and one with a backtick itself.
        assert_eq!(safe("`a | b` c`d"), "a \\| b c\\`d");
    }
}

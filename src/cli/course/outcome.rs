//! What a run came to: the report's files, and the answer on stdout.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    Result,
    cli::{
        context::Context,
        exit::Exit,
        words::{duration, left, objective, table},
    },
    model::RunId,
    report::{RecoveryReport, html, markdown},
    restore::StepOutcome,
};

/// Remarks that are shown; the report has them all.
const SHOWN: usize = 20;
/// Failures that are repeated at the end.
const CAUSES: usize = 5;

/// Writes HTML, Markdown and JSON into each folder. A folder that cannot be written is named and no reason to call
/// a recovered cluster anything else.
pub(super) fn write(
    report: &RecoveryReport,
    folders: impl Iterator<Item = PathBuf>,
    cx: &Context,
) -> Vec<PathBuf> {
    let forms = [
        ("html", html::render(report)),
        ("md", markdown::render(report)),
        ("json", format!("{:#}\n", report.to_json())),
    ];
    let mut written = Vec::new();
    for folder in folders {
        for (form, text) in &forms {
            let file = folder.join(format!("{}.{form}", report.run));
            match create(&folder, &file, text.as_bytes()) {
                Ok(()) => written.push(file),
                Err(e) => cx.terminal.warn(format!("report {} cannot be written: {e}", file.display())),
            }
        }
    }
    written
}

/// Writes a file of a report, whole or not at all.
pub(in crate::cli) fn create(folder: &Path, file: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let _ = fs::remove_file(file); // of an earlier process of this run
    let mut out = OpenOptions::new().write(true).create_new(true).open(file)?;
    out.write_all(content).and_then(|()| out.sync_all()).inspect_err(|_| {
        let _ = fs::remove_file(file); // half a report reads as a whole one
    })
}

/// Prints the answer.
pub(super) fn answer(
    exit: Exit,
    report: &RecoveryReport,
    written: &[PathBuf],
    run: &Path,
    cx: &Context,
) -> Result<()> {
    let mut document = report.to_json();
    document["reports"] = json!(written);
    document["run_folder"] = json!(run);
    for step in &report.steps {
        cx.record.counted("applied", step.applied);
        cx.record.counted("deleted", step.deleted);
        cx.record.counted("failed", step.failed());
    }
    cx.terminal.report(exit, &document, || text(report, written, run))
}

fn text(report: &RecoveryReport, written: &[PathBuf], run: &Path) -> String {
    let row = |s: &StepOutcome| {
        let mut row = vec![
            s.id.clone(),
            s.action.to_owned(),
            s.word().to_owned(),
            format!("{:.2} s", s.acting_s + s.waiting_s),
        ];
        row.extend([s.applied, s.unchanged, s.deleted, s.failed()].map(|n| n.to_string()));
        row
    };
    let head = ["step", "action", "outcome", "took", "applied", "unchanged", "deleted", "failed"];
    let mut text =
        table(&head, &report.steps.iter().filter(|s| did_something(s)).map(row).collect::<Vec<_>>());
    text += &report.skipped().map_or_else(String::new, |line| format!("{line}\n"));
    let phases: Vec<String> =
        report.phases.iter().map(|p| format!("{} {:.2} s", p.name, p.seconds)).collect();
    text += &match &report.undoes {
        Some(run) => undone(report, run),
        None => recovered(report),
    };
    text += &format!("where it went   {}\n", phases.join(", "));
    for check in &report.checks {
        text += &format!("check {:<9} {}\n", check.outcome, check.what);
        if check.is_failure() {
            text +=
                &check.details.iter().take(SHOWN).map(|detail| format!("  {detail}\n")).collect::<String>();
        }
    }
    for probed in report.probes.iter().filter(|probed| probed.result != "not probed") {
        text += &format!("probe {:<9} {}\n", probed.result, probed.name);
    }
    text += &report.remarks.iter().take(SHOWN).map(|r| format!("  {r}\n")).collect::<String>();
    if report.remarks.len() > SHOWN {
        text += &format!("  and {} more in the report\n", report.remarks.len() - SHOWN);
    }
    for simulated in &report.simulated {
        text += &format!("simulated       {simulated}\n");
    }
    for unseen in &report.unseen {
        text += &format!("not seen        {unseen}\n");
    }
    for unproved in &report.not_probed {
        text += &format!("not probed      {unproved}\n");
    }
    for forms in written.chunk_by(|a, b| a.with_extension("") == b.with_extension("")) {
        let mut shown: Vec<String> = forms.iter().map(|file| file.display().to_string()).collect();
        let also = forms.iter().skip(1).filter_map(|file| Some(format!(".{}", file.extension()?.display())));
        let also: Vec<String> = also.collect();
        shown.truncate(1);
        if !also.is_empty() {
            shown.push(format!("(and {})", also.join(", ")));
        }
        text += &format!("report          {}\n", shown.join(" "));
    }
    text += &format!("journal         {}\n", run.display());
    text + &last(report)
}

/// What it came to, judged by its objectives.
fn recovered(report: &RecoveryReport) -> String {
    let met = |met: bool| if met { "met" } else { "missed" };
    let back = matches!(report.outcome, "recovered" | "nothing-to-do");
    let seconds = std::time::Duration::from_secs;
    format!(
        "{outcome}: {scenario} on {cluster}, {left}\nrecovery time   {time:.1} s, objective {rto} {rto_met}\n\
         recovery point  {point}, objective {rpo} {rpo_met}\n",
        outcome = report.outcome,
        scenario = report.scenario,
        cluster = report.cluster.name,
        left = left(report.differences_left, report.not_begun.len() as u64),
        time = report.recovery_time_s,
        rto = objective(seconds(report.rto_s)),
        rto_met = match report.rto_proved() {
            _ if !back => "not met: not all of it is back".to_owned(),
            Some(known) => met(known).to_owned(),
            None => format!("open: {}", report.why_open().unwrap_or_default()),
        },
        point = duration(chrono::TimeDelta::seconds(report.recovery_point_s)),
        rpo = objective(seconds(report.rpo_s)),
        rpo_met = report.rpo_met.map_or("not judged: nothing was restored", met),
    )
}

/// What an undo came to: it has no objectives.
fn undone(report: &RecoveryReport, run: &RunId) -> String {
    format!(
        "{}: run {run} on {}, {}\ntook            {:.1} s\n",
        report.outcome,
        report.cluster.name,
        left(report.differences_left, report.not_begun.len() as u64),
        report.recovery_time_s,
    )
}

/// What a person needs who has read no further: why it is not done, and what to do about it.
fn last(report: &RecoveryReport) -> String {
    let mut text = String::new();
    if let Some(step) = report.cause() {
        text += &format!("\nstep `{}` {}:\n", step.id, step.outcome);
        text += &step.failures.iter().take(CAUSES).map(|why| format!("  {why}\n")).collect::<String>();
        if step.failures.len() > CAUSES {
            text += &format!("  and {} more in the report\n", step.failures.len() - CAUSES);
        }
    }
    text + &report.next.iter().map(|next| format!("{}:\n  {}\n", next.what, next.command)).collect::<String>()
}

/// Most steps of a plan find nothing to do, and those that were skipped have a line of their own; all are in the report.
fn did_something(step: &StepOutcome) -> bool {
    if step.skipped.is_some() || step.idle {
        return false;
    }
    step.ran
        || step.word() != "done"
        || step.waiting_s >= 0.005
        || step.applied + step.unchanged + step.deleted > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Next, tests as samples};

    #[test]
    fn only_the_reports_that_were_written_are_named() {
        let said = |files: &[&str]| {
            let written: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            let text = text(&samples::report(), &written, Path::new("runs/RUN"));
            text.lines()
                .filter_map(|l| Some(l.strip_prefix("report          ")?.to_owned()))
                .collect::<Vec<_>>()
        };
        let all = ["a/R.html", "a/R.md", "a/R.json", "b/R.html"];
        assert_eq!(said(&all), ["a/R.html (and .md, .json)", "b/R.html"]);
        assert_eq!(said(&all[1..3]), ["a/R.md (and .json)"], "the disk was full");
    }

    #[test]
    fn a_program_that_was_run_has_a_row() {
        let mut report = samples::report();
        let step = &mut report.steps[1];
        (step.action, step.outcome, step.acting_s, step.waiting_s) = ("run", "done", 25.0, 0.0);
        (step.applied, step.unchanged, step.deleted) = (0, 0, 0);
        let row = |report: &RecoveryReport| {
            let text = text(report, &[], Path::new("runs/RUN"));
            text.lines().find(|line| line.starts_with("step-1 ")).map(ToOwned::to_owned)
        };
        assert_eq!(row(&report), None);
        report.steps[1].ran = true;
        let row = row(&report).unwrap();
        assert!(row.contains("run") && row.contains("25.00 s"), "{row}");
    }

    #[test]
    fn a_failed_run_ends_with_its_cause_and_what_to_do_and_counts_nothing_that_was_not_tried() {
        let mut report = samples::report();
        (report.outcome, report.differences_left) = ("failed", 1);
        (report.steps[1].outcome, report.steps[1].failures) =
            ("failed", vec!["deployments.apps x/y: 0 of 1".into()]);
        for step in &mut report.steps[2..] {
            (step.outcome, step.skipped) = ("skipped", Some("step `step-1` failed".into()));
        }
        let (what, command) = ("go on".to_owned(), "netdr restore --resume RUN --host-root host".to_owned());
        report.next = vec![Next { what, command }];
        let text = text(&report, &[], Path::new("runs/RUN"));
        assert!(text.contains("\nskipped because step `step-1` failed: step-2, step-3\n"), "{text}");
        assert!(!text.contains("\nstep-2"), "{text}");
        assert!(text.contains("1 difference left"), "{text}");
        assert!(!text.contains("\nreport "), "{text}");
        let row = text.lines().find(|line| line.starts_with("step-1 ")).unwrap();
        assert!(row.ends_with(" 1"), "{row}");
        let end = "\nstep `step-1` failed:\n  deployments.apps x/y: 0 of 1\ngo on:\n  netdr restore --resume RUN --host-root host\n";
        assert!(text.ends_with(end), "{text}");
    }
}

//! docs/compliance.md lists the rows that stand in every drill report.

use netdr::report::drill::CONTROLS;

use crate::support::kept;

/// Auditors read both: one that says more than the other would be found by them.
#[test]
fn the_page_of_controls_has_the_rows_of_a_drill_report() {
    let mut table = "| about | as the guide has it | today | evidence |\n|---|---|---|---|\n".to_owned();
    for control in CONTROLS {
        let cells = [control.what, control.guide, control.today, &control.evidence()];
        table += &format!("| {} |\n", cells.join(" | "));
    }
    kept("docs/compliance.md", "controls", &table);
}

//! docs/compliance.md lists the rows that stand in every drill report.

use std::{env, fs};

use netdr::report::drill::CONTROLS;

use super::sources::root;

/// Auditors read both: one that says more than the other would be found by them.
#[test]
fn the_page_of_controls_has_the_rows_of_a_drill_report() {
    let mut table = "| about | as the guide has it | today | evidence |\n|---|---|---|---|\n".to_owned();
    for control in CONTROLS {
        let cells = [control.what, control.guide, control.today, &control.evidence()];
        table += &format!("| {} |\n", cells.join(" | "));
    }
    let file = root().join("docs/compliance.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<!-- controls -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end -->").unwrap();
    if env::var_os("NETDR_UPDATE").is_some() {
        fs::write(file, format!("{before}<!-- controls -->\n{table}<!-- end -->{after}")).unwrap();
    } else {
        assert!(written == table, "write it anew: NETDR_UPDATE=1 cargo test --test integration controls");
    }
}

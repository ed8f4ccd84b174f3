//! What to do next, where a run did not come to its end or something is left.
//!
//! In: what became of the steps, the run as it was prepared. Out: commands, in the order in which they are needed. Invariant:
//! every command works as it stands, with the flags of this call.

use crate::{
    report::Next,
    restore::{Prepared, StepOutcome, gates},
};

/// Looks at what is not ready, the way on, the way back.
pub(super) fn next(prepared: &Prepared<'_>, outcome: &str, steps: &[StepOutcome], left: u64) -> Vec<Next> {
    let stopped = matches!(outcome, "failed" | "interrupted");
    if !stopped && (outcome != "partial" || left == 0) {
        return Vec::new();
    }
    let line = prepared.command_line();
    let mut next: Vec<Next> = Vec::new();
    for gate in steps.iter().flat_map(|step| &step.unready) {
        let command = line.kubectl(&gates::shown_by(gate));
        if !next.iter().any(|known| known.command == command) {
            next.push(Next { what: format!("look at {gate}"), command });
        }
    }
    let on = if outcome == "interrupted" { "go on" } else { "when the cause is mended, do what is left" };
    next.push(Next { what: on.into(), command: prepared.go_on(!stopped) });
    let changed = steps.iter().any(|step| step.applied + step.deleted > 0) || prepared.sessions > 0;
    if changed {
        next.push(Next {
            what: "or go back to before".into(),
            command: line.again(&format!("undo {}", prepared.run())),
        });
    }
    next
}

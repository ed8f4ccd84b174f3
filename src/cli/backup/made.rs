//! What snapshots came to, in words.
//!
//! In: summaries. Out: a table, warnings, and what somebody is told. Invariant: what is wrong is said with why, and what to do
//! apart from it.

use crate::{
    Error,
    backup::Summary,
    cli::{
        context::Context,
        log,
        words::{bytes, count, table},
    },
    model::{Set, SnapshotState},
    task::{Event, Problem},
};

/// How many reasons of a snapshot are warned of.
const SHOWN: usize = 3;

/// What somebody is to be told of a snapshot.
pub(in crate::cli) fn problems(summary: &Summary) -> Vec<Problem> {
    let event = match summary.state {
        SnapshotState::Complete => return Vec::new(),
        SnapshotState::Partial => Event::Partial,
        SnapshotState::Shrunk => Event::Shrunk,
    };
    let again = || {
        format!("see what could not be read, mend it, and take it again: netdr backup --set {}", summary.set)
    };
    let next = if event == Event::Shrunk { if_meant(summary.set) } else { again() };
    vec![Problem::new(event, remarks(summary, usize::MAX), vec![next])]
}

/// The same, where metrics could not be written: of what was done in part there is one message, whatever was not.
pub(super) fn problems_unmeasured(summary: &Summary, error: &Error) -> Vec<Problem> {
    let mut problems = problems(summary);
    match problems.iter_mut().find(|problem| problem.event == Event::Partial) {
        Some(problem) => {
            problem.why.push(error.to_string());
            problem.next.extend_from_slice(error.hints());
        }
        None => problems.push(Problem::new(Event::Partial, vec![error.to_string()], error.hints().to_vec())),
    }
    problems
}

/// What is to be done of a loss that was meant.
pub(in crate::cli) fn if_meant(set: Set) -> String {
    format!("if that was meant, say so: netdr backup --set {set} --accept-shrunk")
}

/// Warns of what is wrong with each; of a loss that may be meant, also what to do.
pub(super) fn warn(cx: &Context, made: &[Summary]) {
    for summary in made {
        log::snapshot(Some(summary.id.as_str()));
        let lines = remarks(summary, SHOWN);
        for (n, line) in lines.iter().enumerate() {
            let meant = summary.state == SnapshotState::Shrunk && n + 1 == lines.len();
            let hints = if meant { vec![if_meant(summary.set)] } else { Vec::new() };
            cx.terminal.warn_with(format!("{}: {line}", summary.set), &hints);
        }
    }
    log::snapshot(None);
}

/// What a person should know of a snapshot. Its reasons name kinds alone, because the clear header has them; here
/// each failure says why, too. Of many losses the first are named: a night that lost all says so every night.
fn remarks(summary: &Summary, most: usize) -> Vec<String> {
    let failed = summary.components.iter().flat_map(|c| c.failures.iter().map(move |f| (c.name, f)));
    let mut lines: Vec<String> = failed
        .map(|(component, failure)| match failure.split_once(": ") {
            Some((kind, why)) => format!("{component}: {kind} could not be read: {why}"),
            None => format!("{component}: {failure}"),
        })
        .collect();
    let said = |reason: &&String| !lines.iter().any(|line| line.starts_with(reason.as_str()));
    let mut reasons: Vec<String> = summary.reasons.iter().filter(said).cloned().collect();
    let more = reasons.len().saturating_sub(most);
    if more > 1 {
        reasons.truncate(most);
        reasons.push(format!("and {more} more such reasons: netdr show {}", summary.id));
    }
    lines.extend(reasons);
    lines.extend(summary.warnings.iter().cloned());
    lines
}

pub(super) fn said(made: &[Summary]) -> String {
    let row = |s: &Summary| {
        vec![
            s.id.to_string(),
            s.set.to_string(),
            s.state.name().into(),
            count(s.items, "item"),
            bytes(s.bytes),
            format!("{:.1} s", s.seconds),
        ]
    };
    table(&["id", "set", "state", "items", "size", "took"], &made.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backup::ComponentSummary, model::Component};

    fn summary() -> Summary {
        let failures = vec!["secrets: forbidden (403)".to_owned()];
        let policies = ComponentSummary { name: Component::Policies, items: 0, absent: vec![], failures };
        Summary {
            id: "20261124T010000Z-network-7f3a9c".parse().unwrap(),
            set: Set::Network,
            state: SnapshotState::Partial,
            reasons: vec!["policies: secrets could not be read".into(), "cni: fewer ippools: 1 of 3".into()],
            items: 0,
            bytes: 0,
            seconds: 0.0,
            components: vec![policies],
            warnings: vec!["w".into()],
            seen: None,
        }
    }

    #[test]
    fn a_failure_is_said_once_with_why() {
        assert_eq!(
            remarks(&summary(), usize::MAX),
            ["policies: secrets could not be read: forbidden (403)", "cni: fewer ippools: 1 of 3", "w"]
        );
    }

    #[test]
    fn of_many_losses_the_first_are_warned_of_and_somebody_is_told_of_all() {
        let reasons = (0..17).map(|kind| format!("policies: kind {kind} had 9 items and has 0")).collect();
        let shrunk = Summary { state: SnapshotState::Shrunk, reasons, components: vec![], ..summary() };
        let lines = remarks(&shrunk, SHOWN);
        assert_eq!(lines.len(), SHOWN + 2, "{lines:?}");
        assert_eq!(lines[3..], ["and 14 more such reasons: netdr show 20261124T010000Z-network-7f3a9c", "w"]);
        let [problem] = &problems(&shrunk)[..] else { panic!() };
        assert_eq!(problem.why.len(), 18);
    }

    /// A command does not belong among the reasons, and one is enough.
    #[test]
    fn what_is_to_be_done_of_a_loss_names_its_set_and_is_no_reason() {
        let shrunk = Summary { state: SnapshotState::Shrunk, set: Set::Certificates, ..summary() };
        let [problem] = &problems(&shrunk)[..] else { panic!() };
        assert_eq!(
            problem.next,
            ["if that was meant, say so: netdr backup --set certificates --accept-shrunk"]
        );
        assert!(!problem.why.iter().any(|why| why.contains("netdr backup")), "{problem:?}");
        let [problem] = &problems(&summary())[..] else { panic!() };
        assert!(problem.next[0].ends_with(": netdr backup --set network"), "{problem:?}");
    }
}

//! What the report of an undo says otherwise: there was no incident, and no objective is judged.
//!
//! In: a report. Out: its words, its JSON. Invariant: pure; of a restore everything stays as it is.

use serde_json::{Value, json};

use super::{RecoveryReport, Verdict, words};

/// What JSON has of objectives and their source.
const OBJECTIVES: [&str; 6] = ["rto_s", "rto_met", "rpo_s", "rpo_met", "recovery_point_s", "recovery_points"];

impl RecoveryReport {
    /// The verdict in two or three words.
    pub fn headline(&self) -> &'static str {
        let verdict = Verdict::of(self);
        match (verdict, &self.undoes) {
            (Verdict::NothingToDo, _) | (_, None) => verdict.headline(),
            (Verdict::Recovered | Verdict::OverObjective, Some(_)) => "Undone",
            (Verdict::Partial, Some(_)) => "Undone in part",
            (Verdict::Failed, Some(_)) => "Not undone",
        }
    }

    /// What it is a report of.
    pub(super) const fn genre(&self) -> &'static str {
        if self.undoes.is_some() { "Report of an undo" } else { "Recovery report" }
    }

    /// How long it took, and how much of that was a person's: `1.2 s, counted from the start of the command`.
    pub(super) fn took(&self) -> String {
        format!("{}, {}", words::duration(self.recovery_time_s), self.before_start())
    }
}

/// Takes objectives out of JSON: null, as what could not be judged.
pub(super) fn without_objectives(document: &mut Value) {
    for field in OBJECTIVES {
        document[field] = json!(null);
    }
}

/// Why the verdict is what it is; `open` says what is left.
pub(super) fn sentence(verdict: Verdict, report: &RecoveryReport, open: &str) -> Option<String> {
    let run = report.undoes.as_ref()?;
    match verdict {
        Verdict::Recovered | Verdict::OverObjective => {
            Some(format!("What run {run} changed is as it was before it."))
        }
        Verdict::NothingToDo => {
            Some(format!("What run {run} changed was as before it already, so nothing was changed."))
        }
        Verdict::Partial => Some(format!("Part of it is as it was before: {open}")),
        Verdict::Failed => None, // says which step failed, and what is left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{html, markdown, tests::report};

    fn undo(outcome: &'static str) -> RecoveryReport {
        let undoes = Some("20261124T031000Z-traefik-5b21d0".parse().unwrap());
        RecoveryReport { undoes, outcome, source: vec![], rto_met: false, rpo_met: None, ..report() }
    }

    #[test]
    fn an_undo_recovers_nothing_and_has_no_objectives() {
        for (outcome, says) in [
            ("undone", "Undone"),
            ("partial", "Undone in part"),
            ("failed", "Not undone"),
            ("nothing-to-do", "Nothing to do"),
        ] {
            let report = undo(outcome);
            assert_eq!(report.headline(), says);
            for text in [markdown::render(&report), html::render(&report)] {
                assert!(text.contains(says) && text.contains("the safety snapshot of run "), "{text}");
                for word in ["ecover", "bjective", "ncident", "aptured"] {
                    let at = text.split("<main>").last().unwrap().find(word);
                    assert_eq!(at, None, "{word}: {text}");
                }
            }
        }
    }

    #[test]
    fn json_of_an_undo_has_its_time_and_judges_none() {
        let json = undo("undone").to_json();
        assert!(OBJECTIVES.iter().all(|field| json[*field].is_null()), "{json:#}");
        assert!(json["recovery_time_s"].is_number() && json["undoes"].is_string());
        assert!(report().to_json()["undoes"].is_null());
    }
}

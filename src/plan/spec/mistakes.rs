//! What is wrong with a plan, all of it that can be told at once.
//!
//! In: results of reading and judging its parts. Out: their values, and one error. Invariant: what follows from another mistake
//! alone is not among them: whoever notes one does not judge further what it is of.

use crate::{Error, Result};

/// Mistakes, each with the number of its step, of none where it is the plan's.
#[derive(Default)]
pub(super) struct Mistakes(Vec<(Option<usize>, Error)>);

impl Mistakes {
    /// The value; where there is none, why is noted.
    pub(super) fn of<T>(&mut self, step: Option<usize>, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.note(step, error)).ok()
    }

    /// Notes one.
    pub(super) fn note(&mut self, step: Option<usize>, error: Error) {
        self.0.push((step, error));
    }

    /// Whether there is none so far.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a step has one so far.
    pub(super) fn are_of_steps(&self) -> bool {
        self.0.iter().any(|(step, _)| step.is_some())
    }

    /// All of them as one error, by step; none where there is none.
    pub(super) fn error(mut self) -> Option<Error> {
        self.0.sort_by_key(|(step, _)| *step);
        let count = self.0.len();
        let lines =
            || self.0.iter().map(|(_, error)| format!("\n  {}", error.with_hints())).collect::<String>();
        match count {
            0 | 1 => self.0.pop().map(|(_, error)| error),
            _ => Some(Error::usage(format!("{count} mistakes{}", lines()))),
        }
    }
}

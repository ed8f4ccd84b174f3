//! The program of a `run` step.
//!
//! In: its words. Out: whether it runs, and how a person would type it. Invariant: what is shown is what is run.

use std::{borrow::Cow, fmt};

use serde::Serialize;

/// The program of a `run` step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Whether the plan's author or the operator allows it.
    pub allowed: bool,
    /// Whether an earlier process of the run has run it.
    pub done: bool,
}

impl Command {
    /// Whether it will be run.
    pub const fn runs(&self) -> bool {
        self.allowed && !self.done
    }
}

/// As a shell would take it, so that a person can run it by hand.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, word) in self.words.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{}", shell_word(word))?;
        }
        Ok(())
    }
}

/// A word as a shell takes it: in quotes, where it would see more in it.
pub(crate) fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")).into(),
    }
}

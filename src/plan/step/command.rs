//! The program of a `run` step.
//!
//! In: its words. Out: whether it runs, and how a person would type it. Invariant: what is shown is what is run.

use std::fmt;

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
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        for (number, word) in self.words.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            if word.chars().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', "'\\''"))?;
            }
        }
        Ok(())
    }
}

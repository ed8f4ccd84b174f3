//! Exit codes: what scripts act on.
//!
//! In: an error, or what a verb found. Out: one code. Invariant: of several that apply, the one that comes
//! first in cli.md wins: 2, 1, 5, 7, 3, 6, 8, 4.

use std::process::ExitCode;

use crate::{Error, Kind};

/// How a command ended, the gravest first: `max` of two is the one to exit with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// All done.
    Done,
    /// Differences found.
    Different,
    /// A check crossed its threshold, or could not be made.
    Crossed,
    /// Recovered, but over an objective.
    Late,
    /// Something was skipped or failed, and is named.
    Partial,
    /// The archive has not given it yet.
    Waiting,
    /// Damaged or untrusted data.
    Damaged,
    /// Not done.
    Failed,
    /// Usage or configuration.
    Usage,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Different => 4,
            Self::Damaged => 5,
            Self::Late => 6,
            Self::Waiting => 7,
            Self::Crossed => 8,
            Self::Interrupted => 130,
        }
    }

    /// In a word, as logs have it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Partial => "partial",
            Self::Different => "different",
            Self::Damaged => "damaged",
            Self::Late => "late",
            Self::Waiting => "waiting",
            Self::Crossed => "crossed",
            Self::Interrupted => "interrupted",
        }
    }

    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            Kind::Failed => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::Damaged => Self::Damaged,
            Kind::Interrupted => Self::Interrupted,
        }
    }

    /// This code where `applies`, else 0.
    pub(super) fn when(self, applies: bool) -> Self {
        if applies { self } else { Self::Done }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_codes_the_documented_one_wins() {
        let documented = [
            Exit::Usage,
            Exit::Failed,
            Exit::Damaged,
            Exit::Waiting,
            Exit::Partial,
            Exit::Late,
            Exit::Crossed,
            Exit::Different,
            Exit::Done,
        ];
        assert_eq!(documented.map(Exit::code), [2, 1, 5, 7, 3, 6, 8, 4, 0]);
        for pair in documented.windows(2) {
            assert_eq!(pair[0].max(pair[1]), pair[0]);
        }
    }

    #[test]
    fn an_error_has_its_kinds_code() {
        assert_eq!(Exit::of(&Error::damaged("x")).code(), 5);
        assert_eq!(Exit::of(&Error::usage("x")).code(), 2);
        assert_eq!(Exit::of(&Error::failed("x")).code(), 1);
        assert_eq!(Exit::of(&Error::new(Kind::Interrupted, "x")).code(), 130);
    }
}

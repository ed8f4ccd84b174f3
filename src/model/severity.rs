//! How much something matters, of what differs and of what is to be told.
//!
//! In: a name. Out: one of four degrees. Invariant: they are ordered, the least first.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How much a difference, or a problem, matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing acts on it.
    #[default]
    Low,
    /// Something behaves otherwise, as people change things by day.
    Medium,
    /// Protection or reachability is not what it was.
    High,
    /// Something is open to everybody, or serves nobody: each of these is news, whatever else is wrong.
    Critical,
}

impl Severity {
    /// Every one, from the least.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name used on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == s).ok_or_else(|| {
            Error::usage(format!("unknown severity `{s}`")).hint("there are: low, medium, high, critical")
        })
    }
}

//! The command line: arguments → library calls in order → output.
//!
//! In: the process's arguments, environment and terminal. Out: an exit code.
//! Invariant: the only module that touches terminal, environment and clock.

use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    ExitCode::from(2)
}

//! Questions to the person at the terminal.
//!
//! Invariant: an answer comes from a terminal or not at all, and a passphrase is never echoed.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{interrupt, words::printable};
use crate::{Error, Kind, Result};

/// Whether a question is open: Ctrl-C then has nothing to wind down.
pub(super) static OPEN: AtomicBool = AtomicBool::new(false);

/// Whether a passphrase is asked for: on Ctrl-C the prompt gives the terminal back, and then the verb ends.
pub(super) static GIVES_BACK: AtomicBool = AtomicBool::new(false);

/// Whether there is somebody to ask.
pub(super) fn somebody() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The passphrase of the file named.
pub(super) fn passphrase(file: &str) -> Result<String> {
    if !io::stderr().is_terminal() {
        return Err(Error::usage(format!("{file} needs a passphrase, and there is no terminal to ask on"))
            .hint("run netdr on a terminal, or give a key without a passphrase"));
    }
    // Not marked OPEN: on Ctrl-C it raises SIGINT itself, before the terminal echoes again, and returns.
    interrupt::catch();
    GIVES_BACK.store(true, Ordering::SeqCst);
    let asked = rpassword::prompt_password(format!("Passphrase of {}: ", printable(file)));
    let interrupted = asked.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted);
    GIVES_BACK.store(interrupted, Ordering::SeqCst); // the signal may not have been seen yet
    asked.map_err(|e| {
        let kind = if interrupted { Kind::Interrupted } else { Kind::Failed };
        Error::new(kind, format!("the passphrase of {file} cannot be read")).because(e)
    })
}

/// Whether the person says yes; only the word itself counts.
pub(super) fn yes(question: &str) -> Result<bool> {
    let unread = |e: io::Error| Error::new(Kind::Interrupted, "no answer").because(e);
    OPEN.store(true, Ordering::SeqCst);
    let answer = (|| {
        write!(io::stderr(), "{} [yes/no] ", printable(question))?;
        io::stderr().flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(line.trim().eq_ignore_ascii_case("yes"))
    })();
    OPEN.store(false, Ordering::SeqCst);
    answer.map_err(unread)
}

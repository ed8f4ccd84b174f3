//! Questions to the person at the terminal.
//!
//! Invariant: an answer comes from a terminal or not at all, and a passphrase is never echoed.

use std::{
    fs::File,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{interrupt, words::printable};
use crate::{Error, Kind, Result};

/// Whether a question is open: Ctrl-C then has nothing to wind down.
pub(super) static OPEN: AtomicBool = AtomicBool::new(false);

/// How the terminal was before a passphrase was asked for, as long as it is: whoever ends the process then gives it back.
static BEFORE: Mutex<Option<(File, Termios)>> = Mutex::new(None);

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
    // The question stands there a moment before keys are read without the terminal's help: until then Ctrl-C is a signal.
    *before() = terminal();
    OPEN.store(true, Ordering::SeqCst);
    let asked = rpassword::prompt_password(format!("Passphrase of {}: ", printable(file)));
    if asked.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted) {
        interrupt::end();
    }
    OPEN.store(false, Ordering::SeqCst);
    *before() = None;
    asked.map_err(|e| Error::failed(format!("the passphrase of {file} cannot be read")).because(e))
}

fn terminal() -> Option<(File, Termios)> {
    let terminal = File::open("/dev/tty").ok()?;
    let settings = tcgetattr(&terminal).ok()?;
    Some((terminal, settings))
}

fn before() -> MutexGuard<'static, Option<(File, Termios)>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the terminal back as it was before a passphrase was asked for, where one is.
pub(super) fn give_back() {
    if let Some((terminal, settings)) = before().take() {
        let _ = tcsetattr(terminal, OptionalActions::Now, &settings); // nobody is there to tell
    }
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

//! A program that cannot outlive netdr.
//!
//! A shell stands between: it starts the program and waits at a pipe whose other end netdr holds. The kernel closes
//! that end however netdr ends (return, panic, Ctrl-C, kill -9); then the shell kills the program and removes the
//! plane's folder. Its own process group keeps a terminal's Ctrl-C away, so that netdr decides what goes when.

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::{Error, Result};

/// The shell's orders. `wait` returns when the program ends by itself, and the trap runs when the pipe closes; a line in it
/// kills the program alone.
const WATCHDOG: &str = r#"
folder=$1 log=$2; shift 2
exec 3<&0
"$@" </dev/null >"$log" 2>&1 3<&- &
program=$!
trap 'kill -KILL $program; wait $program; rm -rf "$folder"; exit 0' TERM
{ if read -r _ <&3; then kill -KILL $program; else kill -TERM $$; fi; } &
reader=$!
wait $program
code=$?
kill -KILL $reader
exit $code
"#;

/// How much of a program's last words an error repeats.
const LAST_LINES: usize = 5;

/// A running program.
pub(super) struct Process {
    name: String,
    program: PathBuf,
    flags: Vec<String>,
    folder: PathBuf,
    log: PathBuf,
    watchdog: Child,
    /// Open as long as the program may live.
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts a program in `folder`, which is removed with it.
    pub(super) fn spawn(name: &str, program: &Path, flags: &[String], folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let mut watchdog = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, name])
            .args([folder, &log, program])
            .args(flags)
            .current_dir(folder)
            .env_clear() // a proxy meant for the internet would swallow requests to 127.0.0.1
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder)
            .env("GOGC", "400") // collecting garbage is a third of an API server's start
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::failed(format!("cannot start {name}")).because(e))?;
        let lifeline = watchdog.stdin.take();
        let (program, flags, folder) = (program.into(), flags.into(), folder.into());
        Ok(Self { name: name.into(), program, flags, folder, log, watchdog, lifeline })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Kills the program; its folder stays.
    pub(super) fn stop(&mut self) -> Result<()> {
        let failed = |e| Error::failed(format!("cannot stop {}", self.name)).because(e);
        if let Some(lifeline) = &mut self.lifeline {
            lifeline.write_all(b"stop\n").map_err(failed)?;
        }
        self.watchdog.wait().map(drop).map_err(failed)
    }

    /// Starts a program that was stopped again, as it was started.
    pub(super) fn start_again(&mut self) -> Result<()> {
        let again = Self::spawn(&self.name, &self.program, &self.flags, &self.folder)?;
        self.lifeline = None; // of a shell that has ended
        *self = again;
        Ok(())
    }

    /// An error with the program's last words where it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        let Ok(Some(status)) = self.watchdog.try_wait() else { return Ok(()) };
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let words = last_words(&log);
        Err(Error::failed(format!("{} ended at once ({status})", self.name)).why(words))
    }

    /// Lets the program go: the shell kills it now.
    pub(super) fn release(&mut self) {
        drop(self.lifeline.take());
    }
}

/// Why a program ended: what it called fatal, for a stack trace follows that says nothing; else its last lines.
fn last_words(log: &str) -> String {
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let grave = |line: &&&str| {
        let line = line.to_lowercase();
        ["no space left", "panic:", "fatal"].iter().any(|word| line.contains(word))
    };
    let fatal: Vec<&str> = lines.iter().filter(grave).copied().collect();
    let said = if fatal.is_empty() { lines } else { fatal };
    match &said[said.len().saturating_sub(LAST_LINES)..] {
        [] => "it said nothing".to_owned(),
        last => last.join(" | "),
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.release();
        let _ = self.watchdog.wait(); // it cannot fail for a child that nobody else waits for
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_is_an_error_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["-c".into(), "echo flag --x is not known >&2; exit 3".into()];
        let mut process = Process::spawn("etcd", Path::new("/bin/sh"), &flags, folder.path()).unwrap();
        process.watchdog.wait().unwrap();
        let error = process.check().unwrap_err().to_string();
        assert!(error.contains("etcd") && error.contains("flag --x is not known"), "{error}");
        assert!(folder.path().exists(), "its log stays for whoever wants to read it");
    }

    #[test]
    fn of_a_stack_trace_its_cause_is_said() {
        let trace = "starting\n\npanic: write wal: no space left on device\n\ngoroutine 1 [running]:\n\tmain.go:40 +0xf85\n";
        assert_eq!(last_words(trace), "panic: write wal: no space left on device");
        assert_eq!(last_words("a\nb\n"), "a | b");
        assert_eq!(last_words("\n"), "it said nothing");
    }

    #[test]
    fn released_it_is_dead_and_its_folder_gone() {
        let folder = tempfile::tempdir().unwrap().keep();
        let pid_file = folder.with_extension("pid");
        let flags =
            ["-c".into(), format!("echo $$ >{0}.new; mv {0}.new {0}; exec sleep 600", pid_file.display())];
        let process = Process::spawn("etcd", Path::new("/bin/sh"), &flags, &folder).unwrap();
        let pid = loop {
            match std::fs::read_to_string(&pid_file) {
                Ok(pid) => break pid,
                Err(_) => std::thread::yield_now(),
            }
        };
        let alive = || Path::new("/proc").join(pid.trim()).exists();
        assert!(alive());
        drop(process);
        assert!(!alive());
        assert!(!folder.exists());
        std::fs::remove_file(pid_file).unwrap();
    }
}

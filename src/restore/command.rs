//! The program of a `run` step.
//!
//! In: program and arguments, a deadline. Out: how it ended, and what it wrote. Invariant: no shell reads the words, it
//! reads no input, it ends by the deadline or with the run with every process of its group, and what it wrote is never on
//! disk in clear: it may hold secrets.

use std::{
    fs::OpenOptions,
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::join;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Child,
    select,
    sync::oneshot,
    time::sleep,
};

use crate::{
    Error, Result,
    plan::Command,
    seal::{self, Recipients, Sealed},
};

/// How much of what it writes is kept: the rest is counted.
const KEPT: usize = 8 << 20;
/// How long what it started may go on writing after it ended.
const GRACE: Duration = Duration::from_secs(1);

/// How a program ended.
pub(super) struct Ended {
    /// Its exit status; none where a signal ended it.
    pub(super) status: Option<i32>,
    /// Whether it was stopped at the deadline.
    pub(super) late: bool,
    pub(super) output: Output,
}

/// What it wrote, standard output and standard error as they came.
#[derive(Default)]
pub(super) struct Output {
    kept: Vec<u8>,
    /// Everything, kept or not.
    pub(super) bytes: u64,
}

/// Runs it.
///
/// # Errors
/// In words, when it cannot be started.
pub(super) async fn run(command: &Command, deadline: Duration) -> Result<Ended, String> {
    run_until(command, sleep(deadline)).await
}

/// Runs it until the deadline is there.
async fn run_until(command: &Command, deadline: impl Future<Output = ()>) -> Result<Ended, String> {
    let (program, arguments) = command.words.split_first().ok_or("there is no command")?;
    let mut child = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0) // what it starts ends with it
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("`{command}` cannot be started: {e}"))?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)));
    let output = Mutex::new(Output::default());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (ended, over) = oneshot::channel();
    let ending = async {
        let status = select! {
            biased; // what ended by its deadline is not late
            status = child.wait() => status.ok(),
            () = deadline => None,
        };
        match status {
            Some(_) => group.0 = None, // what it leaves behind on purpose stays
            None => stop(&mut group, &mut child).await,
        }
        let _ = ended.send(());
        status
    };
    let reading = async {
        let grace = async {
            let _ = over.await;
            sleep(GRACE).await;
        };
        select! {
            _ = join(read(out, &output), read(err, &output)) => {}
            () = grace => {}
        }
    };
    let (status, ()) = join(ending, reading).await;
    let output = output.into_inner().unwrap_or_default();
    Ok(Ended { status: status.and_then(|status| status.code()), late: status.is_none(), output })
}

impl Ended {
    /// How it failed, unless it did not.
    pub(super) fn failure(&self, deadline_s: u64) -> Option<String> {
        match self.status {
            Some(0) => None,
            Some(status) => Some(format!("ended with exit status {status}")),
            None if self.late => Some(format!("did not end within {deadline_s} s and was stopped")),
            None => Some("was ended by a signal".into()),
        }
    }
}

async fn read(from: Option<impl AsyncRead + Unpin>, output: &Mutex<Output>) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.bytes += read as u64;
        let kept = read.min(KEPT - output.kept.len());
        output.kept.extend_from_slice(&buffer[..kept]);
    }
}

/// A program with what it started. Dropped while it runs, as on Ctrl-C, all of it ends: who is asked to stop must not leave
/// half of it at work on the node.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn stop(group: &mut Group, child: &mut Child) {
    group.kill();
    let _ = child.kill().await;
}

impl Output {
    /// Seals what was kept into a file of its own beside the journal.
    ///
    /// # Errors
    /// When it cannot be written and synced.
    pub(super) fn seal(&self, recipients: &Recipients, path: &Path) -> Result<Sealed> {
        let failed = |e: std::io::Error| {
            Error::failed(format!("cannot keep what the program wrote in {}", path.display())).because(e)
        };
        let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
        let sealed = seal::seal_bytes(&self.kept, recipients, &mut file)?;
        file.sync_all().map_err(failed)?;
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _};

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tokio::{task::spawn_blocking, time::timeout};

    use super::*;

    fn shell(script: &str) -> Command {
        Command { words: ["sh", "-c", script].map(Into::into).into(), allowed: true, done: false }
    }

    async fn ended(script: &str, deadline: Duration) -> Ended {
        run(&shell(script), deadline).await.unwrap()
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_it_writes_and_how_it_ends_comes_back() {
        let ended = ended("echo out; echo err >&2; exit 3", LONG).await;
        assert_eq!((ended.status, ended.late, ended.output.bytes), (Some(3), false, 8));
        let mut lines: Vec<&str> = str::from_utf8(&ended.output.kept).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["err", "out"]);
    }

    #[tokio::test]
    async fn more_than_is_kept_is_counted_and_read_to_its_end() {
        let ended = ended("head -c 9000000 /dev/zero", LONG).await;
        assert_eq!((ended.status, ended.output.bytes, ended.output.kept.len()), (Some(0), 9_000_000, KEPT));
    }

    /// A script that starts something, and what reads to its end when nothing of both is left.
    fn starts_something() -> (tempfile::TempDir, String, impl Future<Output = File>) {
        let folder = tempfile::tempdir().unwrap();
        let alive = folder.path().join("alive");
        mknodat(CWD, &alive, FileType::Fifo, Mode::RWXU, 0).unwrap();
        // Reading it begins when what was started has it open, and is over when nobody has any more.
        let script = format!("sleep 300 > {} & wait", alive.display());
        let opened = spawn_blocking(move || File::open(alive).unwrap());
        (folder, script, async { opened.await.unwrap() })
    }

    async fn assert_over(mut alive: File) {
        let over = spawn_blocking(move || alive.read_to_end(&mut Vec::new()).unwrap());
        assert_eq!(timeout(LONG, over).await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn at_the_deadline_it_ends_with_what_it_started() {
        let (_folder, script, opened) = starts_something();
        let mut alive = None;
        let deadline = async { alive = Some(opened.await) };
        let ended = run_until(&shell(&script), deadline).await.unwrap();
        assert_eq!((ended.status, ended.late), (None, true));
        assert_over(alive.unwrap()).await;
    }

    #[tokio::test]
    async fn when_the_run_is_stopped_it_ends_with_what_it_started() {
        let (_folder, script, opened) = starts_something();
        let command = shell(&script);
        let alive = select! {
            _ = run(&command, LONG) => panic!("it ended"),
            alive = opened => alive,
        };
        assert_over(alive).await;
    }

    #[tokio::test]
    async fn what_it_leaves_in_the_background_does_not_hold_the_run_up() {
        let ended = ended("sleep 300 & echo done", LONG).await;
        assert_eq!((ended.status, ended.output.kept.as_slice()), (Some(0), &b"done\n"[..]));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let command = Command { words: vec!["no-such-program".into()], allowed: true, done: false };
        let Err(why) = run(&command, LONG).await else { panic!("it ran") };
        assert!(why.starts_with("`no-such-program` cannot be started"), "{why}");
    }
}

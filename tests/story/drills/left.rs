//! However a drill ends, nothing of it stays: no process, no file in memory, none on a disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Begun, command, custody, is_signed, memory, outcomes};
use crate::support::{Home, Outcome, eventually, kubeconfig_of, says, send};

/// What a drill says when everything is loaded and broken.
const BROKEN: &str = "failures caused, replaying";

/// Processes that run in a folder.
fn running_in(folder: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    processes
        .filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
        .collect()
}

/// The files that a process has open, deleted ones too; the kernel's own are none.
fn files_of(process: &Path) -> impl Iterator<Item = PathBuf> {
    let open = fs::read_dir(process.join("fd")).unwrap().map(|fd| fd.unwrap().path());
    let files = open.filter(|fd| fs::metadata(fd).is_ok_and(|of| of.is_file()));
    let files = files.filter_map(|fd| fs::read_link(fd).ok());
    files.filter(|file| !file.starts_with("/proc") && !file.starts_with("/sys"))
}

async fn nothing_is_left_after(signal: Signal) {
    let (home, memory, tmp) = (custody().await, memory(), tempfile::tempdir().unwrap());
    let mut command = command(&home, memory.path(), &["--all"]);
    command.env("TMPDIR", tmp.path());
    // Everything is loaded and opened then, and stays so while it is looked at.
    let drill = Begun::until(command, BROKEN).await;
    drill.send(Signal::STOP);
    let folder = fs::read_dir(memory.path()).unwrap().next().unwrap().unwrap().path();
    assert!(folder.join("encryption.json").exists(), "everything is encrypted at rest");
    let netdr = PathBuf::from(format!("/proc/{}", drill.pid()));
    let programs = running_in(&folder);
    assert!(programs.len() >= 2, "etcd and the API server: {programs:?}");
    for process in &programs {
        let outside: Vec<PathBuf> = files_of(process).filter(|file| !file.starts_with(&folder)).collect();
        assert!(outside.is_empty(), "{} has files elsewhere: {outside:?}", process.display());
    }
    for process in programs.iter().chain([&netdr]) {
        let limits = fs::read_to_string(process.join("limits")).unwrap();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        assert!(core.trim_start().starts_with("0 "), "{}: {core}", process.display());
    }
    drill.send(signal);
    drill.send(Signal::CONT);
    let outcome = drill.ended().await;
    if signal == Signal::INT {
        says(&outcome.stderr, &["error: interrupted", "nothing of the drill is left"]);
        assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0, "when it has ended it is gone");
        let document = outcome.json(130);
        let stopped = ["interrupted", "not begun", "not begun", "not begun", "not begun"];
        assert_eq!(outcomes(&document), stopped, "that it was begun and stopped is on record");
        assert_eq!((&document["good"], &document["complete"]), (&json!(false), &json!(false)));
        is_signed(&home, "repo/reports", document["report"].as_str().unwrap()).await;
    } else {
        assert!(!home.path().join("repo/reports").exists(), "nobody was left to write a report");
    }
    eventually("nothing in memory", async || {
        (fs::read_dir(memory.path()).unwrap().count() == 0).then_some(())
    })
    .await;
    eventually("no process", async || running_in(memory.path()).is_empty().then_some(())).await;
    assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0, "nothing was written elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_nothing() {
    nothing_is_left_after(Signal::INT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_minus_nine_leaves_nothing() {
    nothing_is_left_after(Signal::KILL).await;
}

/// Before the cluster has answered nothing of it was touched.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_before_the_cluster_was_touched_says_that_nothing_is_left() {
    let (home, memory) = (custody().await, memory());
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = home.path().join("silent");
    fs::write(&file, kubeconfig_of(&format!("http://{}", silent.local_addr().unwrap()))).unwrap();
    let home = home.with_kubeconfig(&file);
    let mut command = command(&home, memory.path(), &["--context", "c", "--yes", "--all"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _asked = silent.accept().await.unwrap();
    send(&child, Signal::INT);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    says(&said, &["error: interrupted", "nothing of the drill is left"]);
    assert!(!said.contains("the cluster is as the drill left it"), "{said}");
    assert!(!home.path().join("repo/reports").exists(), "no drill was begun");
}

/// A drill on a cluster, with this signal when that is broken.
async fn broken_off(home: &Home, words: &str, signal: Signal) -> Outcome {
    let words: Vec<&str> = words.split(' ').collect();
    let drill = Begun::until(home.command("netdr", &words), BROKEN).await;
    drill.send(signal);
    drill.ended().await
}

/// On a cluster there is more than the drill's own, and that is broken when Ctrl-C comes.
/// What it was left without, is in the report that comes back.
pub(super) async fn ctrl_c_leaves_the_cluster_as_it_is(home: &Home, words: &str) -> Value {
    let outcome = broken_off(home, words, Signal::INT).await;
    let said = outcome.stderr.clone();
    let document = outcome.json(130);
    says(
        &said,
        &["error: interrupted", "the cluster is as the drill left it", "the next drill makes it equal"],
    );
    assert!(!said.contains("nothing of the drill is left"), "{said}");
    document
}

/// What its runs overwrote is sealed, and goes all the same.
pub(super) async fn kill_minus_nine_leaves_no_journal(home: &Home, words: &str) {
    let memory = memory();
    let words = format!("{words} --memory {}", memory.path().display());
    broken_off(home, &words, Signal::KILL).await;
    eventually("nothing in memory", async || {
        (fs::read_dir(memory.path()).unwrap().count() == 0).then_some(())
    })
    .await;
}

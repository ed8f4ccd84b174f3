//! A process that is killed at any moment leaves a repository that opens, and what was whole stays whole.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{NODE, Store, says};

const BACKUP: &str = "backup --set host --host-root host";

/// Sends the signal after this part of the time that the command takes, and returns its exit code. The delay is the
/// fault itself: nothing is waited for.
pub(super) async fn stopped(store: &Store, words: &str, signal: Signal, after: Duration) -> Option<i32> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let mut command = store.home().command("netdr", &words);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
    tokio::time::sleep(after).await;
    let _ = kill_process(pid, signal); // one that has ended already is not reaped yet
    child.wait().await.unwrap().code()
}

/// How long the command takes when nobody stops it.
pub(super) async fn duration(store: &Store, words: &str) -> Duration {
    let began = Instant::now();
    store.netdr(words).await.ok();
    began.elapsed()
}

/// What only a writer at work, or a dead one, has in the repository. A lock without its first byte may be that of
/// somebody who is about to write it: it stays for half an hour.
pub(super) fn leftovers(store: &Store) -> Vec<String> {
    let paths = |folder: &str| fs::read_dir(store.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    let hidden = |path: &PathBuf| path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
    let empty = |path: &PathBuf| fs::metadata(path).unwrap().len() == 0;
    let locks = paths("repo/locks").filter(|path| !(hidden(path) && empty(path)));
    let all = paths("repo/snapshots").filter(hidden).chain(locks);
    all.map(|path| path.display().to_string()).collect()
}

/// Every listed snapshot is trusted and verifies.
pub(super) async fn whole(store: &Store) {
    let answer = store.json("snapshots").await;
    for snapshot in answer["snapshots"].as_array().unwrap() {
        assert_eq!(
            (&snapshot["trusted"], &snapshot["state"]),
            (&true.into(), &"complete".into()),
            "{snapshot}"
        );
    }
    store.json("verify --identity keys/operator.txt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_killed_at_any_moment_is_wholly_there_or_not_at_all() {
    const STEPS: u32 = 40;
    let store = Store::new().await;
    let duration = duration(&store, BACKUP).await;
    let mut left = 0;
    for step in 0..STEPS {
        stopped(&store, BACKUP, Signal::KILL, duration * step / STEPS).await;
        left += usize::from(!leftovers(&store).is_empty());
        whole(&store).await;
        store.backup().await;
        assert_eq!(leftovers(&store), [""; 0], "the next backup sweeps, after {step}/{STEPS}");
        store.netdr("prune").await.ok();
    }
    assert!(left > 0, "not one of {STEPS} was killed while it wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_killed_at_any_moment_leaves_only_whole_snapshots() {
    const STEPS: u32 = 12;
    let store = Store::new().await;
    let newest = async || {
        let mut newest = String::new();
        for _ in 0..5 {
            newest = store.backup().await;
        }
        newest
    };
    newest().await;
    let duration = duration(&store, "prune").await;
    for step in 0..STEPS {
        let newest = newest().await;
        stopped(&store, "prune", Signal::KILL, duration * step / STEPS).await;
        whole(&store).await;
        store.netdr("prune").await.ok();
        let answer = store.json("snapshots").await;
        let kept: Vec<&str> =
            answer["snapshots"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
        assert_eq!(kept, [newest.as_str()], "after {step}/{STEPS}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_killed_at_any_moment_can_be_done_again() {
    const STEPS: u32 = 20;
    let store = Store::new().await;
    let duration = duration(&store, "init --repo first").await;
    for step in 0..STEPS {
        stopped(&store, &format!("init --repo r{step}"), Signal::KILL, duration * step / STEPS).await;
        let again = store.netdr(&format!("init --repo r{step}")).await;
        if again.code != Some(0) {
            says(&again.failed(2), &["is a repository already", "use it as it is: netdr backup"]);
        }
        store.netdr(&format!("{BACKUP} --repo r{step}")).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_init_with_new_keys_killed_at_any_moment_can_be_done_again() {
    const STEPS: u32 = 20;
    let store = Store::new().await;
    let first = "init --repo repo --generate-keys keys";
    store.shell("rm -r repo keys netdr.yaml").await.ok();
    let duration = duration(&store, first).await;
    for step in 0..STEPS {
        store.shell("rm -rf repo keys* netdr.yaml .netdr.yaml.new").await.ok();
        stopped(&store, first, Signal::KILL, duration * step / STEPS).await;
        let again = store.netdr(first).await;
        if again.code != Some(0) && !store.path("netdr.yaml").exists() {
            // Keys that are there may be in use already: they are never made anew.
            says(&again.failed(2), &["exists already, and no key was made", "name another folder"]);
            store.netdr("init --repo repo --generate-keys keys2").await.ok();
        }
        store.configure("cluster: {name: proj-k8s}");
        store.backup().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_says_how_to_go_on_and_takes_everything_back() {
    const STEPS: u32 = 10;
    let store = Store::new().await;
    // Something that takes longer to seal than a process to start.
    let large =
        "mkdir -p host/etc/firewalld; head -c 3M /dev/urandom | tee host/etc/firewalld/{a,b,c} > /dev/null";
    store.shell(large).await.ok();
    let duration = duration(&store, BACKUP).await;
    let mut interrupted = 0;
    for step in 0..STEPS {
        let code = stopped(&store, BACKUP, Signal::INT, duration * step / STEPS).await;
        whole(&store).await;
        match code {
            Some(130) => interrupted += 1,
            Some(0) => {}
            None => continue, // before there was anything to take back, nobody had asked to be told
            Some(code) => panic!("exit {code}"),
        }
        assert_eq!(leftovers(&store), [""; 0], "after {step}/{STEPS}");
    }
    assert!(interrupted > 0, "not one of {STEPS} was interrupted");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_backups_and_a_prune_at_once_wait_for_each_other() {
    let store = Store::new().await;
    for _ in 0..3 {
        store.backup().await;
    }
    let backup = || store.netdr(BACKUP);
    let (a, b, c, d, pruned) = tokio::join!(backup(), backup(), backup(), backup(), store.netdr("prune"));
    for outcome in [a, b, c, d] {
        says(&outcome.ok(), &[NODE, "complete"]);
    }
    let pruned = pruned.ok();
    whole(&store).await;
    let left = store.json("snapshots").await["snapshots"].as_array().unwrap().len();
    let gone = 3 + 4 - left; // how many the prune found depends on whose turn was when: of a day it keeps the newest
    assert!(left >= 1 && gone >= 2, "{pruned}");
    assert!(pruned.lines().last().unwrap().starts_with(&format!("{gone} ")), "{pruned}");
    assert_eq!(leftovers(&store), [""; 0]);
}

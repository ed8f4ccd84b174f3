//! Readers that go away, and people who press Ctrl-C.

use std::{fs, io::pipe, process::Stdio};

use rustix::{
    fs::{Mode, OFlags},
    process::Signal,
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use crate::support::{Store, built, content, eventually, says, send};

#[tokio::test]
async fn a_reader_that_has_gone_away_is_no_error() {
    let store = Store::new().await;
    store.backup().await;
    for words in [&["snapshots"][..], &["snapshots", "--json"], &["man"], &["--help"], &["verify"]] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let output = store.home().command("netdr", words).stdout(writer).output().await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("error") && !said.contains("panic"), "{words:?}: {said}");
    }
    assert_eq!(store.shell("netdr snapshots | head -n 1 | wc -l").await.ok().trim(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_backup_that_waits_for_a_prune() {
    let store = Store::new().await;
    // A lock that nobody can read may be anybody's, so it keeps everybody out.
    let lock = store.path("repo/locks/somebody");
    fs::write(&lock, "").unwrap();
    let before = content(&store.path("repo"));
    let words = ["backup", "--set", "host", "--host-root", "host"];
    let mut child = store.home().command("netdr", &words).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("backing up host") {}
    send(&child, Signal::INT);
    let mut said = String::new();
    lines.into_inner().read_to_string(&mut said).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{said}");
    says(&said, &["error: interrupted", "nothing of the unfinished snapshot is kept", "netdr backup"]);
    assert_eq!(content(&store.path("repo")), before);
    fs::remove_file(lock).unwrap();
    store.backup().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_takes_back_what_was_unpacked() {
    let store = Store::new().await;
    // Enough to be in the middle of it.
    for number in 0..200 {
        let noise: Vec<u8> = std::iter::repeat_with(rand::random).take(1 << 18).collect();
        fs::write(store.path(&format!("host/etc/sysctl.d/{number}.conf")), noise).unwrap();
    }
    let id = store.backup().await;
    let words = ["extract", &id, "--to", "out", "--identity", "keys/operator.txt"];
    let child = store.home().command("netdr", &words).stderr(Stdio::piped()).spawn().unwrap();
    eventually("files in clear", async || store.path("out/host/host").exists().then_some(())).await;
    send(&child, Signal::INT);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    says(&said, &["error: interrupted", "nothing of it is kept"]);
    assert!(!store.path("out").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_a_passphrase_ends_it_at_once_and_gives_the_terminal_back() {
    let store = Store::new().await;
    store.backup().await;
    store.home().run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "secret", "-f", "locked"]).await.ok();
    // The question is there a moment before the program reads keys itself: till then Ctrl-C is a signal, then a key.
    for waits in [false, true, false] {
        let script = "trap : INT; tty; netdr verify --read-data --identity locked; echo code=$?; stty -a | tr '\\n' ' '";
        let mut command = store.home().command("script", &["-qec", script, "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut said = Vec::new();
        while !said.ends_with(b"Passphrase of locked: ") {
            said.push(screen.read_u8().await.unwrap());
        }
        let terminal = String::from_utf8(said).unwrap().lines().next().unwrap().trim().to_owned();
        if waits {
            eventually("netdr to read keys itself", async || {
                let settings = store.home().run("stty", &["-a", "-F", &terminal]).await.ok();
                settings.contains("-isig").then_some(())
            })
            .await;
        }
        keyboard.write_all(b"\x03").await.unwrap();
        let mut said = String::new();
        screen.read_to_string(&mut said).await.unwrap();
        says(&said, &["error: interrupted", "code=130", " isig icanon ", " echo "]);
    }
}

/// Whoever collects logs learns of every end, and whoever reads them what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_ends_a_command_before_its_work_is_told_with_what_to_do() {
    let store = Store::new().await;
    store.backup().await;
    store.shell("mkfifo pipe").await.ok();
    let pipe = store.path("pipe");
    let programs = built().join("bin").display().to_string();
    let drill = ["drill", "--scenario", "network-policies", "--assets", &programs, "--identity", "pipe"];
    let rotate = ["keys", "rotate", "--recipients", "keys/recipients.txt", "--identity", "pipe"];
    for (words, signal, advice) in [
        (&rotate[..], Signal::INT, "run it again"),
        (&["verify", "--read-data", "--identity", "pipe"], Signal::TERM, "run it again"),
        (&drill, Signal::TERM, "nothing of the drill is left"),
    ] {
        let mut command = store.home().command("netdr", words);
        let mut child = command.args(["--log-format", "json"]).stderr(Stdio::piped()).spawn().unwrap();
        // It can be opened to write without waiting once somebody reads.
        let open = || rustix::fs::open(&pipe, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).ok();
        let held = eventually("netdr to read its identity", async || open()).await;
        send(&child, signal);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{words:?}: {said}");
        drop(held);
        says(
            &said,
            &[r#""message":"interrupted""#, advice, r#""event":"end""#, r#""outcome":"interrupted""#],
        );
    }
}

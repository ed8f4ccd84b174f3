//! What a collector of logs reads: one JSON object a line.

use serde_json::Value;

use crate::support::{MARKER, Store};

/// Every line of what a program said, as JSON.
#[track_caller]
fn lines(stderr: &str) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    stderr.lines().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_reads_what_a_job_says() {
    let store = Store::new().await;
    let taken = store.netdr("--log-format json --json -v backup --set host --host-root host").await;
    let said = lines(&taken.stderr);
    let answer: Value = serde_json::from_str(&taken.stdout).unwrap();
    assert_eq!(answer["snapshots"][0]["state"], "complete", "stdout is what it is without");
    for line in &said {
        assert_eq!(line["verb"], "backup", "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
    }
    let level = |level: &str| said.iter().filter(|line| line["level"] == level).count();
    assert!(level("debug") > 0 && level("info") > 0, "{said:?}");
    // That no API server answers.
    assert!(level("warning") > 0 && level("error") == 0, "{said:?}");
    assert!(!taken.stderr.contains(MARKER) && !taken.stderr.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_one_line_with_what_to_do() {
    let store = Store::new().await;
    let failed = store.shell("NETDR_LOG_FORMAT=json netdr show 20200101T000000Z-host-n1-000000").await;
    let said = lines(&failed.stderr);
    let [line] = &said[..] else { panic!("{said:?}") };
    assert_eq!((&line["level"], &line["verb"]), (&"error".into(), &"show".into()));
    assert!(!line["hints"][0].as_str().unwrap().is_empty(), "{line}");
    // What clap refuses, too: nothing has been read yet.
    for command in [
        "netdr --log-format json bakup",
        "netdr bakup --log-format=json",
        "NETDR_LOG_FORMAT=json netdr bakup",
    ] {
        let refused = store.shell(command).await;
        let said = lines(&refused.stderr);
        assert_eq!((refused.code, said.len(), &said[0]["level"]), (Some(2), 1, &"error".into()), "{command}");
    }
}

/// A warning is of the snapshot that it is about.
#[tokio::test(flavor = "multi_thread")]
async fn a_warning_names_its_snapshot() {
    let store = Store::new().await;
    store.backup().await;
    // Files are gone, as after a disk failure.
    store.shell("find host -type f ! -name config.yaml -delete").await.ok();
    let taken = store.netdr("--log-format json --json backup --set host --host-root host").await;
    let answer: Value = serde_json::from_str(&taken.stdout).unwrap();
    let id = &answer["snapshots"][0]["id"];
    let of: Vec<Value> =
        lines(&taken.stderr).into_iter().filter(|line| line.get("snapshot").is_some()).collect();
    assert!(!of.is_empty() && of.iter().all(|line| line["snapshot"] == *id), "{}", taken.stderr);
}

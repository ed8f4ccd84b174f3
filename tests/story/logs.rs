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
    let [first, .., last] = &said[..] else { panic!("{said:?}") };
    assert_eq!((&first["event"], &last["event"]), (&"start".into(), &"end".into()));
    assert!(said.iter().all(|line| line["run"] == first["run"]), "{said:?}");
    assert!(first["run"].as_str().unwrap().contains("-backup-"), "{first}");
    assert_eq!((&last["outcome"], &last["exit_code"]), (&"done".into(), &0.into()));
    assert!(last["seconds"].as_f64().unwrap() > 0.0 && last["counts"]["items"].as_u64() > Some(0), "{last}");
    assert_eq!(last["snapshots"], serde_json::json!([answer["snapshots"][0]["id"]]));
    assert_eq!(last["tasks"], serde_json::json!([{"task": "backup host proj-k8s01", "problems": []}]));
    // That no API server answers.
    assert!(level("warning") > 0 && level("error") == 0, "{said:?}");
    assert!(!taken.stderr.contains(MARKER) && !taken.stderr.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_one_line_with_what_to_do() {
    let store = Store::new().await;
    let failed = store.shell("NETDR_LOG_FORMAT=json netdr show 20200101T000000Z-host-n1-000000").await;
    let said = lines(&failed.stderr);
    let [start, line, end] = &said[..] else { panic!("{said:?}") };
    assert_eq!(
        (&line["level"], &line["verb"], &line["run"]),
        (&"error".into(), &"show".into(), &start["run"])
    );
    assert_eq!(
        (end["exit_code"].as_i64(), &end["counts"]["errors"]),
        (failed.code.map(Into::into), &1.into())
    );
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
    // What to do is a field of its own.
    let hinted: Vec<&Value> = of.iter().filter(|line| line.get("hints").is_some()).collect();
    assert!(
        hinted.len() == 1 && hinted[0]["hints"][0].as_str().unwrap().contains("--accept-shrunk"),
        "{of:#?}"
    );
    assert!(of.iter().all(|line| !line["message"].as_str().unwrap().contains("--accept-shrunk")), "{of:#?}");
}

/// Good runs, too, leave two lines, and bad ones no fewer.
#[tokio::test(flavor = "multi_thread")]
async fn every_run_says_that_it_begins_and_how_it_ended() {
    let store = Store::new().await;
    store.backup().await;
    let mut runs = std::collections::BTreeSet::new();
    for (words, counted) in [
        ("prune", "kept"),
        ("verify", "checked"),
        ("check recoverability", "checks"),
        ("replicate", "errors"),
    ] {
        let ran = store.netdr(&format!("--log-format json {words}")).await;
        let said = lines(&ran.stderr);
        let (first, last) = (&said[0], &said[said.len() - 1]);
        assert_eq!((&first["event"], &last["event"]), (&"start".into(), &"end".into()), "{words}: {said:#?}");
        assert!(said.iter().all(|line| line["run"] == first["run"] && line["verb"] == words), "{said:#?}");
        assert_eq!(last["exit_code"].as_i64(), ran.code.map(Into::into), "{words}: {last}");
        assert!(last["counts"][counted].as_u64() > Some(0), "{words}: {last}");
        assert!(!ran.stderr.contains(MARKER));
        assert!(runs.insert(first["run"].to_string()), "{runs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_prints_what_went_wrong_and_what_was_asked_for() {
    let store = Store::new().await;
    store.backup().await;
    let taken = store.netdr("-q backup --set host --host-root host").await;
    assert_eq!((taken.code, taken.stdout.as_str()), (Some(0), ""));
    for words in ["verify", "prune", "keys generate --out new", "schedule render --to rendered"] {
        let ran = store.netdr(&format!("-q {words}")).await;
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{words}");
    }
    for words in ["snapshots", "prune --dry-run", "show latest", "plan list", "verify --json"] {
        let ran = store.netdr(&format!("-q {words}")).await;
        assert!(ran.code == Some(0) && !ran.stdout.is_empty() && ran.stderr.is_empty(), "{words}: {ran:?}");
    }
    store.shell("find repo/snapshots -name 'host.*' -exec truncate -s 9 {} +").await.ok();
    let damaged = store.netdr("-q verify").await;
    assert!(damaged.code == Some(5) && damaged.stdout.contains("-host-"), "{damaged:?}");
}

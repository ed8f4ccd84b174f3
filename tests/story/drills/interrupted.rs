//! A drill that somebody stops keeps what it has proved until then, signed, and claims nothing of the rest.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Begun, command, custody, drill_without_room, is_signed, memory, outcomes};
use crate::support::{MARKER, says};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_ctrl_c_is_in_a_signed_report() {
    let (home, memory) = (custody().await, memory());
    let plans = ["--scenario", "network-policies", "--scenario", "traefik", "--scenario", "cni"];
    let drill = Begun::until(command(&home, memory.path(), &plans), "traefik: looking whether").await;
    drill.send(Signal::STOP); // where it is, however long the search takes
    // By now etcd has everything, and all of it encrypted.
    let search = |word: &str| {
        let at = memory.path().to_str().unwrap();
        let found = format!("grep -rlaF --include=*.wal --include=db '{word}' {at}/*/etcd");
        std::process::Command::new("sh").args(["-c", &found]).output().unwrap().stdout
    };
    assert!(!search("k8s:enc:").is_empty() && search(MARKER).is_empty(), "etcd has a secret in clear");
    drill.send(Signal::INT);
    drill.send(Signal::CONT);
    let outcome = drill.ended().await;
    let said = outcome.stderr.clone();
    let document = outcome.json(130);
    let id = document["report"].as_str().unwrap();
    says(&said, &["error: interrupted", "nothing of the drill is left", &format!("is in report {id}")]);
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);

    assert_eq!(outcomes(&document), ["recovered", "interrupted", "not begun"]);
    says(document["scenarios"][1]["why"].as_str().unwrap(), &["while this was under way"]);
    says(document["scenarios"][2]["why"].as_str().unwrap(), &["before this began"]);
    assert_eq!((&document["good"], &document["interrupted"]), (&json!(false), &json!(true)));
    for field in ["own_time_s", "recovery_time_s", "recovery_point_s"] {
        assert!(document["scenarios"][0][field].is_number(), "{field}");
        assert_eq!(document["scenarios"][2][field], Value::Null, "{field}");
    }
    is_signed(&home, "repo/reports", id).await;
    for form in ["html", "md", "json"] {
        let text = fs::read_to_string(home.path().join(format!("repo/reports/{id}.{form}"))).unwrap();
        says(&text, &["interrupted", "not begun"]);
    }
}

/// What could not even be started is on record as well, and is no success.
#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_that_does_not_start_is_in_a_signed_report() {
    let (home, memory) = (custody().await, memory());
    let words = ["--scenario", "network-policies", "--scenario", "traefik"];
    let document = drill_without_room(&home, memory.path(), &words).await.json(1);
    assert_eq!(outcomes(&document), ["failed", "failed"]);
    says(document["scenarios"][0]["why"].as_str().unwrap(), &["etcd", "no more room"]);
    assert_eq!((&document["good"], &document["interrupted"]), (&json!(false), &json!(false)));
    assert_eq!(document["scenarios"][0]["recovery_time_s"], Value::Null);
    let id = document["report"].as_str().unwrap();
    is_signed(&home, "repo/reports", id).await;
    let text = fs::read_to_string(home.path().join(format!("repo/reports/{id}.md"))).unwrap();
    says(&text, &["# Recovery not proved", "0 of 2 scenarios came back", "no more room"]);
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
}

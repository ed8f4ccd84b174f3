//! Could the cluster be recovered tonight? Asked of the repository alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::named;
use crate::support::{Glacier, Home, Library, NODE, Store, Trouble, shared};

async fn check(home: &Home, code: i32) -> Value {
    // No cluster is asked: there is none to be found from here.
    home.netdr(&["check", "recoverability", "--json"]).await.json(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_good_once_it_has_snapshots_proofs_and_a_drill() {
    let home = Home::new().with_repository().await;
    let empty = check(&home, 8).await;
    assert_eq!(named(&empty, "recoverability snapshots")["status"], "alert");
    let drill = named(&empty, "recoverability drill");
    assert!(drill["why"][0].as_str().unwrap().starts_with("no good drill is on record"), "{drill:#}");

    let kubeconfig = shared().await.kubeconfig().to_str().unwrap();
    for set in ["network", "certificates"] {
        home.netdr(&["backup", "--set", set, "--kubeconfig", kubeconfig]).await.ok();
    }
    let unproved = check(&home, 8).await;
    assert_eq!(named(&unproved, "recoverability network in local")["status"], "ok");
    let identities = named(&unproved, "recoverability identities of network");
    assert_eq!((&identities["status"], &identities["value"]), (&"alert".into(), &0.into()), "{identities:#}");

    // One of two: the break-glass identity may be lost.
    home.netdr(&["keys", "check", "--identity", "keys/operator.txt"]).await.ok();
    let half = check(&home, 8).await;
    assert_eq!(named(&half, "recoverability identities of certificates")["status"], "warn");
    home.netdr(&["keys", "check", "--identity", "keys/break-glass.txt"]).await.ok();
    let report = home.path().join("repo/reports");
    std::fs::create_dir_all(&report).unwrap();
    let now = chrono::Utc::now();
    let id = format!("{}-drill-000001", now.format("%Y%m%dT%H%M%SZ"));
    let cluster = json!({"name": "c", "uid": "u", "kubernetes": "v1"});
    let drill = json!({"report": id, "cluster": cluster, "place": "sandbox", "ended_at": now, "good": true, "scenarios": []});
    std::fs::write(report.join(format!("{id}.json")), drill.to_string()).unwrap();
    let unsigned = check(&home, 8).await;
    assert_eq!(named(&unsigned, "recoverability drill")["status"], "alert", "anybody could have written it");
    let sign = format!("ssh-keygen -Y sign -q -f keys/signing -n netdr-report repo/reports/{id}.json");
    home.shell(&sign).await.ok();
    let whole = check(&home, 0).await;
    assert_eq!(whole["status"], "ok", "{whole:#}");

    // What was recorded is no secret.
    let proofs = std::fs::read_to_string(home.path().join("repo/proofs.json")).unwrap();
    assert!(!proofs.contains("AGE-SECRET-KEY") && !proofs.contains("age1"), "{proofs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_nobody_saved_for_two_days_is_an_alert() {
    let home = Home::new().with_repository().await;
    let library = Library::of(home.path());
    let cluster = shared().await.cluster().await.unwrap();
    library.backup_at(&cluster, chrono::Utc::now() - chrono::TimeDelta::hours(49)).await;
    let found = check(&home, 8).await;
    let network = named(&found, "recoverability network in local");
    assert_eq!((&network["status"], &network["value"]), (&"alert".into(), &49.into()), "{network:#}");
    assert_eq!(network["next"], "netdr backup --set network");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_place_is_asked_and_what_is_not_whole_there_is_not_there() {
    let (store, glacier) = (Store::new().await, Glacier::start().await);
    glacier.replicates(&store, "");
    let id = store.backup().await;
    let check = async |more: &str| store.netdr(&format!("check recoverability --json {more}")).await.json(8);
    let of = |place: &str| format!("recoverability host of node {NODE} in {place}");
    let found = check("").await;
    assert_eq!(named(&found, &of("local"))["status"], "ok");
    assert_eq!(named(&found, &of("s3"))["status"], "ok");
    // On a new machine: what there is can be fetched.
    let found = check("--repo absent").await;
    assert_eq!(named(&found, &of("local"))["status"], "alert");
    assert_eq!(named(&found, &of("s3"))["status"], "ok");

    glacier.expire(&format!("{id}/snapshot.json"));
    let found = check("").await;
    let there = named(&found, &of("s3"));
    assert_eq!((&there["status"], &there["next"]), (&json!("alert"), &json!("netdr replicate")), "{there:#}");

    glacier.strike("*", "", 1000, Trouble::Slow(Duration::from_secs(120)));
    let found = check("").await;
    assert_eq!(named(&found, "recoverability of place s3")["status"], "unknown");
    assert_eq!(named(&found, &of("local"))["status"], "ok", "its silence hides nothing of the others");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_checks_together_hide_nothing_where_the_cluster_is_gone() {
    let home = Home::new().with_repository().await;
    let found = home.netdr(&["check", "--kubeconfig", "nowhere", "--json"]).await.json(8);
    assert_eq!(named(&found, "cluster")["status"], "unknown");
    assert_eq!(named(&found, "recoverability snapshots")["status"], "alert");
    // Asked for the cluster alone, there is nothing that could be said.
    home.netdr(&["check", "policies", "--kubeconfig", "nowhere"]).await.failed(2);
}

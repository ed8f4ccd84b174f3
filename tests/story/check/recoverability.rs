//! Could the cluster be recovered tonight? Asked of the repository alone.

use std::time::Duration;

use serde_json::{Value, json};

use super::named;
use crate::support::{Glacier, Home, Library, Mail, NODE, Store, Trouble, shared};

async fn check(home: &Home, code: i32) -> Value {
    // No cluster is asked: there is none to be found from here.
    home.netdr(&["check", "recoverability", "--json"]).await.json(code)
}

/// What a job of `schedules/` sees of a repository: all of it to read, and its status to write.
const AS_JOB: &str = "mkdir -p job && exec unshare --user --map-root-user --mount bash -c 'mount --bind repo job && \
    mount -o remount,bind,ro job && mount --bind repo/status job/status && \
    if touch job/x 2> /dev/null; then exit 99; fi; exec netdr check recoverability --repo job --json'";

/// The same as its job does it.
async fn as_job(home: &Home, code: i32) -> Value {
    let done = home.shell(AS_JOB).await;
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    done.json(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_good_once_it_has_snapshots_proofs_and_a_drill() {
    let (home, mail) = (Home::new().with_repository().await, Mail::start(None, &[]).await);
    let (file, lines) = (home.path().join("netdr.yaml"), mail.configuration());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("{text}cluster: {{name: proj-k8s}}\n{lines}\n")).unwrap();
    let empty = as_job(&home, 8).await;
    assert_eq!(as_job(&home, 8).await, empty);
    let told = mail.taken();
    assert_eq!(told.len(), 1, "of what lasts nobody is told twice a day: {told:#?}");
    assert!(
        told[0].contains("Subject: [netdr] proj-k8s: check recoverability threshold crossed"),
        "{told:#?}"
    );
    assert_eq!(named(&empty, "recoverability network in local")["status"], "alert");
    let drill = named(&empty, "recoverability drill");
    assert!(drill["why"][0].as_str().unwrap().starts_with("no good drill is on record"), "{drill:#}");

    let kubeconfig = shared().await.kubeconfig().to_str().unwrap();
    for set in ["network", "certificates"] {
        home.netdr(&["backup", "--set", set, "--kubeconfig", kubeconfig]).await.ok();
    }
    let unproved = as_job(&home, 8).await;
    assert_eq!(named(&unproved, "recoverability network in local")["status"], "ok");
    let identities = named(&unproved, "recoverability identities of network");
    assert_eq!((&identities["status"], &identities["value"]), (&"alert".into(), &0.into()), "{identities:#}");

    // One of two: the break-glass identity may be lost.
    home.netdr(&["keys", "check", "--identity", "keys/operator.txt"]).await.ok();
    let half = as_job(&home, 8).await;
    assert_eq!(named(&half, "recoverability identities of certificates")["status"], "warn");
    home.netdr(&["keys", "check", "--identity", "keys/break-glass.txt"]).await.ok();
    let report = home.path().join("repo/reports");
    std::fs::create_dir_all(&report).unwrap();
    let now = chrono::Utc::now();
    let id = format!("{}-drill-000001", now.format("%Y%m%dT%H%M%SZ"));
    let cluster = json!({"name": "proj-k8s", "uid": "u", "kubernetes": "v1"});
    let drill = json!({"report": id, "cluster": cluster, "place": "sandbox", "ended_at": now, "good": true, "scenarios": []});
    std::fs::write(report.join(format!("{id}.json")), drill.to_string()).unwrap();
    let unsigned = as_job(&home, 8).await;
    assert_eq!(named(&unsigned, "recoverability drill")["status"], "alert", "anybody could have written it");
    let sign = format!("ssh-keygen -Y sign -q -f keys/signing -n netdr-report repo/reports/{id}.json");
    home.shell(&sign).await.ok();
    let whole = as_job(&home, 0).await;
    assert_eq!(whole["status"], "ok", "{whole:#}");
    let (first, last) = (&mail.taken()[0], mail.taken().pop().unwrap());
    assert!(last.contains("is well again") && !first.contains("is well again"), "{last}");
    assert!(last.contains("Subject: [netdr] proj-k8s: check recoverability threshold crossed"), "{last}");

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

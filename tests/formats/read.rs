//! What netdr remembers beside snapshots and runs: of every file of a frozen repository, today's reader makes a record.

use std::fs;

use chrono::Utc;
use netdr::{
    config::Config,
    metrics::{Checked, Delivery, Drifted},
    model::Occasion,
    notify::Told,
    repository::{Repository, archive::Tier, stand_in, thaw},
    restore::journal::{self, Entry},
    signature::TrustedSigners,
    task::{Ran, Records, Watched},
};
use serde::de::DeserializeOwned;

use super::{Frozen, IDENTITY, PLACE};
use crate::support::{Home, NODE, says};

/// The names of the files in a folder of it that begin so.
fn files(frozen: &Frozen, folder: &str, begin: &str) -> Vec<String> {
    let entries = fs::read_dir(frozen.folder.join("repo").join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
    names.sort();
    names
}

#[test]
fn every_record_is_read() {
    for frozen in Frozen::with("reached") {
        let home = frozen.opened(Home::new());
        let repository = Repository::open(&home.path().join("repo")).unwrap();
        let records = Records::of(&repository, "frozen");
        fn of<T: DeserializeOwned>(records: &Records<'_>, frozen: &Frozen, kind: &str) {
            let read: Vec<String> = records.read::<T>(kind).unwrap().into_keys().collect();
            let there = files(frozen, "status", &format!("{kind}-"));
            assert!(!there.is_empty() && read == there, "{kind}: {read:?} of {there:?}");
        }
        of::<Ran>(&records, &frozen, "ran");
        of::<Checked>(&records, &frozen, "checked");
        of::<Drifted>(&records, &frozen, "drifted");
        of::<Told>(&records, &frozen, "told");
        of::<Delivery>(&records, &frozen, "delivery");
        of::<Watched>(&records, &frozen, "watched");
        assert_eq!(repository.git_seen().len(), files(&frozen, "git", "").len());
        assert_eq!(repository.proofs().unwrap().len(), 6, "two identities, three sets");
        let place = Config::parse(PLACE, "netdr.yaml".as_ref()).unwrap().replicas.remove(0);
        let network = frozen.name("network").parse().unwrap();
        let asked = thaw::kept(repository.root(), &place, &network);
        assert!(asked.len() > 3 && asked.values().all(|asked| asked.tier == Tier::Standard), "{asked:?}");
    }
}

#[test]
fn a_snapshot_of_a_change_and_one_that_was_sealed_anew_are_what_they_were() {
    for frozen in Frozen::with("rotated") {
        let home = frozen.opened(Home::new());
        let repository = Repository::open(&home.path().join("repo")).unwrap();
        let signers = TrustedSigners::read(&home.path().join("keys/trusted_signers")).unwrap();
        let listed = repository.list(&signers, Utc::now()).unwrap();
        let headers: Vec<_> = listed.iter().map(|one| one.believed().unwrap()).collect();
        assert!(headers.iter().any(|header| header.occasion == Occasion::Change), "{headers:#?}");
        let rotated = frozen.name("rotated").parse().unwrap();
        assert_eq!(stand_in(&listed, &rotated).unwrap().as_str(), frozen.name("earlier"));
    }
}

#[test]
fn every_line_of_a_journal_is_read() {
    for frozen in Frozen::all() {
        for run in files(&frozen, "runs", "") {
            let folder = frozen.folder.join("repo/runs").join(&run);
            let lines = journal::read(&folder).unwrap();
            let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
            assert_eq!(lines.len(), text.matches('\n').count(), "{run}");
        }
    }
    for frozen in Frozen::with("undo") {
        let lines = journal::read(&frozen.folder.join("repo/runs").join(frozen.name("undo"))).unwrap();
        let Entry::Begun { undoes, .. } = &lines[0].entry else { panic!("{lines:#?}") };
        assert_eq!(undoes.as_ref().unwrap().as_str(), frozen.name("resumed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_say_what_was_recorded_and_plans_of_then_are_plans() {
    for frozen in Frozen::with("reached") {
        let home = frozen.opened(Home::new());
        says(
            &home.netdr(&["metrics"]).await.ok(),
            &[
                r#"netdr_task_last_success_timestamp_seconds{cluster="frozen",task="backup network"}"#,
                r#"netdr_check_last_timestamp_seconds{cluster="frozen",subject="recoverability"}"#,
                r#"netdr_notification_last_success_timestamp_seconds{cluster="frozen""#,
                r#"netdr_watch_last_look_timestamp_seconds{cluster="frozen"}"#,
                r#"netdr_restore_last_success{cluster="frozen",scenario="from-below"} 1"#,
                r#"netdr_drill_last_success{cluster="frozen",scenario="network-policies"} 1"#,
            ],
        );
        home.shell("for plan in plans/*.yaml; do netdr plan lint $plan; done").await.ok();
    }
}

/// A process that was killed while it wrote is in nobody's way, and what it had written goes.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_one_left_is_in_nobodys_way() {
    for frozen in Frozen::with("reached") {
        let home = frozen.opened(Home::new());
        home.shell(
            "ls repo/locks/* repo/snapshots/.staging-*/*; git clone -q --bare history.bundle seen.git",
        )
        .await
        .ok();
        let script = format!(
            "mkdir -p host/etc/rancher/rke2; echo 'node-name: {NODE}' > host/etc/rancher/rke2/config.yaml"
        );
        home.shell(&script).await.ok();
        home.netdr(&["backup", "--set", "host", "--host-root", "host"]).await.ok();
        home.netdr(&["prune"]).await.ok();
        let left = home
            .shell("find repo/locks repo/snapshots -mindepth 1 -path '*/locks/*' -o -name '.*'")
            .await
            .ok();
        assert_eq!(left, "");
        home.netdr(&["verify", "--all", "--read-data", "--identity", IDENTITY]).await.ok();
    }
}

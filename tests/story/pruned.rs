//! Retention applied to a place outside, on a real S3 server.

use std::{fs, path::PathBuf, process::Stdio};

use aws_sdk_s3::{
    primitives::{DateTime, DateTimeFormat},
    types::{ObjectLockRetention, ObjectLockRetentionMode},
};
use serde_json::Value;

use crate::support::{S3, SECRET, Store, says};

const BUCKET: &str = "netdr-pruned";
/// The newest alone.
const NEWEST: &str = "retention: {daily: 1, weekly: 0, monthly: 0}";

/// A store that has backed up so often, the day before yesterday, each time into a bucket too.
async fn replicated(s3: &S3, backups: usize, more: &str) -> (Store, Vec<String>) {
    let store = Store::new().await;
    let replica = s3.replica(&store, BUCKET, &format!(", {NEWEST}{more}"));
    store.configure(&format!("replicas: [{replica}]"));
    let mut ids = Vec::new();
    for _ in 0..backups {
        ids.push(store.old().await);
    }
    (store, ids)
}

fn ids(answer: &Value, list: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        answer[list].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

/// The files that the bucket has of a snapshot.
async fn files(s3: &S3, id: &str) -> Vec<String> {
    let of = format!("snapshots/{id}/");
    s3.keys(BUCKET).await.iter().filter_map(|key| Some(key.strip_prefix(&of)?.to_owned())).collect()
}

/// Lets the bucket's objects have been put ten days ago.
async fn aged(s3: &S3, store: &Store) {
    let folder = s3.file(BUCKET, "snapshots");
    store.shell(&format!("find {} -type f -exec touch -d '10 days ago' {{}} +", folder.display())).await.ok();
}

#[tokio::test]
async fn a_place_is_pruned_by_its_own_retention_and_by_nothing_else() {
    let s3 = S3::start().await;
    s3.versioned_bucket(BUCKET).await;
    let (store, all) = replicated(&s3, 4, "").await;
    // Somebody writes over a signature: that one is nobody's any more, and stays.
    fs::write(s3.file(BUCKET, &format!("snapshots/{}/snapshot.json.sig", all[0])), "nonsense").unwrap();
    let before = s3.keys(BUCKET).await;
    let planned = store.json("prune --place s3 --dry-run").await;
    assert_eq!((ids(&planned, "delete"), ids(&planned, "keep")), (sorted(&all[1..3]), vec![all[3].clone()]));
    assert_eq!(s3.keys(BUCKET).await, before, "a dry run deletes nothing");
    says(&store.netdr("prune --dry-run").await.ok(), &["3 snapshots would be deleted"]);

    let outcome = store.netdr("prune --place s3").await;
    says(&outcome.stderr, &["place s3 has 1 snapshot untrusted, unreadable or not whole: left alone"]);
    assert!(!format!("{outcome:?}").contains(SECRET));
    says(&outcome.ok(), &["keep    ", "delete  ", "place s3: 2 snapshots deleted, 1 kept, 0 deferred"]);
    for id in &all[1..3] {
        assert_eq!(files(&s3, id).await, [""; 0]);
        let versions = s3.client().list_object_versions().bucket(BUCKET).prefix(format!("snapshots/{id}/"));
        let versions = versions.send().await.unwrap();
        assert!(versions.versions().is_empty() && versions.delete_markers().is_empty(), "no version stays");
    }
    assert_eq!((files(&s3, &all[0]).await.len(), files(&s3, &all[3]).await.len()), (4, 4));
    assert_eq!(
        store.json("snapshots").await["snapshots"].as_array().unwrap().len(),
        4,
        "what is here is as it was"
    );
    assert_eq!(ids(&store.json("prune --place s3").await, "delete"), [""; 0]);
    says(
        &store.netdr("prune --place nowhere").await.failed(2),
        &["no place is called nowhere", "there is: s3"],
    );

    // Of today both stay, though but one of them is the newest; and what goes is not copied again.
    let today = [store.backup().await, store.backup().await];
    let answer = store.json("prune --place s3").await;
    assert_eq!((ids(&answer, "delete"), ids(&answer, "keep")), (vec![all[3].clone()], sorted(&today)));
    let again = store.json("replicate").await;
    assert_eq!(again["places"][0]["copied"].as_array().unwrap().len(), 0, "{again}");
}

#[tokio::test]
async fn what_is_locked_is_deferred_and_says_until_when() {
    let s3 = S3::start().await;
    s3.locking_bucket(BUCKET).await;
    let (store, all) = replicated(&s3, 2, ", object_lock: {mode: governance, days: 30}").await;
    let answer = store.json("prune --place s3 --early").await;
    assert_eq!((ids(&answer, "deferred"), ids(&answer, "delete")), (sorted(&all[..1]), vec![]), "{answer}");
    says(answer["deferred"][0]["why"].as_str().unwrap(), &["Object Lock retains"]);
    assert_eq!(files(&s3, &all[0]).await.len(), 4);

    // A lock that the configuration knows nothing of.
    let other = "netdr-pruned-too";
    s3.locking_bucket(other).await;
    let (store, all) = replicated(&s3, 0, "").await;
    let replica = s3.replica(&store, other, &format!(", name: other, {NEWEST}"));
    store.shell("sed -i '/^replicas:/d' netdr.yaml").await.ok();
    store.configure(&format!("replicas: [{replica}]"));
    assert!(all.is_empty());
    let (old, _) = (store.old().await, store.old().await);
    let until = DateTime::from_str("2099-01-01T00:00:00Z", DateTimeFormat::DateTime).unwrap();
    let lock = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Governance)
        .retain_until_date(until)
        .build();
    let key = format!("snapshots/{old}/host.tar.zst.age");
    let locked = s3.client().put_object_retention().bucket(other).key(key).retention(lock);
    locked.send().await.unwrap();
    let answer = store.json("prune --place other").await;
    let deferred = &answer["deferred"][0];
    assert_eq!(
        (&deferred["id"], &deferred["until"]),
        (&old.into(), &"2099-01-01T00:00:00Z".into()),
        "{answer}"
    );
    assert_eq!(deferred["why"], "Object Lock retains host.tar.zst.age until then");
}

#[tokio::test]
async fn objects_without_a_header_go_when_nobody_can_be_at_work_on_them() {
    let s3 = S3::start().await;
    s3.bucket(BUCKET).await;
    let (store, all) = replicated(&s3, 3, "").await;
    let header = |id: &String| s3.file(BUCKET, &format!("snapshots/{id}/snapshot.json"));
    fs::remove_file(header(&all[0])).unwrap();
    aged(&s3, &store).await;
    fs::remove_file(header(&all[1])).unwrap();
    let now = "find {} -type f -exec touch {} +";
    let folder = s3.file(BUCKET, &format!("snapshots/{}", all[1]));
    store.shell(&now.replacen("{}", &folder.display().to_string(), 1)).await.ok();
    let planned = store.netdr("prune --place s3 --dry-run").await.ok();
    says(&planned, &[&format!("delete  {}  it has no header", all[0]), "1 snapshot would be deleted"]);
    let answer = store.json("prune --place s3").await;
    assert_eq!(
        (ids(&answer, "delete"), &answer["delete"][0]["leftover"]),
        (vec![all[0].clone()], &true.into())
    );
    assert_eq!((files(&s3, &all[0]).await.len(), files(&s3, &all[1]).await.len()), (0, 3));
}

/// Kills a prune of the place once so many of these objects are gone; false where it ended before.
async fn killed_after(store: &Store, gone: usize, objects: &[PathBuf]) -> bool {
    let mut command = store.home().command("netdr", &["prune", "--place", "s3"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while objects.iter().filter(|object| !object.exists()).count() < gone {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    child.kill().await.unwrap();
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_of_a_place_killed_at_any_moment_offers_nothing_half_deleted() {
    const FILES: [&str; 4] =
        ["host.tar.zst.age", "index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"];
    let s3 = S3::start().await;
    s3.bucket(BUCKET).await;
    let (store, _) = replicated(&s3, 0, "").await;
    let mut cut_off = 0;
    for gone in [1, 2, 3, 4, 5, 6, 8, 10] {
        let old = [store.old().await, store.old().await, store.old().await];
        let newest = store.old().await;
        aged(&s3, &store).await;
        let of = |id: &String| FILES.map(|file| s3.file(BUCKET, &format!("snapshots/{id}/{file}")));
        let objects: Vec<PathBuf> = old.iter().flat_map(of).collect();
        let killed = killed_after(&store, gone, &objects).await;
        cut_off += usize::from(killed && objects.iter().any(|object| object.exists()));
        let keys = s3.keys(BUCKET).await;
        for id in keys.iter().filter_map(|key| key.strip_prefix("snapshots/")?.strip_suffix("/snapshot.json"))
        {
            assert_eq!(files(&s3, id).await, FILES, "{id} is offered after {gone}");
        }
        store.netdr("prune --place s3").await.ok();
        let left: Vec<String> =
            s3.keys(BUCKET).await.into_iter().filter(|key| key.starts_with("snapshots/")).collect();
        assert!(left.len() == 4 && left.iter().all(|key| key.contains(&newest)), "after {gone}: {left:?}");
    }
    assert!(cut_off > 0, "it was never killed while it deleted");
}

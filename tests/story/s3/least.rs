//! The policies of docs/s3.md: each is enough for what it is for, and the first for no more.

use std::fs;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use serde_json::Value;

use super::{BUCKET, netdr};
use crate::support::{S3, Store, says};

/// The statements of a policy in docs/s3.md, for our bucket without a prefix.
fn policy(heading: &str) -> Vec<Value> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/s3.md")).unwrap();
    let part =
        text.split(&format!("### {heading}\n")).nth(1).unwrap_or_else(|| panic!("no policy {heading}"));
    let json = part.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let json = json.replace("BUCKET/PREFIX/*", &format!("{BUCKET}/*")).replace("BUCKET", BUCKET);
    let policy: Value = serde_json::from_str(&json).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_backup_may_write_and_list_and_nothing_else() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.locking_bucket(BUCKET).await;
    s3.account("job", BUCKET, &policy("Backing up")).await;
    let replica = s3.replica_of(&store, "job", BUCKET, ", object_lock: {mode: governance, days: 1}");
    store.configure(&format!("replicas: [{replica}]"));
    let (said, _) = netdr(&store, 0, "backup --set host --host-root host").await;
    says(&said, &["s3: 1 snapshot copied"]);
    netdr(&store, 0, "replicate").await;
    // As whoever stole these credentials would try it.
    let (thief, keys) = (s3.client_of("job"), s3.keys(BUCKET).await);
    for key in &keys {
        let deleted = thief.delete_object().bucket(BUCKET).key(key).send().await;
        assert_eq!(deleted.unwrap_err().code(), Some("AccessDenied"), "delete of {key}");
        let read = thief.get_object().bucket(BUCKET).key(key).send().await;
        assert_eq!(read.unwrap_err().code(), Some("AccessDenied"), "read of {key}");
    }
    assert_eq!(s3.keys(BUCKET).await, keys);
    let (_, refused) = netdr(&store, 1, "prune --place s3").await;
    says(&refused, &["allow s3:GetObject on arn:aws:s3:::netdr-copies/*"]);
    fs::remove_dir_all(store.path("repo")).unwrap();
    let (_, refused) = netdr(&store, 1, "fetch latest").await;
    says(&refused, &["cannot read s3://netdr-copies/", "allow s3:GetObject on arn:aws:s3:::netdr-copies/*"]);
}

#[tokio::test]
async fn a_prune_may_read_and_delete_and_not_write() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.versioned_bucket(BUCKET).await;
    let yaml = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    let old = store.antedate(&store.backup().await).await;
    store.configure(&format!("replicas: [{}]", s3.replica(&store, BUCKET, "")));
    netdr(&store, 0, "replicate").await;
    let newest = store.backup().await;
    s3.account("pruner", BUCKET, &policy("Pruning")).await;
    let replica = s3.replica_of(&store, "pruner", BUCKET, ", retention: {daily: 1, weekly: 0, monthly: 0}");
    fs::write(store.path("netdr.yaml"), format!("{yaml}replicas: [{replica}]\n")).unwrap();
    let (said, _) = netdr(&store, 0, "prune --place s3").await;
    says(&said, &[&format!("delete  {old}"), "place s3: 1 snapshot deleted, 1 kept"]);
    let versions = s3.client().list_object_versions().bucket(BUCKET).prefix("snapshots/");
    let versions = versions.send().await.unwrap();
    let left = versions.versions().iter().filter_map(|version| version.key());
    assert!(versions.delete_markers().is_empty() && left.clone().count() == 4);
    assert!(left.into_iter().all(|key| key.contains(&newest)));
    let (_, refused) = netdr(&store, 3, "backup --set host --host-root host").await;
    says(&refused, &["allow s3:PutObject on arn:aws:s3:::netdr-copies/*"]);
}

#[tokio::test]
async fn a_restore_may_read() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket(BUCKET).await;
    let yaml = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    store.configure(&format!("replicas: [{}]", s3.replica(&store, BUCKET, "")));
    let id = store.backup().await;
    s3.account("reader", BUCKET, &policy("Restoring")).await;
    let replica = s3.replica_of(&store, "reader", BUCKET, "");
    fs::write(store.path("netdr.yaml"), format!("{yaml}replicas: [{replica}]\n")).unwrap();
    fs::remove_dir_all(store.path("repo")).unwrap();
    netdr(&store, 0, &format!("fetch {id}")).await;
    // What it lacks is said as what it lacks.
    let (_, refused) = netdr(&store, 3, "backup --set host --host-root host").await;
    says(&refused, &["allow s3:PutObject on arn:aws:s3:::netdr-copies/*"]);
}

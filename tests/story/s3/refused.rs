//! What a place refuses, and what it then says.

use std::fs;

use super::{BUCKET, json, netdr, place, replicated};
use crate::support::{S3, Store, credentials, says};

#[tokio::test]
async fn wrong_credentials_a_missing_bucket_and_a_server_that_is_down_say_what_to_do() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket(BUCKET).await;
    store.backup().await;
    let good = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    let configure = |replica: String| {
        fs::write(store.path("netdr.yaml"), format!("{good}replicas: [{replica}]\n")).unwrap();
    };
    let replica = |bucket: &str, more: &str| s3.replica(&store, bucket, more);

    configure(replica(BUCKET, ""));
    credentials(&store.path("s3-root-key"), "root-key", "m4rk3r-another");
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["cannot list s3://netdr-copies/snapshots/", "credentials are not accepted", "s3-root-key"]);
    assert!(!said.contains("m4rk3r"), "{said}");
    credentials(&store.path("s3-root-key"), "nobody", "m4rk3r-another");
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["credentials are not accepted"]);

    configure(replica("netdr-nowhere", ""));
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["there is no bucket netdr-nowhere", "make it, or correct `bucket:`"]);

    configure(replica(BUCKET, ", region: eu-central-1"));
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["region: us-east-1"]);

    configure(replica(BUCKET, "").replace("credentials_file: s3-root-key", "profile: nope"));
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["takes its credentials from there alone: profile nope of ~/.aws/credentials"]);
    assert!(!said.contains("AWS_ACCESS_KEY_ID"), "{said}");

    configure(replica(BUCKET, "").replace("s3-root-key", "absent"));
    let (_, said) = netdr(&store, 2, "replicate").await;
    says(&said, &["credentials_file", "absent of place s3 cannot be read"]);

    let port = s3.endpoint.rsplit(':').next().unwrap();
    configure(replica(BUCKET, "").replace(port, "1"));
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["cannot list s3://netdr-copies/snapshots/", "is http://127.0.0.1:1 reachable from here?"]);
}

#[tokio::test]
async fn a_profile_brings_its_region_with_its_credentials() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, "").replace("credentials_file: s3-root-key", "profile: dr");
    store.configure(&format!("replicas: [{replica}]"));
    fs::create_dir(store.path(".aws")).unwrap();
    let regions = "[default]\nregion = eu-central-1\n[profile dr]\nregion = us-east-1\n";
    fs::write(store.path(".aws/config"), regions).unwrap();
    let keys = fs::read_to_string(store.path("s3-root-key")).unwrap();
    fs::write(store.path(".aws/credentials"), keys.replace("[default]", "[dr]")).unwrap();
    netdr(&store, 0, "replicate").await;
}

#[tokio::test]
async fn a_versioned_bucket_keeps_one_version_of_each_object() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.versioned_bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, "");
    store.configure(&format!("replicas: [{replica}]"));
    store.backup().await;
    netdr(&store, 0, "replicate").await;
    let versions = s3.client().list_object_versions().bucket(BUCKET).send().await.unwrap();
    assert_eq!(versions.versions().len(), 5, "{versions:?}");
}

/// The way back of docs/s3.md, in the requests that its commands make.
#[tokio::test]
async fn what_was_hidden_or_overwritten_comes_back_from_its_version() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.locking_bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, ", object_lock: {mode: governance, days: 2}");
    store.configure(&format!("replicas: [{replica}]"));
    let id = store.backup().await;
    let verify = "verify --read-data --identity keys/operator.txt";
    let key = format!("snapshots/{id}/snapshot.json");
    let newest = async || {
        let versions = s3.client().list_object_versions().bucket(BUCKET).prefix(&key).send().await.unwrap();
        let kept =
            versions.versions().iter().filter(|v| v.key() == Some(&key) && v.is_latest() == Some(true));
        let gone =
            versions.delete_markers().iter().filter(|m| m.key() == Some(&key) && m.is_latest() == Some(true));
        let ids = kept.filter_map(|v| v.version_id()).chain(gone.filter_map(|m| m.version_id()));
        ids.map(ToOwned::to_owned).next().unwrap()
    };
    let undone = async |version: String| {
        let delete = s3.client().delete_object().bucket(BUCKET).key(&key).version_id(version);
        delete.send().await.unwrap();
    };

    s3.client().delete_object().bucket(BUCKET).key(&key).send().await.unwrap();
    netdr(&store, 3, verify).await;
    // AWS puts a new version over a delete marker; this server says that the key is taken.
    let (_, said) = netdr(&store, 3, "replicate").await;
    says(&said, &["comes and goes", "a delete marker hides it", "docs/s3.md"]);
    undone(newest().await).await;
    netdr(&store, 0, verify).await;

    let put = s3.client().put_object().bucket(BUCKET).key(&key).body(b"nonsense".to_vec().into());
    put.send().await.unwrap();
    let (said, _) = netdr(&store, 5, verify).await;
    says(&said, &["snapshot.json"]);
    undone(newest().await).await;
    netdr(&store, 0, verify).await;
    netdr(&store, 0, "replicate").await;
}

#[tokio::test]
async fn object_lock_is_put_with_every_object() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.locking_bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, ", object_lock: {mode: governance, days: 2}");
    store.configure(&format!("replicas: [{replica}]"));
    let id = store.backup().await;
    for file in ["host.tar.zst.age", "snapshot.json"] {
        let key = format!("snapshots/{id}/{file}");
        let head = s3.client().head_object().bucket(BUCKET).key(&key).send().await.unwrap();
        assert_eq!(head.object_lock_mode().unwrap().as_str(), "GOVERNANCE");
        let left = head.object_lock_retain_until_date().unwrap().secs() - chrono::Utc::now().timestamp();
        assert!((86_400..=2 * 86_400).contains(&left), "{left} s");
    }

    // A bucket that was made without it says so.
    s3.bucket("netdr-loose").await;
    let replica = s3.replica(&store, "netdr-loose", ", object_lock: {mode: governance, days: 2}");
    let yaml = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    let yaml = yaml.lines().filter(|line| !line.starts_with("replicas")).collect::<Vec<_>>().join("\n");
    fs::write(store.path("netdr.yaml"), format!("{yaml}\nreplicas: [{replica}]\n")).unwrap();
    let (_, said) = netdr(&store, 1, "replicate").await;
    says(&said, &["bucket netdr-loose was made without Object Lock"]);
}

#[tokio::test]
async fn two_that_copy_at_once_are_in_nobodys_way() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    fs::remove_dir_all(s3.file(BUCKET, "proj-k8s")).unwrap();
    let both = tokio::join!(json(&store, 0, "replicate"), json(&store, 0, "replicate"));
    for answer in [both.0, both.1] {
        let place = place(&answer);
        assert!(place["copied"][0] == id.as_str() || place["present"][0] == id.as_str(), "{answer}");
    }
}

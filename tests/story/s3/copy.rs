//! What is copied, in which order, and what is left alone.

use std::fs;

use super::{BUCKET, json, netdr, place, replicated};
use crate::support::{S3, Store, says};

#[tokio::test]
async fn a_backup_copies_its_snapshot_and_replicate_only_what_is_missing() {
    let (s3, store) = replicated().await;
    let answer = store.json("backup --set host --host-root host").await;
    let id = answer["snapshots"][0]["id"].as_str().unwrap();
    assert_eq!(place(&answer)["copied"][0], id, "{answer}");
    let at = |file: &str| format!("proj-k8s/snapshots/{id}/{file}");
    let names = ["host.tar.zst.age", "index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"];
    let mut keys: Vec<String> = names.map(at).into();
    keys.insert(0, "proj-k8s/netdr-repository.json".into());
    assert_eq!(s3.keys(BUCKET).await, keys);
    for name in names {
        let (here, there) = (store.snapshot(id).join(name), s3.file(BUCKET, &at(name)));
        assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap(), "{name}");
    }
    let again = json(&store, 0, "replicate").await;
    assert_eq!(
        (&place(&again)["copied"], &place(&again)["present"][0]),
        (&serde_json::json!([]), &id.into())
    );

    // Without it, whoever copies the bucket to a disk has no repository.
    fs::remove_file(s3.file(BUCKET, "proj-k8s/netdr-repository.json")).unwrap();
    netdr(&store, 0, "replicate").await;
    assert_eq!(s3.keys(BUCKET).await, keys);

    // A copy that was cut off has no header: it is completed, header last.
    for name in ["snapshot.json", "index.jsonl.zst.age"] {
        fs::remove_file(s3.file(BUCKET, &at(name))).unwrap();
    }
    let kept = fs::metadata(s3.file(BUCKET, &at("host.tar.zst.age"))).unwrap().modified().unwrap();
    let (said, _) = netdr(&store, 0, "replicate").await;
    says(&said, &["s3: 1 snapshot copied"]);
    assert_eq!(s3.keys(BUCKET).await, keys);
    let untouched = fs::metadata(s3.file(BUCKET, &at("host.tar.zst.age"))).unwrap().modified().unwrap();
    assert_eq!(kept, untouched, "what was there was put again");
}

#[tokio::test]
async fn what_is_there_and_not_ours_is_damage_and_stays() {
    let (s3, store) = replicated().await;
    let id = store.backup().await;
    let key = format!("proj-k8s/snapshots/{id}/host.tar.zst.age");
    fs::write(s3.file(BUCKET, &key), "swapped").unwrap();
    let answer = json(&store, 5, "replicate").await;
    let damaged = &place(&answer)["damaged"][0];
    assert_eq!(damaged["snapshot"], id.as_str(), "{answer}");
    says(damaged["where"].as_str().unwrap(), &["s3://netdr-copies/", &key]);
    let way_out = [
        format!("netdr verify {id}"),
        format!("aws s3 rm s3://netdr-copies/{key}"),
        format!("netdr replicate {id}"),
    ];
    let (_, said) = netdr(&store, 5, "replicate").await;
    says(&said, &way_out.each_ref().map(String::as_str));
    assert_eq!(fs::read(s3.file(BUCKET, &key)).unwrap(), b"swapped");

    // What is damaged here goes nowhere, and hides nothing of the next.
    let broken = Store::new().await;
    let replica = s3.replica(&broken, BUCKET, ", prefix: other");
    let id = broken.backup().await;
    let next = broken.backup().await;
    broken.configure(&format!("replicas: [{replica}]"));
    let bundle = broken.snapshot(&id).join("host.tar.zst.age");
    let mut bytes = fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let answer = json(&broken, 5, "replicate").await;
    assert_eq!(place(&answer)["copied"][0], next.as_str(), "{answer}");
    assert_eq!(place(&answer)["damaged"][0]["snapshot"], id.as_str(), "{answer}");
    let keys = s3.keys(BUCKET).await;
    assert!(!keys.iter().any(|key| key.contains(&id) && key.ends_with("snapshot.json")), "{keys:?}");
}

#[tokio::test]
async fn a_good_copy_is_not_blamed_for_what_is_damaged_here() {
    let (_s3, store) = replicated().await;
    let id = store.backup().await;
    let bundle = store.snapshot(&id).join("host.tar.zst.age");
    let good = fs::read(&bundle).unwrap();
    fs::write(&bundle, &good[..good.len() - 10]).unwrap();
    let answer = json(&store, 5, "replicate").await;
    let damaged = &place(&answer)["damaged"][0];
    says(damaged["where"].as_str().unwrap(), &["repo/snapshots/", "host.tar.zst.age"]);
    says(damaged["what"].as_str().unwrap(), &["it is the copy here", &format!("netdr fetch {id}")]);
}

#[tokio::test]
async fn of_two_places_one_may_fail_and_the_snapshot_is_good() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket("netdr-near").await;
    let near = s3.replica(&store, "netdr-near", "");
    let far = s3.replica(&store, "netdr-far", ", name: far");
    store.configure(&format!("replicas: [{near}, {far}]"));
    let (said, errors) = netdr(&store, 3, "backup --set host --host-root host").await;
    says(&said, &["complete", "netdr-near: 1 snapshot copied", "far: nothing copied"]);
    says(
        &errors,
        &["place far", "there is no bucket netdr-far", "the snapshots here are good", "netdr replicate"],
    );
    let answer = json(&store, 1, "replicate --place far").await;
    says(place(&answer)["error"].as_str().unwrap(), &["NoSuchBucket"]);
    let (_, errors) = netdr(&store, 2, "replicate --place fra").await;
    says(&errors, &["no place is called fra", "netdr-near, far"]);

    s3.bucket("netdr-far").await;
    let answer = json(&store, 0, "replicate").await;
    assert_eq!(answer["places"][0]["present"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["places"][1]["copied"].as_array().unwrap().len(), 1, "{answer}");
}

#[tokio::test]
async fn untrusted_snapshots_are_left_alone() {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket(BUCKET).await;
    let id = store.backup().await;
    let replica = s3.replica(&store, BUCKET, "");
    store.configure(&format!("replicas: [{replica}]"));
    fs::remove_file(store.snapshot(&id).join("snapshot.json.sig")).unwrap();
    let (said, warned) = netdr(&store, 0, "replicate").await;
    says(&said, &["s3: 0 snapshots copied"]);
    says(&warned, &["1 snapshot untrusted or unreadable: not copied"]);
    let (_, refused) = netdr(&store, 5, &format!("replicate {id}")).await;
    says(&refused, &[&id, "is untrusted and not copied"]);
    assert_eq!(s3.keys(BUCKET).await, [""; 0]);
}

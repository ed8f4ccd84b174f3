//! What is outside is what was written: read back, and of what is archived by the sha256 that S3 keeps.

use chrono::TimeDelta;
use serde_json::json;

use super::{DEEP, Ground};
use crate::support::says;

const VERIFY: &str = "verify --json --read-data --identity keys/operator.txt";

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_was_swapped_is_found_without_a_thaw() {
    let ground = Ground::of(DEEP).await;
    let answer = ground.store.netdr(VERIFY).await.json(0);
    assert_eq!(
        answer["places"],
        json!([{"place": "s3", "checked": 1, "unproved": [], "without_header": []}])
    );
    let calls = ground.glacier.calls();
    assert!(calls.iter().all(|call| !call.starts_with("RestoreObject")), "{calls:?}");
    assert!(calls.iter().all(|call| !(call.starts_with("GetObject") && call.contains(".tar."))), "{calls:?}");

    ground.glacier.rewrite("host.tar", |bytes| bytes.iter().rev().copied().collect());
    let answer = ground.store.netdr(VERIFY).await.json(5);
    let damage = &answer["damaged"][0];
    says(damage["where"].as_str().unwrap(), &["s3://disaster/proj-k8s/snapshots/", "host.tar.zst.age"]);
    says(damage["what"].as_str().unwrap(), &["has sha256 "]);
    // The same when it is thawed, by its bytes.
    ground.thaw("", 7).await;
    ground.glacier.pass(TimeDelta::hours(12));
    ground.store.netdr(VERIFY).await.json(5);
    assert!(ground.calls("GetObject").iter().any(|call| call.contains("host.tar")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_prove_without_a_thaw_is_named() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.forget_checksum("host.tar");
    let answer = ground.store.netdr(VERIFY).await.json(0);
    assert_eq!(answer["places"][0]["unproved"], json!([format!("{}/host.tar.zst.age", ground.id)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_without_its_header_is_named() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.expire("/snapshot.json");
    let answer = ground.store.netdr(VERIFY).await.json(3);
    assert_eq!(answer["places"][0]["without_header"], json!([ground.id]), "{answer}");
    let said = ground.store.netdr(&VERIFY.replace(" --json", "")).await;
    says(&said.stdout, &[&ground.id, "has no header there", &format!("netdr replicate {}", ground.id)]);
    ground.store.netdr("replicate").await.ok();
    ground.store.netdr(VERIFY).await.json(0);
}

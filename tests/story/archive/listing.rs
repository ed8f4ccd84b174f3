//! Where each snapshot is, and in which state: seen without a thaw, without a key, and without waiting.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{DEEP, Ground};
use crate::support::{Trouble, says};

/// What `netdr snapshots` says of one.
fn of<'a>(answer: &'a Value, id: &str) -> &'a Value {
    answer["snapshots"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_snapshot_is_listed_with_its_places_and_its_state_there() {
    let ground = Ground::of(DEEP).await;
    let here = ground.store.backup_here().await;
    let list = async |words: &str| ground.store.json(&format!("snapshots {words}")).await;
    let state = async || {
        let one = of(&list("").await, &ground.id).clone();
        assert_eq!(one["places"], json!(["local", "s3"]));
        one["archive"]["s3"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "archived");
    assert_eq!(of(&list("").await, &here)["places"], json!(["local"]));
    ground.thaw("", 7).await;
    assert_eq!(state().await, "restoring");
    ground.glacier.pass(TimeDelta::hours(12));
    assert_eq!(state().await, "available");
    says(&ground.store.netdr("snapshots").await.ok(), &["PLACES", "local, s3 (available)"]);
    ground.glacier.pass(TimeDelta::days(9));
    assert_eq!(state().await, "archived");

    // What is not wholly there is not there.
    ground.store.netdr("replicate").await.ok();
    ground.glacier.expire(&format!("{here}/snapshot.json"));
    assert_eq!(of(&list("").await, &here)["places"], json!(["local"]));
    // Nothing was read of what is archived, nor thawed.
    let reads = ground.calls("GetObject");
    assert!(reads.iter().all(|call| !call.contains(".tar.")), "{reads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_machine_sees_what_is_outside_page_by_page() {
    let ground = Ground::of(DEEP).await;
    let mut ids = vec![ground.id.clone()];
    for _ in 0..3 {
        ids.push(ground.store.backup().await);
    }
    ground.glacier.page(3);
    let answer = ground.store.json("snapshots --repo absent").await;
    let listed = answer["snapshots"].as_array().unwrap();
    assert_eq!(listed.iter().map(|one| one["id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    for one in listed {
        assert_eq!((&one["places"], &one["trusted"]), (&json!(["s3"]), &json!(true)), "{one:#}");
        assert_eq!((&one["state"], &one["set"]), (&json!("complete"), &json!("host")));
    }
    assert!(!ground.store.path("absent").exists(), "looking makes nothing");
    // A header that is not ours is listed, and not believed.
    ground.glacier.rewrite(&format!("{}/snapshot.json", ids[1]), |bytes| [bytes, b" "].concat());
    let answer = ground.store.json("snapshots --repo absent").await;
    assert_eq!(of(&answer, &ids[1])["trusted"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_does_not_answer_holds_nobody_up() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.strike("*", "", 1000, Trouble::Slow(Duration::from_secs(120)));
    let began = Instant::now();
    let listed = ground.store.netdr("snapshots --json").await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let warning = listed.stderr.clone();
    says(
        &warning,
        &["warning: what is in place s3 is not listed: no answer within 5 s", "netdr snapshots --local"],
    );
    assert_eq!(of(&listed.json(0), &ground.id)["places"], json!(["local"]));
    ground.glacier.mend();
    ground.glacier.calls();
    let local = ground.store.netdr("snapshots --local").await;
    assert_eq!((local.code, local.stderr.as_str()), (Some(0), ""));
    assert_eq!(ground.glacier.calls(), [""; 0], "nobody was asked");
}

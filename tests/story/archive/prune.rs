//! Retention applied to an archive: a deletion waits until it is free and no lock forbids it; then the header goes first.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Ground, killed::offered};
use crate::support::{Moment, says};

/// The newest alone.
const NEWEST: &str = ", retention: {daily: 1, weekly: 0, monthly: 0}";
const PRUNE: &str = "prune --json --place s3";

/// The one entry of a list, of this snapshot.
fn only<'a>(answer: &'a Value, list: &str, id: &str) -> &'a Value {
    let entries = answer[list].as_array().unwrap();
    assert!(entries.len() == 1 && entries[0]["id"] == id, "{list} is not {id} alone: {answer:#}");
    &entries[0]
}

impl Ground {
    async fn prune(&self) -> Value {
        self.store.netdr(PRUNE).await.json(0)
    }

    /// The names of what is there of a snapshot.
    fn there(&self, id: &str) -> Vec<String> {
        let of = |key: &String| Some(key.split_once(id)?.1.trim_start_matches('/').to_owned());
        self.glacier.objects().iter().filter_map(|(key, ..)| of(key)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_billed_for_180_days_stays_as_long_and_its_header_goes_first() {
    let ground = Ground::of(NEWEST).await;
    let (newest, old) = (&ground.id, ground.store.old().await);
    let deferred = ground.prune().await;
    let waits = only(&deferred, "deferred", &old);
    says(waits["why"].as_str().unwrap(), &["180 days in DEEP_ARCHIVE"]);
    let until: DateTime<Utc> = waits["until"].as_str().unwrap().parse().unwrap();
    assert_eq!((until - ground.glacier.now()).num_hours(), 180 * 24 - 1, "{until}");
    assert_eq!(deferred["delete"], json!([]));

    ground.glacier.age(TimeDelta::days(179));
    only(&ground.prune().await, "deferred", &old);
    ground.glacier.calls();
    ground.glacier.allow(&[
        "s3:GetObject",
        "s3:GetObjectRetention",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:ListBucket",
        "s3:ListBucketVersions",
    ]);
    ground.glacier.age(TimeDelta::days(1));
    let free = ground.prune().await;
    only(&free, "delete", &old);
    only(&free, "keep", newest);
    let deleted = ground.calls("DeleteObject");
    let order = ["snapshot.json", "snapshot.json.sig", "host.tar.zst.age", "index.jsonl.zst.age"];
    let order = order.map(|file| format!("DeleteObject proj-k8s/snapshots/{old}/{file}"));
    assert_eq!(deleted, order);
    assert_eq!((ground.there(&old).len(), ground.there(newest).len()), (0, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_outlasts_the_bill_is_waited_for_and_never_bypassed() {
    let ground = Ground::of(&format!("{NEWEST}, object_lock: {{mode: governance, days: 200}}")).await;
    let old = ground.store.old().await;
    ground.glacier.age(TimeDelta::days(181));
    for early in ["", " --early"] {
        let answer = ground.store.netdr(&format!("{PRUNE}{early}")).await.json(0);
        says(only(&answer, "deferred", &old)["why"].as_str().unwrap(), &["Object Lock retains"]);
    }
    assert_eq!(ground.calls("DeleteObject"), [""; 0], "what is locked is not even tried");
    ground.glacier.age(TimeDelta::days(20));
    only(&ground.prune().await, "delete", &old);
    assert_eq!(ground.there(&old), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_killed_at_any_delete_offers_nothing_half_and_is_completed_by_the_next() {
    let ground = Ground::of(NEWEST).await;
    let store = &ground.store;
    for moment in [Moment::Before, Moment::After] {
        for write in 1..=4 {
            let old = ground.store.old().await;
            ground.glacier.age(TimeDelta::days(180));
            let command = store.home().command("netdr", &["prune", "--place", "s3"]);
            assert!(ground.glacier.kill_at(write, moment, command).await, "{write} {moment:?}");
            let whole = write == 1 && moment == Moment::Before;
            assert_eq!(offered(&ground, store).await.contains(&old), whole, "{write} {moment:?}");
            store.netdr("prune --place s3").await.ok();
            assert_eq!(ground.there(&old), [""; 0], "{write} {moment:?}");
            assert_eq!(offered(&ground, store).await, [ground.id.as_str()]);
        }
    }
}

//! Out of the archive: asked for once, promised honestly, waited for, and gone on with.

use std::{path::Path, process::Stdio, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use netdr::{
    config::Config,
    repository::{
        archive::{ArchiveState, Tier},
        s3::Bucket,
        thaw::{Event, Thaw},
    },
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{DEEP, Ground};
use crate::{
    story::restore::killed_at,
    support::{Moment, Trouble, eventually, says},
};

/// How far from now, in hours, what it promises is; rounded.
fn hours(answer: &Value) -> i64 {
    let at: DateTime<Utc> = answer["ready_by"].as_str().unwrap().parse().unwrap();
    ((at - Utc::now()).num_minutes() + 30).div_euclid(60)
}

/// The names of objects in this state.
fn named(answer: &Value, state: &str) -> Vec<String> {
    let objects = answer["objects"].as_array().unwrap().iter();
    objects.filter(|o| o["state"] == state).map(|o| o["name"].as_str().unwrap().into()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_thawed_in_twelve_hours_and_archived_again_when_the_copy_expires() {
    let ground = Ground::of(DEEP).await;
    let asked = ground.thaw("", 7).await;
    assert_eq!((&asked["state"], &asked["place"]), (&json!("restoring"), &json!("s3")), "{asked:#}");
    assert_eq!((hours(&asked), named(&asked, "restoring")), (12, vec!["host.tar.zst.age".into()]));
    assert_eq!(
        named(&asked, "standard"),
        ["index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"],
        "what choosing a snapshot needs is never archived"
    );
    assert_eq!(ground.calls("RestoreObject").len(), 1);

    // Run again, nothing is asked for twice, and the promise stays.
    let again = ground.thaw("", 7).await;
    assert_eq!(again["ready_by"], asked["ready_by"]);
    assert_eq!(ground.calls("RestoreObject"), [""; 0]);

    ground.glacier.pass(TimeDelta::hours(12));
    let there = ground.thaw("", 0).await;
    assert_eq!(there["state"], "available");
    assert_eq!(there["next"], format!("netdr fetch {}", ground.id));
    ground.store.shell("mv repo gone; netdr init --repo repo").await.ok();
    ground.store.netdr(&format!("fetch {}", ground.id)).await.ok();
    ground.store.netdr("verify --identity keys/operator.txt").await.ok();

    ground.glacier.pass(TimeDelta::days(9));
    assert_eq!(ground.thaw("", 7).await["state"], "restoring");
    assert_eq!(ground.calls("RestoreObject").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_nothing_of_a_thaw_promises_more_and_never_less() {
    let ground = Ground::of(DEEP).await;
    let asked = ground.thaw("", 7).await;
    ground.store.shell("rm -r repo/thaws").await.ok();
    let unknown = ground.thaw("", 7).await;
    assert_eq!((hours(&unknown), ground.calls("RestoreObject").len()), (48, 2), "409: under way already");
    assert_eq!(ground.thaw("", 7).await["ready_by"], unknown["ready_by"], "it does not slide");
    assert!(asked["ready_by"].as_str() < unknown["ready_by"].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_thaw_can_be_made_faster_and_a_copy_is_prolonged_but_never_shortened() {
    let ground = Ground::of(DEEP).await;
    assert_eq!(hours(&ground.thaw("--tier bulk", 7).await), 48);
    assert_eq!(hours(&ground.thaw("--tier bulk", 7).await), 48);
    assert_eq!(hours(&ground.thaw("--tier standard", 7).await), 12);
    assert_eq!(hours(&ground.thaw("--tier bulk", 7).await), 12, "not slower again");
    ground.glacier.pass(TimeDelta::hours(12));
    let until = async |more: &str| ground.thaw(more, 0).await["until"].as_str().unwrap().to_owned();
    let week = until("").await;
    ground.glacier.calls();
    assert_eq!(until("--days 1").await, week);
    assert_eq!(ground.calls("RestoreObject"), [""; 0]);
    assert!(until("--days 30").await > week);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_thaw_says_so_and_glacier_takes_five_hours() {
    let ground = Ground::of(", storage_class: GLACIER_IR").await;
    let said = ground.store.netdr(&format!("thaw {}", ground.id)).await.ok();
    says(&said, &["needs no thaw", &format!("next: netdr fetch {}", ground.id)]);
    assert_eq!(ground.calls("RestoreObject"), [""; 0]);
    ground.glacier.reclass("host.tar", "GLACIER");
    assert_eq!(hours(&ground.thaw("", 7).await), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_how_long_and_what_comes_next() {
    let ground = Ground::of(DEEP).await;
    let thaw = format!("thaw {}", ground.id);
    let waiting = ground.store.netdr(&thaw).await;
    assert_eq!(waiting.code, Some(7), "{waiting:?}");
    let (next, then) =
        (format!("netdr {thaw} --tier standard --days 7"), format!("then: netdr fetch {}", ground.id));
    says(&waiting.stdout, &["restoring", "1 object asked for now", "at the latest", &next, &then]);
    says(
        &ground.store.netdr("thaw 20000101T000000Z-host-x-000000").await.failed(2),
        &["has no snapshot", "netdr snapshots"],
    );
    says(&ground.store.netdr(&format!("{thaw} --tier expedited")).await.failed(2), &["standard, bulk"]);
    says(&ground.store.netdr(&format!("{thaw} --place far")).await.failed(2), &["no place is called far"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_archives_the_header_too_is_undone_by_a_thaw() {
    let ground = Ground::of(DEEP).await;
    for name in ["index.jsonl.zst.age", "snapshot.json", "snapshot.json.sig"] {
        ground.glacier.reclass(&format!("{}/{name}", ground.id), "DEEP_ARCHIVE");
    }
    let said = ground.store.netdr("snapshots --repo absent").await.ok();
    says(&said, &["its header is archived too", &format!("netdr thaw {}", ground.id)]);
    assert_eq!(named(&ground.thaw("", 7).await, "restoring").len(), 4);
    ground.glacier.pass(TimeDelta::hours(12));
    ground.thaw("", 0).await;
    ground.store.netdr(&format!("fetch {} --repo fetched", ground.id)).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_no_thaw() {
    let ground = Ground::of(DEEP).await;
    std::fs::write(ground.store.path("repo/thaws"), "no folder").unwrap();
    let waiting = ground.store.netdr(&format!("thaw {}", ground.id)).await;
    assert_eq!(waiting.code, Some(7), "{waiting:?}");
    says(&waiting.stderr, &["warning: when it was asked for is not kept", "repo/thaws"]);
    std::fs::remove_file(ground.store.path("repo/thaws")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_write_it_goes_on() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.reclass("index", "DEEP_ARCHIVE");
    let words = format!("thaw {}", ground.id);
    let command = || ground.store.home().command("netdr", &words.split(' ').collect::<Vec<_>>());
    for (write, moment) in [1, 2].into_iter().flat_map(|n| [(n, Moment::Before), (n, Moment::After)]) {
        assert!(ground.glacier.kill_at(write, moment, command()).await);
        let again = ground.thaw("", 7).await;
        assert_eq!(named(&again, "restoring").len(), 2, "{write} {moment:?}: {again:#}");
        // Where nobody could keep when it was asked for, it may have been just now, in bulk.
        assert_eq!(hours(&again), if moment == Moment::Before { 12 } else { 48 });
        ground.glacier.pass(TimeDelta::days(2));
        assert_eq!(ground.thaw("", 0).await["state"], "available");
        ground.glacier.pass(TimeDelta::days(9));
        ground.store.shell("rm -r repo/thaws").await.ok();
    }
    for bytes in [0, 1, 30] {
        assert_eq!(ground.store.shell(&killed_at(bytes, &words)).await.ok(), "killed\n");
        assert_eq!(ground.thaw("", 7).await["state"], "restoring", "{bytes}");
        ground.glacier.pass(TimeDelta::days(20));
        ground.store.shell("rm -r repo/thaws").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_waits_is_told_how_far_it_is_until_it_is_there() {
    let ground = Ground::of(DEEP).await;
    let config = ground.store.path("netdr.yaml");
    let config = Config::parse(&std::fs::read_to_string(&config).unwrap(), &config).unwrap();
    let bucket = Bucket::open(&config.replicas[0]).await.unwrap();
    let (id, root) = (ground.id.parse().unwrap(), ground.store.path("repo"));
    let (root, clock) = (Path::new(&root), Utc::now);
    let thaw = Thaw { bucket: &bucket, id: &id, header: None, tier: Tier::Bulk, days: 3, root, clock };
    let (looked, failed) = (Notify::new(), Notify::new());
    let event = |event: Event<'_>| match event {
        Event::Looked(_) => looked.notify_one(),
        Event::Failed(_) => failed.notify_one(),
    };
    let story = async {
        looked.notified().await;
        // A network that is away for longer than a request is patient stops nobody who waits for hours.
        ground.glacier.strike("ListObjectsV2", "", 1, Trouble::Forbidden);
        failed.notified().await;
        ground.glacier.pass(TimeDelta::hours(48));
    };
    let (look, ()) = tokio::join!(thaw.wait(Duration::from_millis(20), &event), story);
    assert!(matches!(look.unwrap().state(), ArchiveState::Available { .. }));
    assert_eq!(ground.calls("RestoreObject").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_waits_and_is_killed_is_run_again() {
    let ground = Ground::of(DEEP).await;
    let words = format!("thaw {} --wait", ground.id);
    let words: Vec<&str> = words.split(' ').collect();
    let mut waiting = ground.store.home().command("netdr", &words).stderr(Stdio::null()).spawn().unwrap();
    let kept = ground.store.path("repo/thaws").join(format!("s3-{}.json", ground.id));
    eventually("what was asked for is kept", async || kept.exists().then_some(())).await;
    waiting.kill().await.unwrap();
    ground.glacier.pass(TimeDelta::hours(12));
    let waited = ground.store.home().run("netdr", &words).await;
    assert_eq!(waited.code, Some(0), "{waited:?}");
    says(&waited.stderr, &["4 of 4 objects can be read"]);
    says(&waited.stdout, &["available", &format!("next: netdr fetch {}", ground.id)]);
    assert_eq!(ground.calls("RestoreObject").len(), 1);
}

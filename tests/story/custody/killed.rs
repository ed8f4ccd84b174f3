//! A rotation that is killed at any moment: every capture is there, counts once, and the next rotation ends it.

use std::{collections::BTreeMap, fs, time::Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    story::crash::{leftovers, stopped},
    support::Store,
};

const BOTH: &str = "--identity keys/operator.txt --identity new/operator.txt";

/// How many listed snapshots there are of each capture; each is trusted and complete.
async fn captures(store: &Store) -> BTreeMap<String, usize> {
    let mut captures = BTreeMap::new();
    for one in store.json("snapshots").await["snapshots"].as_array().unwrap() {
        assert_eq!((&one["trusted"], &one["state"]), (&true.into(), &"complete".into()), "{one}");
        let header = store.snapshot(one["id"].as_str().unwrap()).join("snapshot.json");
        let header: Value = serde_json::from_slice(&fs::read(header).unwrap()).unwrap();
        *captures.entry(header["captured_at"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    captures
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_killed_at_any_moment_loses_no_capture_and_counts_none_twice() {
    const STEPS: u32 = 24;
    let store = Store::new().await;
    store.netdr("keys generate --out new").await.ok();
    let rotate = |to: &str| format!("keys rotate --recipients {to}/recipients.txt {BOTH}");
    for _ in 0..3 {
        store.backup().await;
    }
    let began = Instant::now();
    store.netdr(&rotate("new")).await.ok();
    let duration = began.elapsed();
    let (mut twice, mut left) = (0, 0);
    for step in 0..STEPS {
        let to = if step % 2 == 0 { "keys" } else { "new" };
        let before = captures(&store).await;
        stopped(&store, &rotate(to), Signal::KILL, duration * step / STEPS).await;
        let after = captures(&store).await;
        assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{step}/{STEPS}");
        twice += usize::from(after.values().any(|count| *count > 1));
        left += usize::from(!leftovers(&store).is_empty());
        store.netdr(&format!("verify {BOTH}")).await.ok();
        let plan = store.json("prune --dry-run").await;
        assert_eq!(plan["keep"].as_array().unwrap().len(), 1, "of one day the newest, once: {plan}");

        store.netdr(&rotate(to)).await.ok();
        let ended = captures(&store).await;
        assert!(ended.len() == before.len() && ended.values().all(|count| *count == 1), "{ended:?}");
        store.netdr(&format!("verify --identity {to}/operator.txt")).await.ok();
    }
    assert!(twice + left > 0, "not one of {STEPS} was killed while it wrote");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rotations_at_once_seal_each_capture_once_and_call_nothing_damaged() {
    let store = Store::new().await;
    store.netdr("keys generate --out new").await.ok();
    for _ in 0..3 {
        store.backup().await;
    }
    let before = captures(&store).await;
    let rotate = format!("keys rotate --recipients new/recipients.txt {BOTH}");
    let (one, other) = tokio::join!(store.netdr(&rotate), store.netdr(&rotate));
    let said = one.ok() + &other.ok();
    assert!(
        said.contains("3 snapshots sealed anew") && said.contains("3 sealed to these recipients already"),
        "{said}"
    );
    assert_eq!(captures(&store).await, before);
    assert!(leftovers(&store).is_empty());
}

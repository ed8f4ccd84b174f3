//! Killed at any write: what is outside, and what comes back, is wholly there or not at all, and the same command goes on.

use super::{DEEP, Ground};
use crate::{
    story::restore::killed_at,
    support::{Moment, Store},
};

/// What a place offers, and what is here below this path, is whole; returns the ids that the place offers.
pub(super) async fn offered(ground: &Ground, store: &Store) -> Vec<String> {
    let answer = store.json("snapshots --repo absent").await;
    let listed = answer["snapshots"].as_array().unwrap();
    for one in listed {
        assert_eq!((&one["trusted"], &one["remark"]), (&true.into(), &().into()), "{one:#}");
    }
    let ids: Vec<String> = listed.iter().map(|one| one["id"].as_str().unwrap().into()).collect();
    let keys: Vec<String> = ground.glacier.objects().into_iter().map(|(key, ..)| key).collect();
    for id in &ids {
        assert_eq!(keys.iter().filter(|key| key.contains(id)).count(), 4, "{keys:?}");
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicate_killed_at_any_write_goes_on() {
    let ground = Ground::of(DEEP).await;
    let store = &ground.store;
    for moment in [Moment::Before, Moment::After] {
        // Bundle, index, signature, header; and the repository's own file, which is there already.
        for write in 1..=5 {
            let id = ground.store.backup_here().await;
            let command = store.home().command("netdr", &["replicate"]);
            assert!(ground.glacier.kill_at(write, moment, command).await, "{write} {moment:?}");
            let last = write == 5 && moment == Moment::After;
            assert_eq!(offered(&ground, store).await.contains(&id), last, "{write} {moment:?}");
            ground.glacier.calls();
            store.netdr("replicate").await.ok();
            let puts = ground.calls("PutObject").into_iter().filter(|call| call.contains(&id)).count();
            // What was done before the kill is not done again.
            let written = if moment == Moment::Before { write - 1 } else { write };
            assert_eq!(puts, 5 - written.max(1), "{write} {moment:?}");
            assert!(offered(&ground, store).await.contains(&id));
        }
    }
    store.netdr("verify --identity keys/operator.txt").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_killed_at_any_write_leaves_nothing_half_and_goes_on() {
    let ground = Ground::of(", storage_class: STANDARD_IA").await;
    let store = &ground.store;
    let sizes = store.shell(&format!("stat -c %s repo/snapshots/{}/*", ground.id)).await.ok();
    let sizes: Vec<usize> = sizes.lines().map(|line| line.parse().unwrap()).collect();
    // A limit in the midst of each file, and at its end: whichever is written first that is larger is its last.
    let limits = sizes.iter().flat_map(|size| [size / 2, size - 1]).chain([0, 1, 100]);
    let fetch = format!("fetch {} --repo fetched", ground.id);
    let mut killed = 0;
    for limit in limits {
        if limit >= *sizes.iter().max().unwrap() {
            continue;
        }
        assert_eq!(store.shell(&killed_at(limit, &fetch)).await.ok(), "killed\n", "{limit}");
        let listed = store.shell("ls fetched/snapshots 2> /dev/null || true").await.ok();
        assert_eq!(listed, "", "nothing is offered after {limit} bytes");
        store.netdr(&fetch).await.ok();
        store.netdr("verify --repo fetched --identity keys/operator.txt").await.ok();
        let hidden = store.shell("ls -A fetched/snapshots").await.ok();
        assert_eq!(hidden.trim(), ground.id, "and what was half-written is swept");
        store.shell("rm -r fetched").await.ok();
        killed += 1;
    }
    assert!(killed > 5, "{killed}");
}

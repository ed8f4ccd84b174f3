//! Killed at any moment, what is offered is whole, and the same command goes on.

use std::fs;

use rustix::process::Signal;

use super::{
    super::crash::{duration, stopped, whole},
    BUCKET, netdr, replicated,
};

const STEPS: u32 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn a_replicate_is_completed_by_the_next() {
    let (s3, store) = replicated().await;
    store.backup().await;
    let there = s3.file(BUCKET, "proj-k8s");
    fs::remove_dir_all(&there).unwrap();
    let duration = duration(&store, "replicate").await;
    let mut cut = 0;
    for step in 0..STEPS {
        fs::remove_dir_all(&there).unwrap();
        stopped(&store, "replicate", Signal::KILL, duration * step / STEPS).await;
        let keys = s3.keys(BUCKET).await;
        let offered = keys.iter().any(|key| key.ends_with("/snapshot.json"));
        assert!(!offered || keys.len() == 5, "a header before the rest, after {step}/{STEPS}: {keys:?}");
        cut += usize::from(!offered && !keys.is_empty());
        netdr(&store, 0, "replicate").await;
        assert_eq!(s3.keys(BUCKET).await.len(), 5, "after {step}/{STEPS}");
    }
    assert!(cut > 0, "not one of {STEPS} was killed while it copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_leaves_whole_snapshots_alone() {
    let (_s3, store) = replicated().await;
    store.backup().await;
    let fetch = "fetch latest";
    fs::remove_dir_all(store.path("repo")).unwrap();
    let duration = duration(&store, fetch).await;
    let mut cut = 0;
    for step in 0..STEPS {
        fs::remove_dir_all(store.path("repo")).unwrap();
        stopped(&store, fetch, Signal::KILL, duration * step / STEPS).await;
        if store.path("repo/netdr-repository.json").exists() {
            cut += usize::from(
                store.json("snapshots --local").await["snapshots"].as_array().unwrap().is_empty(),
            );
            whole(&store).await;
        }
        netdr(&store, 0, fetch).await;
        whole(&store).await;
        assert_eq!(store.json("snapshots --local").await["snapshots"].as_array().unwrap().len(), 1);
        let left = fs::read_dir(store.path("repo/snapshots")).unwrap().count();
        assert_eq!(left, 1, "what was cut off is swept, after {step}/{STEPS}");
    }
    assert!(cut > 0, "not one of {STEPS} was killed while it fetched");
}

//! Each role does its work with the rights that docs/s3.md gives it, and no other: everything else answers 403.

use chrono::TimeDelta;

use super::{DEEP, Ground};
use crate::support::says;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_writes_and_lists_and_neither_reads_nor_deletes() {
    for (more, rights) in [
        (DEEP, &["s3:PutObject", "s3:ListBucket"][..]),
        (
            ", object_lock: {mode: governance, days: 30}",
            &["s3:PutObject", "s3:ListBucket", "s3:PutObjectRetention"],
        ),
    ] {
        let ground = Ground::of(more).await;
        ground.glacier.allow(rights);
        let next = ground.store.backup_here().await;
        ground.store.netdr("replicate").await.ok();
        assert!(
            ground.glacier.objects().iter().any(|(key, ..)| key.ends_with(&format!("{next}/snapshot.json")))
        );
        // Each of them is needed.
        for missing in rights {
            let fewer: Vec<&'static str> = rights.iter().copied().filter(|right| right != missing).collect();
            ground.store.backup_here().await;
            ground.glacier.allow(&fewer);
            let refused = ground.store.netdr("replicate").await;
            assert_ne!(refused.code, Some(0), "without {missing}: {refused:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_reads_lists_and_thaws_and_neither_writes_nor_deletes() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.allow(&["s3:GetObject", "s3:ListBucket", "s3:RestoreObject"]);
    ground.thaw("", 7).await;
    ground.glacier.pass(TimeDelta::hours(12));
    ground.thaw("", 0).await;
    ground.store.shell("mv repo gone; netdr init --repo repo").await.ok();
    ground.store.netdr("snapshots").await.ok();
    ground.store.netdr(&format!("fetch {}", ground.id)).await.ok();
    ground.store.netdr("verify --identity keys/operator.txt").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_reads_and_lists() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.allow(&["s3:GetObject", "s3:ListBucket"]);
    ground.store.netdr("verify --read-data --identity keys/operator.txt").await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_thaw_is_told_which_right_is_missing() {
    let ground = Ground::of(DEEP).await;
    ground.glacier.allow(&["s3:GetObject", "s3:ListBucket"]);
    let refused = ground.store.netdr(&format!("thaw {}", ground.id)).await.failed(1);
    says(&refused, &["host.tar.zst.age", "403", "s3:RestoreObject"]);
}

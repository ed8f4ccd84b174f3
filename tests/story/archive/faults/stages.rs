//! A verb under trouble, what it must say of it, and that it ends well when the trouble is over.

use std::fs;

use chrono::TimeDelta;

use super::{
    super::{DEEP, Ground},
    Cell, Row, Stage,
    troubles::Cause,
};
use crate::support::{Outcome, says};

/// Proves a row: its five cells, on one ground.
pub(super) async fn prove(row: &Row) {
    let ground = Ground::of(DEEP).await;
    let older = ground.id.clone();
    let id = ground.store.backup().await;
    let [replicate, fetch, thaw, snapshots, verify] = row.cells;
    stage(&ground, row, Stage::Snapshots, snapshots, &id, &older).await;
    stage(&ground, row, Stage::Verify, verify, &id, &older).await;
    stage(&ground, row, Stage::Thaw, thaw, &id, &older).await;
    ground.glacier.pass(TimeDelta::hours(12));
    stage(&ground, row, Stage::Fetch, fetch, &id, &older).await;
    // What is tampered with is there already; anything else strikes what is on its way.
    let pending = if row.cause.tampers() { id.clone() } else { ground.store.backup_here().await };
    stage(&ground, row, Stage::Replicate, replicate, &pending, &older).await;
    let there: Vec<String> = ground.glacier.objects().into_iter().map(|(key, ..)| key).collect();
    assert_eq!(there.iter().filter(|key| key.contains(&pending)).count(), 4, "{there:?}");
    ground.store.netdr("verify --identity keys/operator.txt").await.ok();
}

async fn stage(ground: &Ground, row: &Row, stage: Stage, cell: Cell, id: &str, older: &str) {
    let before = ground.glacier.saved();
    row.cause.strike(ground, stage, id, older);
    let outcome = run(ground, row.cause, stage, id).await;
    judge(row, stage, cell, &outcome);
    if cell == Cell::WaitedOut {
        assert!(ground.glacier.struck(), "{stage:?} did not meet it");
    }
    if matches!(cell, Cell::Failed | Cell::Damaged) {
        nothing_half(ground, stage, id).await;
    }
    ground.glacier.mend();
    if row.cause.tampers() && cell != Cell::PutBack {
        ground.glacier.put_back(before);
    }
    let again = run(ground, Cause::Reset, stage, id).await;
    assert_eq!(again.code, Some(done(stage)), "{stage:?} when it is over: {again:?}");
    if stage == Stage::Fetch {
        ground.store.netdr("verify --repo fetched --identity keys/operator.txt").await.ok();
    }
}

/// The verb, with a disk that is full where that is the trouble.
async fn run(ground: &Ground, cause: Cause, stage: Stage, id: &str) -> Outcome {
    let words = match stage {
        Stage::Replicate => "replicate".to_owned(),
        Stage::Fetch => format!("fetch {id} --repo fetched"),
        Stage::Thaw => format!("thaw {id}"),
        Stage::Verify => "verify --read-data --identity keys/operator.txt".to_owned(),
        // As a new machine sees it: every header is read from there.
        Stage::Snapshots => "snapshots --repo absent".to_owned(),
    };
    let full = match stage {
        Stage::Fetch => "fetched; mount -t tmpfs -o size=12k full fetched",
        Stage::Thaw => "repo; mount -t tmpfs -o size=4k full repo; head -c 4096 /dev/zero > repo/full",
        _ => "",
    };
    if cause != Cause::FullDisk || !matches!(stage, Stage::Fetch | Stage::Thaw) {
        return ground.store.netdr(&words).await;
    }
    // In a namespace of its own, so that no mount is left behind.
    let script =
        format!("unshare --user --map-root-user --mount bash -euc 'mkdir -p {full}; exec netdr {words}'");
    ground.store.shell(&script).await
}

const fn done(stage: Stage) -> i32 {
    if matches!(stage, Stage::Thaw) { 7 } else { 0 }
}

fn judge(row: &Row, stage: Stage, cell: Cell, outcome: &Outcome) {
    let about = format!("{}, {stage:?}: {outcome:#?}", row.test);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    match cell {
        Cell::WaitedOut | Cell::Unaffected | Cell::PutBack => {
            assert_eq!(outcome.code, Some(done(stage)), "{about}");
        }
        Cell::Warned => {
            assert_eq!(outcome.code, Some(done(stage)), "{about}");
            says(&said, &[row.says]);
        }
        Cell::Failed => {
            // The rest of what replicate had to do is done: exit code 3.
            let codes: &[i32] = if stage == Stage::Replicate { &[1, 3] } else { &[1] };
            assert!(outcome.code.is_some_and(|code| codes.contains(&code)), "{about}");
            says(&said, &[row.says, "hint: "]);
            assert!(
                said.contains("s3://disaster/proj-k8s/") || said.contains("fetched/"),
                "no object is named: {about}"
            );
        }
        Cell::Damaged => {
            assert_eq!(outcome.code, Some(5), "{about}");
            says(&said, &[row.says]);
        }
    }
}

/// Of a verb that stopped, nothing can be restored from: not here, and not from there.
async fn nothing_half(ground: &Ground, stage: Stage, id: &str) {
    match stage {
        Stage::Fetch => {
            let listed = fs::read_dir(ground.store.path("fetched/snapshots"));
            let names: Vec<_> =
                listed.into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, [""; 0]);
        }
        Stage::Replicate => {
            let objects = ground.glacier.objects();
            let of: Vec<&str> =
                objects.iter().filter(|(key, ..)| key.contains(id)).map(|(key, ..)| key.as_str()).collect();
            assert!(of.len() == 4 || !of.iter().any(|key| key.ends_with("/snapshot.json")), "{of:?}");
        }
        Stage::Thaw | Stage::Snapshots | Stage::Verify => {}
    }
}

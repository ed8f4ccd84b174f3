//! A disk that is full in the midst of a run: nothing is done that is not written down, and the run goes on when there
//! is room again.

use crate::{
    story::restore::undo::same,
    support::{Objects, Operator, audited, fresh, says},
};

use netdr::drill::failures::break_policies;

const RESTORE: &str =
    "restore --identity keys/operator.txt --scenario network-policies --yes --state-dir state";

/// Files take this many bytes and no more: the write of one byte more is an error (EFBIG), as on a full disk.
fn full_after(bytes: usize) -> String {
    format!("trap '' XFSZ; exec prlimit --fsize={bytes} netdr {RESTORE}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_a_run_in_words_and_it_goes_on_when_there_is_room() {
    let plane = fresh(audited()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let (home, healthy) = (&operator.home, objects.dump().await);
    operator.backup().await;
    let cluster = plane.cluster().await.unwrap();
    break_policies(&cluster).await.unwrap();
    let broken = objects.dump().await;
    // Not even how the run began can be written down.
    let refused = home.shell(&full_after(100)).await.failed(1);
    says(&refused, &["cannot write the journal", "File too large", "free the disk"]);
    assert!(!refused.contains("--resume"), "there is nothing to go on with: {refused}");
    assert_eq!(objects.dump().await, broken);
    home.shell(&format!("rm -r state; netdr {RESTORE} || test $? = 6")).await.ok();
    same(&healthy, &objects.dump().await);
    let journal = home.shell("cat state/runs/*/journal.jsonl").await.ok();
    let mut at = 0;
    for line in journal.split_inclusive('\n').take_while(|line| !line.contains(r#""event":"ended""#)) {
        at += line.len();
        if !line.contains(r#""event":"step""#) {
            continue;
        }
        break_policies(&cluster).await.unwrap();
        home.shell("rm -r state").await.ok();
        let stopped = home.shell(&full_after(at + 20)).await.failed(1);
        let run = home.shell("ls state/runs").await.ok();
        let resume =
            format!("netdr restore --resume {} --identity keys/operator.txt --state-dir state", run.trim());
        says(&stopped, &["cannot write the journal", "File too large", "free the disk", &resume]);
        home.shell(&format!("{resume} --yes || test $? = 6")).await.ok();
        same(&healthy, &objects.dump().await);
        let shown = home.shell(&format!("netdr runs show {} --state-dir state", run.trim())).await.ok();
        says(&shown, &["recovered"]);
    }
}

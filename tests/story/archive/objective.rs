//! A restore that would need the archive says before anything else that its objective cannot be met from there.

use chrono::TimeDelta;

use super::{DEEP, Ground};
use crate::support::says;

const RESTORE: &str = "restore --scenario network-policies --identity keys/operator.txt --yes";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_in_the_archive_meets_no_objective_and_the_way_out_is_said() {
    let ground = Ground::of(DEEP).await;
    let (store, id) = (&ground.store, &ground.id);
    let next = format!("netdr thaw {id} --wait");
    let hours = ["up to 12 h (48 h in tier bulk)", "an RTO of 15 min cannot be met from there", &next];
    let nothing_here = format!("{RESTORE} --repo absent");
    let said = store.netdr(&nothing_here).await.failed(1);
    says(&said, &["no snapshot is in absent", "place s3 has 1 snapshot", "netdr fetch latest"]);
    says(&said, &hours);
    // A snapshot that is named, where others are.
    store.shell(&format!("mkdir gone; mv repo/snapshots/{id} gone")).await.ok();
    ground.store.backup_here().await;
    let named = format!("{RESTORE} --snapshot {id}");
    let said = store.netdr(&named).await.failed(1);
    says(&said, &[&format!("snapshot {id} is not in"), "place s3 has it", &format!("netdr fetch {id}")]);
    says(&said, &hours);
    // Thawed, it is only a fetch away.
    ground.thaw("", 7).await;
    ground.glacier.pass(TimeDelta::hours(12));
    let said = store.netdr(&named).await.failed(1);
    says(&said, &["place s3 has it: bring it here with: netdr fetch"]);
    assert!(!said.contains("RTO"), "{said}");
}

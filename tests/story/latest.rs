//! Which snapshot a restore takes: never one that cannot be relied on, and it says what it passed over.

use serde_json::Value;

use crate::support::{Store, says};

const RESTORE: &str = "restore --scenario network-policies --dry-run --identity keys/operator.txt";

/// The source of the plan, and its warnings.
async fn previewed(store: &Store, words: &str) -> (Value, String) {
    let plan = store.json(&format!("{RESTORE} {words}")).await;
    (plan["source"].clone(), plan["warnings"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_newest_snapshot_is_passed_over_and_said() {
    let store = Store::beside_the_plane().await;
    let good = store.backup_policies().await;
    let bad = store.backup_policies().await;
    store.shell(&format!("rm repo/snapshots/{bad}/snapshot.json.sig")).await.ok();
    let (source, warnings) = previewed(&store, "--snapshot latest").await;
    assert_eq!(source["names"], serde_json::json!([good]));
    says(&warnings, &[&format!("newer snapshot {bad} was passed over: untrusted: it is not signed")]);
    assert_eq!(store.listed(&bad).await["trusted"], false);
    let said = store.netdr(&format!("{RESTORE} --snapshot {bad}")).await.failed(5);
    says(&said, &[&bad, "is untrusted: it is not signed", "netdr snapshots"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_from_the_future_is_never_latest() {
    let store = Store::beside_the_plane().await;
    let good = store.backup_policies().await;
    let ahead = store.backup_policies().await;
    let future = store.forge_future(&ahead).await;
    let (source, warnings) = previewed(&store, "").await;
    assert_eq!(source["names"], serde_json::json!([good]));
    says(
        &warnings,
        &[&format!("newer snapshot {future} was passed over: from the future: a clock is wrong")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_clusters_snapshot_is_taken_only_by_that_clusters_name() {
    let store = Store::beside_the_plane().await;
    let id = store.backup_policies().await;
    store.forge(&id, |header| header["cluster"]["name"] = "other-k8s".into()).await;
    let said = store.netdr(RESTORE).await.failed(1);
    says(&said, &["cluster proj-k8s", &format!("{id} is of another cluster: other-k8s")]);
    assert_eq!(store.json("snapshots").await["snapshots"][0]["cluster"], "other-k8s");
    says(
        &store.netdr("prune --dry-run").await.ok(),
        &["0 snapshots would be deleted, 0 kept, 1 of other clusters"],
    );
    let said = store.netdr(&format!("{RESTORE} --snapshot {id}")).await.failed(2);
    says(&said, &["is of cluster other-k8s, not of proj-k8s", "--from-cluster other-k8s"]);
    let (source, _) = previewed(&store, "--from-cluster other-k8s").await;
    assert_eq!(source["names"], serde_json::json!([id]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_after_mass_deletion_is_shrunk_until_it_is_accepted() {
    let store = Store::beside_the_plane().await;
    let good = store.backup_policies().await;
    // The plane is everybody's: what a scope leaves out looks as if it had been deleted.
    store.configure("scope: {namespaces: {exclude: [archive, jupyter, imaging, spectra, workflows]}}");
    let shrunk = store.netdr("backup --set network --component policies").await.failed(3);
    says(&shrunk, &["networkpolicies", "--accept-shrunk"]);
    let (source, warnings) = previewed(&store, "").await;
    assert_eq!(source["names"], serde_json::json!([good]));
    says(&warnings, &["was passed over: shrunk"]);
    let accepted = store.json("backup --set network --component policies --accept-shrunk").await;
    let (source, _) = previewed(&store, "").await;
    assert_eq!(source["names"], serde_json::json!([accepted["snapshots"][0]["id"]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_equals_the_live_state_names_the_one_before_that_differs() {
    let store = Store::beside_the_plane().await;
    store.backup_policies().await;
    says(&previewed(&store, "").await.1, &["equals the live state", "no older snapshot differs"]);
    let differs = store.backup_policies().await;
    store.forge_index(&differs, "sed '$d'").await; // one item fewer
    let corrupt = store.backup_policies().await;
    let (source, warnings) = previewed(&store, "").await;
    assert_eq!(source["names"], serde_json::json!([corrupt]));
    let command = format!("netdr restore --scenario network-policies --snapshot {differs}");
    says(&warnings, &[&format!("the source {corrupt} equals the live state"), &command]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_opens_nothing_changes_nothing() {
    let store = Store::beside_the_plane().await;
    let id = store.backup_policies().await;
    store.home().run("age-keygen", &["-o", "stranger.txt"]).await.ok();
    let restore = "restore --scenario network-policies --dry-run --identity stranger.txt";
    says(&store.netdr(restore).await.failed(1), &["does not open", &id, "--identity FILE (NETDR_IDENTITY)"]);
    // It opens the index, nothing differs, and a rehearsal says all the same that the restore would not work.
    let rehearsal = store.netdr(&restore.replace("stranger.txt", "keys/index.txt")).await.failed(1);
    says(&rehearsal, &["does not open policies.tar.zst.age", "tried keys/index.txt"]);
}

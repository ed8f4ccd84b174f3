//! Captures that come late, and commits that only say that they are netdr's.

use super::*;

#[test]
fn an_older_capture_does_not_undo_a_later_one() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    // A backup begins, and while it is at work a watch captures and commits.
    let backup = bench.seen(&[policy("deny", 80)]);
    let watched = bench.record(&[policy("deny", 80), policy("web", 80)]);
    bench.somebody("notes", "mine");
    let late = bench.try_record(backup.clone()).unwrap();
    assert_eq!((late.commits.len(), &late.outdated[..]), (0, &[backup.snapshot.clone()][..]));
    assert!(late.warnings.iter().any(|w| w.contains("is not committed")), "{:?}", late.warnings);
    assert!(bench.files().contains(&"policies/networking.k8s.io/networkpolicies/shop/web.yaml".into()));
    // Another part, or another cluster, is no later capture of this one.
    let host = SnapshotId::new(backup.captured_at, Set::Host, Some("n1"), 1);
    let other = Seen { snapshot: host, ..backup.clone() };
    assert_eq!(bench.try_record(other).unwrap().outdated, []);
    let elsewhere = Seen { cluster: "other".into(), ..backup };
    assert_eq!(bench.try_record(elsewhere).unwrap().outdated, []);
    assert_eq!(watched.outdated, []);
}

#[test]
fn a_commit_that_nobody_trusted_signed_keeps_no_capture_out() {
    let mut bench = Bench::new();
    bench.record(&[policy("deny", 80)]);
    let folder = bench.folder.path();
    run(folder, "git", &["clone", "-q", "-b", "netdr", "seen.git", "forger"]);
    let forger = folder.join("forger");
    let trailers = "x\n\nNetdr-Cluster: lab\nNetdr-Snapshot: 20261124T230000Z-network-000001\nNetdr-Captured-At: 2026-11-24T23:00:00Z\n";
    let who = ["-c", "user.name=Eve", "-c", "user.email=eve@lab"];
    let commit = ["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", trailers];
    run(&forger, "git", &[&who[..], &commit[..]].concat());
    run(&forger, "git", &["push", "-q", "origin", "netdr"]);
    let next = bench.record(&[policy("deny", 81)]);
    assert_eq!((next.commits.len(), next.outdated.len()), (1, 0));
}

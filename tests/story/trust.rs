//! A snapshot whose origin is not proved is listed as untrusted, and nothing is taken from it.

use std::fs;

use crate::support::{Store, says};

/// The newest of two is untrusted: every verb says so and why, opens nothing of it, and deletes neither.
async fn refused(store: &Store, good: &str, bad: &str, why: &str) {
    let listed = store.listed(bad).await;
    assert_eq!(listed["trusted"], false, "{listed}");
    says(listed["remark"].as_str().unwrap(), &[why]);
    assert_eq!(store.listed(good).await["trusted"], true);
    let verified = store.netdr(&format!("verify {bad} --identity keys/operator.txt")).await;
    assert_eq!(verified.code, Some(5), "{verified:?}");
    says(&verified.stdout, &[bad, why]);
    let said = store.netdr(&format!("extract {bad} --to out --identity keys/operator.txt")).await.failed(5);
    says(&said, &[bad, why]);
    assert!(!store.path("out").exists());
    let pruned = store.netdr("prune").await;
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    says(&pruned.stderr, &["1 snapshot untrusted or unreadable: left alone"]);
    assert!(store.snapshot(bad).is_dir() && store.snapshot(good).is_dir());
}

/// What a shell does to the snapshot in the working directory; the keys are in "$k".
const FORGERIES: [(&str, &str); 9] = [
    ("sed -i 's/\"items\": [0-9]*/\"items\": 1/' snapshot.json", "its signature does not match its content"),
    ("rm snapshot.json.sig", "it is not signed"),
    ("printf '' > snapshot.json.sig", "its signature does not parse"),
    (
        "rm snapshot.json.sig; ssh-keygen -q -t ed25519 -N '' -f $k/thief; \
         ssh-keygen -q -Y sign -f $k/thief -n netdr-snapshot snapshot.json",
        "which is not a trusted signer",
    ),
    (
        "rm snapshot.json.sig; ssh-keygen -q -Y sign -f $k/signing -n netdr-report snapshot.json",
        "it is signed as `netdr-report`, not as `netdr-snapshot`",
    ),
    ("rm snapshot.json", "snapshot.json is missing"),
    ("printf '{' > snapshot.json", "snapshot.json cannot be parsed"),
    ("sed -i 's/\"format\": 1/\"format\": 2/' snapshot.json", "it is of snapshot format 2, newer than"),
    ("head -c 2M /dev/zero > snapshot.json", "snapshot.json is over a mebibyte large"),
];

#[tokio::test]
async fn a_header_that_is_not_as_it_was_signed_proves_nothing() {
    for (forgery, why) in FORGERIES {
        let store = Store::new().await;
        let (good, bad) = (store.backup().await, store.backup().await);
        store.shell(&format!("k=$PWD/keys; cd repo/snapshots/{bad}; {forgery}")).await.ok();
        refused(&store, &good, &bad, why).await;
    }
}

#[tokio::test]
async fn a_backup_that_nobody_would_trust_is_no_success() {
    let store = Store::new().await;
    store.shell("rm keys/signing; ssh-keygen -q -t ed25519 -N '' -f keys/signing").await.ok();
    let taken = store.netdr("backup --set host --host-root host").await;
    assert_eq!(taken.code, Some(5), "{taken:?}");
    says(
        &taken.stderr,
        &["was taken, but restore, prune and replicate will leave it alone", "trusted_signers"],
    );
}

#[tokio::test]
async fn a_snapshot_under_another_name_is_not_that_snapshot() {
    let store = Store::new().await;
    let (good, moved) = (store.backup().await, store.backup().await);
    let newer = moved.replacen("20", "21", 1);
    fs::rename(store.snapshot(&moved), store.snapshot(&newer)).unwrap();
    refused(&store, &good, &newer, &format!("its header is that of {moved}")).await;
}

#[tokio::test]
async fn what_a_revoked_key_signed_is_untrusted_whatever_its_date() {
    let store = Store::new().await;
    let bad = store.backup().await;
    let file = store.path("keys/trusted_signers");
    let old = fs::read_to_string(&file).unwrap();
    store.shell("rm keys/signing; ssh-keygen -q -t ed25519 -N '' -f keys/signing < <(yes)").await.ok();
    let new = fs::read_to_string(store.path("keys/signing.pub")).unwrap();
    let revoked = old.replacen("namespaces=", "valid-before=\"20200101Z\",namespaces=", 1);
    fs::write(&file, format!("{revoked}netdr {new}")).unwrap();
    let good = store.backup().await;
    refused(&store, &good, &bad, "which was trusted only until 2020-01-01").await;
}

#[tokio::test]
async fn signers_that_do_not_parse_are_named_by_file_and_line() {
    let store = Store::new().await;
    fs::write(store.path("keys/trusted_signers"), "# ours\nnetdr ssh-ed25519 AAAA\n").unwrap();
    let said = store.netdr("snapshots").await.failed(2);
    says(&said, &["keys/trusted_signers: line 2 is no signer", "hint: a signer is: NAME"]);
}

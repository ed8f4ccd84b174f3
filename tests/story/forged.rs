//! A bundle made with stock tools by a thief of the signing key: only the check of its paths protects, and it does.

use std::fs;

use serde_json::Value;

use crate::support::{Store, content, digest, says};

/// How GNU tar is made to write it, in a folder with the files `good` and `twin`, one file under two names, and what
/// is said of it. "$H" is the home.
const FORGERIES: [(&str, &str); 9] = [
    ("-P --transform 's,^good,../evil,' good", "`../evil` would leave its folder"),
    ("-P --transform 's,^good,host/../../../evil,' good", "`host/../../../evil` would leave its folder"),
    ("-P --transform \"s,^good,$H/evil,\" good", "/evil` would leave its folder"),
    (
        "-P --transform \"s,^good,$(printf 'long/%.0s' {1..40})../evil,\" good",
        "/../evil` would leave its folder",
    ),
    ("--format=pax --pax-option='path:=../evil' good", "is not a plain file"),
    ("--transform 's,^link,evil,;s,^good,evil/evil,' link good", "`evil` is not a plain file"),
    ("good twin", "`twin` is not a plain file"),
    ("-P --transform 's,/dev/null,evil,' /dev/null", "`evil` is not a plain file"),
    ("pipe", "`pipe` is not a plain file"),
];

/// Puts a forged bundle of this component into a snapshot, sealed to the operator and signed with the trusted key.
async fn forge_bundle(store: &Store, id: &str, component: &str, tar: &str) {
    let bundle = store.snapshot(id).join(format!("{component}.tar.zst.age"));
    store
        .shell(&format!(
            "H=$PWD; rm -rf made; mkdir made; cd made; echo x > good; ln good twin; ln -s $H link; mkfifo pipe
             tar -cf - {tar} | zstd -q | age -R ../keys/recipients.txt > {}
             cd ..; rm -r made",
            bundle.display()
        ))
        .await
        .ok();
    let sealed = fs::read(&bundle).unwrap();
    let change = |header: &mut Value| {
        for entry in
            header["bundles"].as_array_mut().unwrap().iter_mut().filter(|b| b["component"] == component)
        {
            entry["bytes"] = sealed.len().into();
            entry["sha256"] = digest(&sealed).into();
        }
    };
    store.forge(id, change).await;
}

#[tokio::test]
async fn extract_unpacks_nothing_that_would_leave_its_folder() {
    let store = Store::new().await;
    let id = store.backup().await;
    for (tar, why) in FORGERIES {
        forge_bundle(&store, &id, "host", tar).await;
        let before = content(store.home().path());
        assert_eq!(store.listed(&id).await["trusted"], true, "only the path is wrong");
        let said =
            store.netdr(&format!("extract {id} --to out --identity keys/operator.txt")).await.failed(5);
        says(&said, &[&format!("host.tar.zst.age of snapshot {id} is damaged"), why]);
        let verified = store.netdr(&format!("verify {id} --identity keys/operator.txt")).await;
        assert_eq!(verified.code, Some(5), "{tar}: {verified:?}");
        assert!(content(store.home().path()) == before, "something was written: {tar}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn restore_refuses_such_a_bundle_before_it_changes_anything() {
    let store = Store::beside_the_plane().await;
    let id = store.backup_policies().await;
    // One policy more in the index than there is on the cluster: so the bundle must be opened.
    let name = r#"s|/[^/"]*","component"|/forged","component"|"#;
    let filter = format!("sed -n '{{p; \\,/networkpolicies/, {{{name}; h}}; ${{g; p}}}}'");
    store.forge_index(&id, &filter).await;
    for (tar, _) in FORGERIES {
        forge_bundle(&store, &id, "policies", tar).await;
        let before = content(store.home().path());
        let restore = "restore --scenario network-policies --dry-run --identity keys/operator.txt";
        says(
            &store.netdr(restore).await.failed(5),
            &[&format!("policies.tar.zst.age of snapshot {id} is damaged")],
        );
        assert!(content(store.home().path()) == before, "something was written: {tar}");
    }
}

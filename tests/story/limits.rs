//! Names as long as they may be, and clocks that are wrong.

use std::fs;

use netdr::drill::cluster::host_root;

use crate::support::{MARKER, Store, says};

#[tokio::test]
async fn names_of_any_length_come_back() {
    let store = Store::new().await;
    let node = "n".repeat(63);
    host_root(&store.path("host"), &node, MARKER).unwrap();
    let (first, second) = ("a".repeat(250) + ".conf", "a".repeat(249) + "b.conf");
    for name in [&first, &second] {
        fs::write(store.path("host/etc/sysctl.d").join(name), format!("# {name}\n")).unwrap();
    }
    let id = store.backup().await;
    assert!(id.contains(&format!("-host-{node}-")), "{id}");
    let items = store.netdr(&format!("show {id} --items")).await.ok();
    says(&items, &[&first, &second]);
    store.json(&format!("verify {id} --read-data --identity keys/operator.txt")).await;
    store.netdr(&format!("extract {id} --to out --identity keys/operator.txt")).await.ok();
    store
        .shell(&format!(
            "mkdir stock; age -d -i keys/operator.txt repo/snapshots/{id}/host.tar.zst.age | tar --zstd -xC stock"
        ))
        .await
        .ok();
    for below in ["out/host", "stock"] {
        let folder = store.path(below).join("host").join(&node).join("etc/sysctl.d");
        let mut found: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("aaa"))
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        found.sort();
        assert_eq!(found, [format!("# {first}\n"), format!("# {second}\n")], "{below}");
    }
}

#[tokio::test]
async fn a_snapshot_from_the_future_is_kept_pointed_out_and_displaces_nothing() {
    let store = Store::new().await;
    let good = store.backup().await;
    let ahead = store.backup().await;
    let future = store.forge_future(&ahead).await;
    says(&store.netdr("snapshots").await.ok(), &["in the future"]);
    let next = store.netdr("backup --set host --host-root host").await;
    assert_eq!(next.code, Some(0), "{next:?}");
    says(&next.stderr, &[&format!("snapshot {future} is from the future"), "timedatectl"]);
    let pruned = store.json("prune").await;
    let reasons = pruned["keep"].as_array().unwrap().iter().find(|k| k["id"] == future.as_str()).unwrap();
    assert_eq!(reasons["reasons"][0], "captured in the future", "{pruned}");
    assert_eq!(pruned["delete"][0]["id"], good.as_str(), "the next one of the same day took its place");
    assert!(store.snapshot(&future).is_dir());
}

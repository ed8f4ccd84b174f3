//! A file that is not what the header says is found, named, and never opened.

use std::fs;

use crate::support::{Store, content, says};

/// What a shell does to the file "$f"; "$o" is the same file of another snapshot.
const DAMAGES: [(&str, &str, &str); 4] = [
    ("truncated", "truncate -s -1 $f", ", not "),
    (
        "bit-flipped",
        "printf \"\\\\$(printf %o $(( $(od -An -tu1 -j99 -N1 $f) ^ 1 )))\" | dd of=$f bs=1 seek=99 conv=notrunc status=none",
        "sha256",
    ),
    ("swapped", "cp $o $f", ""),
    ("missing", "rm $f", "is missing"),
];

#[tokio::test]
async fn damaged_bundles_and_indexes_are_named_and_nothing_comes_of_them() {
    let store = Store::new().await;
    let other = store.backup().await;
    fs::write(store.path("host/etc/sysctl.d/91-other.conf"), "vm.swappiness=1\n").unwrap();
    let id = store.backup().await;
    for file in ["host.tar.zst.age", "index.jsonl.zst.age"] {
        let path = store.snapshot(&id).join(file);
        let whole = fs::read(&path).unwrap();
        for (name, damage, words) in DAMAGES {
            let (f, o) = (path.display(), store.snapshot(&other).join(file));
            store.shell(&format!("f={f} o={}; {damage}", o.display())).await.ok();
            assert_ne!(fs::read(&path).ok().as_ref(), Some(&whole), "{name}");

            let verified = store.netdr(&format!("verify {id} --identity keys/operator.txt")).await;
            assert_eq!(verified.code, Some(5), "{name} {file}: {verified:?}");
            says(&verified.stdout, &[&id, file, words]);
            let reading = if file.starts_with("host") { "extract --to out" } else { "show --items" };
            let said = store.netdr(&format!("{reading} {id} --identity keys/operator.txt")).await.failed(5);
            says(
                &said,
                &[&format!("snapshot {id} is damaged: {file} "), words, &format!("netdr verify {id}")],
            );
            assert!(!store.path("out/host").exists(), "{name} {file}");
            let listed = store.netdr("snapshots").await.ok();
            says(&listed, &["2 snapshots"]);
            // What the size tells is told wherever somebody reads that a snapshot is good.
            if name == "missing" || (name == "truncated" && file.starts_with("host")) {
                says(&listed, &["  damaged  ", &format!("{id}: {file} "), &format!("netdr verify {id}")]);
                let checked = store.netdr("check recoverability").await;
                assert_eq!(checked.code, Some(8), "{name} {file}: {checked:?}");
                let next = format!("next: netdr verify {id}");
                says(&checked.stdout, &[&format!("{id} is damaged: {file} "), &next]);
            }
            fs::write(&path, &whole).unwrap();
        }
    }
    store.netdr("verify --identity keys/operator.txt").await.ok();
}

#[tokio::test]
async fn a_damaged_snapshot_does_not_keep_the_next_from_being_made() {
    let store = Store::new().await;
    let damaged = store.backup().await;
    fs::write(store.snapshot(&damaged).join("index.jsonl.zst.age"), "x").unwrap();
    let next = store.netdr("backup --set host --host-root host").await;
    assert_eq!(next.code, Some(0), "{next:?}");
    says(&next.stderr, &[&format!("cannot compare with snapshot {damaged}"), "index.jsonl.zst.age"]);
}

#[tokio::test]
async fn what_an_identity_does_not_open_stays_closed() {
    let store = Store::new().await;
    let id = store.backup().await;
    let before = content(&store.path("repo"));
    store.home().run("age-keygen", &["-o", "stranger.txt"]).await.ok();
    for (identity, words) in [
        ("stranger.txt", "the identity given does not open host.tar.zst.age"),
        ("keys/index.txt", "the identity given does not open host.tar.zst.age"),
    ] {
        let said = store.netdr(&format!("extract {id} --to out --identity {identity}")).await.failed(1);
        says(&said, &[words, &id, "operator's or the break-glass identity: --identity FILE"]);
        assert!(!store.path("out/host").exists());
    }
    says(&store.netdr("verify --identity stranger.txt").await.failed(1), &["does not open", "--identity"]);
    assert_eq!(content(&store.path("repo")), before);

    // What does not open hides no damage: not its own, and not that of the next.
    let next = store.backup().await;
    for id in [&id, &next] {
        store
            .shell(&format!("truncate -s -1 {}", store.snapshot(id).join("host.tar.zst.age").display()))
            .await
            .ok();
    }
    let verified = store.netdr("verify --identity stranger.txt --json").await.json(1);
    let damaged: Vec<&str> =
        verified["damaged"].as_array().unwrap().iter().filter_map(|d| d["snapshot"].as_str()).collect();
    assert_eq!(damaged, [&id, &next], "{verified}");
    assert_eq!(verified["unchecked"].as_array().unwrap().len(), 2, "{verified}");
}

/// Whoever may write to a repository can put one in the place of any file, and nobody ever writes to it.
#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_is_named_and_nobody_waits_for_it() {
    let store = Store::new().await;
    store.backup().await;
    let id = store.backup().await;
    let snapshot = format!("snapshots/{id}");
    for (file, verb) in [
        (format!("{snapshot}/snapshot.json"), "snapshots"),
        (format!("{snapshot}/snapshot.json.sig"), "snapshots"),
        (format!("{snapshot}/host.tar.zst.age"), "verify"),
        (format!("{snapshot}/index.jsonl.zst.age"), "verify --identity keys/operator.txt"),
        ("netdr-repository.json".into(), "snapshots"),
        ("locks/pipe".into(), "backup --set host --host-root host"),
        ("proofs.json".into(), "check recoverability"),
        ("reports/20261124T031500Z-drill-5b21d0.json".into(), "check recoverability"),
    ] {
        let (path, kept) = (store.path(&format!("repo/{file}")), store.path("kept"));
        let was = path.exists();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if was {
            fs::rename(&path, &kept).unwrap();
        }
        store.shell(&format!("mkfifo {}", path.display())).await.ok();
        let said = store.shell(&format!("timeout 20 netdr {verb} 2>&1 || echo code=$?")).await.ok();
        assert!(said.contains("is not a regular file") && !said.contains("code=124"), "{file}: {said}");
        fs::remove_file(&path).unwrap();
        if was {
            fs::rename(&kept, &path).unwrap();
        }
    }
    store.netdr("verify --identity keys/operator.txt").await.ok();
}

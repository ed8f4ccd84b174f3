//! docs/custody.md's break-glass drill, word by word.

use std::{fs, path::Path};

use netdr::drill::Options;

use crate::support::{Home, MARKER, fresh, says, shared};

/// The fenced commands of the drill, one text a block.
fn blocks() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/custody.md")).unwrap();
    let drill = text.split_once("\n## The break-glass drill\n").unwrap().1;
    let drill = drill.split("\n## ").next().unwrap();
    let blocks = drill.split("\n```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').unwrap().1.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_break_glass_drill_is_followed_word_by_word() {
    let home = Home::new().with_kubeconfig(shared().await.kubeconfig()).with_repository().await;
    let made = home.netdr(&["backup", "--set", "network", "--json"]).await.json(0);
    let id = made["snapshots"][0]["id"].as_str().unwrap();
    let blocks = blocks();
    // Where things are is whoever follows it's to say: of the first block, the same names get other values.
    let names: Vec<&str> = blocks[0].lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["snapshot", "identity", "signers"]);
    let places = format!(
        "snapshot=$PWD/repo/snapshots/{id}\nidentity=$PWD/keys/break-glass.txt\nsigners=$PWD/keys/trusted_signers"
    );
    let empty = fresh(Options::default()).await;
    let kubeconfig = empty.kubeconfig().display().to_string();
    let script = format!("export KUBECONFIG={kubeconfig}\n{places}\n{}", blocks[1..].join("\n"));
    let said = home.shell(&script).await.ok();
    says(&said, &["Good \"netdr-snapshot\" signature", "policies.tar.zst.age: OK", "nothing differs"]);
    assert_eq!(said.matches(": OK").count(), 5, "four bundles and the index: {said}");
    assert!(!said.contains(MARKER));

    // What was applied by hand is what netdr would have restored.
    let policies = home.netdr(&["backup", "--component", "policies", "--json"]).await.json(0);
    let id = policies["snapshots"][0]["id"].as_str().unwrap();
    let same = home.netdr(&["diff", id, "live", "--kubeconfig", &kubeconfig]).await;
    assert_eq!(same.ok(), "no differences\n");

    // Each check of the drill stops it where it must.
    for (harm, words) in [
        ("truncate -s -1 $snapshot/cni.tar.zst.age", "cni.tar.zst.age: FAILED"),
        ("sed -i s/complete/shrunk/ $snapshot/snapshot.json", "Signature verification failed"),
        ("mv $snapshot ${snapshot%-*}-000000; snapshot=${snapshot%-*}-000000", ""),
    ] {
        let harmed = format!(
            "rm -rf copy; mkdir copy; cp -r $PWD/repo/snapshots/* copy\n{}\n{harm}\n{}",
            places.replace("repo/snapshots", "copy"),
            blocks[1..3].join("\n")
        );
        let outcome = home.shell(&harmed).await;
        assert_ne!(outcome.code, Some(0), "{harm}: {outcome:?}");
        says(&format!("{}{}", outcome.stdout, outcome.stderr), &[words]);
    }
}

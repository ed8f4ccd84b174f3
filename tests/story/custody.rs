//! Keys over the years: proved before the disaster, changed, lost, and used without netdr.

mod drill;
mod killed;

use std::fs;

use serde_json::Value;

use crate::support::{MARKER, Store, content, says};

/// A recipient of the file.
fn recipient(store: &Store, folder: &str, line: usize) -> String {
    let text = fs::read_to_string(store.path(folder).join("recipients.txt")).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).nth(line).unwrap().to_owned()
}

fn ids(answer: &Value, list: &str, field: &str) -> Vec<String> {
    let all = answer[list].as_array().unwrap_or_else(|| panic!("{answer}"));
    all.iter().map(|one| one[field].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_proves_each_identity_on_the_newest_of_every_set() {
    let store = Store::beside_the_plane().await;
    let without = store.netdr("backup").await;
    says(&without.stderr, &["set host is passed over: this is no server node"]);
    without.ok();
    store.netdr("backup --set all --host-root host").await.ok();
    let newest = store.json("snapshots").await;
    let both = "keys check --identity keys/operator.txt --identity keys/break-glass.txt";
    let answer = store.json(both).await;
    let sets: Vec<String> = ids(&answer, "checked", "set");
    assert_eq!(sets.len(), 3, "{answer}");
    for one in answer["checked"].as_array().unwrap() {
        assert_eq!((&one["whole"], &one["unproved"]), (&true.into(), &Value::Array(vec![])), "{one}");
        assert_eq!(one["proved"].as_array().unwrap().len(), 2, "{one}");
        assert!(
            one["items"].as_u64().unwrap() > 0
                && ids(&newest, "snapshots", "id").contains(&one["id"].as_str().unwrap().to_owned())
        );
    }
    let answer = store.json("keys check --identity keys/operator.txt").await;
    let unproved = &answer["checked"][0]["unproved"];
    assert_eq!(
        unproved,
        &Value::from(vec![recipient(&store, "keys", 1)]),
        "nobody brought the break-glass one"
    );
    says(
        &store.netdr("keys check --identity keys/operator.txt").await.ok(),
        &[
            "every item opened",
            "opens      keys/operator.txt",
            &format!("not proved {}", recipient(&store, "keys", 1)),
        ],
    );

    store.home().run("age-keygen", &["-o", "stranger.txt"]).await.ok();
    let refused = store.netdr(&format!("{both} --identity stranger.txt --json")).await.json(1);
    assert_eq!(refused["checked"][0]["not_opened_by"], Value::from(vec!["stranger.txt"]), "{refused}");
    assert_eq!(refused["checked"][0]["whole"], true, "the others do");

    let id =
        answer["checked"].as_array().unwrap().iter().find(|one| one["set"] == "host").unwrap()["id"].clone();
    let bundle = store.snapshot(id.as_str().unwrap()).join("host.tar.zst.age");
    store.shell(&format!("truncate -s -1 {}", bundle.display())).await.ok();
    let damaged = store.netdr(both).await;
    assert_eq!(damaged.code, Some(5), "{damaged:?}");
    says(&damaged.stdout, &["NOT PROVED", "DAMAGED    host.tar.zst.age"]);
}

#[tokio::test]
async fn check_names_a_newer_one_that_nobody_answers_for() {
    let store = Store::new().await;
    let (proved, forged) = (store.backup().await, store.backup().await);
    fs::remove_file(store.snapshot(&forged).join("snapshot.json.sig")).unwrap();
    let outcome = store.netdr("keys check --identity keys/operator.txt").await;
    assert_eq!(outcome.code, Some(5), "{outcome:?}");
    says(
        &outcome.stdout,
        &[&format!("{proved}  "), &format!("NEWER, BUT UNTRUSTED: {forged}: it is not signed")],
    );
}

#[tokio::test]
async fn a_lost_index_key_stops_neither_backups_nor_readers() {
    let store = Store::new().await;
    let before = store.backup().await;
    fs::rename(store.path("keys/index.txt"), store.path("lost.txt")).unwrap();
    let outcome = store.netdr("backup --set host --host-root host --json").await;
    says(
        &outcome.stderr,
        &["index key ", "keys/index.txt does not exist", "age-keygen -o ", "what shrank was not found out"],
    );
    let blind = ids(&outcome.json(3), "snapshots", "id").remove(0);
    let listed = store.netdr("snapshots").await;
    says(&listed.stderr, &["does not exist"]);
    says(&listed.ok(), &[&before, &blind]);
    for id in [&before, &blind] {
        let items = store.netdr(&format!("show {id} --items --identity keys/operator.txt")).await.ok();
        says(&items, &["etc/rancher/rke2/config.yaml"]);
    }
    store.netdr(&format!("diff {before} {blind} --identity keys/operator.txt")).await.ok();
    says(
        &store.netdr("snapshots --index-key typo.txt").await.failed(2),
        &["--index-key names it", "age-keygen"],
    );

    // A new one serves from now on.
    store.shell("age-keygen -o keys/index.txt").await.ok();
    assert_eq!(store.json("snapshots").await["snapshots"].as_array().unwrap().len(), 2);
    let next = store.backup().await;
    says(&store.netdr(&format!("show {next} --items")).await.ok(), &["etc/rancher/rke2/config.yaml"]);
}

#[tokio::test]
async fn a_rotation_that_opens_nothing_says_whose_identity_would() {
    let store = Store::new().await;
    let old = [store.backup().await, store.backup().await];
    store.netdr("keys generate --out new").await.ok();
    store.home().run("age-keygen", &["-o", "stranger.txt"]).await.ok();
    let outcome = store.netdr("keys rotate --recipients new/recipients.txt --identity stranger.txt").await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    for id in &old {
        assert_eq!(outcome.stderr.matches(id.as_str()).count(), 1, "{outcome:?}");
    }
    let hint = "bring an identity of a recipient with fingerprint ";
    assert_eq!(outcome.stderr.matches(hint).count(), 1, "{outcome:?}");
    assert!(!outcome.stdout.contains("Prove it"), "{outcome:?}");
}

#[tokio::test]
async fn ssh_keys_and_the_places_where_sops_looks_are_proved_too() {
    let store = Store::new().await;
    let said = store.netdr("keys check --identity keys/operator.txt").await.failed(1);
    says(&said, &["no trusted snapshot", "netdr backup"]);
    store
        .shell("ssh-keygen -q -t ed25519 -N '' -f id; ssh-keygen -q -t rsa -b 2048 -N '' -f rsa; cat id.pub rsa.pub >> keys/recipients.txt")
        .await
        .ok();
    store.backup().await;
    let answer = store.json("keys check --identity id --identity rsa").await;
    let one = &answer["checked"][0];
    assert_eq!((&one["whole"], one["proved"].as_array().unwrap().len()), (&true.into(), 2), "{answer}");
    assert!(one["proved"][0].as_str().unwrap().starts_with("ssh-"), "{answer}");

    let script = "export SOPS_AGE_KEY=$(grep AGE-SECRET-KEY keys/break-glass.txt)
        netdr keys check -v; netdr keys check --json; netdr verify --read-data";
    let said = store.shell(script).await;
    says(&said.stdout, &["opens      SOPS_AGE_KEY", "\"SOPS_AGE_KEY\"", "every item opened"]);
    assert!(!format!("{said:?}").contains("AGE-SECRET"), "{said:?}");
    store.shell("mkdir -p .config/sops/age; cp keys/operator.txt .config/sops/age/keys.txt").await.ok();
    says(&store.netdr("keys check").await.ok(), &[".config/sops/age/keys.txt"]);
}

#[tokio::test]
async fn rotating_seals_what_is_there_to_others_and_says_what_stays_open_to_the_old() {
    let store = Store::new().await;
    let old = [store.backup().await, store.backup().await, store.backup().await];
    store.netdr("keys generate --out new").await.ok();
    let rotate = "keys rotate --recipients new/recipients.txt --identity keys/operator.txt";
    let before = content(&store.path("repo"));
    let planned = store.json(&format!("{rotate} --dry-run")).await;
    assert_eq!(ids(&planned, "resealed", "id"), old);
    assert_eq!(content(&store.path("repo")), before, "a dry run changes nothing");

    let run = store.path("repo/runs/20261124T031500Z-traefik-5b21d0");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("safety-ingress.tar.zst.age"), "sealed to the old").unwrap();
    let outcome = store.netdr(&format!("{rotate} --json")).await;
    let line = fs::read_to_string(store.path("netdr.yaml")).unwrap();
    let line = line.lines().position(|line| line.starts_with("recipients_file:")).unwrap() + 1;
    let to = store.path("new/recipients.txt").display().to_string();
    says(
        &outcome.stderr,
        &[
            &format!("netdr.yaml, line {line}, names other recipients"),
            &format!("make it: recipients_file: {to}"),
            "what 1 run saved for undo stays open to the old identities",
        ],
    );
    let answer = outcome.json(0);
    assert_eq!(ids(&answer, "resealed", "id"), old);
    let new = ids(&answer, "resealed", "as");
    assert_eq!(answer["configuration"]["line"], line, "{answer}");
    assert_eq!(ids(&store.json("snapshots").await, "snapshots", "id"), new, "in their order");
    let shown = store.netdr(&format!("show {}", new[0])).await.ok();
    says(&shown, &[&format!("it is {}, sealed anew", old[0]), "sealed to recipients of fingerprint"]);

    store.netdr("verify --identity new/operator.txt").await.ok();
    let proved = store.json("keys check --identity new/operator.txt --identity new/break-glass.txt").await;
    assert_eq!(proved["checked"][0]["unproved"], Value::Array(vec![]), "{proved}");
    store.netdr("keys check --identity keys/operator.txt").await.failed(1);
    let bundle = store.snapshot(&new[0]).join("host.tar.zst.age");
    let open = |identity: &str| format!("age -d -i {identity} {} | tar --zstd -t", bundle.display());
    says(&store.shell(&open("new/break-glass.txt")).await.ok(), &["etc/rancher/rke2/config.yaml"]);
    assert_ne!(store.shell(&open("keys/break-glass.txt")).await.code, Some(0));

    store.shell("sed -i 's,keys/recipients.txt,new/recipients.txt,' netdr.yaml").await.ok();
    let next = store.backup().await;
    let again = store.json(&rotate.replace("keys/operator", "new/operator")).await;
    assert_eq!((ids(&again, "resealed", "id").len(), &again["configuration"]), (0, &Value::Null), "{again}");
    assert!(again["unchanged"].as_array().unwrap().contains(&next.clone().into()), "{again}");
    // Those of the configuration, where no others are named.
    let configured = store.json("keys rotate --identity new/operator.txt").await;
    assert!(configured["unchanged"].as_array().unwrap().contains(&next.into()), "{configured}");
    assert_eq!(configured["resealed"], Value::Array(vec![]));
    assert!(!format!("{answer}{again}{proved}").contains(MARKER));
}

#[tokio::test]
async fn what_cannot_be_sealed_anew_is_named_and_stops_nothing() {
    let store = Store::new().await;
    let (damaged, good, unsigned) = (store.backup().await, store.backup().await, store.backup().await);
    store
        .shell(&format!("truncate -s -1 {}", store.snapshot(&damaged).join("host.tar.zst.age").display()))
        .await
        .ok();
    fs::remove_file(store.snapshot(&unsigned).join("snapshot.json.sig")).unwrap();
    store.netdr("keys generate --out new").await.ok();
    let rotate = "keys rotate --recipients new/recipients.txt --json";
    let answer = store.netdr(&format!("{rotate} --identity keys/operator.txt")).await.json(5);
    assert_eq!(ids(&answer, "resealed", "id"), [good]);
    let mut left = ids(&answer, "left", "id");
    left.sort();
    let mut stay = [damaged.clone(), unsigned.clone()];
    stay.sort();
    assert_eq!(left, stay, "{answer}");
    assert!(store.snapshot(&damaged).exists() && store.snapshot(&unsigned).exists());

    fs::remove_dir_all(store.snapshot(&damaged)).unwrap();
    fs::remove_dir_all(store.snapshot(&unsigned)).unwrap();
    store.home().run("age-keygen", &["-o", "stranger.txt"]).await.ok();
    let other = store.backup().await;
    let answer = store.netdr(&format!("{rotate} --identity stranger.txt")).await;
    says(&answer.stderr, &[&format!("{other} stays as it is"), "the identity at hand does not open"]);
    assert_eq!(ids(&answer.json(3), "left", "id"), [other]);
    let before = content(&store.path("repo"));
    store.shell("ssh-keygen -q -t ed25519 -N '' -f another").await.ok();
    let said =
        store.netdr(&format!("{rotate} --identity keys/operator.txt --signing-key another")).await.failed(2);
    says(&said, &["what the signing key signs would not be trusted", "--signing-key FILE"]);
    fs::write(store.path("one.txt"), recipient(&store, "new", 0)).unwrap();
    says(
        &store.netdr("keys rotate --recipients one.txt --identity keys/operator.txt --dry-run").await.stderr,
        &["one recipient is too few"],
    );
    assert_eq!(content(&store.path("repo")), before);
}

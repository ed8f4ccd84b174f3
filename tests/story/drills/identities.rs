//! What a drill says of the identities that it was given: that they open what it drilled, where they did.

use std::fs;

use netdr::{
    repository::Proved,
    seal::{Recipients, fingerprint},
};
use serde_json::{Value, json};

use super::{custody, drill_without_room, memory};
use crate::support::says;

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_a_proof_of_the_identities_that_opened_all_of_it() {
    let (home, memory) = (custody().await, memory());
    // What it does not read whole it proves nothing of.
    let snapshots = fs::read_dir(home.path().join("repo/snapshots")).unwrap();
    let mut folders = snapshots.map(|entry| entry.unwrap().path());
    let network = folders.find(|folder| folder.display().to_string().contains("-network-")).unwrap();
    let bundle = network.join("policies.tar.zst.age");
    let whole = fs::read(&bundle).unwrap();
    fs::write(&bundle, [&whole[..whole.len() - 1], &[whole[whole.len() - 1] ^ 1]].concat()).unwrap();
    let plan = ["--scenario", "traefik"];
    let said = drill_without_room(&home, memory.path(), &plan).await.failed(5);
    says(&said, &["policies.tar.zst.age"]);
    let proofs = home.path().join("repo/proofs.json");
    assert!(!proofs.exists(), "{said}");

    // What it opened it proves, whatever comes of its scenarios; and of an identity that opens nothing, nothing.
    fs::write(&bundle, whole).unwrap();
    home.shell("age-keygen -o another.txt").await.ok();
    let words = [&plan[..], &["--identity", "another.txt"]].concat();
    let document = drill_without_room(&home, memory.path(), &words).await.json(1);
    let proved: Vec<Proved> = serde_json::from_slice(&fs::read(proofs).unwrap()).unwrap();
    let text = fs::read_to_string(home.path().join("keys/recipients.txt")).unwrap();
    let recipients = Recipients::parse(text.lines(), "recipients.txt").unwrap();
    let [operator, break_glass] = recipients.lines() else { panic!("{:?}", recipients.lines()) };
    let sets: Vec<String> = proved.iter().map(|one| one.set.to_string()).collect();
    assert_eq!(sets.len(), 3, "{proved:#?}");
    assert!(proved.iter().all(|one| one.recipient == fingerprint(operator)), "{proved:#?}");
    for source in document["sources"].as_array().unwrap() {
        assert_eq!(source["opened_by"], json!([fingerprint(operator)]), "{source:#}");
    }

    let found = home.netdr(&["check", "recoverability", "--json"]).await.json(8);
    let checks = found["checks"].as_array().unwrap();
    let of = |what: &str| checks.iter().find(|check| check["name"] == what).unwrap();
    let identities = of("recoverability identities of network");
    assert_eq!((&identities["status"], &identities["value"]), (&json!("warn"), &json!(1)), "{identities:#}");
    says(&identities["why"].to_string(), &[&fingerprint(break_glass), "was never proved"]);
    assert_eq!(of("recoverability drill")["value"], Value::Null, "it was none that counts");
}

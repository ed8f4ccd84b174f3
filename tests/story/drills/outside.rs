//! Places outside: whether they have what was drilled, what their archive says, and the report's copies there.

use std::fs;

use serde_json::json;

use super::memory;
use crate::support::{Glacier, Hook, Store, built, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_asked_for_what_was_drilled_and_learns_no_name_from_the_report() {
    let (store, glacier, memory) = (Store::beside_the_plane().await, Glacier::start().await, memory());
    glacier.replicates(&store, "");
    let id = store.backup_policies().await;
    let bin = built().join("bin");
    let words = format!(
        "drill --scenario network-policies --identity keys/operator.txt --json --thaw --memory {} --assets {}",
        memory.path().display(),
        bin.display()
    );
    let document = store.netdr(&words).await.json(0);
    let check = &document["checks"][0];
    assert_eq!(check["outcome"], "passed", "{check:#}");
    says(&check["details"][0].to_string(), &[&id, "by HEAD", "DEEP_ARCHIVE", "asked for from its archive"]);
    let files = glacier.objects().iter().filter(|(key, ..)| key.contains(&id)).count();
    says(&check["details"][0].to_string(), &[&format!(": {files} files are there")]);
    assert!(glacier.calls().iter().any(|call| call.contains("RestoreObject")), "{:?}", glacier.calls());

    // All of it is there, and opens to the recipients alone, with stock tools.
    let report = document["report"].as_str().unwrap();
    let names: Vec<String> = glacier.objects().into_iter().map(|(key, ..)| key).collect();
    assert_eq!(names.iter().filter(|key| key.contains("/reports/")).count(), 6, "{names:?}");
    let sealed = glacier.body(&format!("{report}.json.zst.age"));
    assert!(!String::from_utf8_lossy(&sealed).contains("networkpolicies"));
    fs::write(store.path("sealed"), sealed).unwrap();
    let same = format!("age -d -i keys/operator.txt sealed | zstd -d | cmp - repo/reports/{report}.json");
    store.shell(&same).await.ok();

    // What a place lacks of it, the next replicate copies; what nobody answers for stays here.
    glacier.expire(&format!("{report}.html.zst.age"));
    glacier.expire(&format!("{report}.md.sig.zst.age"));
    let forged = "20261101T000000Z-drill-000000.md";
    for name in [forged.to_owned(), format!("{forged}.sig")] {
        fs::write(store.path("repo/reports").join(name), "forged").unwrap();
    }
    let replicated = store.netdr("replicate --json").await;
    says(&replicated.stderr, &[&format!("report {forged} is untrusted and not copied")]);
    assert_eq!(
        replicated.json(0)["places"][0]["reports"],
        json!([format!("{report}.html"), format!("{report}.md.sig")])
    );
    let sealed = glacier.body(&format!("{report}.html.zst.age"));
    fs::write(store.path("sealed"), sealed).unwrap();
    store.shell(&same.replace(".json", ".html")).await.ok();
    let said = store.netdr("replicate").await.ok();
    assert!(!said.contains("reports copied"), "{said}");

    // What a place lacks is said, and the drill is what it was.
    for (key, ..) in glacier.objects().iter().filter(|(key, ..)| key.ends_with("policies.tar.zst.age")) {
        glacier.expire(key);
    }
    let hook = Hook::start();
    store.configure(&hook.configuration());
    let document = store.netdr(&words.replace(" --thaw", "")).await.json(3);
    assert_eq!(document["scenarios"][0]["outcome"], json!("recovered"));
    assert_eq!(document["checks"][0]["outcome"], json!("failed"), "{:#}", document["checks"]);
    says(&document["checks"][0]["details"].to_string(), &["policies.tar.zst.age is missing"]);
    let message = &hook.taken()[0];
    assert_eq!(message["event"], json!("partial"), "{message:#}");
    says(&message["why"].to_string(), &["policies.tar.zst.age is missing"]);

    // A report that cannot be sealed for them is there all the same, and the answer is one.
    store.shell("rm keys/recipients.txt").await.ok();
    let outcome = store.netdr(&words.replace(" --thaw", "")).await;
    says(&outcome.stderr, &["the report is not copied", "recipients", "is in report"]);
    assert_eq!(outcome.json(2)["scenarios"][0]["outcome"], json!("recovered"));
}

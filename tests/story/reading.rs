//! Reading snapshots: what changed between them and since, with the index key alone and with an identity.

use netdr::drill::Options;
use serde_json::{Value, json};

use crate::support::{Home, fresh};

const POLICIES: &str = "tests/story/three-policies.yaml";

/// The changes of a comparison as "change key", and of the changed ones the fields.
fn changes(document: &Value) -> Vec<(String, &Value)> {
    let items = document["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let text = |field: &str| item[field].as_str().unwrap();
            (format!("{} {}", text("change"), text("key")), &item["fields"])
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_told_between_snapshots_and_since() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let kubectl = async |arguments: &[&str]| home.run("kubectl", arguments).await.ok();
    let policies = format!("{}/{POLICIES}", env!("CARGO_MANIFEST_DIR"));
    kubectl(&["create", "-f", &policies]).await;
    let backup = async || {
        let document = home.netdr(&["backup", "--set", "network", "--json"]).await.json(0);
        document["snapshots"][0]["id"].as_str().unwrap().to_owned()
    };
    let before = backup().await;
    assert_eq!(home.netdr(&["drift", "--json"]).await.json(0)["items"], json!([]));
    assert_eq!(home.netdr(&["diff", &before, "live"]).await.ok(), "no differences\n");

    kubectl(&["delete", "networkpolicy", "goes", "-n", "shop"]).await;
    kubectl(&["create", "namespace", "new"]).await;
    let opened = r#"{"spec": {"ingress": [{}]}}"#;
    kubectl(&["patch", "networkpolicy", "changes", "-n", "shop", "--type", "merge", "--patch", opened]).await;

    // The index key alone says which; an identity says in which fields.
    let drift = home.netdr(&["drift", "--json"]).await.json(4);
    let expected = [
        "added resources/core/namespaces/_cluster/new",
        "changed resources/networking.k8s.io/networkpolicies/shop/changes",
        "removed resources/networking.k8s.io/networkpolicies/shop/goes",
    ];
    let sorted = |document: &Value| {
        let mut told: Vec<String> = changes(document).into_iter().map(|(change, _)| change).collect();
        told.sort();
        told
    };
    assert_eq!(sorted(&drift), expected);
    assert_eq!(drift["against"], json!([before]));

    let after = backup().await;
    let identity = ["--identity", "keys/operator.txt"];
    let diff = home.netdr(&[&["diff", &before, &after, "--json"][..], &identity].concat()).await.json(4);
    assert_eq!(sorted(&diff), expected);
    let told = changes(&diff);
    let (_, fields) = told.iter().find(|(change, _)| change.starts_with("changed")).unwrap();
    assert!(fields.to_string().contains("ingress"), "{fields}");
    let latest = home.netdr(&["show", "latest", "--json"]).await.json(0);
    assert_eq!(latest["id"], json!(after));
    let said = home.netdr(&["diff", &before, "latest"]).await;
    assert!(said.stdout.ends_with("3 differences: 1 added, 1 removed, 1 changed\n"), "{}", said.stdout);
    assert_eq!(said.code, Some(4));

    let listed = home.netdr(&["snapshots", "--json"]).await.json(0);
    let line = &listed["snapshots"][1];
    assert_eq!(line["id"], json!(after));
    assert_eq!((&line["added"], &line["changed"], &line["removed"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(listed["snapshots"][0]["added"], Value::Null, "there is none before the first");

    // Two snapshots stand between a person and any of its words: none needs the identity but these.
    let verified = home.netdr(&["verify", "--all", "--json"]).await.json(0);
    assert_eq!((&verified["checked"], &verified["opened"]), (&json!(2), &json!(false)));
    let read = home.netdr(&[&["verify", "--read-data", "--json"][..], &identity].concat()).await.json(0);
    assert_eq!((&read["damaged"], &read["opened"]), (&json!([]), &json!(true)));
    let refusal = home.netdr(&["extract", &after, "--to", "out"]).await.failed(2);
    assert!(refusal.contains("no identity") && refusal.contains("--identity FILE"), "{refusal}");
    let extract = ["extract", &after, "--component", "policies", "--to", "out"];
    home.netdr(&[&extract[..], &identity].concat()).await.ok();
    let file = home.path().join("out/policies/resources/networking.k8s.io/networkpolicies/shop/changes.yaml");
    assert!(std::fs::read_to_string(file).unwrap().contains("ingress"));
    let missing = "20260101T000000Z-network-ffffff";
    for verb in [&["show", missing][..], &["diff", missing, "live"], &["verify", missing]] {
        let refusal = home.netdr(verb).await;
        assert!(refusal.stderr.contains(missing) && refusal.code != Some(0), "{verb:?}: {refusal:?}");
    }

    // A component that only one of the two has is not compared, and none of its items seems to be lost.
    let some = home.netdr(&["backup", "--component", "policies", "--json"]).await.json(0);
    let some = some["snapshots"][0]["id"].as_str().unwrap();
    let partly = home.netdr(&["diff", &after, some, "--json"]).await.json(3);
    assert_eq!(partly["items"], json!([]));
    assert_eq!(partly["unread"][0], format!("cni, which only {after} has"));
    let listed = home.netdr(&["snapshots", "--json"]).await.json(0);
    assert_eq!(listed["snapshots"][2]["removed"], Value::Null, "no other is of the policies alone");
}

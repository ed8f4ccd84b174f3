//! `drift --against git`: the live state beside what people author, and the recovery point that follows from it.

use serde_json::json;

use crate::support::{Forge, Objects, Operator, POLICIES, acts, everything, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn drift_against_git_finds_what_nobody_authored_and_says_since_when() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    let authored = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
        apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\n\
        spec: {podSelector: {}, ingress: [{ports: [{port: 8080}]}]}\n";
    objects.create(authored).await;
    let none = home.netdr(&["drift", "--against", "git"]).await.failed(2);
    assert!(none.contains("no Git source is configured"), "{none}");
    let forge = Forge::in_home(home).await;
    forge.write("shop.yaml", authored);
    let commit = forge.commit("-S").await;
    let drift = async |code: i32| home.netdr(&["drift", "--against", "git", "--json"]).await.json(code);
    let equal = drift(0).await;
    assert_eq!((&equal["items"], &equal["unread"]), (&json!([]), &json!([])), "defaults are no difference");
    assert!(equal["against"][0].as_str().unwrap().ends_with(&format!("@{commit}")), "{equal:#}");
    // Who may only read learns nothing of what people wrote, and is told so.
    let schedules = format!("{}/schedules", env!("CARGO_MANIFEST_DIR"));
    home.run("kubectl", &["apply", "-k", &schedules]).await.ok();
    let reader =
        plane.kubeconfig_for("system:serviceaccount:netdr:netdr-network", Some("system:serviceaccounts"));
    let reader = reader.unwrap().display().to_string();
    let reads = ["--kubeconfig", &reader, "drift", "--against", "git", "--json"];
    let refused = home.netdr(&reads).await.json(3);
    assert_eq!(refused["items"], json!([]), "{refused:#}");
    let why = "networkpolicies.networking.k8s.io shop/deny: the API server refused a dry run of it";
    assert!(refused["unread"][0].as_str().unwrap().starts_with(why), "{refused:#}");

    let plan = operator.plan("network-policies", &["--from", "git"]).await;
    assert_eq!((&plan["source"]["lossless"], acts(&plan).len()), (&json!(true), 0));
    assert!(plan["warnings"].to_string().contains("it was seen equal to the cluster at"), "{plan:#}");

    let open = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: shop}, \
        spec: {podSelector: {}, ingress: [{}]}}";
    objects.create(open).await;
    objects.merge(POLICIES, "shop/deny", json!({"spec": {"egress": [{}]}})).await;
    let found = drift(4).await;
    let items = found["items"].as_array().unwrap();
    let told: Vec<String> = items.iter().map(|i| format!("{} {}", i["change"], i["key"])).collect();
    let policy = "resources/networking.k8s.io/networkpolicies/shop";
    assert_eq!(told, [format!("\"changed\" \"{policy}/deny\""), format!("\"added\" \"{policy}/open\"")]);
    assert!(items[0]["fields"].to_string().contains("spec.egress"), "{found:#}");

    // It was seen that the cluster has what Git has not: its recovery point is when they were equal.
    let plan = operator.plan("network-policies", &["--from", "git"]).await;
    assert_eq!(plan["source"]["lossless"], false, "{plan:#}");
    assert!(plan["warnings"].to_string().contains("it was last seen equal to the cluster at"), "{plan:#}");
    let report = operator.restore("network-policies", &["--from", "git", "--yes"]).await.json(6);
    assert_eq!((&report["outcome"], &report["rpo_met"]), (&json!("recovered"), &json!(false)), "{report:#}");
    assert!(report["recovery_point_s"].as_u64().unwrap() > 0, "{report:#}");
    drift(0).await;
}

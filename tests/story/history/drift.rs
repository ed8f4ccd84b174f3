//! `drift --against git`: the live state beside what people author, and the recovery point that follows from it.

use serde_json::json;

use crate::support::{Forge, MARKER, Objects, Operator, POLICIES, acts, everything, fresh};

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

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_release_are_compared_by_key_and_never_shown() {
    let plane = fresh(everything()).await.loaded().await;
    let operator = Operator::of(&plane).await;
    let home = &operator.home;
    let source = "path: helm/values.yaml, component: ingress, release: traefik/traefik";
    let forge = Forge::of(home, "helm", source).await;
    let values = home.shell("helm get values traefik -n traefik -o yaml").await.ok();
    assert!(values.contains(MARKER), "{values}");
    forge.write("values.yaml", &values);
    forge.commit("-S").await;
    let drift = ["drift", "--against", "git", "--json"];
    assert_eq!(home.netdr(&drift).await.json(0)["items"], json!([]));
    forge.write("values.yaml", &values.replace(MARKER, "another"));
    forge.commit("-S").await;
    let found = home.netdr(&drift).await.json(4);
    let item = &found["items"][0];
    assert_eq!((&item["key"], &item["change"]), (&json!("helm/traefik/traefik"), &json!("changed")));
    let fields = item["fields"].as_array().unwrap();
    assert!(fields.iter().all(|field| field["secret"] == true && field["after"].is_null()), "{item:#}");
    let said = home.netdr(&drift[..3]).await;
    assert!(said.stdout.contains("differs (secret)"), "{}", said.stdout);
    assert!(!format!("{found}{}{}", said.stdout, said.stderr).contains(MARKER));
}

/// Whoever names a history as a source gets what was seen, but for what was filtered.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_named_as_a_source_brings_back_all_but_what_was_filtered() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    let policy = |name: &str, note: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: default, \
             annotations: {{note: '{note}'}}}}, spec: {{podSelector: {{}}}}}}"
        )
    };
    objects.create(&policy("plain", "a")).await;
    objects.create(&policy("told", &format!("https://me:{MARKER}@forge.lab/"))).await;
    home.shell(
        "git init -q --bare seen.git; echo \"seen namespaces=\\\"git\\\" $(cat keys/signing.pub)\" >> keys/trusted_signers",
    )
    .await
    .ok();
    operator.configure(
        "git: {history: {url: seen.git, path: seen}, \
         sources: [{url: seen.git, branch: netdr, path: seen/policies, component: policies}]}",
    );
    operator.backup().await;
    for name in ["default/plain", "default/told"] {
        objects.delete(POLICIES, name).await;
    }
    objects.create(&policy("more", "b")).await;
    let plan = operator.plan("network-policies", &["--from", "git"]).await;
    let create = ("create".to_owned(), "networkpolicies.networking.k8s.io default/plain".to_owned());
    assert_eq!(acts(&plan), [create], "nothing is deleted for the sake of what was passed over");
    assert_eq!(plan["source"]["lossless"], false, "nobody authored it: {plan:#}");
    let said = plan["warnings"].to_string();
    for part in
        ["default/told.yaml has fields that netdr filtered out of Git", "--from snapshot", "is netdr's own"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let report = operator.restore("network-policies", &["--from", "git", "--yes"]).await.json(6);
    assert_eq!(report["outcome"], "recovered", "{report:#}");
    assert!(objects.get(POLICIES, "default/told").await.is_none());
}

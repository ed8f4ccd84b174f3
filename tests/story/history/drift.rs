//! `drift --against git`: the live state beside what people author, and the recovery point that follows from it.

use serde_json::json;

use crate::support::{Forge, MARKER, Objects, Operator, POLICIES, acts, eventually, everything, fresh, says};

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
    // Nobody authors one of its kind: a restore leaves it alone, and so it is no difference and costs no recovery point.
    let global = "{apiVersion: crd.projectcalico.org/v1, kind: GlobalNetworkPolicy, metadata: {name: theirs}, spec: {}}";
    objects.create(global).await;
    let passed = home.netdr(&["drift", "--against", "git"]).await;
    let told = "not compared, for nobody authors an object of its kind: globalnetworkpolicies.crd.projectcalico.org theirs";
    says(&passed.stderr, &[told]);
    let equal = drift(0).await;
    assert_eq!((&equal["items"], &equal["unread"]), (&json!([]), &json!([])), "defaults are no difference");
    assert!(equal["against"][0].as_str().unwrap().ends_with(&format!("@{commit}")), "{equal:#}");
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
    let egress = json!([{"path": "spec.egress", "after": [{}]}]);
    assert_eq!(items[0]["fields"], egress, "{found:#}");
    let said = "a network policy allows everything now: whoever it selects is open to all";
    for item in items {
        assert_eq!((&item["severity"], &item["reasons"][0]), (&json!("critical"), &json!(said)), "{item:#}");
    }

    // It was seen that the cluster has what Git has not: its recovery point is when they were equal.
    let plan = operator.plan("network-policies", &["--from", "git"]).await;
    assert_eq!(plan["source"]["lossless"], false, "{plan:#}");
    assert!(plan["warnings"].to_string().contains("it was last seen equal to the cluster at"), "{plan:#}");
    let report = operator.restore("network-policies", &["--from", "git", "--yes"]).await.json(6);
    assert_eq!((&report["outcome"], &report["rpo_met"]), (&json!("recovered"), &json!(false)), "{report:#}");
    assert!(report["recovery_point_s"].as_u64().unwrap() > 0, "{report:#}");
    drift(0).await;
}

/// Who may not ask by dry runs compares what is written, and is told what is left and the command that gives the right.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_compares_what_is_written_and_is_told_the_right_that_is_missing() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    let authored = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
        apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\n\
        spec: {podSelector: {}, ingress: [{ports: [{port: 8080}]}]}\n";
    objects.create(authored).await;
    let forge = Forge::in_home(home).await;
    forge.write("shop.yaml", authored);
    forge.commit("-S").await;
    let account = "system:serviceaccount:netdr:netdr-network";
    let schedules = format!("{}/schedules", env!("CARGO_MANIFEST_DIR"));
    home.run("kubectl", &["apply", "-k", &schedules]).await.ok();
    let reader = plane.kubeconfig_for(account, Some("system:serviceaccounts")).unwrap();
    let reader = reader.display().to_string();
    let drift = async |code: i32, more: &[&str]| {
        let words = ["--kubeconfig", &reader, "drift", "--against", "git", "--json"];
        home.netdr(&[&words[..], more].concat()).await.json(code)
    };
    let found = drift(3, &[]).await;
    assert_eq!(found["items"], json!([]), "{found:#}");
    let unread = found["unread"][0].as_str().unwrap();
    let kinds =
        "what the cluster has beside what is written in Git, of networkpolicies.networking.k8s.io (1)";
    says(unread, &[kinds, account, "create and update"]);
    // What is written is compared all the same, and judged.
    objects.merge(POLICIES, "shop/web", json!({"spec": {"ingress": [{"ports": [{"port": 9090}]}]}})).await;
    let found = drift(3, &[]).await;
    let item = &found["items"][0];
    assert_eq!((&item["change"], &item["severity"]), (&json!("changed"), &json!("high")), "{found:#}");
    says(&item["fields"].to_string(), &["8080", "9090"]);
    let hidden = drift(3, &["--min-severity", "critical"]).await;
    assert_eq!((&hidden["items"], &hidden["less_grave"]), (&json!([]), &json!(1)), "{hidden:#}");

    // The command that netdr names, and what docs/git.md has besides: the account compares all, and still writes nothing.
    home.shell(unread.split_once("give them with: ").unwrap().1).await.ok();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/git.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once("```yaml\napiVersion: admissionregistration.k8s.io/v1").unwrap();
    let only = rest.split_once("```").unwrap().0.replace("ACCOUNT", account);
    std::fs::write(
        home.path().join("only.yaml"),
        format!("apiVersion: admissionregistration.k8s.io/v1{only}"),
    )
    .unwrap();
    home.run("kubectl", &["apply", "-f", "only.yaml"]).await.ok();
    let found = drift(4, &[]).await;
    assert_eq!((&found["unread"], found["items"].as_array().unwrap().len()), (&json!([]), 1), "{found:#}");
    drift(0, &["--min-severity", "critical"]).await;
    let write = ["--kubeconfig", &reader, "create", "-n", "shop", "-f", "-"];
    let policy = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {podSelector: {}}}";
    let create = format!("echo '{policy}' | kubectl {}", write.join(" "));
    eventually("writing to be refused", async || {
        let tried = home.shell(&create).await;
        let refused = tried.stderr.contains("compares with Git in dry runs");
        if !refused {
            home.shell("kubectl delete networkpolicy a -n shop --ignore-not-found").await.ok();
        }
        refused.then_some(())
    })
    .await;
    home.shell(&create.replace("create -n", "create --dry-run=server -n")).await.ok();
    // Different all the same, however grave: its recovery point is when they were last equal.
    let plan = operator.plan("network-policies", &["--from", "git"]).await;
    assert_eq!(plan["source"]["lossless"], false, "{plan:#}");
    home.netdr(&["drift", "--against", "git", "--set", "network"]).await.failed(2);
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
    assert_eq!(item["severity"], "medium", "{item:#}");
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

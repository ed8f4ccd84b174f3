//! What a drill breaks on a cluster that has a will of its own: finalizers, and policies that deny.

use serde_json::json;

use super::recovered;
use crate::support::{Home, corrupted, eventually, says};

const MARK: &str = "kubectl -n kube-system create configmap netdr-drill-cluster \
                    --from-literal=cluster=$(kubectl get namespace kube-system -o jsonpath='{.metadata.uid}')";
const DRILL: &str = "netdr drill --context disposable --same-cluster --scenario network-policies --identity keys/operator.txt --json --yes";

/// Once all is broken that can be, whoever put the finalizers there lets go.
async fn let_go(home: &Home) {
    let shown = "kubectl get networkpolicies -A -o jsonpath='{range .items[*]}{.metadata.deletionTimestamp} {.metadata.namespace} {.metadata.name}{\"\\n\"}{end}'";
    let going = eventually("the policies to be on their way out", async || {
        let shown = home.shell(shown).await.ok();
        let going: Vec<String> =
            shown.lines().filter(|line| line.starts_with("20")).map(str::to_owned).collect();
        (shown.contains("netdr-drill-allow-all") && !going.is_empty()).then_some(going)
    });
    for policy in going.await {
        let [_, namespace, name] = policy.split(' ').collect::<Vec<_>>()[..] else { panic!("{policy}") };
        let patch = "--type merge -p '{\"metadata\":{\"finalizers\":null}}'";
        home.shell(&format!("kubectl -n {namespace} patch networkpolicy {name} {patch}")).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_is_gone_before_it_is_restored_and_is_told_where_the_next_is_denied() {
    let (_plane, objects, operator) = corrupted().await;
    let home = &operator.home;
    home.shell(MARK).await.ok();
    let hold = "kubectl get networkpolicies -A -o jsonpath='{range .items[*]}{.metadata.namespace} {.metadata.name}{\"\\n\"}{end}' | \
                while read namespace name; do kubectl -n $namespace patch networkpolicy $name --type merge \
                -p '{\"metadata\":{\"finalizers\":[\"lab.radioastronomy.io/hold\"]}}'; done";
    home.shell(hold).await.ok();
    let (outcome, ()) = tokio::join!(home.shell(DRILL), let_go(home));
    let document = outcome.json(0);
    recovered(&document);
    let caused: Vec<&str> = document["scenarios"][0]["caused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let lost: Vec<&str> = caused
        .iter()
        .filter_map(|line| line.strip_prefix("networkpolicies.networking.k8s.io ")?.strip_suffix(" is lost"))
        .collect();
    assert!(lost.len() > 1, "{caused:?}");
    says(
        &document["scenarios"][0]["checks"].to_string(),
        &["what was broken is as it was", "looked at again"],
    );

    let (namespace, name) = lost[1].split_once('/').unwrap();
    let another = format!("request.namespace != '{namespace}' || request.name != '{name}'");
    objects.deny("DELETE", &another).await;
    let delete = format!("kubectl -n {namespace} delete networkpolicy {name} --dry-run=server");
    eventually("the denial to be in force", async || {
        (home.shell(&delete).await.code != Some(0)).then_some(())
    })
    .await;
    let document = home.shell(DRILL).await.json(1);
    let scenario = &document["scenarios"][0];
    assert_eq!(scenario["outcome"], json!("failed"));
    says(scenario["why"].as_str().unwrap(), &["cannot break", lost[1], "ask the database team first"]);
    let until = caused.iter().position(|line| line.contains(lost[1])).unwrap();
    assert_eq!(scenario["caused"], json!(caused[..until]), "what was broken until then");
    assert_eq!((&scenario["runs"], &scenario["checks"]), (&json!([]), &json!([])));
    says(&scenario["not_tested"].to_string(), &["a recovery point of 0 of network-policies"]);
}

//! A namespace that is on its way out takes nothing any more: what was in it is refused, by name and before anything is
//! done, and the rest comes back. The plane has no controllers, so nobody ever finishes the deletion.

use serde_json::json;

use crate::support::{POLICIES, acts, corrupted};

const SCENARIO: &str = "network-policies";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_a_namespace_that_is_being_deleted_is_refused_and_the_rest_comes_back() {
    let (_plane, objects, operator) = corrupted().await;
    objects.delete(POLICIES, "jupyter/allow-dns").await;
    objects.delete("namespaces", "jupyter").await;
    let leaving = objects.get("namespaces", "jupyter").await.unwrap();
    assert!(leaving["metadata"]["deletionTimestamp"].is_string(), "{leaving}");

    let plan = operator.plan(SCENARIO, &[]).await;
    assert!(!acts(&plan).iter().any(|(_, object)| object.contains("jupyter")), "{plan:#}");
    let refusals = plan["refusals"].as_array().unwrap();
    let why = "namespace jupyter is being deleted: when it is gone, restore again";
    assert!(refusals.iter().any(|refusal| refusal["why"] == why), "{plan:#}");
    assert!(refusals.iter().all(|refusal| refusal["key"].as_str().unwrap().contains("jupyter")), "{plan:#}");

    let report = operator.restore(SCENARIO, &["--yes"]).await.json(3);
    assert_eq!(report["outcome"], "partial");
    assert_eq!(report["differences_left"], json!(refusals.len()), "{report:#}");
    assert!(report["remarks"].to_string().contains(why), "{report:#}");
    assert_eq!(objects.get("namespaces", "jupyter").await.unwrap(), leaving);
    assert!(objects.get(POLICIES, "postgres/default-deny-all").await.is_some());
}

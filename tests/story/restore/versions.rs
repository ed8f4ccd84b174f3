//! A kind moves to another version after the snapshot, and still serves the one that the snapshot has.

use serde_json::json;

use crate::support::{Objects, Operator, acts, eventually, everything, fresh};

const SCENARIO: &str = "network-policies";
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const FENCES: &str = "fences.example.org";

const FENCE_KIND: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fences.example.org}
spec:
  group: example.org
  scope: Cluster
  names: {kind: Fence, plural: fences}
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

const TWO: &str = "
apiVersion: example.org/v1beta1
kind: Fence
metadata: {name: yard}
spec: {height: 2}
---
apiVersion: example.org/v1beta1
kind: Fence
metadata: {name: garden}
spec: {height: 1}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_an_upgrade_comes_back_and_equals_itself() {
    let plane = fresh(everything()).await.loaded().await;
    let cluster = plane.cluster().await.unwrap();
    let preferred = async |version: &str| {
        let kind = async || cluster.discover().await.unwrap().find("example.org", "fences").cloned();
        eventually(version, async || kind().await.filter(|kind| kind.version == version)).await;
        Objects::of(&plane).await
    };
    Objects::of(&plane).await.create(FENCE_KIND).await;
    let objects = preferred("v1beta1").await;
    objects.create(TWO).await;
    let operator = Operator::of(&plane).await;
    operator.configure("scope: {extra: [{group: example.org, kinds: [Fence], component: policies}]}");
    operator.backup().await;

    let definition = objects.get(DEFINITIONS, FENCES).await.unwrap();
    let mut old = definition["spec"]["versions"][0].clone();
    let mut new = old.clone();
    old["storage"] = false.into();
    new["name"] = "v1".into();
    objects.merge(DEFINITIONS, FENCES, json!({"spec": {"versions": [new, old]}})).await;
    let objects = preferred("v1").await;

    assert!(acts(&operator.plan(SCENARIO, &[]).await).is_empty());
    objects.merge(FENCES, "yard", json!({"spec": {"height": 0}})).await;
    objects.delete(FENCES, "garden").await;
    let plan = acts(&operator.plan(SCENARIO, &[]).await);
    let expected = [("create", "garden"), ("replace", "yard")];
    assert_eq!(plan, expected.map(|(verb, name)| (verb.to_owned(), format!("{FENCES} {name}"))));
    let report = operator.recover(SCENARIO, &[]).await;
    assert_eq!(objects.get(FENCES, "yard").await.unwrap()["spec"]["height"], 2);

    operator.undo(report["run"].as_str().unwrap(), 0).await;
    assert_eq!(objects.get(FENCES, "yard").await.unwrap()["spec"]["height"], 0);
    assert!(objects.get(FENCES, "garden").await.is_none());
}

//! RKE2's own policies under its CIS profile: the defaults with the annotations that gate them, and the one that it
//! derives from the nodes.

use serde_json::{Value, json};

use super::SCENARIO;
use crate::support::{Objects, Operator, POLICIES, acts, everything, fresh};

/// As RKE2 makes them (pkg/rke2/np.go, pkg/controllers/cisnetworkpolicy).
const DEFAULTS: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-network-policy, namespace: kube-system}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: default-network-dns-policy, namespace: kube-system}
spec: {podSelector: {matchLabels: {k8s-app: kube-dns}}, policyTypes: [Ingress], ingress: [{ports: [{protocol: UDP, port: 53}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: rke2-flannel-host-networking, namespace: kube-system}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [{ipBlock: {cidr: 10.42.0.0/32}}]}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_come_back_with_their_gates_and_what_rke2_derives_is_left_to_it() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    objects.create(DEFAULTS).await;
    gate(
        &objects,
        json!({"np.rke2.io": "resolved", "np.rke2.io/dns": "resolved", "field.cattle.io/projectId": "p"}),
    )
    .await;
    operator.backup().await;

    // Somebody removed a policy and its gate, and opened the other; a node came, so that RKE2 wrote its own anew.
    let default = "kube-system/default-network-policy";
    objects.delete(POLICIES, "kube-system/default-network-dns-policy").await;
    gate(&objects, json!({"np.rke2.io/dns": null, "field.cattle.io/projectId": "q"})).await;
    objects.merge(POLICIES, default, json!({"spec": {"ingress": [{}]}})).await;
    let derived = "kube-system/rke2-flannel-host-networking";
    let nodes = json!({"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.42.9.0/32"}}]}]}});
    objects.merge(POLICIES, derived, nodes).await;
    let before = objects.get(POLICIES, derived).await;

    let plan = acts(&operator.plan(SCENARIO, &[]).await);
    let act = |verb: &str, object: &str| (verb.to_owned(), object.to_owned());
    assert_eq!(
        plan,
        [
            act("merge", "namespaces kube-system"),
            act("create", &format!("{POLICIES} kube-system/default-network-dns-policy")),
            act("replace", &format!("{POLICIES} {default}")),
        ]
    );
    operator.recover(SCENARIO, &[]).await;
    let annotations =
        objects.get("namespaces", "kube-system").await.unwrap()["metadata"]["annotations"].clone();
    assert_eq!(annotations["np.rke2.io/dns"], "resolved");
    assert_eq!(annotations["field.cattle.io/projectId"], "q", "what is Rancher's is left to it");
    assert_eq!(objects.get(POLICIES, derived).await, before);
}

async fn gate(objects: &Objects, annotations: Value) {
    objects.merge("namespaces", "kube-system", json!({"metadata": {"annotations": annotations}})).await;
}

//! What cannot be changed in place, what a live object keeps, and what is better on the cluster than in the snapshot.

use chrono::{Days, Utc};
use serde_json::{Value, json};

use super::{Edge, SCENARIO};
use crate::support::{acts, tls_secret};

const CLASS: &str = "ingressclasses.networking.k8s.io";
const BINDING: &str = "rolebindings.rbac.authorization.k8s.io";
const MIDDLEWARES: &str = "middlewares.traefik.io";

const OWNER: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: owner, namespace: traefik}}";

/// Other objects under the same names.
const CHANGED: &str = "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: example.com/other}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: traefik-leases, namespace: traefik}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: traefik-settings, namespace: traefik}
immutable: true
data: {plugins.toml: 'plugins = [\"miner\"]'}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_made_anew_and_what_lives_keeps_what_is_its_own() {
    let edge = Edge::installed().await;
    let objects = &edge.objects;
    objects.create(OWNER).await;
    own(&edge, "secrets", "traefik/dashboard-users").await;
    edge.operator.backup().await;

    let address = objects.get("services", "traefik/traefik").await.unwrap()["spec"]["clusterIP"].clone();
    for (kind, name) in [
        (CLASS, "traefik"),
        (BINDING, "traefik/traefik-leases"),
        ("configmaps", "traefik/traefik-settings"),
        ("secrets", "traefik/dashboard-users"),
        ("secrets", "traefik/portal-tls"),
        ("secrets", "traefik/edge-tls"),
    ] {
        objects.delete(kind, name).await;
    }
    objects.create(CHANGED).await;
    objects.create(&tls_secret("traefik", "edge-tls", Utc::now() - Days::new(1))).await;
    let renewed = objects.get("secrets", "traefik/edge-tls").await;
    objects.merge("services", "traefik/traefik", json!({"spec": {"selector": {"app": "nothing"}}})).await;
    own(&edge, MIDDLEWARES, "traefik/dashboard-auth").await;
    let spoilt =
        json!({"metadata": {"finalizers": ["example.com/hold"]}, "spec": {"basicAuth": {"secret": "other"}}});
    objects.merge(MIDDLEWARES, "traefik/dashboard-auth", spoilt).await;
    let owned = objects.get(MIDDLEWARES, "traefik/dashboard-auth").await.unwrap()["metadata"].clone();

    let plan = edge.operator.plan(SCENARIO, &[]).await;
    let anew: Vec<String> =
        acts(&plan).into_iter().filter(|(verb, _)| verb == "recreate").map(|(_, object)| object).collect();
    assert_eq!(
        anew,
        [
            "configmaps traefik/traefik-settings",
            "rolebindings.rbac.authorization.k8s.io traefik/traefik-leases",
            "ingressclasses.networking.k8s.io traefik",
        ]
    );
    let report = edge.operator.recover(SCENARIO, &[]).await;
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("traefik/edge-tls was left as it is: its certificate was renewed"), "{remarks}");
    assert_eq!(objects.get("secrets", "traefik/edge-tls").await, renewed);
    assert!(objects.get("secrets", "traefik/portal-tls").await.is_some());

    let field = async |kind: &str, name: &str, pointer: &str| -> Value {
        objects.get(kind, name).await.unwrap().pointer(pointer).cloned().unwrap_or_default()
    };
    assert_eq!(field(CLASS, "traefik", "/spec/controller").await, "traefik.io/ingress-controller");
    assert_eq!(field(BINDING, "traefik/traefik-leases", "/roleRef/name").await, "traefik-leases");
    assert_eq!(field("services", "traefik/traefik", "/spec/clusterIP").await, address);
    assert_eq!(field("services", "traefik/traefik", "/spec/selector/app").await, Value::Null);
    assert_eq!(
        field(MIDDLEWARES, "traefik/dashboard-auth", "/spec/basicAuth/secret").await,
        "dashboard-users"
    );
    for kept in ["uid", "ownerReferences", "finalizers"] {
        let pointer = format!("/metadata/{kept}");
        assert_eq!(field(MIDDLEWARES, "traefik/dashboard-auth", &pointer).await, owned[kept], "{kept}");
    }
    // An owner in a snapshot may be dead on this cluster; kept, it would have the object collected.
    assert_eq!(field("secrets", "traefik/dashboard-users", "/metadata/ownerReferences").await, Value::Null);
}

/// Makes the ConfigMap `owner` an owner of the object.
async fn own(edge: &Edge, kind: &str, name: &str) {
    let owner = edge.objects.get("configmaps", "traefik/owner").await.unwrap();
    let reference =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]});
    edge.objects.merge(kind, name, json!({"metadata": {"ownerReferences": [reference]}})).await;
}

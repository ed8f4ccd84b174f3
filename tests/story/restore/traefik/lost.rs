//! All of Traefik is gone: namespace, CRDs, RBAC, class, release.

use serde_json::json;

use super::{Edge, SCENARIO};

#[tokio::test(flavor = "multi_thread")]
async fn traefik_comes_back_without_helm_or_chart_and_helm_goes_on() {
    let edge = Edge::installed().await;
    let id = edge.operator.backup().await;
    let release = edge.release().await;
    let manifest = edge.helm(&["get", "manifest"], &[]).await;

    edge.kubectl("delete namespace traefik").await;
    edge.kubectl("delete crd ingressroutes.traefik.io middlewares.traefik.io apis.hub.traefik.io").await;
    edge.kubectl("delete clusterrole,clusterrolebinding traefik-traefik").await;
    edge.kubectl("delete ingressclass traefik").await;

    let report = edge.operator.recover(SCENARIO, &[]).await;
    assert_eq!(report["rto_met"], json!(null));
    edge.kubectl("rollout status deployment/traefik -n traefik --timeout=1s").await;
    let namespace = edge.objects.get("namespaces", "traefik").await.unwrap();
    assert_eq!(namespace["metadata"]["labels"]["tier"], "edge");
    for (kind, name) in [
        ("customresourcedefinitions.apiextensions.k8s.io", "apis.hub.traefik.io"),
        ("ingressroutes.traefik.io", "traefik/dashboard"),
        ("middlewares.traefik.io", "traefik/dashboard-auth"),
        ("ingresses.networking.k8s.io", "traefik/portal"),
        ("ingressclasses.networking.k8s.io", "traefik"),
        ("clusterrolebindings.rbac.authorization.k8s.io", "traefik-traefik"),
        ("secrets", "traefik/dashboard-users"),
        ("secrets", "traefik/edge-tls"),
        ("secrets", "traefik/portal-tls"),
    ] {
        assert!(edge.objects.get(kind, name).await.is_some(), "{kind} {name}");
    }
    assert_eq!(edge.kubectl("get jobs -n traefik -o name").await, "", "hooks are Helm's to run");

    assert_eq!(release.0, json!("1"));
    assert_eq!(edge.release().await, release);
    assert_eq!(edge.helm(&["get", "manifest"], &[]).await, manifest);
    assert_eq!(edge.history().await, [(1, "deployed".into())]);
    // Nobody has the chart's repository: the chart is what the snapshot has of it.
    let extract =
        ["extract", &id, "--component", "ingress", "--identity", "keys/operator.txt", "--to", "out"];
    edge.operator.home.netdr(&extract).await.ok();
    edge.assert_upgrade_works_with("out/ingress/helm/traefik/traefik/chart.tgz").await;
    assert_eq!(edge.history().await, [(1, "superseded".into()), (2, "deployed".into())]);
}

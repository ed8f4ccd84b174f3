//! The audit of network policies.

use netdr::drill::failures::break_policies;
use serde_json::Value;

use super::named;
use crate::support::{Home, Objects, everything, fresh};

/// Names of checks that are crossed.
fn crossed(document: &Value) -> Vec<(&str, &str)> {
    let checks = document["checks"].as_array().unwrap().iter();
    let text = |check: &'_ Value, field: &str| -> &'static str {
        Box::leak(check[field].as_str().unwrap().to_owned().into_boxed_str())
    };
    let told =
        checks.filter(|check| ["warn", "alert", "unknown"].contains(&check["status"].as_str().unwrap()));
    told.map(|check| (text(check, "status"), text(check, "name"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_what_was_broken_and_what_the_operations_guide_itself_gets_wrong() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, home) = (Objects::of(&plane).await, Home::new().with_kubeconfig(plane.kubeconfig()));
    let audit = async || home.netdr(&["check", "policies", "--json"]).await.json(8);

    // Three namespaces nobody closed, none of them with a pod; and from Traefik's, which is, no name server is reached.
    let before = audit().await;
    let wanted = [
        "policies default-deny namespaces cert-manager",
        "policies default-deny namespaces default",
        "policies default-deny namespaces metallb-system",
        "policies dns namespaces traefik",
    ];
    assert_eq!(crossed(&before), wanted.map(|name| ("warn", name)));

    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    let found = audit().await;
    for (status, name) in [
        ("warn", "policies default-deny namespaces jupyter"),
        ("warn", "policies default-deny namespaces postgres"),
        ("warn", "policies dns namespaces monitoring"),
        ("alert", "policies allow-all networkpolicies.networking.k8s.io objectstore/temporary-allow-all"),
        ("alert", "policies allow-all networkpolicies.networking.k8s.io archive/default-deny-all"),
    ] {
        let check = named(&found, name);
        assert_eq!(check["status"], status, "{check:#}");
    }

    // Pods come: a namespace that is open matters now, and Traefik is on its nodes' network.
    let pod = |namespace: &str, name: &str, on_host: bool| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}\n\
             spec: {{hostNetwork: {on_host}, automountServiceAccountToken: false, containers: [{{name: c, image: none}}]}}"
        )
    };
    for (namespace, name, on_host) in
        [("jupyter", "hub", false), ("traefik", "traefik", true), ("archive", "other", false)]
    {
        let account = format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: default, namespace: {namespace}}}"
        );
        objects.create(&account).await;
        objects.create(&pod(namespace, name, on_host)).await;
    }
    let found = audit().await;
    assert_eq!(named(&found, "policies default-deny namespaces jupyter")["status"], "alert");
    let allow =
        named(&found, "policies host-network networkpolicies.networking.k8s.io archive/allow-ingress");
    assert_eq!(allow["status"], "alert", "{allow:#}");
    let dead =
        named(&found, "policies dead-selector networkpolicies.networking.k8s.io archive/allow-ingress");
    assert_eq!(
        (&dead["status"], &dead["value"]),
        (&"warn".into(), &"no pod is app=archive".into()),
        "{dead:#}"
    );
    // What it suggests is a command.
    home.shell(allow["next"].as_str().unwrap()).await.ok();
}

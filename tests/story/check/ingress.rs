//! Ingress: routes that lead nowhere, and what hosts serve.

use std::net::TcpListener;

use serde_json::json;

use super::{named, of_shared};
use crate::support::{Home, Objects, Pair, Server, everything, fresh};

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: traefik.io/ingress-controller}
---
apiVersion: v1
kind: Service
metadata: {name: portal, namespace: edge}
spec: {ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: portal, namespace: edge}
spec:
  tls: [{hosts: [portal.lab], secretName: portal-tls}]
  defaultBackend: {service: {name: portal, port: {number: 80}}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_served_with_the_certificate_of_its_secret_or_somebody_is_told() {
    let plane = fresh(everything()).await;
    let (objects, home) = (Objects::of(&plane).await, Home::new().with_kubeconfig(plane.kubeconfig()));
    let (ours, default) = (Pair::of("portal.lab"), Pair::of("traefik.default"));
    objects.create(OBJECTS).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "portal-tls", "namespace": "edge"},
        "stringData": {"tls.crt": ours.certificate, "tls.key": ours.key}});
    objects.create(&secret.to_string()).await;
    let check = async |server: &Server, code: i32| {
        let port = server.address.port().to_string();
        home.netdr(&["check", "ingress", "--through", "127.0.0.1", "--port", &port, "--json"])
            .await
            .json(code)
    };
    let answer = |_: &str| "{}".to_owned();
    let found = check(&Server::start("127.0.0.1", &ours, answer), 0).await;
    assert_eq!(named(&found, "ingress https://portal.lab")["status"], "ok", "{found:#}");
    assert_eq!(named(&found, "ingress routes")["value"], 1);

    let found = check(&Server::start("127.0.0.1", &default, answer), 8).await;
    let host = named(&found, "ingress https://portal.lab");
    assert!(host["why"][0].as_str().unwrap().contains("and secrets edge/portal-tls holds"), "{host:#}");

    // Its pods are gone, and then back.
    let slice = |ready: bool| {
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "portal-1", "namespace": "edge", "labels": {"kubernetes.io/service-name": "portal"}},
            "endpoints": [{"addresses": ["10.42.0.9"], "conditions": {"ready": ready}}]})
    };
    objects.create(&slice(false).to_string()).await;
    let found = check(&Server::start("127.0.0.1", &ours, answer), 8).await;
    let route = named(&found, "ingress ingresses.networking.k8s.io edge/portal");
    assert!(route["why"][0].as_str().unwrap().ends_with("behind which no pod is ready"), "{route:#}");
    assert_eq!(route["next"], "kubectl describe service -n edge portal");
    objects.delete("endpointslices.discovery.k8s.io", "edge/portal-1").await;
    objects.create(&slice(true).to_string()).await;
    let found = check(&Server::start("127.0.0.1", &ours, answer), 0).await;
    assert_eq!(named(&found, "ingress routes")["value"], 1);

    // Nobody listens any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let found =
        home.netdr(&["check", "ingress", "--through", "127.0.0.1", "--port", &gone, "--json"]).await.json(8);
    assert_eq!(named(&found, "ingress https://portal.lab")["status"], "alert", "{found:#}");

    // The Service and the class go.
    objects.delete("services", "edge/portal").await;
    objects.delete("ingressclasses.networking.k8s.io", "traefik").await;
    let found = home.netdr(&["check", "ingress", "--json"]).await.json(8);
    let route = named(&found, "ingress ingresses.networking.k8s.io edge/portal");
    assert_eq!(
        (&route["status"], &route["why"][0]),
        (&"alert".into(), &"it names services edge/portal, which does not exist".into())
    );
    assert_eq!(named(&found, "ingress ingressclasses.networking.k8s.io")["status"], "alert");
    // Whether it is served cannot be told from here: there is no node. One that says no address is no way out either.
    assert_eq!(named(&found, "ingress https")["status"], "unknown");
    objects.create("apiVersion: v1\nkind: Node\nmetadata: {name: n1}").await;
    for (node, why) in [("n1", "node n1 says no InternalIP"), ("n2", "there is no node n2; there are: n1")] {
        let found = home.netdr(&["check", "ingress", "--through", node, "--json"]).await.json(8);
        let https = named(&found, "ingress https");
        assert!(https["why"][0].as_str().unwrap().contains(why), "{https:#}");
        assert_eq!(https["next"], "kubectl get nodes -o wide");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_believable_cluster_has_its_release_and_no_pods() {
    let found = of_shared("ingress", 8).await;
    assert_eq!(named(&found, "ingress helm release traefik/traefik")["value"], "deployed");
    // Nothing runs there.
    assert_eq!(named(&found, "ingress deployments.apps traefik/traefik")["status"], "alert");
    assert_eq!(named(&found, "ingress ingressclasses.networking.k8s.io")["status"], "ok");
}

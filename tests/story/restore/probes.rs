//! Probes: a real HTTPS server stands in for a node's Traefik; the cluster's nodes are kwok's.

use netdr::drill::Options;
use serde_json::{Value, json};

use crate::support::{NODES, Objects, Operator, Pair, Server, everything, fresh};

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: portal, namespace: edge}
spec:
  tls: [{hosts: [portal.lab], secretName: portal-tls}]
  defaultBackend: {service: {name: portal, port: {number: 80}}}
";

/// Nobody plays it, and nobody runs it: it is never ready.
const REAL: &str = "{apiVersion: v1, kind: Node, metadata: {name: real}}";

fn plan(port: u16, closed: u16, last: &str) -> String {
    format!(
        "{{apiVersion: netdr/v1, kind: RestorePlan, name: probed, title: Probed, rto: 1h, rpo: 24h, role: Anybody,
        runbook: none.md, steps: [
        {{id: routes, title: Routes, apply: {{component: ingress}}}},
        {{id: https, title: HTTPS, timeout: 1s, probe: {{http: {{port: {port}, through: 127.0.0.1, status: 200}}}}}},
        {{id: everywhere, title: Any node, timeout: 1s, probe: {{http: {{}}}}}},
        {{id: tcp, title: TCP, timeout: 1s, probe: {{tcp: {{allowed: ['127.0.0.1:{port}'], denied: ['127.0.0.1:{closed}']}}}}}},
        {{id: dns, title: DNS, timeout: 1s, probe: {{dns: {{names: [portal.lab]}}}}}},
        {{id: pods, title: Pods, timeout: 1s, probe: {{connectivity: {{}}}}}}{last}]}}"
    )
}

/// Results by step, in order.
fn results(report: &Value) -> Vec<(&str, &str)> {
    let text =
        |value: &'_ Value| -> &'static str { Box::leak(value.as_str().unwrap().to_owned().into_boxed_str()) };
    report["probes"].as_array().unwrap().iter().map(|p| (text(&p["result"]), text(&p["name"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_probed_passes_fails_or_is_said_not_to_be_probed() {
    let plane = fresh(Options { controllers: true, nodes: true, ..everything() }).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let (ours, default) = (Pair::of("portal.lab"), Pair::of("traefik.default"));
    objects.create(NODES).await;
    objects.create(OBJECTS).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "portal-tls", "namespace": "edge"},
        "stringData": {"tls.crt": ours.certificate, "tls.key": ours.key}});
    objects.create(&secret.to_string()).await;
    operator.backup().await;
    let answer = |_: &str| "{}".to_owned();
    let listener = |address: &str| std::net::TcpListener::bind(address).unwrap();
    let closed = listener("127.0.0.1:0").local_addr().unwrap().port();
    let restore = async |port: u16, last: &str, code: i32| {
        std::fs::write(operator.home.path().join("plan.yaml"), plan(port, closed, last)).unwrap();
        let words = ["restore", "--plan", "plan.yaml", "--identity", "keys/operator.txt", "--json", "--yes"];
        operator.home.netdr(&words).await.json(code)
    };

    // Where every node is played, an address that a plan names is somebody else's: nobody connects to it.
    let elsewhere = listener("127.0.0.1:0");
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    let last = format!(
        ", {{id: elsewhere, title: DNS elsewhere, timeout: 1s, probe: {{dns: {{names: [portal.lab], server: '127.0.0.1:{port}'}}}}}}, \
         {{id: nodes, title: Nodes, timeout: 30s, probe: {{nodes: {{}}}}}}"
    );
    let report = restore(port, &last, 0).await;
    let mut found: Vec<&str> = results(&report).into_iter().map(|(result, _)| result).collect();
    assert_eq!(found.pop(), Some("passed"), "nodes, by what they say: {report:#}");
    assert_eq!(found, ["not probed"; 7], "{report:#}");
    let unproved = report["not_probed"].to_string();
    assert!(unproved.contains("played by kwok"), "{unproved}");
    let nobody = elsewhere.accept().map(|_| ()).map_err(|e| e.kind());
    assert_eq!(nobody, Err(std::io::ErrorKind::WouldBlock), "it was connected to");

    objects.create(REAL).await;
    let report = restore(Server::start("127.0.0.1", &ours, answer).address.port(), "", 0).await;
    let found: Vec<&str> = results(&report).into_iter().map(|(result, _)| result).collect();
    assert_eq!(found, ["passed", "not probed", "passed", "passed", "not probed", "not probed"], "{report:#}");

    // Traefik serves its own certificate where the Secret is not what it should be: that host is not back.
    let report = restore(Server::start("127.0.0.1", &default, answer).address.port(), "", 3).await;
    assert_eq!((&report["outcome"], &report["differences_left"]), (&json!("partial"), &json!(0)));
    let failed = results(&report).into_iter().find(|(result, _)| *result == "failed").unwrap();
    assert!(failed.1.contains("portal.lab"), "{failed:?}");
    let why = report["steps"][1]["failures"].to_string();
    assert!(why.contains("serves certificate"), "{why}");
    let folder = report["reports"].to_string();
    assert!(folder.contains(".html"), "{folder}");
}

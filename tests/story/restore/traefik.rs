//! Scenario traefik, with the real Helm: a chart of Traefik's shapes installed as release `traefik`, on a plane whose
//! controllers roll out, collect garbage and finalize namespaces.

mod answer;
mod authored;
mod broken;
mod crowded;
mod immutable;
mod lost;
mod stuck;
mod warned;

use chrono::{Days, Utc};
use netdr::drill::Options;
use serde_json::{Value, json};

use crate::support::{NODES, Objects, Operator, Plane, audited, fresh, tls_secret};

const SCENARIO: &str = "traefik";
pub(super) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/charts/traefik");

const NAMESPACE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: traefik, labels: {pod-security.kubernetes.io/enforce: privileged, tier: edge}}
";

/// What people wrote: no part of the release.
const ROUTES: &str = "
apiVersion: v1
kind: Secret
metadata: {name: dashboard-users, namespace: traefik}
type: kubernetes.io/basic-auth
stringData: {username: admin, password: to-be-kept}
---
apiVersion: traefik.io/v1alpha1
kind: Middleware
metadata: {name: dashboard-auth, namespace: traefik}
spec: {basicAuth: {secret: dashboard-users}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: dashboard, namespace: traefik}
spec:
  entryPoints: [websecure]
  routes: [{kind: Rule, match: Host(`edge.lab`), middlewares: [{name: dashboard-auth}], services: [{kind: TraefikService, name: api@internal}]}]
  tls: {secretName: edge-tls}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: portal, namespace: traefik}
spec:
  ingressClassName: traefik
  tls: [{hosts: [portal.lab], secretName: portal-tls}]
  defaultBackend: {service: {name: traefik, port: {name: websecure}}}
";

/// A cluster whose Traefik works.
pub(super) struct Edge {
    pub(super) plane: Plane,
    pub(super) objects: Objects,
    pub(super) operator: Operator,
}

impl Edge {
    pub(super) async fn installed() -> Self {
        Self::with("logLevel=DEBUG").await
    }

    /// With these values of the chart.
    async fn with(values: &str) -> Self {
        let plane = fresh(Options { controllers: true, nodes: true, crds: None, ..audited() }).await;
        let bare = Objects::of(&plane).await;
        bare.create(NODES).await;
        bare.create(NAMESPACE).await;
        let operator = Operator::of(&plane).await;
        operator
            .home
            .run("helm", &["install", "traefik", CHART, "-n", "traefik", "--set", values, "--wait"])
            .await
            .ok();
        let objects = Objects::of(&plane).await; // with the kinds that the chart brought
        objects.create(ROUTES).await;
        for name in ["edge-tls", "portal-tls"] {
            objects.create(&tls_secret("traefik", name, Utc::now() - Days::new(60))).await;
        }
        Self { plane, objects, operator }
    }

    /// `helm VERB traefik … -n traefik`, done.
    pub(super) async fn helm(&self, verb: &[&str], options: &[&str]) -> String {
        let all = [verb, &["traefik"], options, &["-n", "traefik"]].concat();
        self.operator.home.run("helm", &all).await.ok()
    }

    pub(super) async fn kubectl(&self, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.operator.home.run("kubectl", &arguments).await.ok()
    }

    /// The release as Helm shows it: its revision, its status, and what the operator set.
    async fn release(&self) -> (Value, Value, String) {
        let list = self.operator.home.run("helm", &["list", "-n", "traefik", "--all", "-o", "json"]).await;
        let list = list.json(0);
        let values = self.helm(&["get", "values"], &["-o", "json"]).await;
        (list[0]["revision"].clone(), list[0]["status"].clone(), values)
    }

    /// Revisions with their status, oldest first.
    pub(super) async fn history(&self) -> Vec<(u64, String)> {
        let history = self.helm(&["history"], &["-o", "json"]).await;
        let history: Value = serde_json::from_str(&history).unwrap();
        let line =
            |line: &Value| (line["revision"].as_u64().unwrap(), line["status"].as_str().unwrap().into());
        history.as_array().unwrap().iter().map(line).collect()
    }

    /// Helm itself goes on from what is there: an upgrade with another value, rolled out.
    pub(super) async fn assert_upgrade_works(&self) {
        self.assert_upgrade_works_with(CHART).await;
    }

    async fn assert_upgrade_works_with(&self, chart: &str) {
        let status = self.helm(&["status"], &[]).await;
        assert!(status.contains("STATUS: deployed"), "{status}");
        self.helm(&["upgrade"], &[chart, "--reuse-values", "--set", "logLevel=WARN", "--wait"]).await;
        let deployment = self.objects.get("deployments.apps", "traefik/traefik").await.unwrap();
        let arguments = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        assert_eq!(arguments[1], json!("--log.level=WARN"));
    }
}

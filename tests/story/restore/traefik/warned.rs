//! What comes back and will not work all the same is said before: values that the chart refuses, objects that Traefik
//! does not read, Secrets that are nowhere.

use serde_json::Value;

use super::{CHART, Edge, SCENARIO};

const DEAD: &str = "traefik.containo.us/v1alpha1";
const OLD: &str = "middlewares.traefik.containo.us";

const BEFORE: &str = "
apiVersion: traefik.containo.us/v1alpha1
kind: Middleware
metadata: {name: of-v2, namespace: traefik}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: unchanged, namespace: traefik}
spec: {tls: [{secretName: nowhere-tls}], defaultBackend: {service: {name: traefik, port: {number: 443}}}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: gone, namespace: traefik}
spec: {routes: [], tls: {secretName: nowhere-tls}}
---
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata: {name: made-since, namespace: traefik}
spec: {routes: [], tls: {secretName: late-tls}}
";

/// What nobody captured and nothing on the cluster names.
const SINCE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: late-tls, namespace: traefik}
---
apiVersion: traefik.containo.us/v1alpha1
kind: IngressRoute
metadata: {name: of-v2-too, namespace: traefik}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_work_is_said_before_and_what_is_dead_stays_so() {
    let mut edge = Edge::installed().await;
    let loud = ["--reuse-values", "--set", "logLevel=LOUD", "--skip-schema-validation", "--wait"];
    edge.helm(&["upgrade"], &[&[CHART][..], &loud].concat()).await;
    let kind = |kind, plural| [(DEAD, kind, plural, "Namespaced")];
    edge.objects.define(&kind("Middleware", "middlewares")).await;
    edge.objects.create(BEFORE).await;
    let taken = edge.operator.home.run("netdr", &["backup", "--set", "network", "--json"]).await.json(0);
    let warnings = taken["snapshots"][0]["warnings"].to_string();
    let dead = format!("{OLD} traefik/of-v2 is dead: Traefik v3 does not read API group traefik.containo.us");
    assert!(warnings.contains(&dead), "{warnings}");

    for route in ["gone", "made-since"] {
        edge.objects.delete("ingressroutes.traefik.io", &format!("traefik/{route}")).await;
    }
    edge.objects.delete("deployments.apps", "traefik/traefik").await;
    edge.kubectl(&format!("delete crd {OLD}")).await;
    edge.objects.define(&kind("IngressRoute", "ingressroutes")).await;
    edge.objects.create(SINCE).await;

    let plan = edge.operator.plan(SCENARIO, &[]).await;
    said(&plan["warnings"]);
    let report = edge.operator.recover(SCENARIO, &[]).await;
    said(&report["remarks"]);
    let definitions = edge.objects.list("customresourcedefinitions.apiextensions.k8s.io").await;
    assert!(!definitions.iter().any(|definition| definition["metadata"]["name"] == OLD));
    assert!(edge.objects.get("ingressroutes.traefik.io", "traefik/gone").await.is_some());

    // As it was said: Helm begins an upgrade with the same check.
    let upgrade = ["upgrade", "traefik", CHART, "-n", "traefik", "--reuse-values"];
    let refused = edge.operator.home.run("helm", &upgrade).await.failed(1);
    assert!(refused.contains("logLevel"), "{refused}");
    edge.assert_upgrade_works().await;
}

/// Each once, the value never, and not what is only new.
#[track_caller]
fn said(warnings: &Value) {
    let warnings: Vec<&str> = warnings.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for wanted in [
        "helm release traefik/traefik: its own chart does not take these of its values: logLevel (enum).",
        "middlewares.traefik.containo.us traefik/of-v2, in the source, is dead and not restored",
        "ingressroutes.traefik.containo.us traefik/of-v2-too, on the cluster, is dead and not restored",
        "ingresses.networking.k8s.io traefik/unchanged names secrets traefik/nowhere-tls, which neither",
        "ingressroutes.traefik.io traefik/gone names secrets traefik/nowhere-tls, which neither",
    ] {
        assert_eq!(
            warnings.iter().filter(|said| said.starts_with(wanted)).count(),
            1,
            "{wanted}: {warnings:#?}"
        );
    }
    assert!(!warnings.iter().any(|said| said.contains("LOUD") || said.contains("late-tls")), "{warnings:#?}");
}

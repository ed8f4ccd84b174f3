//! A restore would have Let's Encrypt issue more than it does in a week.

use serde_json::Value;

use super::SCENARIO;
use crate::support::{Objects, Operator, cert_manager, fresh};

const ISSUER: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: letsencrypt}
spec: {acme: {server: 'https://acme-v02.api.letsencrypt.org/directory', privateKeySecretRef: {name: account}, solvers: []}}
";

/// Renews nothing by itself and waits for nobody: no cert-manager is there.
const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: certificates
title: Certificates
rto: 30m
rpo: 24h
role: Admin
runbook: runbooks/certificates.md
steps:
  - {id: all, title: All, apply: {component: certificates}}
";

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_yes_to_it_unseen() {
    let plane = fresh(cert_manager()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    objects.create(ISSUER).await;
    for number in 0..6 {
        let certificate = format!(
            "{{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {{name: web-{number}, namespace: shop}}, \
             spec: {{secretName: web-{number}, dnsNames: [shop.example.org], \
             issuerRef: {{name: letsencrypt, kind: ClusterIssuer}}}}}}"
        );
        objects.create(&certificate).await;
    }
    operator.home.netdr(&["backup", "--set", "certificates", "--json"]).await.json(0);
    objects.delete("certificates.cert-manager.io", "shop/web-0").await;

    let plan = operator.plan(SCENARIO, &[]).await;
    assert_eq!(plan["lets_encrypt"]["per_set"]["sets"][0]["certificates"], 6);
    let limit = "6 certificates for exactly shop.example.org, and Let's Encrypt issues 5 in seven days";
    assert_eq!(plan["warnings"][0], limit);
    let refused = operator.restore(SCENARIO, &["--yes"]).await.failed(2);
    assert!(refused.contains(limit) && refused.contains("--expect"), "{refused}");
    assert!(objects.get("certificates.cert-manager.io", "shop/web-0").await.is_none());

    std::fs::write(operator.home.path().join("plan.yaml"), PLAN).unwrap();
    let restore = ["restore", "--json", "--identity", "keys/operator.txt", "--plan", "plan.yaml"];
    let run = async |more: &[&str]| operator.home.netdr(&[&restore[..], more].concat()).await;
    let plan: Value = run(&["--dry-run"]).await.json(0);
    let digest = plan["digest"].as_str().unwrap();
    let report = run(&["--yes", "--expect", digest]).await.json(0);
    assert_eq!(report["outcome"], "recovered");
    assert!(objects.get("certificates.cert-manager.io", "shop/web-0").await.is_some());
}

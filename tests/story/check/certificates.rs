//! Certificates: how long each one is valid, and whether cert-manager keeps it so.

use chrono::{Days, Utc};

use serde_json::{Value, json};

use super::{named, of_shared};
use crate::support::{Home, MARKER, Objects, cert_manager, fresh, shared, tls_secret};

const ISSUERS: &str = "issuers.cert-manager.io";
const CERTIFICATES: &str = "certificates.cert-manager.io";

/// An issuer that answers challenges by DNS-01, its token, and cert-manager's controller.
const ISSUED_BY: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: cert-manager}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cert-manager
  namespace: cert-manager
  labels: {app.kubernetes.io/name: cert-manager, app.kubernetes.io/component: controller}
spec:
  selector: {matchLabels: {app: cert-manager}}
  template: {metadata: {labels: {app: cert-manager}}, spec: {containers: [{name: x, image: x}]}}
---
apiVersion: v1
kind: Secret
metadata: {name: cloudflare-api-token, namespace: edge}
stringData: {api-token: MARKER-cloudflare}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: x, namespace: edge}
spec:
  acme:
    server: https://acme.lab/directory
    privateKeySecretRef: {name: account}
    solvers: [{dns01: {cloudflare: {apiTokenSecretRef: {name: cloudflare-api-token, key: api-token}}}}]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_certificates_are_in_order_is_no_news_until_one_nears_its_end() {
    let plane = fresh(cert_manager()).await;
    let (objects, home) = (Objects::of(&plane).await, Home::new().with_kubeconfig(plane.kubeconfig()));
    objects.create("apiVersion: v1\nkind: Namespace\nmetadata: {name: edge}").await;
    objects.create(&tls_secret("edge", "web-tls", Utc::now() - Days::new(30))).await;
    objects
        .create(
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web, namespace: edge}\n\
             spec: {secretName: web-tls, dnsNames: [web.lab], issuerRef: {name: x}}",
        )
        .await;
    objects.create(ISSUED_BY).await;
    let is_ready = json!({"conditions": [{"type": "Ready", "status": "True", "reason": "ACMEAccountRegistered",
        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    objects.status(ISSUERS, "edge/x", is_ready).await;
    let available = json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        "availableReplicas": 1});
    objects.status("deployments.apps", "cert-manager/cert-manager", available).await;
    let renewal = (Utc::now() + Days::new(30)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let status = format!(
        r#"{{"status": {{"renewalTime": "{renewal}", "conditions": [{{"type": "Ready", "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}}]}}}}"#
    );
    let patch =
        ["patch", "certificate", "web", "-n", "edge", "--subresource=status", "--type=merge", "-p", &status];
    home.run("kubectl", &patch).await.ok();

    let said = home.netdr(&["check", "certificates"]).await.ok();
    assert!(
        said.contains("certificates secrets edge/web-tls") && said.ends_with("nothing to do\n"),
        "{said}"
    );

    // The token that challenges are answered with goes, and with it every renewal: it is said before one fails.
    objects.delete("secrets", "edge/cloudflare-api-token").await;
    let found = home.netdr(&["check", "certificates", "--json"]).await.json(8);
    let issuer = named(&found, "certificates issuers.cert-manager.io edge/x");
    assert_eq!(issuer["status"], "warn", "{issuer:#}");
    assert!(
        issuer["why"][0].as_str().unwrap().starts_with("it needs secrets edge/cloudflare-api-token"),
        "{issuer:#}"
    );
    assert!(!found.to_string().contains(MARKER));

    // Ten days are left: fourteen are normal.
    objects.create(&tls_secret("edge", "old-tls", Utc::now() - Days::new(80))).await;
    let found = home.netdr(&["check", "certificates", "--json"]).await.json(8);
    assert_eq!(found["status"], "warn");
    let old = named(&found, "certificates secrets edge/old-tls");
    assert!(old["value"].as_i64().is_some_and(|days| (8..=10).contains(&days)), "{old:#}");
    assert!(old["next"].as_str().unwrap().starts_with("kubectl get secret -n edge old-tls"), "{old:#}");
    // The command is a command.
    let shown = home.shell(old["next"].as_str().unwrap()).await.ok();
    assert!(shown.contains("notAfter="), "{shown}");
    assert_eq!(named(&found, "certificates certificates.cert-manager.io edge/web")["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_unknown_and_not_in_order() {
    // cert-manager does not run here: nobody has judged the Certificates.
    let found = of_shared("certificates", 8).await;
    assert_eq!(named(&found, "certificates secrets traefik/wildcard-lab-tls")["status"], "ok");
    let certificate = named(&found, "certificates certificates.cert-manager.io traefik/wildcard-lab");
    assert_eq!((&certificate["status"], &certificate["value"]), (&"warn".into(), &"not judged yet".into()));

    let kubeconfig = shared().await.kubeconfig_for("without-rights", None).unwrap();
    let home = Home::new().with_kubeconfig(&kubeconfig);
    let denied = home.netdr(&["check", "certificates", "--json"]).await.json(8);
    let unknown = |check: &Value| check["status"] == "unknown";
    assert!(denied["checks"].as_array().unwrap().iter().all(unknown), "{denied:#}");
    let secrets = named(&denied, "certificates secrets");
    assert!(secrets["why"][0].as_str().unwrap().contains("403"), "{secrets:#}");
}

/// As cert-manager leaves it where Cloudflare refuses the token: operations guide 4.2, "Certificate errors".
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_issued_leads_to_the_challenge_that_is_refused() {
    let plane = fresh(cert_manager()).await;
    let (objects, home) = (Objects::of(&plane).await, Home::new().with_kubeconfig(plane.kubeconfig()));
    objects.create("apiVersion: v1\nkind: Namespace\nmetadata: {name: edge}").await;
    objects.create(ISSUED_BY).await;
    objects
        .create(
            "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: web, namespace: edge}\n\
             spec: {secretName: web-tls, dnsNames: [web.lab], issuerRef: {name: x}}",
        )
        .await;
    let owned = async |version: &str, kind: &str, name: &str, owner: (&str, &str, &str), spec: Value| {
        let (plural, by, by_kind) = owner;
        let uid = objects.get(plural, &format!("edge/{by}")).await.unwrap()["metadata"]["uid"].clone();
        let made = json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "edge",
            "ownerReferences": [{"apiVersion": "cert-manager.io/v1", "kind": by_kind, "name": by, "uid": uid}]},
            "spec": spec});
        objects.create(&made.to_string()).await;
    };
    let issuer = json!({"name": "x"});
    let request = json!({"request": "eA==", "issuerRef": issuer});
    let of = (CERTIFICATES, "web", "Certificate");
    owned("cert-manager.io/v1", "CertificateRequest", "web-1", of, request.clone()).await;
    let of = ("certificaterequests.cert-manager.io", "web-1", "CertificateRequest");
    owned("acme.cert-manager.io/v1", "Order", "web-1-7", of, request).await;
    let challenge = json!({"type": "DNS-01", "dnsName": "web.lab", "key": "MARKER", "token": "t", "url": "u",
        "authorizationURL": "a", "issuerRef": issuer, "solver": {}});
    let of = ("orders.acme.cert-manager.io", "web-1-7", "Order");
    owned("acme.cert-manager.io/v1", "Challenge", "web-1-7-0", of, challenge).await;
    let refused = "Error presenting challenge: Cloudflare API error 10000: Authentication error";
    let pending = json!({"state": "pending", "processing": true, "presented": false, "reason": refused});
    objects.status("challenges.acme.cert-manager.io", "edge/web-1-7-0", pending).await;

    let found = home.netdr(&["check", "certificates", "--json"]).await.json(8);
    let web = named(&found, "certificates certificates.cert-manager.io edge/web");
    assert!(web.to_string().contains(&format!("DNS-01 for web.lab is pending: {refused}")), "{web:#}");
    assert!(!found.to_string().contains(MARKER), "{found:#}");
    // Whose Secret is gone is brought back; what keeps it from being issued is shown by the command of its links.
    let shown = "kubectl describe -n edge challenges.acme.cert-manager.io web-1-7-0";
    home.shell(shown).await.ok();
}

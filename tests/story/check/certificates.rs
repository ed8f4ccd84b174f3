//! Certificates: how long each one is valid, and whether cert-manager keeps it so.

use chrono::{Days, Utc};

use super::{named, of_shared};
use crate::support::{Home, Objects, cert_manager, fresh, shared, tls_secret};

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
    assert_eq!((&denied["status"], denied["checks"].as_array().unwrap().len()), (&"unknown".into(), 2));
    let secrets = named(&denied, "certificates secrets");
    assert!(secrets["why"][0].as_str().unwrap().contains("403"), "{secrets:#}");
}

//! Certificates were renewed since the backup.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use super::{CERTIFICATES, Issued, SCENARIO, checked};
use crate::support::{acts, eventually};

impl Issued {
    /// Has cert-manager issue a certificate anew, with a new key.
    async fn renew(&self, secret: &str, certificate: &str) {
        let old = self.leaf(secret).await.unwrap();
        // A certificate's times are in whole seconds, and two of one second are equally new.
        eventually("a later second", async || {
            (Utc::now() - old.not_before > TimeDelta::seconds(1)).then_some(())
        })
        .await;
        self.objects.delete("secrets", &format!("shop/{secret}")).await;
        eventually("another certificate", async || {
            self.leaf(secret).await.filter(|leaf| leaf.serial != old.serial).map(drop)
        })
        .await;
        self.ready(certificate).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_renewed_stays_and_what_is_broken_or_gone_comes_back() {
    let mut issued = Issued::backed_up().await;
    let before = issued.served().await;
    issued.renew("web-tls", "web").await;
    let renewed = issued.leaf("web-tls").await.unwrap();
    issued.stop().await;
    issued.objects.delete("secrets", "shop/api-tls").await;
    let other = issued.objects.get("secrets", "shop/web-tls").await.unwrap();
    let mismatch = json!({"data": {"tls.key": other["data"]["tls.key"]}});
    issued.objects.merge("secrets", "shop/portal-tls", mismatch).await;

    let plan = issued.operator.plan(SCENARIO, &[]).await;
    let expected = [("create", "secrets shop/api-tls"), ("replace", "secrets shop/portal-tls")];
    assert_eq!(acts(&plan), expected.map(|(verb, key)| (verb.to_owned(), key.to_owned())));
    let kept = plan["kept"].to_string();
    assert!(kept.contains("shop/web-tls") && kept.contains("renewed since and is valid"), "{kept}");
    assert_eq!(plan["reissues"], json!([]), "{plan:#}");
    let report = issued.operator.recover(SCENARIO, &[]).await;
    assert_eq!(checked(&report), ["passed", "passed"], "{report:#}");

    issued.start();
    for name in ["web", "api", "portal"] {
        issued.ready(name).await;
    }
    let after = issued.served().await;
    assert_eq!(after["web-tls"].0, renewed);
    assert_eq!((&after["api-tls"], &after["portal-tls"]), (&before["api-tls"], &before["portal-tls"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_that_is_lost_is_issued_anew_as_was_predicted() {
    let mut issued = Issued::backed_up().await;
    let stored = issued.leaf("web-tls").await.unwrap();
    issued.renew("web-tls", "web").await;
    issued.stop().await;
    issued.objects.delete("secrets", "shop/web-tls").await;

    let restore = ["restore", "--scenario", SCENARIO, "--identity", "keys/operator.txt", "--dry-run"];
    let shown = issued.operator.home.netdr(&restore).await.ok();
    let line = "certificates.cert-manager.io shop/web, by cert-manager: SecretMismatch";
    assert!(shown.contains("1 certificate will be issued anew") && shown.contains(line), "{shown}");
    let plan = issued.operator.plan(SCENARIO, &[]).await;
    let foreseen = &plan["reissues"][0];
    assert_eq!(
        [&foreseen["fate"], &foreseen["reason"], &foreseen["counted"]],
        [&json!("reissued"), &json!("SecretMismatch"), &json!(false)]
    );
    let report = issued.operator.recover(SCENARIO, &[]).await;
    assert_eq!(issued.leaf("web-tls").await.unwrap(), stored, "served until the new one is there");
    let details = report["checks"][1]["details"].to_string();
    assert!(details.contains("predicted (SecretMismatch), not issued so far"), "{details}");

    issued.start();
    eventually("cert-manager does what was predicted", async || {
        issued.leaf("web-tls").await.filter(|leaf| leaf.serial != stored.serial).map(drop)
    })
    .await;
    issued.ready("web").await;
    let web = issued.objects.get(CERTIFICATES, "shop/web").await.unwrap();
    assert_eq!(web["status"]["revision"], 3);
}

//! A Secret is neither on the cluster nor in the snapshot, and cert-manager waits after a failed attempt.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{CERTIFICATES, Issued, SCENARIO, checked, condition};
use crate::support::{Audit, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_triggered_once_as_cmctl_does() {
    let mut issued = Issued::backed_up().await;
    issued.stop().await;
    issued.objects.delete("secrets", "shop/api-tls").await;
    issued.backup().await;
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let failed = json!({"status": {"lastFailureTime": now, "failedIssuanceAttempts": 1}});
    let patch = ["patch", "certificate", "api", "-n", "shop", "--subresource=status", "--type=merge", "-p"];
    issued.operator.home.run("kubectl", &[&patch[..], &[&failed.to_string()]].concat()).await.ok();
    let before = issued.objects.get(CERTIFICATES, "shop/api").await.unwrap();

    let plan = issued.operator.plan(SCENARIO, &[]).await;
    assert_eq!([&plan["operations"], &plan["create"], &plan["replace"]], [&json!(1), &json!(0), &json!(0)]);
    assert_eq!(plan["reissues"][0]["fate"], "renewed");
    let audit = Audit::of(&issued.plane);
    let mark = audit.mark();
    let report = issued.operator.recover(SCENARIO, &[]).await;
    assert_eq!(checked(&report), ["passed", "passed"], "{report:#}");
    let details = report["checks"][1]["details"].to_string();
    assert!(details.contains("triggered by this run (DoesNotExist), being issued"), "{details}");
    let writes: Vec<String> = audit
        .writes_since(mark)
        .into_iter()
        .map(|write| format!("{} {}", write.verb, write.object))
        .collect();
    assert_eq!(writes, ["update certificates.cert-manager.io shop/api"]);

    let after = issued.objects.get(CERTIFICATES, "shop/api").await.unwrap();
    let mut issuing = condition(&after, "Issuing").unwrap().clone();
    let since: DateTime<Utc> = issuing["lastTransitionTime"].as_str().unwrap().parse().unwrap();
    assert!(since >= now.parse::<DateTime<Utc>>().unwrap());
    issuing.as_object_mut().unwrap().remove("lastTransitionTime");
    let cmctls = json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered", "observedGeneration": before["metadata"]["generation"]});
    assert_eq!(issuing, cmctls);
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    for field in ["revision", "lastFailureTime", "failedIssuanceAttempts", "notAfter", "renewalTime"] {
        assert_eq!(after["status"][field], before["status"][field], "{field}");
    }

    let again = issued.operator.plan(SCENARIO, &[]).await;
    assert_eq!(
        [&again["operations"], &again["reissues"][0]["fate"]],
        [&json!(0), &json!("reissued")],
        "{again:#}"
    );
    issued.start();
    eventually("cert-manager issues although it had to wait", async || issued.leaf("api-tls").await).await;
    issued.ready("api").await;
    let done = issued.operator.plan(SCENARIO, &[]).await;
    assert_eq!([&done["operations"], &done["reissues"]], [&json!(0), &json!([])], "{done:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cert_manager_issues_by_itself_what_it_is_not_kept_from() {
    let mut issued = Issued::backed_up().await;
    issued.stop().await;
    issued.objects.delete("secrets", "shop/api-tls").await;
    issued.backup().await;
    let plan = issued.operator.plan(SCENARIO, &[]).await;
    assert_eq!([&plan["operations"], &plan["reissues"][0]["reason"]], [&json!(0), &json!("DoesNotExist")]);
    issued.start();
    issued.ready("api").await;
    eventually("cert-manager issues by itself", async || issued.leaf("api-tls").await).await;
}

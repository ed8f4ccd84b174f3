//! What the cluster does not let the restore do: each object named with the server's words, and no other stopped.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{POLICIES, corrupted, eventually, touched};

#[tokio::test(flavor = "multi_thread")]
async fn one_object_that_is_denied_stops_no_other() {
    let (_plane, objects, operator) = corrupted().await;
    objects.deny("CREATE", "object.metadata.name != 'allow-workflows'").await;
    let may = async || operator.may_create_policy("postgres", "allow-workflows").await;
    eventually("the denial to be in force", async || (!may().await).then_some(())).await;

    let report = operator.restore("network-policies", &["--yes"]).await.json(3);
    assert_eq!((&report["outcome"], &report["differences_left"]), (&json!("partial"), &json!(1)));
    let named = report["steps"].to_string();
    assert!(
        named.contains("postgres/allow-workflows") && named.contains("ask the database team first"),
        "{named}"
    );
    for (namespace, name) in
        [("postgres", "default-deny-all"), ("jupyter", "default-deny-all"), ("monitoring", "allow-dns")]
    {
        assert!(objects.get(POLICIES, &format!("{namespace}/{name}")).await.is_some(), "{namespace}/{name}");
    }
    objects.delete("validatingadmissionpolicybindings.admissionregistration.k8s.io", "frozen").await;
    eventually("the denial to end", async || may().await.then_some(())).await;
    operator.recover("network-policies", &[]).await;
}

/// Nobody listens there.
const DEAD: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: nobody-home}
webhooks:
- name: policies.nobody-home.io
  clientConfig: {url: 'https://127.0.0.1:1/'}
  rules: [{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: ['*'], resources: [networkpolicies]}]
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 1
  admissionReviewVersions: [v1]
";

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_webhook_is_waited_for_once_and_named_with_its_configuration() {
    let (_plane, objects, operator) = corrupted().await;
    objects.create(DEAD).await;
    let may = async || operator.may_create_policy("postgres", "allow-workflows").await;
    eventually("the webhook to be in force", async || (!may().await).then_some(())).await;

    let began = Instant::now();
    let report = operator.restore("network-policies", &["--yes"]).await.json(3);
    let failures: Vec<&str> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|step| step["failures"].as_array().unwrap())
        .map(|why| why.as_str().unwrap())
        .collect();
    assert!(failures.len() > 3, "{failures:#?}");
    let named = "webhook policies.nobody-home.io is of ValidatingWebhookConfiguration nobody-home";
    for why in failures.iter().filter(|why| why.contains("networkpolicies.networking.k8s.io")) {
        assert!(
            why.contains(named) && why.contains("kubectl get validatingwebhookconfiguration nobody-home"),
            "{why}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(110),
        "a minute for all, and not for each: {:?}",
        began.elapsed()
    );

    objects.delete("validatingwebhookconfigurations.admissionregistration.k8s.io", "nobody-home").await;
    eventually("the webhook to be out of force", async || may().await.then_some(())).await;
    operator.recover("network-policies", &[]).await;
}

/// May do everything with namespaces and Calico's kinds, and must not even see Kubernetes' network policies.
const HALF_BLIND: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: half-blind}
rules:
- {apiGroups: ['', crd.projectcalico.org, policy.networking.k8s.io], resources: ['*'], verbs: ['*']}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: half-blind}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: half-blind}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
";

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_neither_written_nor_taken_for_absent() {
    let (plane, objects, operator) = corrupted().await;
    objects.create(HALF_BLIND).await;
    let before = objects.dump().await;
    let jane = plane.kubeconfig_for("jane", None).unwrap();
    let report = operator
        .restore("network-policies", &["--yes", "--kubeconfig", jane.to_str().unwrap()])
        .await
        .json(3);
    assert_eq!(report["outcome"], "partial");
    let remarks = report["remarks"].to_string();
    assert!(
        remarks.contains("jupyter/default-deny-all was not restored: whether it exists could not be read"),
        "{remarks}"
    );
    assert!(remarks.contains("jane") && remarks.contains("403"), "{remarks}");
    assert_eq!(touched(&before, &objects.dump().await), ["namespaces catalog"]);
}

//! Calico's kinds in an order in which nothing names what is not there yet. Calico's module on the proxy has no tiers: the
//! kinds are defined here, without schemas.

use netdr::drill::Options;

use super::{SCENARIO, first, last};
use crate::support::{Audit, Objects, Operator, acts, audited, fresh};

const V1: &str = "crd.projectcalico.org/v1";
const GLOBAL: &str = "globalnetworkpolicies.crd.projectcalico.org";
const ENDPOINTS: &str = "hostendpoints.crd.projectcalico.org";

const OBJECTS: &str = r#"
apiVersion: crd.projectcalico.org/v1
kind: Tier
metadata: {name: security}
spec: {order: 10}
---
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkSet
metadata:
  name: outside
  annotations: {projectcalico.org/metadata: '{"labels":{"role":"outside"}}'}
spec: {nets: [203.0.113.0/24]}
---
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: security.from-outside}
spec: {tier: security, selector: all(), ingress: [{action: Allow, source: {selector: role == 'outside'}}, {action: Pass}]}
---
apiVersion: crd.projectcalico.org/v1
kind: HostEndpoint
metadata:
  name: proj-k8s01
  annotations: {projectcalico.org/metadata: '{"labels":{"host":"yes"}}'}
spec: {node: proj-k8s01, interfaceName: eth0}
---
apiVersion: crd.projectcalico.org/v1
kind: HostEndpoint
metadata: {name: proj-k8s02-auto-hep, labels: {projectcalico.org/created-by: calico-kube-controllers}}
spec: {node: proj-k8s02, interfaceName: '*'}
"#;

const WEB: &str = "
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: default.web}
spec: {tier: default, selector: app == 'web', ingress: [{action: Allow}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn tiers_and_sets_come_before_policies_and_host_endpoints_last() {
    let plane = fresh(Options { crds: None, ..audited() }).await;
    let mut objects = Objects::of(&plane).await;
    let kinds = [
        (V1, "Tier", "tiers", "Cluster"),
        (V1, "GlobalNetworkSet", "globalnetworksets", "Cluster"),
        (V1, "GlobalNetworkPolicy", "globalnetworkpolicies", "Cluster"),
        (V1, "HostEndpoint", "hostendpoints", "Cluster"),
    ];
    objects.define(&kinds).await;
    objects.create(OBJECTS).await;
    objects.create(WEB).await;
    let (operator, audit) = (Operator::of(&plane).await, Audit::of(&plane));
    operator.backup().await;
    for (kind, name) in [
        ("tiers.crd.projectcalico.org", "security"),
        ("globalnetworksets.crd.projectcalico.org", "outside"),
        (GLOBAL, "security.from-outside"),
        (ENDPOINTS, "proj-k8s01"),
        (ENDPOINTS, "proj-k8s02-auto-hep"),
    ] {
        objects.delete(kind, name).await;
    }

    let mark = audit.mark();
    operator.recover(SCENARIO, &[]).await;
    let writes = audit.writes_since(mark);
    let policy = first(&writes, "create", GLOBAL);
    assert!(last(&writes, "create", "tiers.") < policy, "{writes:#?}");
    assert!(last(&writes, "create", "globalnetworksets.") < policy, "{writes:#?}");
    assert!(last(&writes, "create", GLOBAL) < first(&writes, "create", ENDPOINTS), "{writes:#?}");
    let endpoint = objects.get(ENDPOINTS, "proj-k8s01").await.unwrap();
    let metadata = &endpoint["metadata"]["annotations"]["projectcalico.org/metadata"];
    assert_eq!(metadata, r#"{"labels":{"host":"yes"}}"#, "Calico takes its labels from there");
    assert!(objects.get(ENDPOINTS, "proj-k8s02-auto-hep").await.is_none(), "its controller makes it");

    // Calico 3.32 came since, and named anew what it found: nothing is made twice, nothing of it deleted.
    objects.delete(GLOBAL, "default.web").await;
    objects.create(&WEB.replace("default.web", "web")).await;
    let plan = operator.plan(SCENARIO, &[]).await;
    assert_eq!(acts(&plan), []);
    let (refusals, kept) = (plan["refusals"].to_string(), plan["kept"].to_string());
    assert!(refusals.contains("default.web") && refusals.contains("Calico renamed its policies"), "{plan:#}");
    assert!(kept.contains("left alone, for Calico renamed"), "{plan:#}");
}

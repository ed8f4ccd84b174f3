//! Scenario network-policies: they come back as they were, in an order that never opens what was closed.

mod calico;
mod rke2;

use std::collections::BTreeSet;

use netdr::drill::failures::break_policies;
use serde_json::{Value, json};

use crate::support::{Audit, Dump, Objects, Operator, POLICIES, Write, acts, audited, fresh, touched};

const SCENARIO: &str = "network-policies";
const CALICO_POLICIES: &str = "networkpolicies.crd.projectcalico.org";
const GLOBAL_POLICIES: &str = "globalnetworkpolicies.crd.projectcalico.org";

/// Calico's kinds in a namespace, which the believable cluster lacks.
const CALICO: &str = "
apiVersion: crd.projectcalico.org/v1
kind: NetworkSet
metadata: {name: telescopes, namespace: archive, labels: {role: telescope}}
spec: {nets: [10.26.0.0/16]}
---
apiVersion: crd.projectcalico.org/v1
kind: NetworkPolicy
metadata: {name: from-telescopes, namespace: archive}
spec:
  order: 20
  selector: app == 'archive'
  types: [Ingress]
  ingress: [{action: Allow, source: {selector: role == 'telescope'}}]
";

/// What somebody adds after the snapshot: extra policies, and a namespace that the snapshot does not know.
const ADDED: &str = "
apiVersion: crd.projectcalico.org/v1
kind: GlobalNetworkPolicy
metadata: {name: open-everything}
spec: {order: 1, selector: all(), types: [Ingress], ingress: [{action: Allow}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: scratch}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow-all, namespace: scratch}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn policies_come_back_and_nothing_else_moves() {
    let plane = fresh(audited()).await.loaded().await;
    let (objects, audit) = (Objects::of(&plane).await, Audit::of(&plane));
    objects.create(CALICO).await;
    let operator = Operator::of(&plane).await;
    operator.backup().await;
    let healthy = objects.dump().await;

    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    objects.create(ADDED).await;
    objects.delete(CALICO_POLICIES, "archive/from-telescopes").await;
    objects.delete("networksets.crd.projectcalico.org", "archive/telescopes").await;
    objects
        .merge(GLOBAL_POLICIES, "block-metadata-service", json!({"spec": {"egress": [{"action": "Allow"}]}}))
        .await;
    let broken = objects.dump().await;

    let mark = audit.mark();
    let plan = operator.plan(SCENARIO, &[]).await;
    assert_eq!(audit.writes_since(mark), [], "a dry run writes nothing");
    let stray = operator.restore("traefik", &["--dry-run", "--policy-order", "guarded"]).await.failed(2);
    assert!(
        stray.contains("--policy-order is about network policies, and plan traefik orders none"),
        "{stray}"
    );
    let planned = acts(&plan);
    let of = |verb: &str| -> Vec<&str> {
        planned.iter().filter(|(v, _)| v == verb).map(|(_, object)| object.as_str()).collect()
    };
    assert_eq!(
        of("create"),
        [
            "networksets.crd.projectcalico.org archive/telescopes",
            "networkpolicies.crd.projectcalico.org archive/from-telescopes",
            "networkpolicies.networking.k8s.io monitoring/allow-dns",
            "networkpolicies.networking.k8s.io postgres/allow-workflows",
            "networkpolicies.networking.k8s.io jupyter/default-deny-all",
            "networkpolicies.networking.k8s.io postgres/default-deny-all",
        ]
    );
    assert_eq!(
        of("replace"),
        [
            "globalnetworkpolicies.crd.projectcalico.org block-metadata-service",
            "networkpolicies.networking.k8s.io archive/default-deny-all",
        ]
    );
    assert_eq!(of("merge"), ["namespaces catalog"]);
    assert_eq!(
        of("delete"),
        [
            "networkpolicies.networking.k8s.io objectstore/temporary-allow-all",
            "globalnetworkpolicies.crd.projectcalico.org open-everything",
        ]
    );
    assert_eq!([&plan["create"], &plan["replace"], &plan["recreate"], &plan["delete"]], [6, 3, 0, 2]);

    let mark = audit.mark();
    operator.recover(SCENARIO, &["--expect", plan["digest"].as_str().unwrap()]).await;
    let restored = objects.dump().await;
    let mut expected: Vec<&str> = planned.iter().map(|(_, object)| object.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(touched(&broken, &restored), expected, "what is outside the plan is not touched");
    same_intent(
        &healthy,
        &restored,
        &["namespaces scratch", "networkpolicies.networking.k8s.io scratch/allow-all"],
    );
    for replaced in of("replace").into_iter().chain(of("merge")) {
        assert_eq!(broken[replaced]["metadata"]["uid"], restored[replaced]["metadata"]["uid"], "{replaced}");
    }
    let leak = &restored["networkpolicies.networking.k8s.io archive/default-deny-all"]["spec"];
    assert_eq!(leak["egress"], Value::Null);
    let writes = audit.writes_since(mark);
    let denied = first(&writes, "create", "default-deny-all");
    assert!(last(&writes, "create", "allow-") < denied, "{writes:#?}");
    assert!(
        last(&writes, "create", "default-deny-all") < first(&writes, "delete", ""),
        "extras last: {writes:#?}"
    );

    let mark = audit.mark();
    let again = operator.restore(SCENARIO, &["--yes"]).await.json(0);
    assert_eq!((&again["outcome"], &again["differences_left"]), (&json!("nothing-to-do"), &json!(0)));
    assert!(again["remarks"].to_string().contains("equals the live state"), "{again:#}");
    assert_eq!(audit.writes_since(mark), []);
}

/// Isolates every pod of a namespace that the snapshot knows.
const EXTRA: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: extra, namespace: mail}
spec: {podSelector: {}}
";

#[tokio::test(flavor = "multi_thread")]
async fn guarded_a_namespace_stays_open_while_its_policies_come_back() {
    let plane = fresh(audited()).await.loaded().await;
    let (objects, audit) = (Objects::of(&plane).await, Audit::of(&plane));
    let operator = Operator::of(&plane).await;
    operator.backup().await;
    for policy in ["default-deny-all", "allow-dns", "allow-workflows", "allow-catalog"] {
        objects.delete(POLICIES, &format!("postgres/{policy}")).await;
    }
    objects.delete(POLICIES, "jupyter/allow-dns").await;
    objects.create(EXTRA).await;

    let mark = audit.mark();
    let report = operator.recover(SCENARIO, &["--policy-order", "guarded", "--keep-extras"]).await;
    assert!(objects.get(POLICIES, "mail/extra").await.is_some());
    assert!(report["remarks"].to_string().contains("mail/extra was left as it is"), "{report:#}");
    let writes = audit.writes_since(mark);
    let guards: Vec<(&str, &str)> = writes
        .iter()
        .filter_map(|write| Some((write.verb.as_str(), write.object.split_once("/netdr-guard-")?.0)))
        .collect();
    let [jupyter, postgres] = [format!("{POLICIES} jupyter"), format!("{POLICIES} postgres")];
    let held = |verb| [(verb, &jupyter[..]), (verb, &postgres[..])];
    let (mut up, mut down) = (guards[..2].to_vec(), guards[2..].to_vec());
    up.sort_unstable();
    down.sort_unstable();
    assert_eq!((&up[..], &down[..]), (&held("create")[..], &held("delete")[..]), "{writes:#?}");
    let (begin, end) = (&writes[..2], &writes[writes.len() - 2..]);
    assert!(begin.iter().chain(end).all(|write| write.object.contains("/netdr-guard-")), "{writes:#?}");
    let left = objects.list(POLICIES).await;
    assert!(!left.iter().any(|p| p["metadata"]["name"].as_str().unwrap().starts_with("netdr-guard-")));

    // The extra is corruption again as soon as nobody asks to keep it.
    operator.recover(SCENARIO, &[]).await;
    assert!(objects.get(POLICIES, "mail/extra").await.is_none());
}

/// The same objects with the same wishes, whatever their uids; only `extra` came.
#[track_caller]
fn same_intent(before: &Dump, after: &Dump, extra: &[&str]) {
    let names = |dump: &Dump| dump.keys().cloned().collect::<BTreeSet<_>>();
    let came: Vec<String> = names(after).difference(&names(before)).cloned().collect();
    // The API server makes these in every namespace.
    let came: Vec<&String> = came.iter().filter(|key| !key.starts_with("configmaps")).collect();
    assert_eq!(came, extra);
    for (key, object) in before {
        let now = after.get(key).unwrap_or_else(|| panic!("{key} is gone"));
        for part in ["/spec", "/data", "/metadata/labels", "/metadata/annotations"] {
            assert_eq!(object.pointer(part), now.pointer(part), "{part} of {key}");
        }
    }
}

fn position(mut writes: impl Iterator<Item = (usize, bool)>, what: &str) -> usize {
    writes.find(|(_, found)| *found).unwrap_or_else(|| panic!("nobody did {what}")).0
}

/// Where the first such request is.
#[track_caller]
fn first(writes: &[Write], verb: &str, name: &str) -> usize {
    let found = |write: &Write| write.verb == verb && write.object.contains(name);
    position(writes.iter().map(found).enumerate(), name)
}

/// Where the last one is.
#[track_caller]
fn last(writes: &[Write], verb: &str, name: &str) -> usize {
    let found = |write: &Write| write.verb == verb && write.object.contains(name);
    position(writes.iter().map(found).enumerate().rev(), name)
}

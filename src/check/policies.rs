//! The audit of network policies, as checks: one for each object that a rule finds, one for each rule that finds none.
//!
//! In: namespaces, pods, policies. Out: checks. Invariant: pure; a rule whose objects could not be read is not ok.

use super::{
    Check, Reading, Source,
    Status::{Alert, Warn},
};
use crate::policies::{Finding, Pod, Severity, World, audit};

const NAMESPACES: Source = Source::all("", "namespaces").metadata();
const PODS: Source = Source::all("", "pods").metadata();
const ON_HOST: Source = PODS.fields("spec.hostNetwork=true");
const POLICIES: Source = Source::all("networking.k8s.io", "networkpolicies");
const CALICO: [Source; 2] = [
    Source::all("crd.projectcalico.org", "networkpolicies"),
    Source::all("crd.projectcalico.org", "globalnetworkpolicies"),
];
/// What is read.
pub const SOURCES: [Source; 6] = [NAMESPACES, PODS, ON_HOST, POLICIES, CALICO[0], CALICO[1]];

/// Judges them.
pub fn judge(reading: &Reading) -> Vec<Check> {
    let mut checks = reading.unread("policies", &SOURCES);
    if !reading.has(NAMESPACES) || !reading.has(POLICIES) {
        return checks;
    }
    let world = world(reading);
    let findings = audit(&world);
    for rule in world.rules() {
        let of_rule: Vec<&Finding> = findings.iter().filter(|finding| finding.rule == rule).collect();
        let name = format!("policies {}", rule.name());
        if of_rule.is_empty() {
            checks.push(Check::ok(name.clone(), "no finding", rule.wants()));
        }
        for same in of_rule.chunk_by(|a, b| a.object == b.object) {
            let what: Vec<&str> = same.iter().map(|finding| finding.what.as_str()).collect();
            let check = Check::ok(format!("{name} {}", same[0].object), what.join("; "), rule.wants());
            checks.push(same.iter().fold(check, |check, finding| {
                let status = match finding.severity {
                    Severity::Warn => Warn,
                    Severity::Alert => Alert,
                };
                check.found(status, &finding.why, &finding.next)
            }));
        }
    }
    checks
}

fn world(reading: &Reading) -> World {
    let mut world = World { exempt: reading.excluded().clone(), ..World::default() };
    for namespace in reading.objects(NAMESPACES) {
        let metadata = &namespace["metadata"];
        world.namespaces.insert(metadata["name"].as_str().unwrap_or_default().into(), metadata.clone());
    }
    let owned = |source| reading.all(source).map(|(key, object)| (key, object.clone()));
    world.policies = owned(POLICIES).collect();
    world.calico = CALICO.into_iter().flat_map(owned).collect();
    if reading.has(PODS) && reading.has(ON_HOST) {
        let on_host: std::collections::BTreeSet<_> = reading.all(ON_HOST).map(|(key, _)| key).collect();
        let pods = world.pods.insert(Default::default());
        for (key, pod) in reading.all(PODS) {
            let of_namespace = pods.entry(key.namespace().unwrap_or_default().into()).or_default();
            let on_host = on_host.contains(&key);
            of_namespace.push(Pod {
                name: key.name().into(),
                labels: pod["metadata"]["labels"].clone(),
                on_host,
            });
        }
    }
    world
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check::Status::{NotApplicable, Unknown};

    fn object(namespace: &str, name: &str, spec: Value) -> Value {
        json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": name}}, "spec": spec})
    }

    fn reading() -> Reading {
        let namespace =
            |name: &str| json!({"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}});
        let wide =
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]});
        Reading::of([
            (NAMESPACES, vec![namespace("kube-system"), namespace("shop")]),
            (PODS, vec![object("shop", "web", Value::Null)]),
            (ON_HOST, vec![]),
            (POLICIES, vec![object("shop", "wide", wide)]),
        ])
    }

    #[test]
    fn an_object_that_a_rule_finds_is_a_check_and_a_rule_that_finds_none_is_one() {
        let checks = judge(&reading());
        let names: Vec<(&str, &str)> =
            checks.iter().map(|check| (check.name.as_str(), check.status.name())).collect();
        assert_eq!(
            names,
            [
                ("policies default-deny", "ok"),
                ("policies allow-all networkpolicies.networking.k8s.io shop/wide", "alert"),
                ("policies dead-selector", "ok"),
                ("policies dns", "ok"),
                ("policies host-network", "ok"),
                ("policies rke2", "ok"),
            ]
        );
        assert_eq!(
            (checks[1].value.as_str(), checks[1].why.len()),
            (Some("egress of everyone; ingress of everyone"), 2)
        );
    }

    #[test]
    fn rules_that_need_pods_are_unknown_without_them() {
        let checks = judge(&reading().without(ON_HOST, "pods could not be read: 403"));
        let unknown: Vec<&str> =
            checks.iter().filter(|check| check.status == Unknown).map(|check| check.name.as_str()).collect();
        assert_eq!(unknown, ["policies pods"]);
        assert_eq!(checks.len(), 4, "{checks:#?}");
        let none = judge(&reading().without(POLICIES, "403"));
        assert!(none.len() == 1 && none[0].status == Unknown && none[0].status != NotApplicable);
    }
}

//! What the API server does not let change in place (it answers 422, "field is immutable").
//!
//! In: a wanted and a live object. Out: whether a PUT does, a deletion before it is needed, or neither is safe.
//! Invariant: only kinds whose deletion takes nothing else with it are ever recreated.

use serde_json::Value;

use crate::model::ItemKey;

/// How an object becomes the wanted one.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plan) enum Way {
    /// PUT.
    InPlace,
    /// Delete, then create.
    Anew,
    /// Not by netdr: why, and the way out.
    None(String),
}

/// The way from `live` to `wanted`.
pub(in crate::plan) fn way(key: &ItemKey, wanted: &Value, live: &Value) -> Way {
    let ItemKey::Resource { group, plural, namespace, name } = key else { return Way::InPlace };
    let differs = |paths: &[&str]| paths.iter().any(|path| wanted.pointer(path) != live.pointer(path));
    let anew = |paths: &[&str]| if differs(paths) { Way::Anew } else { Way::InPlace };
    let by_hand = |what: &str, paths: &[&str], options: &str| match differs(paths) {
        true => {
            let namespace = namespace.as_deref().map(|n| format!(" -n {n}")).unwrap_or_default();
            let kind = key.kind_name();
            Way::None(format!(
                "{what} cannot be changed in place; remove it and restore again: \
                 kubectl delete {kind}{namespace} {name}{options}"
            ))
        }
        false => Way::InPlace,
    };
    match (group.as_str(), plural.as_str()) {
        ("", "secrets" | "configmaps") if live["immutable"] == true => {
            anew(&["/data", "/binaryData", "/immutable", "/type"])
        }
        ("", "secrets") => anew(&["/type"]),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => anew(&["/roleRef"]),
        ("networking.k8s.io", "ingressclasses") => anew(&["/spec/controller"]),
        ("apps", "deployments" | "daemonsets") => anew(&["/spec/selector"]),
        ("apps", "statefulsets") => {
            let claims = ["/spec/volumeClaimTemplates", "/spec/serviceName", "/spec/podManagementPolicy"];
            match by_hand("what a StatefulSet's pods keep", &claims, " --cascade=orphan") {
                Way::InPlace => anew(&["/spec/selector"]),
                other => other,
            }
        }
        ("batch", "jobs") => by_hand("a Job's template", &["/spec/selector", "/spec/template"], ""),
        ("", "persistentvolumeclaims") => by_hand("a volume claim", &["/spec"], ""),
        ("", "services") => by_hand("whether a Service is headless", &["/spec/clusterIP"], ""),
        _ => Way::InPlace,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(group: &str, plural: &str, wanted: Value, live: Value) -> Way {
        way(&ItemKey::resource(group, plural, Some("demo"), "x"), &wanted, &live)
    }

    #[test]
    fn what_may_be_made_anew_is_and_only_where_it_must() {
        let sealed =
            |data: &str| json!({"immutable": true, "data": {"a": data}, "metadata": {"labels": {"l": data}}});
        assert_eq!(of("", "secrets", sealed("1"), sealed("2")), Way::Anew);
        assert_eq!(
            of("", "configmaps", json!({"data": {"a": "1"}}), json!({"data": {"a": "2"}})),
            Way::InPlace
        );
        assert_eq!(of("", "secrets", json!({"type": "a"}), json!({"type": "b"})), Way::Anew);
        let mut labelled = sealed("1");
        labelled["metadata"]["labels"]["l"] = "2".into();
        assert_eq!(of("", "secrets", sealed("1"), labelled), Way::InPlace);
        let role = |name: &str| json!({"roleRef": {"name": name}});
        assert_eq!(of("rbac.authorization.k8s.io", "rolebindings", role("a"), role("b")), Way::Anew);
        let class = |name: &str| json!({"spec": {"controller": name}});
        assert_eq!(of("networking.k8s.io", "ingressclasses", class("a"), class("b")), Way::Anew);
        let workload = |app: &str, replicas: u8| json!({"spec": {"replicas": replicas, "selector": {"matchLabels": {"app": app}}}});
        assert_eq!(of("apps", "deployments", workload("a", 1), workload("b", 1)), Way::Anew);
        assert_eq!(of("apps", "deployments", workload("a", 1), workload("a", 2)), Way::InPlace);
    }

    #[test]
    fn what_would_take_data_along_is_left_to_a_person_with_the_command() {
        let claim = |size: &str| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let Way::None(why) = of("", "persistentvolumeclaims", claim("1Gi"), claim("2Gi")) else {
            unreachable!("a claim was to be changed")
        };
        assert!(why.ends_with("kubectl delete persistentvolumeclaims -n demo x"), "{why}");
        let set = |service: &str| json!({"spec": {"serviceName": service}});
        assert!(matches!(of("apps", "statefulsets", set("a"), set("b")), Way::None(_)));
        let service = |ip: Option<&str>| json!({"spec": {"clusterIP": ip}});
        assert!(matches!(of("", "services", service(Some("None")), service(None)), Way::None(_)));
        assert_eq!(
            of("networking.k8s.io", "networkpolicies", json!({"spec": 1}), json!({"spec": 2})),
            Way::InPlace
        );
    }
}

//! The namespaces of an installation, which deny by default as netdr's own audit wants it of every other.
//!
//! In: nothing. Out: objects. Invariant: what is in them passes `netdr check policies`: the jobs are in their nodes'
//! network, to which no policy applies; probe pods bring a policy that lets them reach each other.

use serde_json::{Value, json};

use super::{NAMESPACE, PART_OF};
use crate::check::cni;

/// Where the jobs run. RKE2's `profile: cis` enforces the standard `restricted`, under which no pod reads files of its host.
pub(super) fn jobs() -> [Value; 2] {
    [namespace(NAMESPACE, "privileged"), default_deny(NAMESPACE)]
}

/// Where `check cni` starts its pods: whoever may start pods in namespace `netdr` could mount its keys.
pub(super) fn probes() -> [Value; 3] {
    let (name, account) = (cni::NAMESPACE, cni::ACCOUNT);
    [
        namespace(name, "restricted"),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
            "metadata": {"name": account, "namespace": name, "labels": {PART_OF.0: PART_OF.1}}}),
        default_deny(name),
    ]
}

fn namespace(name: &str, standard: &str) -> Value {
    let labels = json!({PART_OF.0: PART_OF.1, "pod-security.kubernetes.io/enforce": standard});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// Nothing but names: who is denied these fails for reasons that nobody understands.
fn default_deny(namespace: &str) -> Value {
    let servers = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}});
    let ports = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": namespace, "labels": {PART_OF.0: PART_OF.1}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{"to": [servers], "ports": ports}]}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::ItemKey,
        policies::{Pod, World, audit},
    };

    #[test]
    fn an_installation_passes_its_own_audit() {
        let objects = [&jobs()[..], &probes()].concat();
        let mut world = World::default();
        let labels = json!({"kubernetes.io/metadata.name": "kube-system"});
        world.namespaces.insert("kube-system".into(), json!({"labels": labels}));
        let name = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
        let pod = |name: &str, on_host| Pod { name: name.into(), labels: json!({"k8s-app": name}), on_host };
        for object in &objects {
            match object["kind"].as_str().unwrap() {
                "Namespace" => drop(world.namespaces.insert(name(object), object["metadata"].clone())),
                "NetworkPolicy" => {
                    let namespace = object["metadata"]["namespace"].as_str();
                    let key =
                        ItemKey::resource("networking.k8s.io", "networkpolicies", namespace, &name(object));
                    world.policies.push((key, object.clone()));
                }
                _ => {}
            }
        }
        assert_eq!((world.namespaces.len(), world.policies.len()), (3, 2));
        let pods = world.pods.insert(Default::default());
        pods.insert("kube-system".into(), vec![pod("kube-dns", false)]);
        assert_eq!(audit(&world), [], "between the nights");
        world.pods.as_mut().unwrap().insert(NAMESPACE.into(), vec![pod("netdr-network", true)]);
        assert_eq!(audit(&world), [], "in a night");
    }
}

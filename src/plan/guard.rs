//! Guards: allow-all policies that hold a namespace open while its own policies come back (field guide §4).
//!
//! In: a run and a namespace. Out: the policy. Invariant: a guard is known by its name, and is neither an extra nor a
//! difference: every restore of policies removes the guards it finds, its own and those an interrupted run left.

use serde_json::json;

use crate::model::{Class, Component, Content, Extent, Item, ItemKey, Json};

const PREFIX: &str = "netdr-guard-";

/// Whether the object is a guard.
pub(crate) fn is_guard(key: &ItemKey) -> bool {
    key.is_kind("networking.k8s.io", "networkpolicies") && key.name().starts_with(PREFIX)
}

/// The guard of a namespace in a run.
pub(super) fn guard(run: &str, namespace: &str) -> Item {
    let name = format!("{PREFIX}{}", run.to_lowercase()); // run ids have a time with T and Z, names may not
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "netdr"}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": [{}]},
    });
    Item {
        key: ItemKey::resource("networking.k8s.io", "networkpolicies", Some(namespace), &name),
        component: Component::Policies,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Resource(Json::new(&object)),
    }
}

//! What of an object's metadata tells that it is otherwise: not its status, nor what others keep books of in it.
//!
//! In: metadata. Out: a number. Invariant: pure; whatever a capture would take otherwise changes it, where metadata can
//! tell at all. Where they cannot, every write does.

use std::hash::{DefaultHasher, Hasher as _};

use serde_json::{Value, json};

use crate::{canonical, cluster::ApiKind, model::ItemKey};

/// Of one object: who it is, and what it is like.
pub(super) fn of(kind: &ApiKind, metadata: &Value) -> (u64, u64) {
    let text = |field: &str| metadata[field].as_str().unwrap_or_default();
    let namespace = metadata["namespace"].as_str();
    let key = ItemKey::resource(&kind.group, &kind.plural, namespace, text("name"));
    let object = json!({"metadata": metadata});
    // A node is written by its kubelet every few minutes.
    let shared = kind.group.is_empty() && matches!(kind.plural.as_str(), "nodes" | "namespaces");
    let like = match shared {
        true => canonical::owned_fields(&key, &object).unwrap_or_default(),
        false => canonical::canonical(&key, object),
    };
    // Whoever counts generations counts them when the object is otherwise but for its status and metadata. A definition
    // is served by what its status says.
    let written = match metadata["generation"].as_i64().filter(|_| kind.group != "apiextensions.k8s.io") {
        _ if shared => String::new(),
        Some(generation) => generation.to_string(),
        None => text("resourceVersion").to_owned(),
    };
    let going = !metadata["deletionTimestamp"].is_null();
    (hash(&(namespace, text("name"))), hash(&(like.to_string(), written, going)))
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, plural: &str) -> ApiKind {
        let (version, kind) = ("v1".into(), "X".into());
        ApiKind { group: group.into(), version, kind, plural: plural.into(), namespaced: true }
    }

    fn differ(kind: &ApiKind, before: Value, after: Value) -> bool {
        of(kind, &before) != of(kind, &after)
    }

    #[test]
    fn a_status_or_a_heartbeat_is_no_change_and_a_spec_or_a_label_is() {
        let policies = kind("networking.k8s.io", "networkpolicies");
        let metadata = |generation: i64, version: &str, labels: Value| json!({"name": "x", "generation": generation, "resourceVersion": version, "labels": labels});
        assert!(!differ(&policies, metadata(1, "1", json!({})), metadata(1, "2", json!({}))));
        assert!(differ(&policies, metadata(1, "1", json!({})), metadata(2, "2", json!({}))));
        assert!(differ(&policies, metadata(1, "1", json!({})), metadata(1, "2", json!({"a": "b"}))));
        let nodes = kind("", "nodes");
        let node = |version: &str, annotations: Value| json!({"name": "n1", "resourceVersion": version, "annotations": annotations});
        let runtime = json!({"flannel.alpha.coreos.com/backend-data": "{}"});
        let set = json!({"flannel.alpha.coreos.com/public-ip-overwrite": "10.25.20.4"});
        assert!(!differ(&nodes, node("1", json!({})), node("2", runtime)));
        assert!(differ(&nodes, node("1", json!({})), node("2", set)));
    }

    #[test]
    fn where_no_generations_are_counted_every_write_may_be_a_change() {
        for plural in ["secrets", "services", "configmaps"] {
            let written = |version: &str| json!({"name": "x", "resourceVersion": version});
            assert!(differ(&kind("", plural), written("1"), written("2")), "{plural}");
        }
    }
}

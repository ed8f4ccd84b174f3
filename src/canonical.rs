//! Making two captures of an unchanged object byte-equal.
//!
//! In: an object as the API server gives it. Out: the part that is somebody's intent, which a restore may write.
//! Invariant: canonicalising twice changes nothing, and no field that only one cluster can have survives
//! (uid, resourceVersion, addresses the server allots, bundles controllers inject).

mod authority;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::{Extent, ItemKey};

/// Metadata the server writes (Kubernetes API conventions, "Metadata").
const SERVER_METADATA: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    // An owner's uid is of one cluster; a restore keeps what the live object has.
    "ownerReferences",
    // Re-added by the controllers that need them; a foreign one would make the object undeletable.
    "finalizers",
    "generateName",
];

/// Whether an object's metadata may have such a field (Kubernetes API reference, ObjectMeta).
pub fn is_metadata(field: &str) -> bool {
    SERVER_METADATA.contains(&field) || ["name", "namespace", "labels", "annotations"].contains(&field)
        // Fields of old: harmless where somebody exported them.
        || ["clusterName", "initializers"].contains(&field)
}

/// Annotations that are bookkeeping of a tool, or a copy of the object. last-applied-configuration doubles a
/// Secret in plain text.
const BOOKKEEPING: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/leader",
    "pv.kubernetes.io/",
    "endpoints.kubernetes.io/",
    "objectset.rio.cattle.io/",
];

/// Annotations of a Namespace that policies depend on: RKE2's own gates for its default policies.
const NAMESPACE_ANNOTATIONS: &[&str] = &["np.rke2.io"];
/// Annotations a user sets on a Node for flannel; all its others are runtime.
const NODE_ANNOTATIONS: &[&str] =
    &["flannel.alpha.coreos.com/public-ip-overwrite", "flannel.alpha.coreos.com/public-ipv6-overwrite"];
const METALLB_ANNOTATIONS: &[&str] = &["metallb.io/", "metallb.universe.tf/"];
/// The one that MetalLB itself writes: which pool an address came from.
const METALLB_STATUS: &str = "/ip-allocated-from-pool";

/// The canonical form of a whole object.
pub fn canonical(key: &ItemKey, mut object: Value) -> Value {
    let ItemKey::Resource { group, plural, .. } = key else { return object };
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|name, _| !SERVER_METADATA.contains(&name.as_str()));
            for map in ["annotations", "labels"] {
                retain(metadata, map, |name| !starts_with_any(name, BOOKKEEPING));
            }
        }
    }
    match (group.as_str(), plural.as_str()) {
        ("", "services") => service(&mut object),
        ("", "serviceaccounts") => remove(&mut object, &["secrets"]),
        ("apps", _) => {
            if let Some(template) =
                object.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut)
            {
                template.remove("creationTimestamp");
                retain(template, "annotations", |name| name != "kubectl.kubernetes.io/restartedAt");
            }
        }
        ("rbac.authorization.k8s.io", "clusterroles") if !object["aggregationRule"].is_null() => {
            remove(&mut object, &["rules"]); // filled in by the aggregation controller
        }
        ("helm.cattle.io", "helmcharts") => digest_chart(&mut object),
        _ => {}
    }
    authority::leave_to_injectors(key, &mut object);
    object
}

/// The part of a shared object that is netdr's, which may be no more than its name; none where no part of such an object is.
pub fn owned_fields(key: &ItemKey, object: &Value) -> Option<Value> {
    let ItemKey::Resource { plural, namespace, name, .. } = key else { return None };
    let metadata = &object["metadata"];
    let pick = |map: &str, keep: &dyn Fn(&str) -> bool| -> Map<String, Value> {
        let entries = metadata[map].as_object().into_iter().flatten();
        entries.filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let (labels, annotations) = match plural.as_str() {
        "namespaces" => (
            // metadata.name is set by the server; Helm's and Argo's bookkeeping labels are theirs but harmless.
            pick("labels", &|name| {
                name != "kubernetes.io/metadata.name" && !starts_with_any(name, BOOKKEEPING)
            }),
            pick("annotations", &|name| starts_with_any(name, NAMESPACE_ANNOTATIONS)),
        ),
        "nodes" => (Map::new(), pick("annotations", &|name| NODE_ANNOTATIONS.contains(&name))),
        "services" => (
            Map::new(),
            pick("annotations", &|name| {
                starts_with_any(name, METALLB_ANNOTATIONS) && !name.ends_with(METALLB_STATUS)
            }),
        ),
        "deployments" | "statefulsets" => (Map::new(), Map::new()),
        _ => return None,
    };
    let fields: &[&str] = match plural.as_str() {
        "services" => &["loadBalancerIP", "loadBalancerClass"],
        // What a `scale` step changes; everywhere else a workload is netdr's whole.
        "deployments" | "statefulsets" => &["replicas"],
        _ => &[],
    };
    let mut spec = Map::new();
    for field in fields {
        if let Some(value) = object["spec"].get(*field) {
            spec.insert((*field).into(), value.clone());
        }
    }
    let mut kept = json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": name},
    });
    if let Some(namespace) = namespace {
        kept["metadata"]["namespace"] = namespace.clone().into();
    }
    for (place, map) in [("labels", labels), ("annotations", annotations)] {
        if !map.is_empty() {
            kept["metadata"][place] = map.into();
        }
    }
    if !spec.is_empty() {
        kept["spec"] = spec.into();
    }
    Some(kept)
}

/// [`canonical`] or [`owned_fields`], by the item's extent: what there is of an item whose object exists.
pub fn present(key: &ItemKey, extent: Extent, object: Value) -> Option<Value> {
    match extent {
        Extent::Whole => Some(canonical(key, object)),
        Extent::Fields => owned_fields(key, &object),
    }
}

/// As [`present`], and none where a shared object has nothing of netdr's: that is no item. A namespace always is one.
pub fn content(key: &ItemKey, extent: Extent, object: Value) -> Option<Value> {
    let owns = |kept: &Value| ["labels", "annotations"].iter().any(|map| !kept["metadata"][map].is_null());
    let item = |kept: &Value| {
        extent == Extent::Whole || key.is_kind("", "namespaces") || owns(kept) || !kept["spec"].is_null()
    };
    present(key, extent, object).filter(item)
}

/// Puts back into `wanted` what only the live object can know, before a PUT: owners, finalizers, bookkeeping,
/// addresses, the authorities that the source leaves to an injector. Without its bookkeeping the next `kubectl apply`
/// would not see what to remove, and RKE2's deploy controller not know its own.
pub fn keep_live(key: &ItemKey, wanted: &mut Value, live: &Value) {
    for field in ["ownerReferences", "finalizers"] {
        if let Some(value) = live["metadata"].get(field) {
            wanted["metadata"][field] = value.clone();
        }
    }
    for map in ["annotations", "labels"] {
        let entries = live["metadata"][map].as_object().into_iter().flatten();
        for (name, value) in entries.filter(|(name, _)| starts_with_any(name, BOOKKEEPING)) {
            wanted["metadata"][map][name] = value.clone();
        }
    }
    if key.is_kind("", "services") {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort"] {
            if let Some(value) = live["spec"].get(field) {
                wanted["spec"][field] = value.clone();
            }
        }
    }
    if key.is_kind("", "serviceaccounts") && !live["secrets"].is_null() {
        wanted["secrets"] = live["secrets"].clone();
    }
    if let Some(restarted) =
        live.pointer("/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt")
    {
        wanted["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
            restarted.clone();
    }
    authority::keep_live(key, wanted, live);
}

/// Cluster addresses are allotted by the server and immutable or taken elsewhere; a headless Service's `None` is
/// intent. So are the node ports of a NodePort Service, which whoever is outside has written down; of any other type
/// they are by-products.
fn service(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    spec.remove("healthCheckNodePort");
    if spec.get("type").is_some_and(|kind| kind == "NodePort") {
        return;
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        remove(port, &["nodePort"]);
    }
}

/// The chart embedded in a HelmChart is RKE2's, hundreds of kilobytes, and never restored: its digest is enough.
fn digest_chart(object: &mut Value) {
    if let Some(chart) = object.pointer_mut("/spec/chartContent")
        && let Some(text) = chart.as_str().filter(|t| !t.starts_with("sha256:"))
    {
        *chart = format!("sha256:{}", crate::model::hex(&Sha256::digest(text))).into();
    }
}

fn starts_with_any(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Keeps the entries of `parent[map]` whose name passes; removes the map when nothing is left.
fn retain(parent: &mut Map<String, Value>, map: &str, keep: impl Fn(&str) -> bool) {
    let Some(entries) = parent.get_mut(map).and_then(Value::as_object_mut) else {
        parent.remove(map);
        return;
    };
    entries.retain(|name, _| keep(name));
    if entries.is_empty() {
        parent.remove(map);
    }
}

fn remove(object: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let parent = parents.iter().try_fold(object, |value, step| value.get_mut(*step));
    if let Some(map) = parent.and_then(Value::as_object_mut) {
        map.remove(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(group: &str, plural: &str) -> ItemKey {
        ItemKey::resource(group, plural, Some("demo"), "x")
    }

    #[test]
    fn what_the_server_and_tools_write_is_gone_and_intent_stays() {
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {
                "name": "x", "namespace": "demo", "uid": "u", "resourceVersion": "1", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}], "selfLink": "/x",
                "finalizers": ["a/b"], "ownerReferences": [{"uid": "o"}],
                "labels": {"objectset.rio.cattle.io/hash": "h"},
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                    "cert-manager.io/certificate-name": "x", "projectcalico.org/metadata": "{}",
                    "meta.helm.sh/release-name": "traefik",
                },
            },
            "data": {"tls.key": "cw=="}, "status": {"a": 1},
        });
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": "x", "namespace": "demo", "annotations": {
                "cert-manager.io/certificate-name": "x", "projectcalico.org/metadata": "{}",
                "meta.helm.sh/release-name": "traefik",
            }},
            "data": {"tls.key": "cw=="},
        });
        let once = canonical(&key("", "secrets"), object);
        assert_eq!(once, expected);
        assert_eq!(canonical(&key("", "secrets"), once.clone()), once);
    }

    #[test]
    fn a_service_loses_allotted_addresses_and_keeps_none() {
        let service = |ip: &str| {
            json!({"metadata": {"name": "x"}, "spec": {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP",
                "ipFamilies": ["IPv4"], "ports": [{"port": 80, "nodePort": 30080}]}})
        };
        let allotted = canonical(&key("", "services"), service("10.43.0.7"));
        assert_eq!(
            allotted["spec"],
            json!({"type": "ClusterIP", "ipFamilies": ["IPv4"], "ports": [{"port": 80}]})
        );
        assert_eq!(canonical(&key("", "services"), service("None"))["spec"]["clusterIP"], "None");
    }

    #[test]
    fn a_service_keeps_what_the_outside_and_its_author_rely_on() {
        let spec = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}],
            "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]});
        let mut object = json!({"metadata": {"name": "x"}, "spec": spec});
        object["spec"]["healthCheckNodePort"] = 31000.into();
        assert_eq!(canonical(&key("", "services"), object)["spec"], spec);
    }

    #[test]
    fn what_metallb_says_of_a_service_is_no_intent() {
        let service = |annotations: Value| {
            let object = json!({"kind": "Service", "metadata": {"name": "x", "annotations": annotations}});
            content(&key("", "services"), Extent::Fields, object)
        };
        let pool = json!({"metallb.io/ip-allocated-from-pool": "edge"});
        assert_eq!(service(pool), None);
        let asked =
            json!({"metallb.io/address-pool": "edge", "metallb.universe.tf/ip-allocated-from-pool": "edge"});
        let kept = service(asked).unwrap();
        assert_eq!(kept["metadata"]["annotations"], json!({"metallb.io/address-pool": "edge"}));
    }

    #[test]
    fn of_shared_objects_only_the_networks_fields_are_kept() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "spec": {"finalizers": ["kubernetes"]},
            "metadata": {"name": "x", "uid": "u", "labels": {"kubernetes.io/metadata.name": "x", "team": "a"},
                "annotations": {"np.rke2.io/dns": "resolved", "field.cattle.io/projectId": "p"}}});
        let kept = owned_fields(&ItemKey::resource("", "namespaces", None, "x"), &namespace);
        assert_eq!(
            kept,
            Some(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": "x", "labels": {"team": "a"}, "annotations": {"np.rke2.io/dns": "resolved"}}}))
        );
        let node = json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "x", "annotations": {"flannel.alpha.coreos.com/backend-data": "{}"}}});
        let key = ItemKey::resource("", "nodes", None, "x");
        assert_eq!(content(&key, Extent::Fields, node.clone()), None);
        let bare = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}});
        assert_eq!(present(&key, Extent::Fields, node), Some(bare), "it exists all the same");
    }

    #[test]
    fn a_put_keeps_what_only_the_live_object_knows() {
        let live = json!({"metadata": {"finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
            "ownerReferences": [{"uid": "o"}]}, "spec": {"clusterIP": "10.43.0.9", "clusterIPs": ["10.43.0.9"]}});
        let mut wanted = json!({"metadata": {"name": "x"}, "spec": {"ports": []}});
        keep_live(&key("", "services"), &mut wanted, &live);
        assert_eq!(wanted["spec"]["clusterIP"], "10.43.0.9");
        assert_eq!(wanted["metadata"]["finalizers"], live["metadata"]["finalizers"]);
        assert_eq!(canonical(&key("", "services"), wanted)["metadata"], json!({"name": "x"}));
    }

    #[test]
    fn a_put_leaves_the_bookkeeping_of_others_and_injected_authorities() {
        let live = json!({
            "metadata": {
                "labels": {"objectset.rio.cattle.io/hash": "h", "added": "since"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}",
                    "cert-manager.io/inject-ca-from": "demo/ca"},
            },
            "spec": {"conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"caBundle": "Q0E="}}}},
        });
        let key = key("apiextensions.k8s.io", "customresourcedefinitions");
        let mut wanted = canonical(&key, live.clone());
        wanted["metadata"] =
            json!({"name": "x", "annotations": {"cert-manager.io/inject-ca-from": "demo/ca"}});
        let stored = wanted.clone();
        keep_live(&key, &mut wanted, &live);
        assert_eq!(wanted["spec"], live["spec"]);
        assert_eq!(wanted["metadata"]["labels"], json!({"objectset.rio.cattle.io/hash": "h"}));
        assert_eq!(
            wanted["metadata"]["annotations"],
            json!({"kubectl.kubernetes.io/last-applied-configuration": "{}",
                "cert-manager.io/inject-ca-from": "demo/ca"})
        );
        assert_eq!(canonical(&key, wanted), stored);
        let mut plain = json!({"metadata": {"name": "x"}, "spec": {"conversion": {"strategy": "None"}}});
        let unchanged = plain.clone();
        keep_live(&key, &mut plain, &live);
        assert_eq!(plain["spec"], unchanged["spec"]);
    }

    #[test]
    fn a_restart_is_no_difference_and_is_not_undone() {
        let restarted = json!({"metadata": {"name": "x"}, "spec": {"template": {"metadata": {
            "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-24T01:00:00Z"}}}}});
        let mut wanted = canonical(&key("apps", "daemonsets"), restarted.clone());
        assert!(wanted["spec"]["template"]["metadata"]["annotations"].is_null());
        keep_live(&key("apps", "daemonsets"), &mut wanted, &restarted);
        assert_eq!(wanted, restarted);
    }
}

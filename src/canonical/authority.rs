//! The authorities (`caBundle`) by which the API server knows the servers that it calls: webhooks, conversions, aggregated
//! APIs.
//!
//! In: an object. Out: the object without what an injector writes, or with what the live one has of it. Invariant: an
//! authority that no controller writes again is part of the object.

use serde_json::Value;

use super::{remove, starts_with_any};
use crate::model::ItemKey;

/// What asks cert-manager's injector for an authority.
const INJECTED: &[&str] = &["cert-manager.io/inject-ca-from", "cert-manager.io/inject-apiserver-ca"];
/// Webhook configurations whose own controller writes their authority.
const OWN_AUTHORITIES: &[&str] = &["cert-manager-webhook", "metallb-webhook-configuration"];

/// Leaves an object's authorities out where an injector writes them.
pub(super) fn leave_to_injectors(key: &ItemKey, object: &mut Value) {
    if !has_injector(key, object) {
        return;
    }
    if let Some(config) = calls(key).and_then(|path| object.pointer_mut(path)) {
        remove(config, &["caBundle"]);
    }
    for webhook in object.get_mut("webhooks").and_then(Value::as_array_mut).into_iter().flatten() {
        remove(webhook, &["clientConfig", "caBundle"]);
    }
}

/// Puts the live authorities into `wanted` where it has none of its own.
pub(super) fn keep_live(key: &ItemKey, wanted: &mut Value, live: &Value) {
    if let Some(path) = calls(key)
        && let Some(config) = wanted.pointer_mut(path)
        && config["caBundle"].is_null()
        && let Some(bundle) = live.pointer(path).and_then(|config| config.get("caBundle"))
    {
        config["caBundle"] = bundle.clone();
    }
    let webhooks = wanted.get_mut("webhooks").and_then(Value::as_array_mut);
    if let (Some(webhooks), Some(live)) = (webhooks, live["webhooks"].as_array()) {
        for webhook in webhooks.iter_mut().filter(|webhook| webhook["clientConfig"]["caBundle"].is_null()) {
            let twin = live.iter().find(|l| l["name"] == webhook["name"]);
            if let Some(bundle) = twin.and_then(|l| l["clientConfig"].get("caBundle")) {
                webhook["clientConfig"]["caBundle"] = bundle.clone();
            }
        }
    }
}

/// Whether a controller writes the authorities of an object's servers again, at any time: cert-manager's injector
/// (`cert-manager.io/inject-ca-from`, `-from-secret`, `inject-apiserver-ca`) and webhook, MetalLB's controller. Of any
/// other (a chart's, or a hook's Job that runs at upgrades only) nobody would, and the API server could call nothing.
fn has_injector(key: &ItemKey, object: &Value) -> bool {
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let ours = annotations.map(|(name, _)| name).any(|name| starts_with_any(name, INJECTED));
    let definition = matches!(key, ItemKey::Resource { group, .. } if group == "apiextensions.k8s.io");
    ours || OWN_AUTHORITIES.contains(&key.name()) || (definition && key.name().ends_with(".metallb.io"))
}

/// Where an aggregated API or a definition says how its server is called, with the authority that signs for it.
fn calls(key: &ItemKey) -> Option<&'static str> {
    match key {
        ItemKey::Resource { group, .. } if group == "apiregistration.k8s.io" => Some("/spec"),
        ItemKey::Resource { group, .. } if group == "apiextensions.k8s.io" => {
            Some("/spec/conversion/webhook/clientConfig")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_authority_is_left_out_only_where_a_controller_writes_it_again() {
        let webhooks = |name: &str, annotations: Value, bundle: Option<&str>| {
            let mut config = json!({"service": {"name": "x"}});
            if let Some(bundle) = bundle {
                config["caBundle"] = bundle.into();
            }
            json!({"metadata": {"name": name, "annotations": annotations},
                "webhooks": [{"name": "a.b", "clientConfig": config}]})
        };
        let key = |name: &str| {
            ItemKey::resource("admissionregistration.k8s.io", "validatingwebhookconfigurations", None, name)
        };
        let canonical = |object: &Value| {
            super::super::canonical(&key(object["metadata"]["name"].as_str().unwrap()), object.clone())
        };
        let by_hook = webhooks("ingress-nginx-admission", json!({"helm.sh/chart": "x"}), Some("b2xk"));
        assert_eq!(canonical(&by_hook), by_hook);
        for (name, annotation) in [
            ("mine", "cert-manager.io/inject-ca-from-secret"),
            ("mine", "cert-manager.io/inject-ca-from"),
            ("metallb-webhook-configuration", "helm.sh/chart"),
        ] {
            let injected = webhooks(name, json!({annotation: "x"}), Some("b2xk"));
            assert_eq!(canonical(&injected), webhooks(name, json!({annotation: "x"}), None), "{name}");
        }
        // The source's own comes back; where it has none, the live one stays.
        let live = webhooks("x", json!({}), Some("bmV3"));
        for (source, expected) in [(Some("b2xk"), "b2xk"), (None, "bmV3")] {
            let mut wanted = webhooks("x", json!({}), source);
            keep_live(&key("x"), &mut wanted, &live);
            assert_eq!(wanted["webhooks"][0]["clientConfig"]["caBundle"], expected);
        }
    }
}

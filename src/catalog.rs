//! What a component is: one table of kinds, and which of their fields are secret.
//!
//! In: an object or a key. Out: whether it is config, evidence or generated, how much of it is netdr's, and what
//! of it may be shown. Invariant: pure; a kind that no row names is never captured and never restored.

mod kinds;
pub mod references;
mod sensitive;

pub use kinds::{BUILT_IN_GROUPS, KINDS, Kind, Select, rows};
pub use sensitive::is_sensitive;

use serde_json::Value;

use crate::model::{Class, Component, ItemKey};

/// A kind added by `scope.extra`, such as a service mesh's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraKind {
    /// API group.
    pub group: String,
    /// Kind, as in `kind:` of its objects.
    pub kind: String,
    /// Which bundle it goes to.
    pub component: Component,
}

/// The class of one object: the row's, unless the object itself says that a controller made it.
pub fn classify(class: Class, key: &ItemKey, object: &Value) -> Class {
    let metadata = &object["metadata"];
    let owned = metadata["ownerReferences"].as_array().is_some_and(|owners| {
        // A Certificate made by ingress-shim belongs to its Ingress and is made again by it (cert-manager docs,
        // "Backup and Restore Resources"); that owner is not always marked as the controller.
        owners.iter().any(|o| o["controller"] == true || is_shim(key, o))
    });
    let labels = &metadata["labels"];
    let made = owned
        // Auto-created HostEndpoints (kube-controllers); RKE2 derives this policy from the nodes' podCIDRs.
        || labels["projectcalico.org/created-by"] == "calico-kube-controllers"
        || (key.is_kind("networking.k8s.io", "networkpolicies") && key.name() == "rke2-flannel-host-networking");
    match class {
        Class::Config if !metadata["deletionTimestamp"].is_null() => Class::Evidence,
        Class::Config if made || references::excluded(key).is_some() => Class::Generated,
        other => other,
    }
}

fn is_shim(key: &ItemKey, owner: &Value) -> bool {
    key.is_kind("cert-manager.io", "certificates")
        && matches!(owner["kind"].as_str(), Some("Ingress" | "Gateway"))
}

/// Who else writes an object and will revert what a restore does to it: Argo CD, Flux, Fleet or RKE2's AddOns.
pub fn managed_by(object: &Value) -> Option<&'static str> {
    let metadata = &object["metadata"];
    let has = |map: &str, key: &str| !metadata[map][key].is_null();
    if has("annotations", "argocd.argoproj.io/tracking-id") || has("labels", "argocd.argoproj.io/instance") {
        Some("Argo CD")
    } else if has("labels", "kustomize.toolkit.fluxcd.io/name")
        || has("labels", "helm.toolkit.fluxcd.io/name")
    {
        Some("Flux")
    } else if has("annotations", "meta.helm.sh/release-name") && has("labels", "fleet.cattle.io/bundle-id") {
        Some("Fleet")
    } else if metadata["annotations"]["objectset.rio.cattle.io/owner-gvk"] == "k3s.cattle.io/v1, Kind=Addon" {
        Some("an RKE2 AddOn manifest")
    } else {
        None
    }
}

//! What a component is: one table of kinds, and which of their fields are secret.
//!
//! In: an object or a key. Out: whether it is config, evidence or generated, how much of it is netdr's, and what
//! of it may be shown. Invariant: pure; a kind that no row names is never captured and never restored.

mod credential;
mod files;
mod kinds;
pub mod references;
mod sensitive;

pub use credential::{looks_secret, shows_credential};
pub use files::{HOST_FILES, HostFiles, host_files};
pub use kinds::{BUILT_IN_GROUPS, KINDS, Kind, Select, TRAEFIK_V2, lists_all, plural, rows};
pub use sensitive::{is_sensitive, is_within_secret, is_yaml};

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
        owners.iter().any(|o| (o["controller"] == true && !is_certificates(key, o)) || is_shim(key, o))
    });
    let labels = &metadata["labels"];
    let made = owned
        || (key.is_kind("", "secrets") && object["type"].as_str().is_some_and(|t| MADE_SECRETS.contains(&t)))
        // Auto-created HostEndpoints (kube-controllers); RKE2 derives this policy from the nodes' podCIDRs.
        || labels["projectcalico.org/created-by"] == "calico-kube-controllers"
        || (key.is_kind("networking.k8s.io", "networkpolicies") && key.name() == "rke2-flannel-host-networking");
    match class {
        Class::Config if !metadata["deletionTimestamp"].is_null() => Class::Evidence,
        // Its chart is kept as a digest, and whoever deletes it uninstalls what it installed.
        Class::Config if key.is_kind("helm.cattle.io", "helmcharts") => Class::Evidence,
        Class::Config if defines_dead(key) => Class::Evidence,
        Class::Config if made || references::excluded(key).is_some() => Class::Generated,
        other => other,
    }
}

/// Whether a change of the item is somebody's doing: of intent, and of what is only recorded but never changes by itself,
/// which is what RKE2 renders of Canal's release, by name, and files of the host. Calico's runtime objects come and go.
pub fn stands_still(class: Class, key: &ItemKey) -> bool {
    match (class, key) {
        (Class::Config, _) | (Class::Evidence, ItemKey::File { .. }) => true,
        (Class::Evidence, ItemKey::Resource { group, plural, name, .. }) => KINDS.iter().any(|row| {
            let named = matches!(row.select, Select::Named(names) if names.iter().any(|(_, n)| n == name));
            row.class == Class::Evidence && row.group == group && row.plural == plural && named
        }),
        _ => false,
    }
}

/// The definition of a kind that Traefik no longer reads: brought back, it would only take objects that do nothing.
fn defines_dead(key: &ItemKey) -> bool {
    key.is_kind("apiextensions.k8s.io", "customresourcedefinitions")
        && key.name().split_once('.').is_some_and(|(_, group)| group == TRAEFIK_V2)
}

/// Types of Secrets that a controller makes, or that only their own cluster can use. Releases are items of their own.
const MADE_SECRETS: &[&str] = &[
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "helmcharts.helm.cattle.io/values",
    "helm.sh/release.v1",
];

/// The Secret of a Certificate, under cert-manager's `--enable-certificate-owner-ref`: making it again means to have it
/// issued again, which Let's Encrypt counts.
fn is_certificates(key: &ItemKey, owner: &Value) -> bool {
    let api = owner["apiVersion"].as_str().unwrap_or_default();
    key.is_kind("", "secrets") && owner["kind"] == "Certificate" && api.starts_with("cert-manager.io/")
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

/// Whether a HorizontalPodAutoscaler set a workload's replicas: it is who writes subresource `scale` in the name of
/// kube-controller-manager (Kubernetes, pkg/controller/podautoscaler; a person's `kubectl scale` goes by another name).
pub fn is_autoscaled(object: &Value) -> bool {
    let mut entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.any(|entry| {
        entry["manager"] == "kube-controller-manager"
            && entry["subresource"] == "scale"
            && !entry["fieldsV1"]["f:spec"]["f:replicas"].is_null()
    })
}

/// Who brought an object to the cluster, where it was not whoever writes plain YAML: a deployer, Helm, or RKE2 itself.
pub fn brought_by(key: &ItemKey, object: &Value) -> Option<&'static str> {
    let helm = !object["metadata"]["annotations"]["meta.helm.sh/release-name"].is_null();
    // RKE2's own policies (profile cis): once they are gone it does not make them again (field guide, np.rke2.io).
    let rke2 = key.is_kind("networking.k8s.io", "networkpolicies")
        && matches!(key.namespace(), Some("kube-system" | "kube-public" | "default"))
        && key.name().starts_with("default-network-");
    managed_by(object).or(helm.then_some("a Helm release")).or(rke2.then_some("RKE2 itself"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn class(group: &str, plural: &str, object: Value) -> Class {
        classify(Class::Config, &ItemKey::resource(group, plural, Some("demo"), "x"), &object)
    }

    #[test]
    fn what_a_controller_made_is_generated() {
        let owned = |kind: &str, controller: bool| json!({"metadata": {"ownerReferences": [{"kind": kind, "controller": controller}]}});
        assert_eq!(class("networking.k8s.io", "networkpolicies", owned("Operator", true)), Class::Generated);
        assert_eq!(class("networking.k8s.io", "networkpolicies", owned("Operator", false)), Class::Config);
        assert_eq!(class("cert-manager.io", "certificates", owned("Ingress", false)), Class::Generated);
        assert_eq!(class("cert-manager.io", "certificates", owned("Team", false)), Class::Config);
        let auto =
            json!({"metadata": {"labels": {"projectcalico.org/created-by": "calico-kube-controllers"}}});
        assert_eq!(class("crd.projectcalico.org", "hostendpoints", auto), Class::Generated);
        let derived = ItemKey::resource(
            "networking.k8s.io",
            "networkpolicies",
            Some("kube-system"),
            "rke2-flannel-host-networking",
        );
        assert_eq!(classify(Class::Config, &derived, &json!({})), Class::Generated);
    }

    #[test]
    fn secrets_are_judged_by_type_and_by_name() {
        for made in MADE_SECRETS {
            assert_eq!(class("", "secrets", json!({"type": made})), Class::Generated, "{made}");
        }
        for kept in ["kubernetes.io/tls", "Opaque", "kubernetes.io/dockerconfigjson"] {
            assert_eq!(class("", "secrets", json!({"type": kept})), Class::Config, "{kept}");
        }
        let memberlist = ItemKey::resource("", "secrets", Some("metallb-system"), "memberlist");
        assert_eq!(classify(Class::Config, &memberlist, &json!({"type": "Opaque"})), Class::Generated);
    }

    #[test]
    fn the_secret_of_a_certificate_is_config_also_where_the_certificate_owns_it() {
        let owned = |api: &str, kind: &str| {
            let owner = json!({"apiVersion": api, "kind": kind, "controller": true});
            class(
                "",
                "secrets",
                json!({"type": "kubernetes.io/tls", "metadata": {"ownerReferences": [owner]}}),
            )
        };
        assert_eq!(owned("cert-manager.io/v1", "Certificate"), Class::Config);
        assert_eq!(owned("bitnami.com/v1alpha1", "SealedSecret"), Class::Generated);
    }

    #[test]
    fn a_helm_chart_object_is_never_restored_whoever_asks_for_it() {
        assert_eq!(class("helm.cattle.io", "helmcharts", json!({})), Class::Evidence);
        assert_eq!(class("helm.cattle.io", "helmchartconfigs", json!({})), Class::Config);
    }

    #[test]
    fn the_definition_of_a_dead_kind_is_evidence() {
        let definition = |name: &str| {
            let key = ItemKey::resource("apiextensions.k8s.io", "customresourcedefinitions", None, name);
            classify(Class::Config, &key, &json!({}))
        };
        assert_eq!(definition("middlewares.traefik.containo.us"), Class::Evidence);
        assert_eq!(definition("middlewares.traefik.io"), Class::Config);
    }

    #[test]
    fn what_is_rendered_by_name_stands_still_and_what_runs_does_not() {
        let still = |group: &str, plural: &str, name: &str| {
            stands_still(Class::Evidence, &ItemKey::resource(group, plural, Some("kube-system"), name))
        };
        assert!(still("apps", "daemonsets", "rke2-canal") && still("", "configmaps", "rke2-canal-config"));
        assert!(!still("crd.projectcalico.org", "ipamblocks", "rke2-canal"));
        assert!(!still("helm.cattle.io", "helmchartconfigs", "rke2-canal"), "one that is being deleted");
        let file = ItemKey::File { node: "n1".into(), path: "/etc/nftables.conf".into() };
        assert!(stands_still(Class::Evidence, &file) && !stands_still(Class::Generated, &file));
    }

    #[test]
    fn an_object_that_is_being_deleted_is_evidence_and_evidence_stays_evidence() {
        let dying = json!({"metadata": {"deletionTimestamp": "2026-11-24T01:00:00Z"}});
        assert_eq!(class("networking.k8s.io", "networkpolicies", dying.clone()), Class::Evidence);
        let key = ItemKey::resource("", "configmaps", Some("demo"), "kube-root-ca.crt");
        assert_eq!(classify(Class::Evidence, &key, &json!({})), Class::Evidence);
    }

    #[test]
    fn what_nobody_wrote_by_hand_is_known_by_its_marks() {
        let policy = |namespace, name| {
            ItemKey::resource("networking.k8s.io", "networkpolicies", Some(namespace), name)
        };
        let helm = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "x"}}});
        assert_eq!(brought_by(&policy("demo", "x"), &helm), Some("a Helm release"));
        let own = policy("kube-system", "default-network-dns-policy");
        assert_eq!(brought_by(&own, &json!({})), Some("RKE2 itself"));
        assert_eq!(brought_by(&policy("demo", "default-network-dns-policy"), &json!({})), None);
    }

    #[test]
    fn who_else_writes_an_object_is_named() {
        let labelled = |label: &str| json!({"metadata": {"labels": {label: "x"}}});
        assert_eq!(managed_by(&labelled("argocd.argoproj.io/instance")), Some("Argo CD"));
        assert_eq!(managed_by(&labelled("kustomize.toolkit.fluxcd.io/name")), Some("Flux"));
        assert_eq!(managed_by(&labelled("app.kubernetes.io/managed-by")), None);
        let addon = json!({"metadata": {"annotations": {
            "objectset.rio.cattle.io/owner-gvk": "k3s.cattle.io/v1, Kind=Addon"}}});
        assert_eq!(managed_by(&addon), Some("an RKE2 AddOn manifest"));
    }
}

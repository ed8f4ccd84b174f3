//! The table: every kind netdr captures, in which component, as what.
//!
//! Sources: Calico's `datastore migrate export` for what is configuration and what is runtime; cert-manager's
//! "Backup and Restore Resources"; the CRDs of Traefik v3, MetalLB and Gateway API.

use crate::model::{Class, Component, Extent, ItemKey};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The bundle its items go to.
    pub component: Component,
    /// API group, empty for core.
    pub group: &'static str,
    /// Plural resource name.
    pub plural: &'static str,
    /// What its items are for.
    pub class: Class,
    /// Which of its objects.
    pub select: Select,
}

/// Which objects of a kind are netdr's business.
#[derive(Clone, Copy, Debug)]
pub enum Select {
    /// Every one.
    All,
    /// Those of one Secret type, chosen by the server so that no other Secret is ever read.
    SecretType(&'static str),
    /// These, by namespace (empty for cluster-scoped) and name.
    Named(&'static [(&'static str, &'static str)]),
}

use Class::{Config, Evidence};
use Component::{Certificates, Cni, Ingress, Loadbalancer, Policies};

const fn row(component: Component, group: &'static str, plural: &'static str, class: Class) -> Kind {
    Kind { component, group, plural, class, select: Select::All }
}

const fn named(
    component: Component,
    group: &'static str,
    plural: &'static str,
    class: Class,
    names: &'static [(&'static str, &'static str)],
) -> Kind {
    Kind { component, group, plural, class, select: Select::Named(names) }
}

const CALICO: &str = "crd.projectcalico.org";
const TRAEFIK: &str = "traefik.io";
/// Traefik v2's group, which v3 no longer reads: such objects are dead, and reported.
pub const TRAEFIK_V2: &str = "traefik.containo.us";
const GATEWAY: &str = "gateway.networking.k8s.io";
const METALLB: &str = "metallb.io";
const CERT_MANAGER: &str = "cert-manager.io";
const ADMIN_POLICY: &str = "policy.networking.k8s.io";
const HELM: &str = "helm.cattle.io";
const RBAC: &str = "rbac.authorization.k8s.io";
const NETWORKING: &str = "networking.k8s.io";

/// Groups that are part of Kubernetes: their kinds have no CRD to capture.
pub const BUILT_IN_GROUPS: [&str; 4] = ["", NETWORKING, RBAC, "apps"];

/// The table.
pub const KINDS: &[Kind] = &[
    // Canal: what the user configured is the HelmChartConfig; the rest of the release is rendered from it by RKE2.
    named(
        Cni,
        HELM,
        "helmchartconfigs",
        Config,
        &[("kube-system", "rke2-canal"), ("kube-system", "rke2-calico")],
    ),
    named(Cni, HELM, "helmcharts", Evidence, &[("kube-system", "rke2-canal")]),
    named(Cni, "", "configmaps", Evidence, &[("kube-system", "rke2-canal-config")]),
    named(Cni, "apps", "daemonsets", Evidence, &[("kube-system", "rke2-canal")]),
    named(Cni, "", "serviceaccounts", Evidence, &[("kube-system", "canal")]),
    named(Cni, RBAC, "clusterroles", Evidence, &[("", "calico-node"), ("", "flannel")]),
    named(Cni, RBAC, "clusterrolebindings", Evidence, &[("", "canal-calico"), ("", "canal-flannel")]),
    row(Cni, "", "nodes", Config),
    row(Cni, CALICO, "ippools", Config),
    row(Cni, CALICO, "ipreservations", Config),
    row(Cni, CALICO, "felixconfigurations", Config),
    row(Cni, CALICO, "bgpconfigurations", Config),
    row(Cni, CALICO, "bgppeers", Config),
    row(Cni, CALICO, "bgpfilters", Config),
    row(Cni, CALICO, "kubecontrollersconfigurations", Config),
    // Canal uses host-local IPAM, so Calico's IPAM objects are leftovers; and IPAM data "is only valid given a
    // consistent running cluster" (calico #4374).
    row(Cni, CALICO, "ipamconfigs", Evidence),
    row(Cni, CALICO, "ipamblocks", Evidence),
    row(Cni, CALICO, "ipamhandles", Evidence),
    row(Cni, CALICO, "blockaffinities", Evidence),
    row(Cni, CALICO, "clusterinformations", Evidence),
    row(Cni, CALICO, "caliconodestatuses", Evidence),
    // Ingress: Traefik's kinds, RKE2's own ingress configuration, Ingress, Gateway API.
    named(
        Ingress,
        HELM,
        "helmchartconfigs",
        Config,
        &[("kube-system", "rke2-traefik"), ("kube-system", "rke2-ingress-nginx")],
    ),
    row(Ingress, TRAEFIK, "tlsoptions", Config),
    row(Ingress, TRAEFIK, "tlsstores", Config),
    row(Ingress, TRAEFIK, "serverstransports", Config),
    row(Ingress, TRAEFIK, "serverstransporttcps", Config),
    row(Ingress, TRAEFIK, "middlewares", Config),
    row(Ingress, TRAEFIK, "middlewaretcps", Config),
    row(Ingress, TRAEFIK, "traefikservices", Config),
    row(Ingress, TRAEFIK, "ingressroutes", Config),
    row(Ingress, TRAEFIK, "ingressroutetcps", Config),
    row(Ingress, TRAEFIK, "ingressrouteudps", Config),
    row(Ingress, TRAEFIK_V2, "ingressroutes", Evidence),
    row(Ingress, TRAEFIK_V2, "ingressroutetcps", Evidence),
    row(Ingress, TRAEFIK_V2, "ingressrouteudps", Evidence),
    row(Ingress, TRAEFIK_V2, "middlewares", Evidence),
    row(Ingress, TRAEFIK_V2, "middlewaretcps", Evidence),
    row(Ingress, TRAEFIK_V2, "serverstransports", Evidence),
    row(Ingress, TRAEFIK_V2, "tlsoptions", Evidence),
    row(Ingress, TRAEFIK_V2, "tlsstores", Evidence),
    row(Ingress, TRAEFIK_V2, "traefikservices", Evidence),
    row(Ingress, NETWORKING, "ingressclasses", Config),
    row(Ingress, NETWORKING, "ingresses", Config),
    row(Ingress, GATEWAY, "gatewayclasses", Config),
    row(Ingress, GATEWAY, "gateways", Config),
    row(Ingress, GATEWAY, "listenersets", Config),
    row(Ingress, GATEWAY, "httproutes", Config),
    row(Ingress, GATEWAY, "grpcroutes", Config),
    row(Ingress, GATEWAY, "tlsroutes", Config),
    row(Ingress, GATEWAY, "tcproutes", Config),
    row(Ingress, GATEWAY, "udproutes", Config),
    row(Ingress, GATEWAY, "referencegrants", Config),
    row(Ingress, GATEWAY, "backendtlspolicies", Config),
    // MetalLB. Its memberlist and webhook Secrets are made again by its controller.
    row(Loadbalancer, METALLB, "bfdprofiles", Config),
    row(Loadbalancer, METALLB, "communities", Config),
    row(Loadbalancer, METALLB, "ipaddresspools", Config),
    row(Loadbalancer, METALLB, "bgppeers", Config),
    row(Loadbalancer, METALLB, "l2advertisements", Config),
    row(Loadbalancer, METALLB, "bgpadvertisements", Config),
    named(Loadbalancer, "", "configmaps", Config, &[("metallb-system", "metallb-excludel2")]),
    row(Loadbalancer, "", "services", Config),
    // cert-manager. Orders, challenges and requests are never captured: a restored CertificateRequest blocks renewal.
    row(Certificates, CERT_MANAGER, "issuers", Config),
    row(Certificates, CERT_MANAGER, "clusterissuers", Config),
    row(Certificates, CERT_MANAGER, "certificates", Config),
    Kind {
        component: Certificates,
        group: "",
        plural: "secrets",
        class: Config,
        select: Select::SecretType("kubernetes.io/tls"),
    },
    // Policies, tiers and sets.
    row(Policies, CALICO, "tiers", Config),
    row(Policies, CALICO, "globalnetworksets", Config),
    row(Policies, CALICO, "networksets", Config),
    row(Policies, CALICO, "globalnetworkpolicies", Config),
    row(Policies, CALICO, "networkpolicies", Config),
    row(Policies, CALICO, "stagedglobalnetworkpolicies", Config),
    row(Policies, CALICO, "stagednetworkpolicies", Config),
    row(Policies, CALICO, "stagedkubernetesnetworkpolicies", Config),
    row(Policies, CALICO, "hostendpoints", Config),
    row(Policies, ADMIN_POLICY, "adminnetworkpolicies", Config),
    row(Policies, ADMIN_POLICY, "baselineadminnetworkpolicies", Config),
    row(Policies, ADMIN_POLICY, "clusternetworkpolicies", Config),
    row(Policies, NETWORKING, "networkpolicies", Config),
];

/// The plural resource name of a kind: what people write names kinds, requests and keys name resources.
pub fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with(['s', 'x']) => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

/// The rows of a component.
pub fn rows(component: Component) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.component == component)
}

/// Whether every object of the item's kind is in its component, so that what was not read does not exist.
pub fn lists_all(component: Component, key: &ItemKey) -> bool {
    rows(component).any(|row| key.is_kind(row.group, row.plural) && matches!(row.select, Select::All))
}

impl Kind {
    /// Shared core objects belong to others: netdr owns some of their fields only.
    pub fn extent(&self) -> Extent {
        let shared = self.group.is_empty() && matches!(self.plural, "nodes" | "services");
        if shared { Extent::Fields } else { Extent::Whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_the_name_that_people_write() {
        for (kind, resource) in [
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("IngressClass", "ingressclasses"),
            ("TLSOption", "tlsoptions"),
            ("Community", "communities"),
            ("BackendTLSPolicy", "backendtlspolicies"),
            ("HostEndpoint", "hostendpoints"),
            ("IngressRouteTCP", "ingressroutetcps"),
        ] {
            assert_eq!(plural(kind), resource);
            assert!(KINDS.iter().any(|row| row.plural == resource), "{resource}");
        }
    }
}

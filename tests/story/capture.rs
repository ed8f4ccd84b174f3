//! Capturing the believable cluster: everything of the network, nothing of the applications.

use std::collections::BTreeSet;

use netdr::{
    capture::{Capture, Scope, capture},
    catalog::ExtraKind,
    cluster::{Access, Cluster},
    drill::cluster::UNTOUCHED,
    model::{Class, Component, Content, ItemKey, Set},
};
use serde_json::Value;

use crate::support::{audit_log, shared};

/// Everything that one of the sets `network` and `certificates` has.
fn whole_scope() -> Scope {
    let components = Set::ALL.into_iter().flat_map(Set::components).filter(|c| *c != Component::Host);
    Scope { components: components.collect(), ..Scope::default() }
}

async fn captured(scope: Scope) -> Capture {
    let cluster = shared().await.cluster().await.unwrap();
    capture(&cluster, &scope, chrono::Utc::now(), &|_| true).await.unwrap()
}

async fn whole() -> Capture {
    captured(whole_scope()).await
}

/// What issue 3 wants captured, by component and class, written down from its words and not from the catalog.
const WANTED: &[(Component, Class, &str)] = &[
    (
        Component::Cni,
        Class::Config,
        "helmchartconfigs.helm.cattle.io nodes ippools.crd.projectcalico.org \
         ipreservations.crd.projectcalico.org felixconfigurations.crd.projectcalico.org \
         bgpconfigurations.crd.projectcalico.org bgppeers.crd.projectcalico.org bgpfilters.crd.projectcalico.org \
         kubecontrollersconfigurations.crd.projectcalico.org secrets \
         customresourcedefinitions.apiextensions.k8s.io namespaces",
    ),
    (
        Component::Cni,
        Class::Evidence,
        "helmcharts.helm.cattle.io configmaps daemonsets.apps serviceaccounts \
         clusterroles.rbac.authorization.k8s.io clusterrolebindings.rbac.authorization.k8s.io \
         ipamconfigs.crd.projectcalico.org ipamblocks.crd.projectcalico.org ipamhandles.crd.projectcalico.org \
         blockaffinities.crd.projectcalico.org clusterinformations.crd.projectcalico.org \
         caliconodestatuses.crd.projectcalico.org helm_release",
    ),
    (
        Component::Ingress,
        Class::Config,
        "helm_release deployments.apps serviceaccounts services clusterroles.rbac.authorization.k8s.io \
         clusterrolebindings.rbac.authorization.k8s.io helmchartconfigs.helm.cattle.io \
         ingressroutes.traefik.io ingressroutetcps.traefik.io ingressrouteudps.traefik.io middlewares.traefik.io \
         middlewaretcps.traefik.io traefikservices.traefik.io tlsoptions.traefik.io tlsstores.traefik.io \
         serverstransports.traefik.io serverstransporttcps.traefik.io ingressclasses.networking.k8s.io \
         ingresses.networking.k8s.io gatewayclasses.gateway.networking.k8s.io gateways.gateway.networking.k8s.io \
         listenersets.gateway.networking.k8s.io httproutes.gateway.networking.k8s.io \
         grpcroutes.gateway.networking.k8s.io tlsroutes.gateway.networking.k8s.io \
         referencegrants.gateway.networking.k8s.io backendtlspolicies.gateway.networking.k8s.io secrets configmaps \
         customresourcedefinitions.apiextensions.k8s.io namespaces",
    ),
    (
        Component::Loadbalancer,
        Class::Config,
        "ipaddresspools.metallb.io l2advertisements.metallb.io bgpadvertisements.metallb.io bgppeers.metallb.io \
         bfdprofiles.metallb.io communities.metallb.io services configmaps secrets \
         customresourcedefinitions.apiextensions.k8s.io namespaces",
    ),
    (
        Component::Certificates,
        Class::Config,
        "issuers.cert-manager.io clusterissuers.cert-manager.io certificates.cert-manager.io secrets \
         customresourcedefinitions.apiextensions.k8s.io namespaces",
    ),
    (
        Component::Policies,
        Class::Config,
        "networkpolicies.networking.k8s.io networkpolicies.crd.projectcalico.org \
         globalnetworkpolicies.crd.projectcalico.org networksets.crd.projectcalico.org \
         globalnetworksets.crd.projectcalico.org hostendpoints.crd.projectcalico.org \
         adminnetworkpolicies.policy.networking.k8s.io baselineadminnetworkpolicies.policy.networking.k8s.io \
         customresourcedefinitions.apiextensions.k8s.io namespaces",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_captured_whole() {
    let capture = whole().await;
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    let kind = |key: &ItemKey| key.kind_name().replace(' ', "_");
    let found: BTreeSet<(Component, Class, String)> = capture
        .items
        .iter()
        .map(|c| (c.entry.component, c.entry.class, kind(&c.entry.key)))
        .filter(|(_, class, _)| *class != Class::Generated)
        .collect();
    let wanted: BTreeSet<(Component, Class, String)> = WANTED
        .iter()
        .flat_map(|(component, class, kinds)| {
            kinds.split_whitespace().map(|kind| (*component, *class, kind.to_owned()))
        })
        .collect();
    let (missing, unexpected) = (wanted.difference(&found), found.difference(&wanted));
    assert!(
        wanted == found,
        "missing {:?}\nunexpected {:?}",
        Vec::from_iter(missing),
        Vec::from_iter(unexpected)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_does_not_serve_is_recorded() {
    let absent = whole().await.absent;
    for (component, kind) in [
        (Component::Policies, "tiers.crd.projectcalico.org"),
        (Component::Policies, "clusternetworkpolicies.policy.networking.k8s.io"),
        (Component::Ingress, "tcproutes.gateway.networking.k8s.io"),
    ] {
        assert!(absent[&component].contains(kind), "{absent:?}");
    }
    assert!(!absent.contains_key(&Component::Loadbalancer), "{absent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_the_table_lacks_can_be_added() {
    let extra = |group: &str, kind: &str| ExtraKind {
        group: group.into(),
        kind: kind.into(),
        component: Component::Policies,
    };
    let added = [extra("metallb.io", "IPAddressPool"), extra("security.istio.io", "AuthorizationPolicy")];
    let capture = captured(Scope { extra: added.into(), ..whole_scope() }).await;
    let key = ItemKey::resource("metallb.io", "ipaddresspools", Some("metallb-system"), "default-pool");
    let definition = ItemKey::resource(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        None,
        "ipaddresspools.metallb.io",
    );
    for key in [key, definition] {
        assert!(capture.items.iter().any(|c| c.id() == (Component::Policies, &key)), "{key}");
    }
    assert!(capture.absent[&Component::Policies].contains("AuthorizationPolicy.security.istio.io"));
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_s_facts_are_read() {
    let facts = whole().await.facts;
    assert_eq!(facts.cni.as_deref(), Some("canal"));
    assert_eq!(facts.backend.as_deref(), Some("vxlan"));
    assert_eq!(facts.cluster_cidr.as_deref(), Some("10.42.0.0/16"));
    assert_eq!(facts.service_cidr.as_deref(), Some("10.43.0.0/16"));
    assert_eq!(facts.mtu, Some(1450));
    assert_eq!(facts.pod_cidrs["proj-k8s02"], ["10.42.1.0/24"]);
    assert_eq!(facts.node_annotations["proj-k8s03"]["projectcalico.org/IPv4Address"], "10.25.20.6/24");
}

/// Whatever an item needs to work is in the same bundle: a bundle is restored alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_items_name_is_in_their_bundle() {
    let capture = whole().await;
    for (who, component, named) in [
        ("a middleware's basicAuth", Component::Ingress, "secrets traefik/dashboard-users"),
        ("a middleware's forwardAuth", Component::Ingress, "secrets traefik/single-sign-on-ca"),
        ("a TLSOption's clientAuth", Component::Ingress, "secrets traefik/client-ca"),
        ("a TLSStore", Component::Ingress, "secrets traefik/wildcard-radioastronomy-tls"),
        ("an IngressRoute", Component::Ingress, "secrets traefik/wildcard-lab-tls"),
        ("an Ingress", Component::Ingress, "secrets registry/registry-tls"),
        ("a Gateway's listener", Component::Ingress, "secrets registry/gateway-certificate"),
        ("a ListenerSet's listener", Component::Ingress, "secrets registry/charts-certificate"),
        ("a BackendTLSPolicy", Component::Ingress, "configmaps registry/registry-ca"),
        ("a release's pods", Component::Ingress, "secrets traefik/traefik-plugin-token"),
        ("a release's pods", Component::Ingress, "configmaps traefik/traefik-dynamic"),
        ("a solver of a ClusterIssuer", Component::Certificates, "secrets cert-manager/cloudflare-api-token"),
        ("an ACME account", Component::Certificates, "secrets cert-manager/letsencrypt-account-key"),
        ("an Issuer's authority", Component::Certificates, "secrets registry/lab-authority"),
        ("a Certificate", Component::Certificates, "secrets registry/registry-tls"),
        ("MetalLB's BGPPeer", Component::Loadbalancer, "secrets metallb-system/second-router-password"),
        ("Calico's BGPPeer", Component::Cni, "secrets kube-system/calico-bgp-password"),
    ] {
        let there =
            capture.items.iter().any(|c| c.entry.component == component && c.entry.key.to_string() == named);
        assert!(there, "{who} names {named}, which is not in {component}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_s_secrets_stay_out() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    // Secrets are base64 in a snapshot; the last group of four depends on what follows.
    let encoded = BASE64_STANDARD.encode(format!("{}-{UNTOUCHED}", crate::support::MARKER));
    for captured in whole().await.items {
        let Some(Content::Resource(json)) = &captured.content else { continue };
        let text = String::from_utf8_lossy(json.bytes());
        assert!(!text.contains(UNTOUCHED), "{}", captured.entry.key);
        assert!(!text.contains(&encoded[..encoded.len() - 4]), "{}", captured.entry.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_cluster_is_captured_without_a_warning() {
    let capture = whole().await;
    assert_eq!(capture.warnings, Vec::<String>::new());
}

/// The API server's own record: Secrets are listed by type only, and an application's is not even asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_s_secrets_are_never_read() {
    let path = shared().await.kubeconfig_for("night-job", Some("system:masters")).unwrap();
    let cluster = Cluster::connect(&Access::Kubeconfig { path, context: None }).await.unwrap();
    capture(&cluster, &whole_scope(), chrono::Utc::now(), &|_| true).await.unwrap();

    let log = std::fs::read_to_string(audit_log().await).unwrap();
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let asked: Vec<Value> = events
        .filter(|e| e["user"]["username"] == "night-job" && e["objectRef"]["resource"] == "secrets")
        .collect();
    let (mut listed, mut got) = (BTreeSet::new(), BTreeSet::new());
    for event in &asked {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match event["verb"].as_str().unwrap() {
            "list" => listed.insert(text(&event["requestURI"])),
            "get" => got.insert(text(&event["objectRef"]["name"])),
            verb => panic!("{verb} of Secrets"),
        };
    }
    assert!(
        !listed.is_empty() && listed.iter().all(|uri| uri.contains("fieldSelector=type%3D")),
        "{listed:?}"
    );
    assert!(got.contains("dashboard-users"), "{got:?}");
    // The believable cluster's application Secrets.
    assert!(got.iter().all(|name| !name.ends_with("-credentials")), "{got:?}");
    assert!(!got.contains("metallb-memberlist"), "{got:?}");
}

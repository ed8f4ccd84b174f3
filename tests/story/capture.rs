//! Capturing the believable cluster: everything of the network, nothing of the applications.

use std::collections::BTreeSet;

use netdr::{
    capture::{Capture, Scope, capture},
    drill::cluster::UNTOUCHED,
    model::{Component, Content, Set},
};

use crate::support::shared;

async fn whole() -> Capture {
    let cluster = shared().await.cluster().await.unwrap();
    let components = Set::ALL.into_iter().flat_map(Set::components).filter(|c| *c != Component::Host);
    let scope = Scope { components: components.collect(), ..Scope::default() };
    capture(&cluster, &scope, chrono::Utc::now(), &|_| true).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_captured_whole() {
    let capture = whole().await;
    assert!(capture.failures.is_empty(), "{:?}", capture.failures);
    let kinds: BTreeSet<(Component, String)> =
        capture.items.iter().map(|c| (c.entry.component, c.entry.key.kind_name())).collect();
    for (component, names) in [
        (
            Component::Cni,
            "helmchartconfigs.helm.cattle.io helmcharts.helm.cattle.io daemonsets.apps configmaps nodes \
             ippools.crd.projectcalico.org felixconfigurations.crd.projectcalico.org",
        ),
        (
            Component::Ingress,
            "ingressroutes.traefik.io middlewares.traefik.io tlsoptions.traefik.io tlsstores.traefik.io \
             ingresses.networking.k8s.io ingressclasses.networking.k8s.io helm|release deployments.apps secrets \
             customresourcedefinitions.apiextensions.k8s.io clusterroles.rbac.authorization.k8s.io",
        ),
        (
            Component::Loadbalancer,
            "ipaddresspools.metallb.io l2advertisements.metallb.io bgppeers.metallb.io services configmaps",
        ),
        (
            Component::Certificates,
            "clusterissuers.cert-manager.io certificates.cert-manager.io secrets namespaces",
        ),
        (
            Component::Policies,
            "networkpolicies.networking.k8s.io globalnetworkpolicies.crd.projectcalico.org \
             globalnetworksets.crd.projectcalico.org namespaces",
        ),
    ] {
        for name in names.split_whitespace() {
            let kind = (component, name.replace('|', " "));
            assert!(kinds.contains(&kind), "no {} in {component}", kind.1);
        }
    }
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

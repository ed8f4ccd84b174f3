//! The failures that drills cause are the ones they say, and a capture sees every one.

use std::collections::{BTreeMap, BTreeSet};

use netdr::{
    capture::{Scope, capture},
    cluster::Cluster,
    drill::{cluster::host_root, failures},
    host,
    model::{Component, ItemKey},
};

use crate::support::{Home, MARKER, everything, fresh};

async fn digests(cluster: &Cluster) -> BTreeMap<(Component, ItemKey), String> {
    let components = BTreeSet::from([Component::Ingress, Component::Policies, Component::Certificates]);
    let scope = Scope { components, ..Scope::default() };
    let captured = capture(cluster, &scope, chrono::Utc::now(), &|_| false).await.unwrap();
    assert!(captured.failures.is_empty(), "{:?}", captured.failures);
    captured.items.into_iter().map(|c| ((c.entry.component, c.entry.key), c.entry.sha256)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drill_breaks_is_seen() {
    let plane = fresh(everything()).await.loaded().await;
    let cluster = plane.cluster().await.unwrap();
    let whole = digests(&cluster).await;

    assert_eq!(failures::break_policies(&cluster).await.unwrap().len(), 7);
    let broken = digests(&cluster).await;
    let policies = |state: &BTreeMap<(Component, ItemKey), String>| -> BTreeSet<String> {
        let keys = state.keys().filter(|(component, _)| *component == Component::Policies);
        keys.map(|(_, key)| key.to_string()).collect()
    };
    assert_eq!(policies(&whole).difference(&policies(&broken)).count(), 4, "deleted");
    assert_eq!(policies(&broken).difference(&policies(&whole)).count(), 1, "slipped in");
    let changed = whole
        .iter()
        .filter(|(key, sha)| key.0 == Component::Policies && broken.get(key).is_some_and(|now| now != *sha));
    assert_eq!(changed.count(), 2, "a default-deny that denies nothing, and a label");

    failures::break_traefik(&cluster).await.unwrap();
    let gone = digests(&cluster).await;
    let release =
        (Component::Ingress, ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() });
    assert!(whole.contains_key(&release) && !gone.contains_key(&release));
    let certificate = ItemKey::resource("", "secrets", Some("traefik"), "wildcard-radioastronomy-tls");
    assert!(!gone.contains_key(&(Component::Certificates, certificate)));
}

#[test]
fn a_server_s_files_are_captured_and_an_application_s_are_not() {
    let home = Home::new();
    host_root(home.path(), "proj-k8s02", MARKER).unwrap();
    assert_eq!(host::node_name(home.path()).unwrap(), "proj-k8s02");
    let captured = host::capture(home.path(), "proj-k8s02").unwrap();
    assert!(captured.failures.is_empty(), "{:?}", captured.failures);
    let paths: BTreeSet<&str> = captured.items.iter().map(|item| item.key.name()).collect();
    for path in [
        "/etc/rancher/rke2/config.yaml",
        "/etc/rancher/rke2/config.yaml.d/50-agent.yaml",
        "/etc/rancher/rke2/registries.yaml",
        "/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml",
        "/etc/cni/net.d/10-canal.conflist",
        "/etc/sysctl.d/90-rke2.conf",
        "/etc/NetworkManager/conf.d/rke2-canal.conf",
        "/etc/nftables.conf",
    ] {
        assert!(paths.contains(path), "{path} in {paths:?}");
    }
    for path in ["/etc/lab/application.conf", "/var/lib/rancher/rke2/server/manifests/rke2-coredns.yaml"] {
        assert!(!paths.contains(path), "{path}");
    }
}

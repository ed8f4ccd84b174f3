//! Which fields may never be shown, of every kind, not only Secrets.

use crate::model::ItemKey;

/// Rows of (group, plural, path): everything at or below the path is secret. Its steps are apart by spaces, for names
/// of annotations have dots and slashes; `*` stands for any text within one step.
const FIELDS: &[(&str, &str, &str)] = &[
    ("", "secrets", "data"),
    ("", "secrets", "stringData"),
    // Referenced ConfigMaps are mostly CA certificates, but nothing keeps a token out of them.
    ("", "configmaps", "data"),
    ("", "configmaps", "binaryData"),
    ("helm.cattle.io", "helmchartconfigs", "spec valuesContent"),
    ("helm.cattle.io", "helmchartconfigs", "spec values"),
    ("helm.cattle.io", "helmcharts", "spec"),
    ("metallb.io", "bgppeers", "spec password"),
    ("traefik.io", "middlewares", "spec headers customRequestHeaders"),
    ("traefik.io", "middlewares", "spec headers customResponseHeaders"),
    ("traefik.io", "middlewares", "spec plugin"),
    ("traefik.io", "middlewaretcps", "spec plugin"),
    // Configuration of nginx as text, in which people set headers; addresses of authenticators, with their parameters.
    ("networking.k8s.io", "ingresses", "metadata annotations nginx.ingress.kubernetes.io/*-snippet"),
    ("networking.k8s.io", "ingresses", "metadata annotations nginx.ingress.kubernetes.io/auth-*"),
    // Headers that a route adds, as the middleware above does.
    ("gateway.networking.k8s.io", "*", "spec rules * filters"),
    ("gateway.networking.k8s.io", "*", "spec rules * backendRefs * filters"),
    ("cert-manager.io", "issuers", "spec acme solvers * dns01 webhook config"),
    ("cert-manager.io", "clusterissuers", "spec acme solvers * dns01 webhook config"),
    // Helm values end up anywhere in what a chart renders.
    ("apps", "*", "spec template spec *ontainers * env"), // and initContainers
    ("apps", "*", "spec template spec *ontainers * args"),
    ("apps", "*", "spec template spec *ontainers * command"),
    // A probe that logs in.
    ("apps", "*", "spec template spec *ontainers * *Probe httpGet httpHeaders"),
    ("apps", "*", "spec template spec *ontainers * *Probe exec"),
    ("apps", "*", "spec template spec *ontainers * lifecycle"),
    ("apps", "*", "spec template metadata annotations"),
];

/// Of these a string is YAML in itself: that, and where in it two differ, may be said; what is in it is as secret as the rest.
const YAML: [(&str, &str, [&str; 2]); 2] = [
    ("helm.cattle.io", "helmchartconfigs", ["spec", "valuesContent"]),
    ("helm.cattle.io", "helmcharts", ["spec", "valuesContent"]),
];

/// Parts of a Helm release that hold values, or text rendered from them.
const RELEASE: &[&str] =
    &["release config", "release manifest", "release hooks", "release chart", "release info notes"];

/// Whether the value at `path` of this item must show as "differs" and nothing more.
///
/// Files: the whole content where the table of host files says so. Kinds the catalog does not know (`scope.extra`):
/// everything but metadata.
pub fn is_sensitive(key: &ItemKey, path: &[&str]) -> bool {
    matches(key, path, covers)
}

/// Whether the place of a secret is at `path` or above it: then all that is there is secret, and not only a part of it.
pub fn is_within_secret(key: &ItemKey, path: &[&str]) -> bool {
    matches(key, path, |pattern, path| pattern.split(' ').count() <= path.len() && covers(pattern, path))
}

fn matches(key: &ItemKey, path: &[&str], covers: fn(&str, &[&str]) -> bool) -> bool {
    match key {
        ItemKey::Release { .. } => RELEASE.iter().any(|pattern| covers(pattern, path)),
        // A path that the table does not name may hold anything.
        ItemKey::File { path, .. } => super::host_files(path).is_none_or(|row| row.sensitive),
        ItemKey::Resource { group, plural, .. } => {
            let known = super::KINDS.iter().any(|k| k.group == group && k.plural == plural)
                || super::BUILT_IN_GROUPS.contains(&group.as_str())
                || group == "apiextensions.k8s.io";
            if !known && path.first().is_some_and(|first| *first != "metadata") {
                return true;
            }
            FIELDS
                .iter()
                .any(|(g, p, pattern)| g == group && (*p == "*" || p == plural) && covers(pattern, path))
        }
    }
}

/// Whether the text at `path` of this item is YAML, of which the keys that differ tell more than "differs".
pub fn is_yaml(key: &ItemKey, path: &[&str]) -> bool {
    YAML.iter().any(|(group, plural, at)| {
        path == at
            && matches!(key, ItemKey::Resource { group: g, plural: p, .. } if g == group && p == plural)
    })
}

/// Whether `path` is the pattern's place, below it, or above it (a parent shown whole would show the secret).
fn covers(pattern: &str, path: &[&str]) -> bool {
    pattern.split(' ').zip(path).all(|(wanted, step)| match wanted.split_once('*') {
        Some((start, end)) => step.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => wanted == *step,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(group: &str, plural: &str, path: &str) -> bool {
        let path: Vec<&str> = path.split('.').collect();
        is_sensitive(&ItemKey::resource(group, plural, Some("n"), "x"), &path)
    }

    #[test]
    fn secrets_show_their_metadata_only() {
        assert!(secret("", "secrets", "data.tls.key"));
        assert!(secret("", "secrets", "data"));
        assert!(!secret("", "secrets", "metadata.labels"));
        assert!(!secret("", "secrets", "type"));
    }

    #[test]
    fn secrets_hide_in_other_kinds_too() {
        assert!(secret("metallb.io", "bgppeers", "spec.password"));
        assert!(!secret("metallb.io", "bgppeers", "spec.peerAddress"));
        assert!(secret("apps", "deployments", "spec.template.spec.containers.traefik.env.TOKEN.value"));
        assert!(secret("traefik.io", "middlewares", "spec.headers.customRequestHeaders.X-Token"));
    }

    #[test]
    fn probes_and_annotations_of_an_ingress_hide_them_as_well() {
        let container = |place: &str| secret("apps", "daemonsets", &format!("spec.template.spec.{place}"));
        assert!(container("containers.c.livenessProbe.httpGet.httpHeaders.0.value"));
        assert!(container("initContainers.c.startupProbe.exec.command.2"));
        assert!(container("initContainers.c.args.0"));
        assert!(!container("containers.c.livenessProbe.httpGet.port"));
        assert!(!container("containers.c.image"));
        let annotation = |name: &str| {
            let name = format!("nginx.ingress.kubernetes.io/{name}");
            let key = ItemKey::resource("networking.k8s.io", "ingresses", Some("n"), "x");
            is_sensitive(&key, &["metadata", "annotations", &name])
        };
        assert!(
            ["configuration-snippet", "server-snippet", "auth-snippet", "auth-url"].map(annotation)
                == [true; 4]
        );
        assert!(!annotation("rewrite-target"));
        assert!(!secret("networking.k8s.io", "ingresses", "metadata.labels"));
    }

    #[test]
    fn a_parent_shown_whole_would_show_the_secret_below_it() {
        assert!(secret("metallb.io", "bgppeers", "spec"));
        assert!(!secret("networking.k8s.io", "networkpolicies", "spec"));
        let key = ItemKey::resource("metallb.io", "bgppeers", Some("n"), "x");
        assert!(!is_within_secret(&key, &["spec"]) && is_within_secret(&key, &["spec", "password"]));
    }

    #[test]
    fn files_are_secret_where_the_table_says_so_or_does_not_know_them() {
        let secret = |path: &str| is_sensitive(&ItemKey::File { node: "n1".into(), path: path.into() }, &[]);
        assert!(secret("/etc/rancher/rke2/config.yaml"));
        assert!(secret("/etc/rancher/rke2/config.yaml.d/10-token.yaml"));
        assert!(secret("/etc/rancher/rke2/registries.yaml"));
        assert!(secret("/var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml"));
        assert!(secret("/etc/shadow"));
        assert!(!secret("/etc/sysctl.d/90-rke2.conf"));
        assert!(!secret("/etc/NetworkManager/conf.d/rke2-canal.conf"));
        assert!(!secret("/etc/nftables.conf"));
    }

    #[test]
    fn of_a_kind_nobody_described_only_metadata_is_shown() {
        assert!(secret("security.istio.io", "authorizationpolicies", "spec.rules"));
        assert!(!secret("security.istio.io", "authorizationpolicies", "metadata.name"));
    }
}

//! Helm releases: their Secrets, decoded and back (Helm 3 and 4, pkg/storage/driver, pkg/release).
//!
//! In: a release's Secret, or a release. Out: values, chart, manifest, and the Secret again.
//! Invariant: pure; decoding then encoding gives a Secret that Helm itself reads as the same release, and no
//! error shows anything of a release but its name.

mod chart;
mod manifest;
mod schema;
mod secret;
mod values;

pub use chart::{chart_tgz, values_yaml};
pub use manifest::{crds, install_rank, manifest_objects};
pub use schema::misfits;
pub use secret::{decode, encode};
pub use values::{How, KeyDifference, differing_keys};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{cluster::Precondition, model::Component};

/// One revision of a release, from the metadata of its Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Release name.
    pub name: String,
    /// Release namespace.
    pub namespace: String,
    /// Revision number.
    pub version: u64,
    /// `deployed`, `superseded`, `pending-upgrade`, …
    pub status: String,
    /// Name of the Secret.
    pub secret_name: String,
    /// Which very Secret it was.
    pub seen: Precondition,
}

impl Revision {
    /// Reads a release Secret's metadata; none where it is no release.
    ///
    /// Helm's labels are name, owner, status and version (pkg/storage/driver/secrets.go).
    pub fn of(secret: &Value) -> Option<Self> {
        let metadata = &secret["metadata"];
        let labels = &metadata["labels"];
        if labels["owner"] != "helm" {
            return None;
        }
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            name: text(&labels["name"])?,
            namespace: text(&metadata["namespace"])?,
            version: labels["version"].as_str()?.parse().ok()?,
            status: text(&labels["status"]).unwrap_or_else(|| "unknown".into()),
            secret_name: text(&metadata["name"])?,
            seen: Precondition {
                uid: text(&metadata["uid"]).unwrap_or_default(),
                resource_version: text(&metadata["resourceVersion"]).unwrap_or_default(),
            },
        })
    }
}

/// The newest deployed revision of each release, and warnings about releases that are pending or failed.
///
/// A pending revision is never chosen: brought back, it makes Helm refuse with "another operation is in progress".
pub fn choose(revisions: &[Revision]) -> (Vec<Revision>, Vec<String>) {
    let mut releases: BTreeMap<(&str, &str), Vec<&Revision>> = BTreeMap::new();
    for revision in revisions {
        releases.entry((&revision.namespace, &revision.name)).or_default().push(revision);
    }
    let (mut chosen, mut warnings) = (Vec::new(), Vec::new());
    for ((namespace, name), mut revisions) in releases {
        revisions.sort_by_key(|r| r.version);
        let deployed = revisions.iter().rfind(|r| r.status == "deployed");
        let newest = revisions.last().filter(|r| r.status != "deployed");
        let outcome = match deployed {
            Some(deployed) => {
                chosen.push((*deployed).clone());
                format!("revision {} was captured", deployed.version)
            }
            None => "it has no deployed revision, and was not captured".into(),
        };
        if let Some(newest) = newest {
            let (version, status) = (newest.version, &newest.status);
            warnings
                .push(format!("helm release {namespace}/{name}: revision {version} is {status}; {outcome}"));
        }
    }
    (chosen, warnings)
}

/// The component a release belongs to; none where it is not in scope. `configured` holds `namespace/name`; where
/// there are any, they replace the releases known by name, except the CNI's.
pub fn release_component(namespace: &str, name: &str, configured: &[String]) -> Option<Component> {
    let known = match (namespace, name) {
        ("kube-system", "rke2-canal") => return Some(Component::Cni),
        ("traefik", "traefik") | ("kube-system", "rke2-traefik" | "rke2-traefik-crd") => {
            Some(Component::Ingress)
        }
        ("cert-manager", "cert-manager") => Some(Component::Certificates),
        ("metallb-system", "metallb") => Some(Component::Loadbalancer),
        _ => None,
    };
    if configured.is_empty() {
        return known;
    }
    let wanted = configured.iter().any(|c| c.split_once('/') == Some((namespace, name)));
    wanted.then(|| known.unwrap_or_else(|| by_word(name)))
}

/// A release under a name of the operator's own: `my-metallb` is still the load balancer.
fn by_word(name: &str) -> Component {
    const WORDS: &[(&str, Component)] = &[
        ("cert-manager", Component::Certificates),
        ("metallb", Component::Loadbalancer),
        ("canal", Component::Cni),
        ("calico", Component::Cni),
    ];
    WORDS.iter().find(|(word, _)| name.contains(word)).map_or(Component::Ingress, |(_, component)| *component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revision(version: u64, status: &str) -> Revision {
        let secret = json!({"metadata": {
            "name": format!("sh.helm.release.v1.traefik.v{version}"), "namespace": "traefik", "uid": "u",
            "resourceVersion": "7",
            "labels": {"owner": "helm", "name": "traefik", "status": status, "version": version.to_string()},
        }});
        Revision::of(&secret).unwrap()
    }

    #[test]
    fn a_revision_is_read_from_helms_labels() {
        let found = revision(12, "deployed");
        assert_eq!((found.name.as_str(), found.version, found.status.as_str()), ("traefik", 12, "deployed"));
        assert_eq!(found.seen, Precondition { uid: "u".into(), resource_version: "7".into() });
        assert_eq!(Revision::of(&json!({"metadata": {"name": "x", "namespace": "y", "labels": {}}})), None);
    }

    #[test]
    fn the_newest_deployed_revision_is_chosen_by_number_not_by_text() {
        let all = [revision(9, "deployed"), revision(10, "deployed"), revision(2, "superseded")];
        let (chosen, warnings) = choose(&all);
        assert_eq!(chosen, [revision(10, "deployed")]);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn pending_failed_and_never_deployed_releases_are_pointed_out() {
        for status in ["pending-upgrade", "pending-rollback", "failed"] {
            let (chosen, warnings) = choose(&[revision(3, "deployed"), revision(4, status)]);
            assert_eq!(chosen, [revision(3, "deployed")]);
            let wanted =
                format!("helm release traefik/traefik: revision 4 is {status}; revision 3 was captured");
            assert_eq!(warnings, [wanted]);
        }
        let (chosen, warnings) = choose(&[revision(1, "pending-install")]);
        assert!(chosen.is_empty());
        assert!(warnings[0].ends_with("it has no deployed revision, and was not captured"), "{warnings:?}");
    }

    #[test]
    fn releases_in_scope_are_known_by_name_or_configured() {
        use Component::{Certificates, Cni, Ingress, Loadbalancer};
        let of = |release: &str, configured: &[&str]| {
            let (namespace, name) = release.split_once('/').unwrap();
            let configured: Vec<String> = configured.iter().map(|c| (*c).to_owned()).collect();
            release_component(namespace, name, &configured)
        };
        assert_eq!(of("traefik/traefik", &[]), Some(Ingress));
        assert_eq!(of("kube-system/rke2-traefik-crd", &[]), Some(Ingress));
        assert_eq!(of("cert-manager/cert-manager", &[]), Some(Certificates));
        assert_eq!(of("metallb-system/metallb", &[]), Some(Loadbalancer));
        assert_eq!(of("kube-system/rke2-canal", &["edge/lb"]), Some(Cni));
        assert_eq!(of("shop/shop", &[]), None);
        assert_eq!(of("traefik/traefik", &["edge/gate"]), None, "configured releases replace the known ones");
        assert_eq!(of("edge/gate", &["edge/gate"]), Some(Ingress));
        assert_eq!(of("edge/my-metallb", &["edge/my-metallb"]), Some(Loadbalancer));
    }
}

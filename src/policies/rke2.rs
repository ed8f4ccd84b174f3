//! The policies that RKE2's `profile: cis` makes are there: it marks the namespace when it has made one, and makes none
//! again where the mark is (rke2 pkg/rke2/np.go).

use super::{Finding, Rule, Severity::Alert, World};

/// What a mark begins with; `np.rke2.io/dns` is that of `default-network-dns-policy`.
const MARK: &str = "np.rke2.io";

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let mut found = Vec::new();
    for (namespace, metadata) in world.namespaces.iter().filter(|(name, _)| !world.exempt.contains(*name)) {
        let marks = metadata["annotations"].as_object().into_iter().flatten().map(|(mark, _)| mark);
        for mark in marks {
            let Some(policy) = policy(mark) else { continue };
            let mut there = world.policies.iter().map(|(key, _)| key);
            if there.any(|key| key.namespace() == Some(namespace) && key.name() == policy) {
                continue;
            }
            found.push(Finding {
                rule: Rule::Rke2,
                severity: Alert,
                object: format!("networkpolicies.networking.k8s.io {namespace}/{policy}"),
                what: "is gone".into(),
                why: format!(
                    "RKE2 made it and does not make it again, because {namespace} has the annotation {mark}; restore it, \
                     or take the mark away (kubectl annotate namespace {namespace} {mark}-) and restart rke2-server"
                ),
                next: "netdr restore --scenario network-policies --dry-run".into(),
            });
        }
    }
    found
}

fn policy(mark: &str) -> Option<String> {
    match mark.strip_prefix(MARK)? {
        "" => Some("default-network-policy".into()),
        rest => rest.strip_prefix('/').map(|what| format!("default-network-{what}-policy")),
    }
}

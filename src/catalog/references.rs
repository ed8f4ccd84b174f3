//! Which Secrets and ConfigMaps an object names, by a table of paths; and which of them nobody may bring back.
//!
//! Sources: the CRDs of Traefik v3, cert-manager, MetalLB, Calico, Gateway API and helm-controller; core/v1 PodSpec.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::ItemKey;

use Target::{ConfigMap, Secret, Stated};

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Secret,
    ConfigMap,
    /// The reference states its kind; a Secret where it does not (Gateway API, SecretObjectReference).
    Stated,
}

/// Rows of (group, plural, path, target). The path leads to a name, or to an object with `name` and, where the API
/// has it, `namespace`. `*` is any one step, `**` any number of them, `*x` a step that ends in x.
const PATHS: &[(&str, &str, &str, Target)] = &[
    ("networking.k8s.io", "ingresses", "spec.tls.*.secretName", Secret),
    // ingress-nginx, RKE2's default before v1.36, keeps its references in annotations: `name` or `namespace/name`.
    ("networking.k8s.io", "ingresses", "metadata.annotations.*/auth-secret", Secret),
    ("networking.k8s.io", "ingresses", "metadata.annotations.*/auth-tls-secret", Secret),
    ("networking.k8s.io", "ingresses", "metadata.annotations.*/proxy-ssl-secret", Secret),
    ("traefik.io", "ingressroutes", "spec.tls.secretName", Secret),
    ("traefik.io", "ingressroutetcps", "spec.tls.secretName", Secret),
    ("traefik.io", "middlewares", "spec.basicAuth.secret", Secret),
    ("traefik.io", "middlewares", "spec.digestAuth.secret", Secret),
    ("traefik.io", "middlewares", "spec.forwardAuth.tls.caSecret", Secret),
    ("traefik.io", "middlewares", "spec.forwardAuth.tls.certSecret", Secret),
    ("traefik.io", "tlsoptions", "spec.clientAuth.secretNames.*", Secret),
    ("traefik.io", "tlsstores", "spec.defaultCertificate.secretName", Secret),
    ("traefik.io", "tlsstores", "spec.certificates.*.secretName", Secret),
    // The TCP kind has the same fields below `tls`.
    ("traefik.io", "serverstransports", "spec.rootCAsSecrets.*", Secret),
    ("traefik.io", "serverstransports", "spec.rootCAs.*.secret", Secret),
    ("traefik.io", "serverstransports", "spec.rootCAs.*.configMap", ConfigMap),
    ("traefik.io", "serverstransports", "spec.certificatesSecrets.*", Secret),
    ("traefik.io", "serverstransporttcps", "spec.tls.rootCAsSecrets.*", Secret),
    ("traefik.io", "serverstransporttcps", "spec.tls.rootCAs.*.secret", Secret),
    ("traefik.io", "serverstransporttcps", "spec.tls.rootCAs.*.configMap", ConfigMap),
    ("traefik.io", "serverstransporttcps", "spec.tls.certificatesSecrets.*", Secret),
    // A Gateway's CAs and client certificate moved between versions of the API: any depth.
    ("gateway.networking.k8s.io", "gateways", "spec.listeners.*.tls.certificateRefs.*", Stated),
    ("gateway.networking.k8s.io", "listenersets", "spec.listeners.*.tls.certificateRefs.*", Stated),
    ("gateway.networking.k8s.io", "gateways", "spec.**.caCertificateRefs.*", Stated),
    ("gateway.networking.k8s.io", "gateways", "spec.**.clientCertificateRef", Stated),
    ("gateway.networking.k8s.io", "gatewayclasses", "spec.parametersRef", Stated),
    ("gateway.networking.k8s.io", "gateways", "spec.infrastructure.parametersRef", Stated),
    ("gateway.networking.k8s.io", "backendtlspolicies", "spec.validation.caCertificateRefs.*", Stated),
    // Every solver and authority of cert-manager spells it so, and Vault's approle and kubernetes `secretRef`.
    ("cert-manager.io", "*issuers", "spec.**.*SecretRef", Secret),
    ("cert-manager.io", "*issuers", "spec.**.secretRef", Secret),
    ("cert-manager.io", "*issuers", "spec.**.credentialsRef", Secret),
    ("cert-manager.io", "*issuers", "spec.ca.secretName", Secret),
    ("cert-manager.io", "*issuers", "spec.vault.auth.clientCertificate.secretName", Secret),
    ("cert-manager.io", "certificates", "spec.secretName", Secret),
    ("cert-manager.io", "certificates", "spec.keystores.*.passwordSecretRef", Secret),
    ("metallb.io", "bgppeers", "spec.passwordSecret", Secret),
    ("crd.projectcalico.org", "bgppeers", "spec.password.secretKeyRef", Secret),
    ("helm.cattle.io", "helmchart*", "spec.valuesSecrets.*", Secret),
    ("", "serviceaccounts", "imagePullSecrets.*", Secret),
    // A release's pods. `*ontainers` is containers and initContainers.
    ("apps", "*", "spec.template.spec.imagePullSecrets.*", Secret),
    ("apps", "*", "spec.template.spec.*ontainers.*.envFrom.*.secretRef", Secret),
    ("apps", "*", "spec.template.spec.*ontainers.*.envFrom.*.configMapRef", ConfigMap),
    ("apps", "*", "spec.template.spec.*ontainers.*.env.*.valueFrom.secretKeyRef", Secret),
    ("apps", "*", "spec.template.spec.*ontainers.*.env.*.valueFrom.configMapKeyRef", ConfigMap),
    ("apps", "*", "spec.template.spec.volumes.*.secret", Secret),
    ("apps", "*", "spec.template.spec.volumes.*.configMap", ConfigMap),
    ("apps", "*", "spec.template.spec.volumes.*.projected.sources.*.secret", Secret),
    ("apps", "*", "spec.template.spec.volumes.*.projected.sources.*.configMap", ConfigMap),
    ("apps", "*", "spec.template.spec.volumes.*.csi.nodePublishSecretRef", Secret),
];

/// The Secrets and ConfigMaps that an object names, and whether it cannot do without (`optional: true` in a pod).
///
/// A reference without a namespace means the object's own; a ClusterIssuer's means `issuer_namespace`
/// (`--cluster-resource-namespace` of cert-manager's controller), and of Calico's cluster-scoped kinds the
/// namespace Canal runs in.
pub fn references(key: &ItemKey, object: &Value, issuer_namespace: &str) -> BTreeMap<ItemKey, bool> {
    let ItemKey::Resource { group, plural, namespace, .. } = key else { return BTreeMap::new() };
    let home = namespace.as_deref().or(match group.as_str() {
        "cert-manager.io" => Some(issuer_namespace),
        "crd.projectcalico.org" => Some("kube-system"),
        _ => None,
    });
    let mut found = BTreeMap::new();
    for (_, _, path, target) in PATHS.iter().filter(|(g, p, ..)| g == group && matches(p, plural)) {
        let steps: Vec<&str> = path.split('.').collect();
        walk(object, &steps, &mut |reference| {
            if let Some(named) = named(reference, *target, home) {
                let needed = reference["optional"] != true;
                *found.entry(named).or_insert(false) |= needed;
            }
        });
    }
    found
}

fn named(reference: &Value, target: Target, home: Option<&str>) -> Option<ItemKey> {
    let text = |field: &str| reference[field].as_str().filter(|text| !text.is_empty());
    // A volume's Secret is named by `secretName`, and by it alone.
    let name = reference.as_str().or_else(|| text("name")).or_else(|| text("secretName"))?;
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (namespace, name),
        None => (text("namespace").or(home)?, name),
    };
    let plural = match (target, text("group").unwrap_or_default(), text("kind").unwrap_or("Secret")) {
        (Secret, ..) | (Stated, "", "Secret") => "secrets",
        (ConfigMap, ..) | (Stated, "", "ConfigMap") => "configmaps",
        (Stated, ..) => return None,
    };
    (is_name(namespace) && is_name(name)).then(|| ItemKey::resource("", plural, Some(namespace), name))
}

/// RFC 1123, as Kubernetes wants a Secret's name. Traefik's fields are free text, and what is no name must not
/// become part of a request's path: `../../kube-system/secrets/x` would read what its author may not.
fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    let fits = (1..=253).contains(&text.len()) && text.chars().all(letter);
    fits && !text.starts_with('.') && !text.contains("..")
}

/// Calls `each` with every value the path leads to.
fn walk(value: &Value, steps: &[&str], each: &mut impl FnMut(&Value)) {
    let Some((step, rest)) = steps.split_first() else { return each(value) };
    if *step == "**" {
        walk(value, rest, each);
    }
    let below = if *step == "**" { steps } else { rest };
    match value {
        Value::Array(items) if matches!(*step, "*" | "**") => {
            items.iter().for_each(|item| walk(item, below, each))
        }
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *step == "**" || matches(step, name))
            .for_each(|(_, field)| walk(field, below, each)),
        _ => {}
    }
}

/// `*` at the front or the end of a pattern stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => text.ends_with(end),
        (_, Some(start)) => text.starts_with(start),
        _ => pattern == text,
    }
}

/// Why a Secret or ConfigMap must never be stored or brought back, where its name tells.
pub fn excluded(key: &ItemKey) -> Option<&'static str> {
    let ItemKey::Resource { group, plural, namespace, name } = key else { return None };
    if !group.is_empty() {
        return None;
    }
    let namespace = namespace.as_deref().unwrap_or_default();
    match (plural.as_str(), namespace, name.as_str()) {
        // The chart names it <release>-memberlist. Another key on part of the speakers splits their cluster.
        ("secrets", _, name) if name == "memberlist" || name.ends_with("-memberlist") => {
            Some("MetalLB's controller makes it")
        }
        ("secrets", "metallb-system", "webhook-server-cert" | "metallb-webhook-cert") => {
            Some("MetalLB's controller makes it")
        }
        ("secrets", _, "cert-manager-webhook-ca") => Some("cert-manager's webhook makes it"),
        ("secrets", "kube-system", "rke2-serving" | "k3s-serving") => {
            Some("RKE2 makes it, from this cluster's own authority")
        }
        ("secrets", _, name) if name.starts_with("sh.helm.release.v1.") => {
            Some("it is stored as a helm release")
        }
        ("secrets", _, name) if name.starts_with("chart-values-") => Some("helm-controller makes it"),
        ("configmaps", _, name) if name.starts_with("chart-content-") => Some("helm-controller makes it"),
        ("configmaps", _, "kube-root-ca.crt") => {
            Some("Kubernetes makes it, from this cluster's own authority")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;

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
    ("gateway.networking.k8s.io", "gateways", "spec.**.caCertificateRefs.*", Stated),
    ("gateway.networking.k8s.io", "gateways", "spec.**.clientCertificateRef", Stated),
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
    let namespace = text("namespace").or(home)?;
    let plural = match (target, text("group").unwrap_or_default(), text("kind").unwrap_or("Secret")) {
        (Secret, ..) | (Stated, "", "Secret") => "secrets",
        (ConfigMap, ..) | (Stated, "", "ConfigMap") => "configmaps",
        (Stated, ..) => return None,
    };
    (!name.is_empty()).then(|| ItemKey::resource("", plural, Some(namespace), name))
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
mod tests {
    use super::*;
    use serde_json::json;

    fn object_key(group: &str, plural: &str) -> ItemKey {
        let namespace = (plural != "clusterissuers").then_some("demo");
        ItemKey::resource(group, plural, namespace, "x")
    }

    /// A value with `leaf` where the path leads.
    fn planted(steps: &[&str], leaf: &Value) -> Value {
        let Some((step, rest)) = steps.split_first() else { return leaf.clone() };
        let below = planted(rest, leaf);
        match *step {
            "*" => json!([below]),
            "**" => json!({"deep": [{"deeper": below}]}),
            step => {
                let name = step.replace("*ontainers", "initContainers").replace('*', "some");
                Value::Object([(name, below)].into_iter().collect())
            }
        }
    }

    #[test]
    fn a_reference_planted_at_any_path_of_the_table_is_found() {
        for (group, plural, path, target) in PATHS {
            let steps: Vec<&str> = path.split('.').collect();
            let plural = plural.replace("*issuers", "issuers").replace("helmchart*", "helmchartconfigs");
            let plural = plural.replace('*', "deployments");
            let key = object_key(group, &plural);
            let kind = if *target == ConfigMap { "configmaps" } else { "secrets" };
            let wanted = ItemKey::resource("", kind, Some("demo"), "planted");
            let by_object = planted(&steps, &json!({"name": "planted"}));
            let by_name = planted(&steps, &json!("planted"));
            for object in [by_object, by_name] {
                let found = references(&key, &object, "cert-manager");
                assert_eq!(
                    found,
                    BTreeMap::from([(wanted.clone(), true)]),
                    "{group} {plural} {path}: {object}"
                );
            }
        }
    }

    #[test]
    fn namespaces_are_the_references_own_the_issuers_or_the_objects() {
        let issuer = json!({"spec": {"acme": {
            "privateKeySecretRef": {"name": "account"},
            "solvers": [{"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "token", "key": "t"}}}}],
        }}});
        let names = |key: ItemKey, object: &Value| -> Vec<String> {
            references(&key, object, "issuers-home").keys().map(ToString::to_string).collect()
        };
        assert_eq!(
            names(object_key("cert-manager.io", "clusterissuers"), &issuer),
            ["secrets issuers-home/account", "secrets issuers-home/token"]
        );
        assert_eq!(
            names(object_key("cert-manager.io", "issuers"), &issuer),
            ["secrets demo/account", "secrets demo/token"]
        );
        let gateway = json!({"spec": {"listeners": [{"tls": {"certificateRefs": [
            {"name": "own"}, {"name": "other", "namespace": "tls", "kind": "Secret", "group": ""},
            {"name": "not", "kind": "Certificate", "group": "example.org"},
        ]}}]}});
        assert_eq!(
            names(object_key("gateway.networking.k8s.io", "gateways"), &gateway),
            ["secrets demo/own", "secrets tls/other"]
        );
        let peer = json!({"spec": {"password": {"secretKeyRef": {"name": "bgp", "key": "p"}}}});
        let peers = ItemKey::resource("crd.projectcalico.org", "bgppeers", None, "x");
        assert_eq!(names(peers, &peer), ["secrets kube-system/bgp"]);
    }

    #[test]
    fn an_optional_reference_is_needed_only_if_another_needs_it() {
        let mount = |optional: bool| json!({"configMap": {"name": "l2", "optional": optional}});
        let pod = |volumes: Value| json!({"spec": {"template": {"spec": {"volumes": volumes}}}});
        let needed = |object: &Value| {
            let found = references(&object_key("apps", "daemonsets"), object, "");
            found.values().copied().collect::<Vec<_>>()
        };
        assert_eq!(needed(&pod(json!([mount(true)]))), [false]);
        assert_eq!(needed(&pod(json!([mount(true), mount(false), mount(true)]))), [true]);
    }

    #[test]
    fn an_applications_own_secret_is_nobodys_reference() {
        // Names that look alike, at places that are no reference.
        let route = json!({"spec": {"routes": [{"services": [{"name": "shop", "secret": "db"}]}]}, "secretName": "db"});
        assert!(references(&object_key("traefik.io", "ingressroutes"), &route, "").is_empty());
        let policy = json!({"spec": {"podSelector": {"matchLabels": {"secretName": "db"}}}});
        assert!(references(&object_key("networking.k8s.io", "networkpolicies"), &policy, "").is_empty());
        let certificate = json!({"spec": {"secretName": "", "privateKey": {"secretRef": "db"}}});
        assert!(references(&object_key("cert-manager.io", "certificates"), &certificate, "").is_empty());
    }

    #[test]
    fn what_controllers_make_is_excluded_by_name() {
        let is = |plural: &str, namespace: &str, name: &str| {
            excluded(&ItemKey::resource("", plural, Some(namespace), name)).is_some()
        };
        for (plural, namespace, name) in [
            ("secrets", "metallb-system", "memberlist"),
            ("secrets", "lb", "metallb-memberlist"),
            ("secrets", "metallb-system", "webhook-server-cert"),
            ("secrets", "metallb-system", "metallb-webhook-cert"),
            ("secrets", "cert-manager", "cert-manager-webhook-ca"),
            ("secrets", "kube-system", "rke2-serving"),
            ("secrets", "traefik", "sh.helm.release.v1.traefik.v3"),
            ("configmaps", "traefik", "kube-root-ca.crt"),
        ] {
            assert!(is(plural, namespace, name), "{plural} {namespace}/{name}");
        }
        assert!(!is("secrets", "shop", "webhook-server-cert"));
        assert!(!is("secrets", "cert-manager", "cloudflare-api-token"));
        assert!(!is("configmaps", "metallb-system", "metallb-excludel2"));
    }
}

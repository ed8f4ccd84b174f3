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
            assert_eq!(found, BTreeMap::from([(wanted.clone(), true)]), "{group} {plural} {path}: {object}");
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
    let ingress = json!({"metadata": {"annotations": {
        "nginx.ingress.kubernetes.io/auth-secret": "own",
        "nginx.ingress.kubernetes.io/auth-tls-secret": "tls/ca",
    }}});
    assert_eq!(
        names(object_key("networking.k8s.io", "ingresses"), &ingress),
        ["secrets demo/own", "secrets tls/ca"]
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
    let route =
        json!({"spec": {"routes": [{"services": [{"name": "shop", "secret": "db"}]}]}, "secretName": "db"});
    assert!(references(&object_key("traefik.io", "ingressroutes"), &route, "").is_empty());
    let policy = json!({"spec": {"podSelector": {"matchLabels": {"secretName": "db"}}}});
    assert!(references(&object_key("networking.k8s.io", "networkpolicies"), &policy, "").is_empty());
    let certificate = json!({"spec": {"secretName": "", "privateKey": {"secretRef": "db"}}});
    assert!(references(&object_key("cert-manager.io", "certificates"), &certificate, "").is_empty());
}

#[test]
fn what_is_no_name_never_becomes_a_request() {
    for text in
        ["../../kube-system/secrets/x", "kube-system/../x", "x?watch=1", "..", ".", "X", "a b", "/", ""]
    {
        let middleware = json!({"spec": {"basicAuth": {"secret": text}}});
        let found = references(&object_key("traefik.io", "middlewares"), &middleware, "");
        assert!(found.is_empty(), "{text}: {found:?}");
    }
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

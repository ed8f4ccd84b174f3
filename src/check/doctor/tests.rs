use serde_json::{Value, json};

use super::*;
use crate::{
    capture::{Capture, Captured},
    check::{Check, Reading, Status::*},
    cluster::Precondition,
    config::Config,
    helm::Revision,
    model::{Class, Component, Content, Extent, IndexEntry, ItemKey, Json},
    plan::RestorePlan,
    repository::fixture::at,
    task::Watched,
    yaml,
};

/// As the operations guide has it.
const CONFIG: &str =
    "cni: canal\nflannel-backend: vxlan\ncluster-cidr: 10.42.0.0/16\nservice-cidr: 10.43.0.0/16\n";
/// As the operations guide has them, and the believable cluster.
const VALUES: &str = include_str!("../../drill/cluster/traefik-values.yaml");

fn documents(text: &str) -> Vec<Value> {
    yaml::documents(text).unwrap()
}

fn why(check: &Check) -> Vec<&str> {
    check.why.iter().map(|why| why.split([':', ',']).next().unwrap()).collect()
}

#[test]
fn the_flag_of_the_operations_guide_is_dropped_by_rke2() {
    assert!(documents(CONFIG).iter().all(node::is_rke2));
    let found = node::judge("config.yaml", &documents(CONFIG));
    assert_eq!((found.status, &found.value), (Warn, &json!(1)));
    assert_eq!(why(&found), ["flannel-backend is K3s' and has no effect"]);
    let appended = node::judge("x", &documents("flannel-iface+: ens18\ndisable-network-policy: true\n"));
    assert_eq!(appended.value, 2);
    let several = node::judge("x", &documents("flannel-iface: ens18\nflannel-conf: y\ncluster-init: true\n"));
    assert_eq!(
        why(&several),
        ["cluster-init is K3s' and has no effect", "flannel-conf"],
        "what is to be done instead is said once: {several:?}"
    );
    let one = node::judge("x", &documents("cluster-init: true\n"));
    assert_eq!(one.next.as_deref(), Some("${EDITOR:-vi} x"));
    let fine = node::judge("x", &documents("cni: canal\ntoken: MARKER\nnode-label: [a=b]\n"));
    assert_eq!((fine.status, fine.value), (Ok, json!(0)));
}

#[test]
fn the_values_of_the_operations_guide_fit_no_chart() {
    let found =
        values::judge("traefik-values.yaml", &documents(VALUES)[0], "${EDITOR:-vi} traefik-values.yaml");
    assert_eq!(found.status, Alert);
    assert_eq!(
        why(&found),
        [
            "ports.metrics.expose is true or false",
            "tls.certificatesResolvers is no key of Traefik's chart",
            "hostNetwork with 2 replicas and updateStrategy.rollingUpdate.maxUnavailable 0",
        ]
    );
    assert_eq!(found.next.as_deref(), Some("${EDITOR:-vi} traefik-values.yaml"));
    assert!(!format!("{found:?}").contains("MARKER"), "no value of a configuration is shown");
}

#[test]
fn values_that_are_as_the_chart_wants_them_are_in_order() {
    let of = |text: &str| {
        let check = values::judge(
            "helm release traefik/traefik",
            &documents(text)[0],
            "helm get values -n traefik traefik",
        );
        (check.status, check.next.clone(), why(&check).into_iter().map(str::to_owned).collect::<Vec<_>>())
    };
    let fine = "deployment: {replicas: 2}\nhostNetwork: true\nports: {metrics: {expose: {default: true}}}\n\
                updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 0}}\n";
    assert_eq!(of(fine), (Ok, None, vec![]));
    let acme = "deployment: {replicas: 2}\ncertificatesResolvers: {le: {acme: {}}}\n";
    let (status, next, found) = of(acme);
    assert_eq!((status, next.as_deref()), (Alert, Some("helm get values -n traefik traefik")));
    assert_eq!(found, ["certificatesResolvers with deployment.replicas over 1"]);
    assert_eq!(of("certificatesResolvers: {le: {acme: {}}}\n").0, Ok, "one replica may");
    assert_eq!(of("installCRDs: true\n").0, Warn);
    assert_eq!(of("crds: {enabled: true, keep: true}\n").0, Ok);
}

fn captured(key: ItemKey, content: &Value) -> Captured {
    let json = Json::new(content);
    let content = match key {
        ItemKey::Release { .. } => Content::Release(json),
        _ => Content::Resource(json),
    };
    Captured {
        entry: IndexEntry {
            key,
            component: Component::Ingress,
            class: Class::Config,
            extent: Extent::Whole,
            sha256: String::new(),
        },
        content: Some(content),
        seen: Precondition { uid: String::new(), resource_version: String::new() },
        managed_by: None,
    }
}

fn canal(plural: &str, spec: Value) -> Captured {
    let key = ItemKey::resource("helm.cattle.io", plural, Some("kube-system"), "rke2-canal");
    captured(key, &json!({"spec": spec}))
}

fn judged(items: Vec<Captured>, nodes: &[Value]) -> Vec<Check> {
    let nodes = Reading::of([(cluster::NODES, nodes.to_vec())]);
    cluster::judge(&Capture { items, ..Capture::default() }, &nodes, &Result::Ok(vec![]))
}

#[track_caller]
fn named<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name} in {checks:#?}"))
}

#[test]
fn an_upgrade_of_the_cni_that_is_interrupted_must_not_uninstall_it() {
    for (chart, config, status, value) in [
        (json!({}), None, Alert, "reinstall"),
        (json!({}), Some(json!({"valuesContent": "x"})), Alert, "reinstall"),
        (json!({}), Some(json!({"failurePolicy": "abort"})), Ok, "abort"),
        (json!({"failurePolicy": "retry"}), None, Ok, "retry"),
        (json!({"failurePolicy": "retry"}), Some(json!({"failurePolicy": "reinstall"})), Alert, "reinstall"),
    ] {
        let config = config.map(|config| canal("helmchartconfigs", config));
        let items = [canal("helmcharts", chart)].into_iter().chain(config).collect();
        let checks = judged(items, &[]);
        let found = named(&checks, "doctor failurePolicy of rke2-canal");
        assert_eq!((found.status, found.value.as_str()), (status, Some(value)));
    }
    assert!(
        judged(vec![], &[]).iter().all(|check| !check.name.contains("canal")),
        "no Canal, nothing to say"
    );
}

#[test]
fn a_release_is_judged_by_its_values_and_by_its_own_chart() {
    let key = ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() };
    let schema = json!({"type": "object", "properties": {"logs": {"type": "object"}}});
    let schema = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, schema.to_string());
    let content =
        json!({"release": {"config": {"logs": "MARKER"}, "chart": {"schema": schema, "values": {}}}});
    let checks = judged(vec![captured(key, &content)], &[]);
    let found = named(&checks, "doctor values of helm release traefik/traefik");
    assert_eq!(found.status, Alert);
    assert!(found.why[0].starts_with("logs (type) does not fit the schema"), "{found:?}");
    assert_eq!(found.next.as_deref(), Some("helm get values -n traefik traefik"));
    assert!(!format!("{found:?}").contains("MARKER"));
}

#[test]
fn a_rollout_that_waits_for_ever_and_certificates_in_a_file_are_pointed_out() {
    let key = || ItemKey::resource("apps", "deployments", Some("traefik"), "traefik");
    let node =
        json!({"metadata": {}, "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let deployment = json!({"spec": {"replicas": 2,
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"spec": {"hostNetwork": true, "containers": [
            {"args": ["--certificatesResolvers.le.acme.storage=/data/acme.json"]}]}}}});
    let of = |nodes: usize| judged(vec![captured(key(), &deployment)], &vec![node.clone(); nodes]);
    let two = of(2);
    assert_eq!(named(&two, "doctor rollout of deployments.apps traefik/traefik").status, Warn);
    assert_eq!(named(&two, "doctor acme.json of deployments.apps traefik/traefik").status, Warn);
    assert!(of(3).iter().all(|check| !check.name.contains("rollout")));
    let nobody_knows = Reading::of([]).without(cluster::NODES, "403");
    let items = vec![captured(key(), &deployment)];
    let checks = cluster::judge(&Capture { items, ..Capture::default() }, &nobody_knows, &Result::Ok(vec![]));
    assert_eq!(named(&checks, "doctor rollout nodes").status, Unknown);
}

#[test]
fn two_ingress_controllers_and_webhooks_that_do_not_answer_are_in_the_way() {
    let revision = |namespace: &str, name: &str, status: &str| Revision {
        name: name.into(),
        namespace: namespace.into(),
        version: 1,
        status: status.into(),
        secret_name: String::new(),
        seen: Precondition { uid: String::new(), resource_version: String::new() },
    };
    let of = |revisions: Vec<Revision>, unready: Result<Vec<String>, String>| {
        cluster::judge(&Capture { revisions, ..Capture::default() }, &Reading::of([]), &unready)
    };
    let own = || revision("traefik", "traefik", "deployed");
    let checks = of(
        vec![own(), revision("kube-system", "rke2-traefik", "deployed")],
        Result::Ok(vec!["webhooks of metallb".into()]),
    );
    assert_eq!(named(&checks, "doctor ingress controllers").status, Warn);
    assert_eq!(named(&checks, "doctor admission webhooks").status, Warn);
    let checks = of(
        vec![
            own(),
            revision("kube-system", "rke2-traefik", "uninstalled"),
            revision("kube-system", "rke2-traefik-crd", "deployed"),
        ],
        Err("403".into()),
    );
    assert_eq!(named(&checks, "doctor ingress controllers").status, Ok);
    assert_eq!(named(&checks, "doctor admission webhooks").status, Unknown);
    let class = |name: &str, controller: &str| {
        let key = ItemKey::resource("networking.k8s.io", "ingressclasses", None, name);
        captured(key, &json!({"spec": {"controller": controller}}))
    };
    let items =
        vec![class("traefik", "traefik.io/ingress-controller"), class("nginx", "k8s.io/ingress-nginx")];
    let both = Capture { items, revisions: vec![own()], ..Capture::default() };
    let checks = cluster::judge(&both, &Reading::of([]), &Result::Ok(vec![]));
    let found = named(&checks, "doctor ingress controllers");
    assert!(
        found.status == Warn && found.why[0].starts_with("k8s.io/ingress-nginx and traefik/traefik"),
        "{found:?}"
    );
    let metallb = cluster::written();
    assert!(
        metallb.iter().any(|target| target.plural == "ipaddresspools")
            && metallb.iter().all(|t| !t.group.is_empty())
    );
}

#[test]
fn objectives_that_a_daily_backup_cannot_meet_are_named() {
    let plans: Vec<RestorePlan> = RestorePlan::builtin()
        .into_iter()
        .map(|(name, text)| RestorePlan::parse(text, name).unwrap())
        .collect();
    let config = |text: &str| Config::parse(text, std::path::Path::new("/etc/netdr/netdr.yaml")).unwrap();
    let now = at("2026-11-26T12:00:00Z");
    let judge = |text: &str, here: Option<&[Watched]>| configuration::judge(&config(text), &plans, here, now);
    let of = |text: &str, here: bool| judge(text, here.then_some(&[]));
    let none = of("", true);
    let names: Vec<&str> = none.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["doctor objective of plan network-policies", "doctor objective of plan traefik"]);
    assert!(none.iter().all(|check| check.status == Warn), "{none:#?}");
    let git = of("git: {sources: [{url: /x, component: policies}]}\n", true);
    assert_eq!(named(&git, "doctor objective of plan network-policies").status, Ok);
    assert_eq!(named(&git, "doctor objective of plan traefik").status, Warn);
    // A trial of netdr watch, once, is no watching.
    let watched = |due: &str, saved: Option<&str>| {
        [Watched {
            cluster: "c".into(),
            attended: true,
            looked_at: at("2026-11-26T11:50:00Z"),
            due_at: at(due),
            saved_at: saved.map(at),
            taken_at: None,
        }]
    };
    let looked = Some("2026-11-26T11:50:00Z");
    let runs = watched("2026-11-26T11:52:30Z", looked);
    assert!(judge("", Some(&runs)).iter().all(|check| check.status == Ok));
    let trial = judge("", Some(&watched("2026-11-26T11:52:29Z", looked)));
    assert!(trial.iter().all(|check| check.status == Warn && check.next.as_deref() == Some("netdr watch")));
    assert!(trial[0].why[1].ends_with("(it looked last at 2026-11-26T11:50:00Z)"), "{trial:?}");
    // It runs, and something cannot be read, or not saved.
    let unread = judge("", Some(&watched("2026-11-26T12:00:00Z", Some("2026-11-26T09:50:00Z"))));
    assert!(unread.iter().all(|check| check.status == Warn), "{unread:?}");
    assert!(unread[0].why[1].ends_with("which has not read and saved all since 2026-11-26T09:50:00Z"));
    let never = judge("", Some(&watched("2026-11-26T12:00:00Z", None)));
    assert!(never[0].why[1].ends_with("which could not read and save all yet"), "{never:?}");

    let deep = "replicas: [{s3: {bucket: dr}}]\n";
    assert_eq!(named(&of(deep, true), "doctor archives").status, Ok);
    assert_eq!(named(&of(deep, false), "doctor archives").status, Alert);
    let standard = "replicas: [{s3: {bucket: dr, storage_class: STANDARD}}]\n";
    assert!(of(standard, false).iter().all(|check| check.name != "doctor archives"));
}

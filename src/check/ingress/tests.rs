use std::ops::ControlFlow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    check::Status::{self, *},
    model::ItemKey,
    probe::{Served, Unanswered},
};

const SERVICE_NAME: &str = "kubernetes.io/service-name";

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn object(namespace: &str, name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn revision(version: u64, status: &str) -> Value {
    json!({"metadata": {"name": format!("sh.helm.release.v1.traefik.v{version}"), "namespace": "traefik",
        "creationTimestamp": "2026-11-24T01:00:00Z",
        "labels": {"owner": "helm", "name": "traefik", "status": status, "version": version.to_string()}}})
}

fn deployment(available: u64) -> Value {
    json!({"metadata": {"name": "traefik", "namespace": "traefik", "generation": 1, "annotations": {
            "meta.helm.sh/release-name": "traefik", "meta.helm.sh/release-namespace": "traefik"}},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": available}})
}

fn class(name: &str, default: bool) -> Value {
    let annotations =
        if default { json!({"ingressclass.kubernetes.io/is-default-class": "true"}) } else { json!({}) };
    json!({"metadata": {"name": name, "annotations": annotations}})
}

fn ingress(class: Option<&str>) -> Value {
    object(
        "shop",
        "web",
        json!({"ingressClassName": class, "tls": [{"hosts": ["shop.lab"], "secretName": "shop-tls"}],
            "rules": [{"http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}),
    )
}

fn route(services: Value) -> Value {
    object("shop", "route", json!({"routes": [{"match": "Host(`a.lab`)", "services": services}], "tls": {}}))
}

/// Everything in order, but for what is put in its place.
fn of(changed: impl IntoIterator<Item = (Source, Vec<Value>)>) -> Vec<Check> {
    let whole = [
        (RELEASES, vec![revision(1, "superseded"), revision(2, "deployed")]),
        (WORKLOADS[0], vec![deployment(2)]),
        (WORKLOADS[1], vec![]),
        (CLASSES, vec![class("traefik", true)]),
        (INGRESSES, vec![ingress(Some("traefik"))]),
        (INGRESS_ROUTES, vec![route(json!([{"name": "web", "port": 80}]))]),
        (TRAEFIK_SERVICES, vec![]),
        (SERVICES, vec![object("shop", "web", Value::Null)]),
        (SECRETS, vec![object("shop", "shop-tls", Value::Null)]),
    ];
    judge(&Reading::of(whole.into_iter().chain(changed)), &[], at("2026-11-24T01:10:00Z"))
}

/// Those that are crossed: status, name, first reason.
fn crossed(checks: &[Check]) -> Vec<(Status, &str, &str)> {
    let crossed = checks.iter().filter(|check| check.status.is_crossed());
    crossed
        .map(|check| {
            assert!(check.next.is_some(), "{check:?}");
            (check.status, check.name.as_str(), check.why[0].as_str())
        })
        .collect()
}

#[test]
fn what_is_in_order_is_ok() {
    let checks = of([]);
    assert_eq!(crossed(&checks), []);
    assert!(checks.iter().all(|check| check.status == Ok), "{checks:#?}");
    assert_eq!(checks.iter().find(|check| check.name == "ingress routes").unwrap().value, 2);
}

#[test]
fn the_newest_revision_is_deployed_or_under_way_not_stuck() {
    let release = |secrets: Vec<Value>, now: &str| {
        let reading = Reading::of([(RELEASES, secrets)]);
        let found =
            judge(&reading, &[], at(now)).into_iter().find(|check| check.name.contains("helm release"));
        found.map(|check| (check.status, check.value, check.next))
    };
    let pending = || vec![revision(9, "deployed"), revision(10, "pending-upgrade")];
    let (status, value, next) = release(pending(), "2026-11-24T01:15:00Z").unwrap();
    assert_eq!((status, value), (Warn, json!("pending-upgrade")));
    assert_eq!(next.as_deref(), Some("helm history -n traefik traefik"));
    assert_eq!(release(pending(), "2026-11-24T01:15:01Z").unwrap().0, Alert);
    assert_eq!(release(vec![revision(1, "failed")], "2026-11-24T01:00:01Z").unwrap().0, Alert);
    assert_eq!(release(vec![revision(1, "deployed")], "2026-11-24T01:00:01Z").unwrap().0, Ok);
}

#[test]
fn without_a_release_it_depends_on_whether_anybody_needs_one() {
    let of = |routes: Vec<Value>| {
        let reading = Reading::of([(RELEASES, vec![]), (INGRESS_ROUTES, routes)]);
        judge(&reading, &[], at("2026-11-24T01:00:00Z"))
            .into_iter()
            .find(|c| c.name == "ingress release")
            .unwrap()
    };
    assert_eq!(of(vec![]).status, NotApplicable);
    assert_eq!(of(vec![route(json!([]))]).status, Alert);
}

#[test]
fn a_workload_that_is_not_out_or_not_there_is_an_alert() {
    let checks = of([(WORKLOADS[0], vec![deployment(1)])]);
    assert_eq!(
        crossed(&checks),
        [(Alert, "ingress deployments.apps traefik/traefik", "1 of 2 pods are available")]
    );
    assert_eq!(crossed(&of([(WORKLOADS[0], vec![])]))[0].1, "ingress workload of traefik/traefik");
}

#[test]
fn a_route_whose_service_secret_or_class_is_missing_is_named() {
    let ingress_key = "ingress ingresses.networking.k8s.io shop/web";
    let checks = of([(SERVICES, vec![])]);
    let why = "it names services shop/web, which does not exist";
    assert_eq!(
        crossed(&checks),
        [(Alert, ingress_key, why), (Alert, "ingress ingressroutes.traefik.io shop/route", why)]
    );
    let checks = of([(SECRETS, vec![])]);
    assert_eq!(
        crossed(&checks),
        [(Alert, ingress_key, "it names secrets shop/shop-tls, which does not exist")]
    );
    let back = checks.iter().find(|check| check.name == ingress_key).unwrap().next.as_deref();
    assert_eq!(back, Some("netdr restore --scenario certificates --dry-run"));
    let checks = of([(INGRESSES, vec![ingress(Some("nginx"))])]);
    assert_eq!(crossed(&checks), [(Alert, ingress_key, "its class nginx does not exist: nobody serves it")]);
    assert_eq!(crossed(&of([(INGRESSES, vec![ingress(None)])])), []);
    assert_eq!(
        crossed(&of([(INGRESSES, vec![ingress(None)]), (CLASSES, vec![class("traefik", false)])]))[0].0,
        Warn
    );
}

#[test]
fn a_route_whose_certificate_is_for_other_hosts_is_named() {
    let of = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let secret = json!({"metadata": {"name": "shop-tls", "namespace": "shop"},
            "data": {"tls.crt": STANDARD.encode(made.cert.pem())}});
        of([(Source::TLS_SECRETS, vec![secret])])
    };
    assert_eq!(crossed(&of("shop.lab")), []);
    let why = "no name of the certificate in secrets shop/shop-tls covers its host shop.lab: wrong.lab";
    assert_eq!(crossed(&of("wrong.lab")), [(Alert, "ingress ingresses.networking.k8s.io shop/web", why)]);
}

#[test]
fn a_route_whose_pods_are_all_down_leads_nowhere() {
    let slice = |ready: &[Option<bool>]| {
        let endpoints: Vec<Value> =
            ready.iter().map(|ready| json!({"conditions": {"ready": ready}})).collect();
        json!({"metadata": {"name": "web-1", "namespace": "shop", "labels": {SERVICE_NAME: "web"}},
            "endpoints": endpoints})
    };
    let of = |slices: Vec<Value>| {
        let checks = of([(SLICES, slices)]);
        let found = crossed(&checks);
        found.first().map(|(status, _, why)| (*status, (*why).to_owned()))
    };
    let nowhere = Some((Alert, "it leads to services shop/web, behind which no pod is ready".to_owned()));
    assert_eq!(of(vec![slice(&[])]), nowhere);
    assert_eq!(of(vec![slice(&[Some(false)]), slice(&[])]), nowhere);
    assert_eq!(of(vec![slice(&[Some(false)]), slice(&[Some(true)])]), None, "one is enough");
    assert_eq!(of(vec![slice(&[None])]), None, "who says nothing is ready");
    assert_eq!(of(vec![]), None, "an external name has no slice");
}

#[test]
fn backends_are_services_and_traefiks_own_kind_and_not_its_internal_ones() {
    let services = json!([{"name": "api@internal", "kind": "TraefikService"}, {"name": "gone", "kind": "TraefikService"},
        {"name": "db", "namespace": "data"}]);
    let checks = of([(INGRESS_ROUTES, vec![route(services)])]);
    let found = checks.iter().find(|check| check.name.ends_with("shop/route")).unwrap();
    assert_eq!(
        found.why,
        [
            "it names services data/db, which does not exist",
            "it names traefikservices.traefik.io shop/gone, which does not exist"
        ]
    );
    let through = json!({"routes": [{"services": [{"name": "web"}], "middlewares": [{"name": "auth"}, {"name": "x@file"},
        {"name": "headers", "namespace": "edge"}]}]});
    let checks = of([
        (INGRESS_ROUTES, vec![object("shop", "route", through)]),
        (MIDDLEWARES[0], vec![object("edge", "headers", Value::Null)]),
    ]);
    let why = "it names middlewares.traefik.io shop/auth, which does not exist";
    assert_eq!(crossed(&checks), [(Alert, "ingress ingressroutes.traefik.io shop/route", why)]);
    let weighted =
        object("shop", "gone", json!({"weighted": {"services": [{"name": "web"}, {"name": "old"}]}}));
    let checks = of([(TRAEFIK_SERVICES, vec![weighted])]);
    assert_eq!(
        crossed(&checks),
        [(
            Alert,
            "ingress traefikservices.traefik.io shop/gone",
            "it names services shop/old, which does not exist"
        )]
    );
}

#[test]
fn classes_are_there_and_one_at_most_is_the_default() {
    let two = vec![class("a", true), class("traefik", true)];
    assert_eq!(crossed(&of([(CLASSES, two)]))[0].0, Warn);
    let none = of([(CLASSES, vec![])]);
    assert_eq!(crossed(&none)[0].1, "ingress ingressclasses.networking.k8s.io");
}

#[test]
fn objects_of_the_group_that_v3_does_not_read_are_counted() {
    let middlewares = Source::all(TRAEFIK_V2, "middlewares").metadata();
    let checks =
        of([(middlewares, vec![object("shop", "a", Value::Null), object("shop", "b", Value::Null)])]);
    let (status, name, _) = crossed(&checks)[0];
    assert_eq!((status, name), (Warn, "ingress middlewares.traefik.containo.us"));
}

type Answer = Result<Served, Unanswered>;

/// What comes of asking for a host whose certificate is 0a.
fn heard(answers: Result<Vec<(&str, Answer)>, String>) -> ControlFlow<Check, Check> {
    let secret = ItemKey::resource("", "secrets", Some("shop"), "shop-tls");
    let look = crate::plan::HttpLook {
        host: "shop.lab".into(),
        path: "/".into(),
        status: None,
        port: 443,
        tls: true,
        through: None,
        secret: Some(secret.clone()),
        serial: None,
    };
    let answers =
        answers.map(|all| all.into_iter().map(|(node, answer)| (node.to_owned(), answer)).collect());
    served::heard(&look, &secret, "0a", answers)
}

fn serves(serial: &str) -> Answer {
    Result::Ok(Served { status: 404, serial: Some(serial.into()) })
}

fn fails(why: &str, silent: bool) -> Answer {
    Err(Unanswered { why: why.into(), silent })
}

#[test]
fn one_node_that_serves_another_certificate_is_an_alert() {
    let judge = |answers| heard(Result::Ok(answers)).continue_value().unwrap();
    let fine = judge(vec![("n1", serves("0a")), ("n2", fails("refused", false)), ("n3", fails("", true))]);
    assert_eq!((fine.status, fine.value), (Ok, json!("0a")));
    let wrong = judge(vec![("n1", serves("0a")), ("n2", serves("0b"))]);
    assert_eq!((wrong.status, &wrong.value), (Alert, &json!("0b")));
    assert!(
        wrong.why[0].starts_with("n2 serves certificate 0b, and secrets shop/shop-tls holds 0a"),
        "{wrong:?}"
    );
}

#[test]
fn a_host_that_no_node_serves_is_an_alert_and_the_others_are_asked() {
    for answers in [
        vec![("n1", fails("received fatal alert: UnrecognisedName", false))],
        vec![("n1", fails("refused", false)), ("n2", fails("timed out", true))],
    ] {
        let check = heard(Result::Ok(answers)).continue_value().unwrap();
        assert_eq!((check.status, check.name.as_str()), (Alert, "ingress https://shop.lab"));
        assert!(check.why[0].contains("n1: re") && check.next.is_some(), "{check:?}");
    }
}

#[test]
fn where_no_node_can_be_asked_it_is_unknown_unless_all_are_played() {
    let last = |answers| heard(answers).break_value().map(|check| (check.status, check.why)).unwrap();
    let (status, why) = last(Result::Ok(vec![("n1", fails("timed out", true)), ("n2", fails("x", true))]));
    assert_eq!((status, why[0].as_str()), (Unknown, "no node can be asked from here: n1: timed out, n2: x"));
    assert_eq!(last(Err("nodes could not be read: 403".into())).0, Unknown);
    // What is suggested is not what was done in vain.
    let next = |answers| heard(answers).break_value().unwrap().next.unwrap();
    assert_eq!(next(Err("node n1 says no InternalIP".into())), "kubectl get nodes -o wide");
    let silent = next(Result::Ok(vec![("n1", fails("timed out", true))]));
    assert_eq!(silent, "ssh NODE netdr check ingress --through 127.0.0.1 --port 443");
    assert_eq!(last(Err(crate::restore::PLAYED.into())).0, NotApplicable);
}

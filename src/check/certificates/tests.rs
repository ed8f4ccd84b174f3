use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

use super::*;
use crate::check::{Status::*, worst};

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

/// From the first of January 2026, for so many days.
fn secret(name: &str, days: i64) -> Value {
    paired(name, days, true)
}

fn paired(name: &str, days: i64, pair: bool) -> Value {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut params = CertificateParams::new([format!("{name}.lab")]).unwrap();
    let from = rcgen::date_time_ymd(2026, 1, 1);
    params.not_before = from;
    params.not_after = from + std::time::Duration::from_secs(days as u64 * 86_400);
    let pem = params.self_signed(&key).unwrap().pem();
    let key = if pair { &key } else { &other }.serialize_pem();
    json!({"type": "kubernetes.io/tls", "metadata": {"name": name, "namespace": "edge"},
        "data": {"tls.crt": STANDARD.encode(pem), "tls.key": STANDARD.encode(key)}})
}

fn certificate(name: &str, status: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "edge"}, "spec": {"secretName": format!("{name}-tls")},
        "status": status})
}

fn ready() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "True"}], "renewalTime": "2026-03-01T00:00:00Z"})
}

fn judged(secrets: Vec<Value>, certificates: Vec<Value>, now: &str) -> Vec<Check> {
    let reading = Reading::of([(Source::TLS_SECRETS, secrets), (CERTIFICATES, certificates)]);
    judge(&reading, at(now))
}

#[test]
fn the_limits_are_fourteen_and_seven_days_to_the_second() {
    // It ends on the first of April at midnight.
    let secret = secret("a", 90);
    for (now, status, days) in [
        ("2026-03-18T00:00:00Z", Ok, 14),
        ("2026-03-18T00:00:01Z", Warn, 13),
        ("2026-03-25T00:00:00Z", Warn, 7),
        ("2026-03-25T00:00:01Z", Alert, 6),
        ("2026-04-01T00:00:00Z", Alert, 0),
        ("2026-04-01T00:00:01Z", Alert, -1),
    ] {
        let check = judged(vec![secret.clone()], vec![], now).remove(0);
        assert_eq!((check.status, check.value), (status, json!(days)), "{now}");
        assert_eq!(check.name, "certificates secrets edge/a");
        assert_eq!(check.threshold, "warn < 14 days, alert < 7 days");
        assert_eq!(check.next.is_some(), status != Ok, "{now}");
    }
}

#[test]
fn a_certificate_of_a_few_days_is_judged_by_its_own_lifetime() {
    let secret = secret("a", 6);
    let check = |now| judged(vec![secret.clone()], vec![], now).remove(0);
    assert_eq!(check("2026-01-05T00:00:00Z").status, Ok);
    assert_eq!(check("2026-01-05T00:00:01Z").status, Warn);
    assert_eq!(check("2026-01-06T00:00:01Z").status, Alert);
    assert_eq!(check("2026-01-05T00:00:00Z").threshold, "warn < 2 days, alert < 1 days");
}

#[test]
fn a_key_of_another_certificate_and_one_from_the_future_are_alerts() {
    let check = judged(vec![paired("a", 90, false)], vec![], "2026-02-01T00:00:00Z").remove(0);
    assert_eq!(check.status, Alert);
    assert_eq!(check.why, ["its private key does not match its certificate"]);
    assert_eq!(check.next.as_deref(), Some(RESTORE));
    let early = judged(vec![secret("a", 90)], vec![], "2025-12-31T00:00:00Z").remove(0);
    assert_eq!((early.status, &*early.why[0]), (Alert, "it is not valid before 2026-01-01T00:00:00Z"));
    let mut broken = secret("a", 90);
    broken["data"]["tls.crt"] = json!("");
    let broken = judged(vec![broken], vec![], "2026-02-01T00:00:00Z").remove(0);
    assert_eq!((broken.status, broken.value), (Alert, Value::Null));
}

#[test]
fn a_certificate_is_ready_has_its_secret_and_is_renewed_in_time() {
    let of =
        |status: Value, now| judged(vec![secret("a-tls", 90)], vec![certificate("a", status)], now).remove(1);
    let fine = of(ready(), "2026-02-01T00:00:00Z");
    assert_eq!((fine.status, fine.value.clone()), (Ok, json!("Ready")), "{fine:?}");

    let missing = judged(vec![], vec![certificate("a", ready())], "2026-02-01T00:00:00Z");
    let missing = missing.last().unwrap();
    assert_eq!((missing.status, missing.next.as_deref()), (Alert, Some(RESTORE)), "{missing:?}");

    assert_eq!(of(ready(), "2026-03-01T01:00:00Z").status, Ok, "the first attempt is given its hour");
    let mut overdue = ready();
    overdue["lastFailureTime"] = json!("2026-03-01T00:05:00Z");
    let overdue = of(overdue, "2026-03-01T01:00:01Z");
    assert_eq!(overdue.status, Warn);
    assert_eq!(
        overdue.why,
        ["its renewal was due at 2026-03-01T00:00:00Z; the last attempt failed at 2026-03-01T00:05:00Z"]
    );

    let failing = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Expired",
        "message": "Certificate expired"}]});
    let waiting = of(failing.clone(), "2026-02-01T00:00:00Z");
    assert_eq!((waiting.status, waiting.value), (Warn, json!("Expired")), "what it has works all the same");
    assert_eq!(of(failing, "2026-05-01T00:00:00Z").status, Alert);
    let unjudged = of(Value::Null, "2026-02-01T00:00:00Z");
    assert_eq!((unjudged.value, unjudged.next.as_deref()), (json!("not judged yet"), Some(WHO_JUDGES)));
}

#[test]
fn what_a_route_names_is_there_and_for_its_hosts() {
    let ingress = |host: &str, secret: &str| {
        json!({"metadata": {"name": "web", "namespace": "edge"},
            "spec": {"tls": [{"hosts": [host], "secretName": secret}]}})
    };
    let of = |host: &str, named: &str| {
        let reading = Reading::of([
            (Source::TLS_SECRETS, vec![secret("a", 90)]),
            (issuers::SECRETS, vec![json!({"metadata": {"name": "a", "namespace": "edge"}})]),
            (hosts::ROUTES[0], vec![ingress(host, named)]),
        ]);
        judge(&reading, at("2026-02-01T00:00:00Z"))
    };
    for host in ["a.lab", "A.lab"] {
        assert_eq!(worst(&of(host, "a")), Ok, "{host}");
    }
    for host in ["b.lab", "x.a.lab", "*.lab"] {
        let check = of(host, "a").remove(0);
        assert_eq!(check.status, Alert, "{host}");
        assert!(check.why[0].ends_with("which none of its names covers: a.lab"), "{check:?}");
    }
    let checks = of("a.lab", "gone");
    let gone = checks.iter().find(|check| check.name == "certificates secrets edge/gone").unwrap();
    assert_eq!((gone.status, gone.next.as_deref()), (Alert, Some(RESTORE)));
    assert_eq!(gone.why, ["ingresses.networking.k8s.io edge/web names it for a.lab, and it does not exist"]);
    let mut wild = CertificateParams::new(["*.shop.lab".to_owned()]).unwrap();
    wild.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let pem = wild.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let wild = json!({"data": {"tls.crt": STANDARD.encode(pem)}});
    assert_eq!(hosts::foreign(&wild, "www.shop.lab"), None);
    assert_eq!(hosts::foreign(&wild, "shop.lab").as_deref(), Some("*.shop.lab"));
    assert!(hosts::foreign(&wild, "a.www.shop.lab").is_some(), "a wildcard is one label");
}

/// As an ACME issuer leaves it: by which object each was made.
fn made(owner: &str, by: &str, name: &str, rest: Value) -> Value {
    let mut object = json!({"metadata": {"name": name, "namespace": "edge",
        "ownerReferences": [{"kind": owner, "name": by}]}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}

#[test]
fn a_certificate_that_is_not_issued_says_what_its_challenge_waits_for() {
    let waits = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "DoesNotExist",
        "message": "Issuing certificate as Secret does not exist"}]});
    let refused = "Error presenting challenge: Cloudflare API error 10000: Authentication error";
    let request = |name: &str, ready: &str| {
        made(
            "Certificate",
            "a",
            name,
            json!({"status": {"conditions": [{"type": "Ready", "status": ready,
            "message": "Waiting on certificate issuance from order edge/o: \"pending\""}]}}),
        )
    };
    let order = |state: &str| made("CertificateRequest", "r", "o", json!({"status": {"state": state}}));
    let challenge = |state: &str| {
        made(
            "Order",
            "o",
            "c",
            json!({"spec": {"type": "DNS-01", "dnsName": "a.lab"},
            "status": {"state": state, "reason": refused}}),
        )
    };
    let of = |requests: Vec<Value>, orders: Vec<Value>, challenges: Vec<Value>| {
        let reading = Reading::of([
            (Source::TLS_SECRETS, vec![secret("a-tls", 90)]),
            (CERTIFICATES, vec![certificate("a", waits.clone())]),
            (stuck::REQUESTS, requests),
            (stuck::ORDERS, orders),
            (stuck::CHALLENGES, challenges),
        ]);
        let check = judge(&reading, at("2026-02-01T00:00:00Z")).remove(1);
        assert_eq!(check.status, Warn, "{check:?}");
        (check.why[0].clone(), check.next.unwrap())
    };
    assert_eq!(
        of(vec![request("r", "False")], vec![order("pending")], vec![challenge("pending")]),
        (
            format!("challenges.acme.cert-manager.io edge/c: DNS-01 for a.lab is pending: {refused}"),
            "kubectl describe -n edge challenges.acme.cert-manager.io c".into()
        )
    );
    let (why, next) = of(vec![request("r", "False")], vec![order("errored")], vec![challenge("valid")]);
    assert_eq!(why, "orders.acme.cert-manager.io edge/o is errored");
    assert_eq!(next, "kubectl describe -n edge orders.acme.cert-manager.io o");
    let (why, _) = of(vec![request("r", "False")], vec![], vec![]);
    assert!(why.starts_with("certificaterequests.cert-manager.io edge/r: Waiting on"), "{why}");
    // Of another Certificate, and of an issuance that came about.
    let (why, _) = of(vec![request("old", "True")], vec![order("errored")], vec![challenge("pending")]);
    assert!(why.starts_with("it is not Ready: Issuing"), "{why}");
}

#[test]
fn an_issuer_is_ready_and_has_the_token_that_it_answers_challenges_with() {
    let issuer = |name: &str, ready: &str| {
        json!({"metadata": {"name": name}, "spec": {"acme": {"privateKeySecretRef": {"name": "account"},
            "solvers": [{"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "token", "key": "k"}}}}]}},
            "status": {"conditions": [{"type": "Ready", "status": ready, "reason": "ErrRegisterACMEAccount",
                "message": "no route to acme.lab"}]}})
    };
    let token = |namespace: &str| json!({"metadata": {"name": "token", "namespace": namespace}});
    let of = |issuers: Vec<Value>, secrets: Vec<Value>| {
        let mut certificate = certificate("a", ready());
        certificate["spec"]["issuerRef"] = json!({"kind": "ClusterIssuer", "name": "acme"});
        let reading = Reading::of([
            (Source::TLS_SECRETS, vec![secret("a-tls", 90)]),
            (CERTIFICATES, vec![certificate]),
            (issuers::CLUSTER_ISSUERS, issuers),
            (issuers::SECRETS, secrets),
        ]);
        judge(&reading, at("2026-02-01T00:00:00Z")).split_off(1)
    };
    let fine = of(vec![issuer("acme", "True")], vec![token("cert-manager")]);
    assert!(fine.len() == 2 && worst(&fine) == Ok, "the account's key is made anew: {fine:#?}");
    let elsewhere = of(vec![issuer("acme", "True")], vec![token("edge")]);
    assert_eq!(
        (elsewhere[1].status, elsewhere[1].why.concat()),
        (
            Warn,
            "it needs secrets cert-manager/token, which does not exist: nothing of it is issued or renewed"
                .into()
        )
    );
    let down = of(vec![issuer("acme", "False")], vec![token("cert-manager")]).remove(1);
    assert_eq!((down.status, down.value), (Warn, json!("ErrRegisterACMEAccount")));
    assert_eq!(down.why, ["it is not Ready: no route to acme.lab"]);
    assert_eq!(down.next.as_deref(), Some("kubectl describe clusterissuers.cert-manager.io acme"));
    let gone = of(vec![], vec![]).remove(0);
    assert_eq!((gone.status, gone.next.as_deref()), (Warn, Some(RESTORE)));
    assert!(gone.why[0].contains("clusterissuers.cert-manager.io acme, which does not exist"), "{gone:?}");
}

#[test]
fn somebody_must_be_there_to_renew() {
    let of = |controllers: Vec<Value>| {
        let reading = Reading::of([
            (CERTIFICATES, vec![certificate("a", ready())]),
            (issuers::CONTROLLER, controllers),
        ]);
        judge(&reading, at("2026-02-01T00:00:00Z")).pop().unwrap()
    };
    let controller = |replicas: u64, available: u64| {
        json!({"metadata": {"name": "cert-manager", "namespace": "tls"}, "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}},
            "status": {"replicas": replicas, "updatedReplicas": replicas, "availableReplicas": available}})
    };
    assert_eq!(of(vec![controller(1, 1)]).status, Ok);
    for (controllers, next) in [
        (vec![controller(1, 0)], "kubectl get pods -n tls -l a=b -o wide"),
        (vec![controller(0, 0)], "kubectl scale deployment -n tls cert-manager --replicas 1"),
        (vec![], "netdr restore --scenario full-stack"),
    ] {
        let check = of(controllers);
        assert_eq!((check.name.as_str(), check.status), ("certificates cert-manager", Warn), "{check:?}");
        assert!(check.next.as_deref().unwrap().starts_with(next), "{check:?}");
    }
    let idle = Reading::of([(CERTIFICATES, vec![]), (issuers::CONTROLLER, vec![])]);
    assert!(judge(&idle, at("2026-02-01T00:00:00Z")).is_empty(), "there is nothing to renew");
}

#[test]
fn what_could_not_be_read_is_unknown_and_what_is_not_there_is_not_applicable() {
    let reading = Reading::of([(CERTIFICATES, vec![certificate("a", ready())])])
        .without(Source::TLS_SECRETS, "secrets could not be read: 403");
    let checks = judge(&reading, at("2026-02-01T00:00:00Z"));
    let statuses: Vec<Status> = checks.iter().map(|check| check.status).collect();
    assert_eq!(statuses, [Unknown, Ok], "a Secret that was not read is not missing");
    assert_eq!(checks[0].next.as_deref(), Some("kubectl auth can-i list secrets -A"));
    assert_eq!(worst(&judged(vec![], vec![], "2026-02-01T00:00:00Z")), NotApplicable);
}

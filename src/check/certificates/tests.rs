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
    assert_eq!(of(Value::Null, "2026-02-01T00:00:00Z").value, "not judged yet");
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

//! Certificates: is each one valid for long enough, and does cert-manager keep it so?
//!
//! In: TLS Secrets, routes that name them, Certificates and what cert-manager makes of them, a time. Out: a check for each
//! Secret, Certificate and issuer. Invariant: pure, and nothing of a key or a certificate is in the words but its dates.

pub(super) mod hosts;
mod issuers;
mod stuck;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Check, Reading, Source,
    Status::{self, Alert, Warn},
};
use crate::{
    certificates::{GROUP, Leaf, secret_of, why_useless},
    model::ItemKey,
    restore::condition,
};

/// cert-manager's Certificates.
const CERTIFICATES: Source = Source::all(GROUP, "certificates");
/// What is read.
pub const SOURCES: [Source; 11] = [
    Source::TLS_SECRETS,
    CERTIFICATES,
    issuers::CLUSTER_ISSUERS,
    issuers::ISSUERS,
    issuers::CONTROLLER,
    issuers::SECRETS,
    stuck::REQUESTS,
    stuck::ORDERS,
    stuck::CHALLENGES,
    hosts::ROUTES[0],
    hosts::ROUTES[1],
];

/// The operations guide's: normal above 14 days, alert below 7.
const WARN: TimeDelta = TimeDelta::days(14);
const ALERT: TimeDelta = TimeDelta::days(7);
/// cert-manager tries again an hour after a first failure: what is due for longer has failed once.
const OVERDUE: TimeDelta = TimeDelta::hours(1);

/// Of what nobody has judged its own description says no more.
const UNJUDGED: &str = "cert-manager has said nothing of it: does its controller run?";
const WHO_JUDGES: &str = "kubectl get pods -A -l app.kubernetes.io/name=cert-manager -o wide";

const RESTORE: &str = "netdr restore --scenario certificates --dry-run";

/// Judges them.
pub fn judge(reading: &Reading, now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = reading.unread("certificates", &SOURCES);
    if reading.has(Source::TLS_SECRETS) && reading.objects(Source::TLS_SECRETS).is_empty() {
        checks.push(Check::not_applicable(
            "certificates secrets",
            "there is no Secret of type kubernetes.io/tls",
        ));
    }
    let certificates = reading.items(CERTIFICATES);
    let owners: BTreeMap<ItemKey, ItemKey> =
        certificates.filter_map(|(key, certificate)| Some((secret_of(certificate)?, key))).collect();
    let secrets: BTreeMap<ItemKey, &Value> = reading.items(Source::TLS_SECRETS).collect();
    let there = reading.keys(issuers::SECRETS);
    let routes = hosts::Hosts::of(reading);
    checks.extend(secrets.iter().map(|(key, secret)| {
        let check = of_secret(key, secret, owners.get(key), now);
        routes.judge(key, secret, check)
    }));
    // Of one that a Certificate is about, the Certificate says that it is missing.
    checks.extend(
        routes.missing(there.as_ref()).filter(|(key, _)| !owners.contains_key(key)).map(|(_, check)| check),
    );
    for (key, certificate) in reading.items(CERTIFICATES) {
        let named = secret_of(certificate).and_then(|named| secrets.get(&named).copied());
        let secret = reading.has(Source::TLS_SECRETS).then_some(named);
        checks.push(of_certificate(reading, &key, certificate, secret, now));
    }
    checks.extend(issuers::judge(reading, there.as_ref()));
    checks
}

/// `certificate` is the one that the Secret is for.
fn of_secret(key: &ItemKey, secret: &Value, certificate: Option<&ItemKey>, now: DateTime<Utc>) -> Check {
    let name = format!("certificates {key}");
    let leaf = Leaf::of(secret).ok();
    let (warn, alert) = limits(leaf.as_ref().map_or(TimeDelta::MAX, |leaf| leaf.not_after - leaf.not_before));
    let left = leaf.as_ref().map(|leaf| leaf.not_after - now);
    let days = left.map_or(Value::Null, |left| left.num_seconds().div_euclid(86_400).into());
    let check = Check::ok(name, days, format!("warn < {}, alert < {}", span(warn), span(alert)));
    if let Some(why) = why_useless(Some(secret), now) {
        return check.found(Alert, why, RESTORE);
    }
    let (Some(leaf), Some(left)) = (leaf, left) else { return check };
    let next = match certificate {
        Some(certificate) => describe(certificate),
        None => hosts::show(key, "-issuer -dates"),
    };
    if leaf.is_temporary {
        return check.found(
            Alert,
            "it is cert-manager's temporary certificate, which no client trusts",
            next,
        );
    }
    if leaf.not_before > now {
        return check.found(Alert, format!("it is not valid before {}", time(leaf.not_before)), next);
    }
    let until = match certificate {
        Some(_) => format!("it ends at {}, and cert-manager has not renewed it", time(leaf.not_after)),
        None => format!("it ends at {}, and no Certificate of cert-manager renews it", time(leaf.not_after)),
    };
    match left {
        left if left < alert => check.found(Alert, until, next),
        left if left < warn => check.found(Warn, until, next),
        _ => check,
    }
}

/// Below what is left of it somebody is warned and alerted. cert-manager renews with a third of the lifetime left, so that
/// a short-lived one would be below the operations guide's limits all its life.
fn limits(lifetime: TimeDelta) -> (TimeDelta, TimeDelta) {
    (WARN.min(lifetime / 3), ALERT.min(lifetime / 6))
}

/// `secret` is None where Secrets could not be read, and Some(None) where there is none of that name.
fn of_certificate(
    reading: &Reading,
    key: &ItemKey,
    certificate: &Value,
    secret: Option<Option<&Value>>,
    now: DateTime<Utc>,
) -> Check {
    let status = &certificate["status"];
    let ready = condition(certificate, "Ready");
    let text = |field: &str| ready.and_then(|condition| condition[field].as_str());
    let is_ready = text("status") == Some("True");
    let value = if is_ready { "Ready" } else { text("reason").unwrap_or("not judged yet") };
    let mut check =
        Check::ok(format!("certificates {key}"), value, "Ready, its Secret there, renewed in time");
    let useless = secret.and_then(|secret| why_useless(secret, now));
    if secret == Some(None) {
        let named = secret_of(certificate).map_or_else(|| "a Secret".into(), |secret| secret.to_string());
        check = check.found(Alert, format!("{named} of type kubernetes.io/tls is not there"), RESTORE);
    }
    if let Some(issuer) = missing_issuer(reading, key, certificate) {
        let why = format!("it names {issuer}, which does not exist: nobody issues or renews it");
        check = check.found(Warn, why, RESTORE);
    }
    let mut late: Vec<(Status, String)> = Vec::new();
    if !is_ready {
        let why = text("message").unwrap_or(UNJUDGED);
        late.push((if useless.is_some() { Alert } else { Warn }, format!("it is not Ready: {why}")));
    }
    let due = status["renewalTime"].as_str().and_then(|due| due.parse::<DateTime<Utc>>().ok());
    if let Some(due) = due.filter(|due| now - *due > OVERDUE) {
        let failed =
            status["lastFailureTime"].as_str().map(|at| format!("; the last attempt failed at {at}"));
        late.push((Warn, format!("its renewal was due at {}{}", time(due), failed.unwrap_or_default())));
    }
    let Some(gravest) = late.iter().map(|(status, _)| *status).max() else { return check };
    // First, for it is the command of the first that is suggested: the Certificate itself says only that it waits.
    let links = stuck::links(reading, key).into_iter();
    check = links.fold(check, |check, (why, next)| check.found(gravest, why, next));
    let next = if ready.is_some() { describe(key) } else { WHO_JUDGES.into() };
    late.into_iter().fold(check, |check, (status, why)| check.found(status, why, &next))
}

/// The issuer of cert-manager's own that a Certificate names, where it is not there.
fn missing_issuer(reading: &Reading, key: &ItemKey, certificate: &Value) -> Option<ItemKey> {
    let issuer = &certificate["spec"]["issuerRef"];
    let (source, namespace) = match issuer["kind"].as_str() {
        Some("ClusterIssuer") => (issuers::CLUSTER_ISSUERS, None),
        None | Some("Issuer") => (issuers::ISSUERS, key.namespace()),
        Some(_) => return None,
    };
    if !matches!(issuer["group"].as_str(), None | Some("" | GROUP)) || !reading.has(source) {
        return None;
    }
    let named = ItemKey::resource(GROUP, source.plural, namespace, issuer["name"].as_str()?);
    (!reading.all(source).any(|(key, _)| key == named)).then_some(named)
}

fn describe(certificate: &ItemKey) -> String {
    format!(
        "kubectl describe -n {} certificate {}",
        certificate.namespace().unwrap_or_default(),
        certificate.name()
    )
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `14 days`, `36 hours`.
fn span(span: TimeDelta) -> String {
    match span.num_hours() {
        hours if hours % 24 == 0 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

#[cfg(test)]
mod tests;

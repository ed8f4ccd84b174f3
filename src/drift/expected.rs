//! What controllers do in the normal course of things, proved by what they leave behind.
//!
//! In: a difference, and what cert-manager has. Out: why it was to be expected, or nothing. Invariant: what somebody else
//! could have done is not expected: a certificate counts as renewed only where the request that it was issued for holds it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::{Seen, digest, value};
use crate::{
    certificates::{GROUP, Leaf, Observed, secret_of, why_useless},
    model::{Content, ItemKey, Json},
    plan::Change,
};

/// By how much an authority dates a certificate back; Let's Encrypt does by an hour.
const DATED_BACK: TimeDelta = TimeDelta::hours(2);
/// More replicas than this no autoscaler is asked for here.
const REPLICAS: u64 = 1_000;

/// Why it was to be expected.
pub(super) fn why(seen: &Seen, observed: &Observed, now: DateTime<Utc>) -> Option<String> {
    if seen.difference.change != Change::Changed {
        return None;
    }
    let after = value(seen.after.as_ref()?);
    renewed(seen, &after, observed, now).or_else(|| scaled(seen, after))
}

/// cert-manager renewed it: a Certificate names the Secret, its issuer is the one that the Secret names, and the request of
/// its current revision holds this very certificate, which was issued since the snapshot.
fn renewed(seen: &Seen, secret: &Value, observed: &Observed, now: DateTime<Utc>) -> Option<String> {
    let key = &seen.difference.key;
    if !key.is_kind("", "secrets") || secret["type"] != "kubernetes.io/tls" {
        return None;
    }
    let leaf = Leaf::of(secret).ok()?;
    let sound = why_useless(Some(secret), now).is_none() && leaf.is_valid_at(now) && !leaf.is_temporary;
    if !sound || leaf.not_before + DATED_BACK < seen.since {
        return None;
    }
    let (certificate, _) = observed.certificates().find(|(name, certificate)| {
        secret_of(certificate).as_ref() == Some(key) && names(secret, name, certificate)
    })?;
    let served = secret["data"]["tls.crt"].as_str()?;
    let mut requests = observed.requests(key.namespace()?).iter();
    requests.any(|request| request["status"]["certificate"].as_str() == Some(served)).then(|| {
        let until = leaf.not_after.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("renewed by cert-manager: the request of {certificate} holds this certificate, valid until {until}")
    })
}

/// Whether the Secret says that it was issued for this Certificate, by the issuer that this asks.
fn names(secret: &Value, name: &ItemKey, certificate: &Value) -> bool {
    let annotation = |field: &str| {
        secret["metadata"]["annotations"][format!("{GROUP}/{field}")].as_str().unwrap_or_default()
    };
    let issuer = &certificate["spec"]["issuerRef"];
    // As cert-manager defaults them (SecretIssuerAnnotationsMismatch).
    let or = |value: &Value, default: &'static str| {
        value.as_str().filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
    };
    annotation("certificate-name") == name.name()
        && annotation("issuer-name") == issuer["name"].as_str().unwrap_or_default()
        && annotation("issuer-kind") == or(&issuer["kind"], "Issuer")
        && ["", GROUP].contains(&annotation("issuer-group")) == (or(&issuer["group"], GROUP) == GROUP)
}

/// An autoscaler set its replicas, and nothing else differs: with another number of them the content is the stored one.
fn scaled(seen: &Seen, workload: Value) -> Option<String> {
    let now = workload["spec"]["replicas"].as_u64().filter(|_| seen.autoscaled)?;
    let replicas = stored(seen, workload)?["spec"]["replicas"].as_u64()?;
    Some(format!(
        "scaled by its HorizontalPodAutoscaler: {replicas} → {now} replicas, and nothing else differs"
    ))
}

/// This object, where it is the stored one; of a workload that an autoscaler scales, with the replicas that it had.
pub(super) fn stored(seen: &Seen, mut object: Value) -> Option<Value> {
    let stored = seen.stored.as_deref()?;
    let is_stored = |object: &Value| digest(seen, Content::Resource(Json::new(object))) == stored;
    if is_stored(&object) {
        return Some(object);
    }
    object["spec"]["replicas"].as_u64().filter(|_| seen.autoscaled)?;
    (0..=REPLICAS).find(|replicas| {
        object["spec"]["replicas"] = (*replicas).into();
        is_stored(&object)
    })?;
    Some(object)
}

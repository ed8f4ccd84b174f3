//! What Certificates are renewed by: cert-manager's controller, and issuers with the Secrets that they need.
//!
//! In: what was read. Out: a check of the controller, and of each issuer. Invariant: pure; of a Secret only its name is
//! looked at.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CERTIFICATES, RESTORE, UNJUDGED, WHO_JUDGES};
use crate::{
    catalog::references::references,
    certificates::{self, GROUP, issuer_namespace},
    check::{Check, Reading, Source, Status::Warn, describe, pods_of},
    model::ItemKey,
    restore::{condition, rolled_out},
};

pub(super) const CLUSTER_ISSUERS: Source = Source::all(GROUP, "clusterissuers");
pub(super) const ISSUERS: Source = Source::all(GROUP, "issuers");
pub(super) const CONTROLLER: Source = Source::all("apps", "deployments").labels(certificates::CONTROLLER);
/// By name alone: that of an API token is of no special type.
pub(super) const SECRETS: Source = Source::all("", "secrets").metadata();

/// `secrets` are all there are, where they could be read.
pub(super) fn judge(reading: &Reading, secrets: Option<&BTreeSet<ItemKey>>) -> Vec<Check> {
    let home = issuer_namespace(reading.objects(CONTROLLER).first());
    let issuers = [CLUSTER_ISSUERS, ISSUERS].into_iter().flat_map(|source| reading.items(source));
    let issuers = issuers.map(|(key, issuer)| one(&key, issuer, home, secrets));
    controller(reading).into_iter().chain(issuers).collect()
}

/// What runs is not looked at where there is nothing to renew.
fn controller(reading: &Reading) -> Option<Check> {
    if !reading.has(CONTROLLER) || reading.objects(CERTIFICATES).is_empty() {
        return None;
    }
    let check = |value: &str| Check::ok("certificates cert-manager", value, "its controller is rolled out");
    let Some((key, live)) = reading.all(CONTROLLER).next() else {
        let why = format!(
            "there is no Deployment of its controller (labels {}): nobody issues or renews",
            certificates::CONTROLLER
        );
        let next = "netdr restore --scenario full-stack --dry-run";
        return Some(check("absent").found(Warn, why, next));
    };
    let (namespace, name) = (key.namespace().unwrap_or_default(), key.name());
    if live["spec"]["replicas"] == 0 {
        let next = format!("kubectl scale deployment -n {namespace} {name} --replicas 1");
        return Some(check("scaled to 0").found(
            Warn,
            format!("{key} is scaled to 0: nobody issues or renews"),
            next,
        ));
    }
    Some(match rolled_out("deployments", live) {
        Ok(()) => check("rolled out"),
        Err(why) => check("not rolled out").found(
            Warn,
            format!("{key}: {why}: nobody issues or renews"),
            pods_of(&key, live),
        ),
    })
}

/// `home` is where a ClusterIssuer's Secrets are; `secrets` are all there are, where they could be read.
fn one(key: &ItemKey, issuer: &Value, home: &str, secrets: Option<&BTreeSet<ItemKey>>) -> Check {
    let ready = condition(issuer, "Ready");
    let text = |field: &str| ready.and_then(|condition| condition[field].as_str());
    let is_ready = text("status") == Some("True");
    let value = if is_ready { "Ready" } else { text("reason").unwrap_or("not judged yet") };
    let mut check = Check::ok(format!("certificates {key}"), value, "Ready, the Secrets it needs there");
    for missing in
        needed(key, issuer, home).iter().filter(|named| secrets.is_some_and(|all| !all.contains(named)))
    {
        let why = format!("it needs {missing}, which does not exist: nothing of it is issued or renewed");
        check = check.found(Warn, why, RESTORE);
    }
    if !is_ready {
        let why = text("message").unwrap_or(UNJUDGED);
        let next = if ready.is_some() { describe(key) } else { WHO_JUDGES.into() };
        check = check.found(Warn, format!("it is not Ready: {why}"), next);
    }
    check
}

/// The Secrets it cannot do without. Not the key of an ACME account: cert-manager makes a new one where there is none
/// (cert-manager, "ACME", privateKeySecretRef), but where it is told not to.
fn needed(key: &ItemKey, issuer: &Value, home: &str) -> BTreeSet<ItemKey> {
    let acme = &issuer["spec"]["acme"];
    let account = acme["privateKeySecretRef"]["name"].as_str();
    let made = account.filter(|_| acme["disableAccountKeyGeneration"] != true);
    let named = references(key, issuer, home)
        .into_iter()
        .filter(|(named, needed)| *needed && Some(named.name()) != made);
    named.map(|(named, _)| named).collect()
}

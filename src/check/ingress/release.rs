//! Is the ingress controller's Helm release deployed, and its workload rolled out?

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{INGRESS_ROUTES, RELEASES, RESTORE, WORKLOADS};
use crate::{
    check::{
        Check, Reading,
        Status::{Alert, Warn},
        pods_of,
    },
    helm::{Revision, release_component},
    model::Component,
    restore::rolled_out,
};

/// An operation that is under way takes no longer (Helm's own timeout is five minutes).
const UNDER_WAY: TimeDelta = TimeDelta::minutes(15);

pub(super) fn judge(reading: &Reading, helm_releases: &[String], now: DateTime<Utc>) -> Vec<Check> {
    if !reading.has(RELEASES) {
        return Vec::new();
    }
    let mut newest: BTreeMap<(String, String), (Revision, &Value)> = BTreeMap::new();
    for (revision, secret) in reading.objects(RELEASES).iter().filter_map(|s| Some((Revision::of(s)?, s))) {
        let component = release_component(&revision.namespace, &revision.name, helm_releases);
        let id = (revision.namespace.clone(), revision.name.clone());
        let newer = newest.get(&id).is_none_or(|(known, _)| known.version < revision.version);
        if component == Some(Component::Ingress) && newer {
            newest.insert(id, (revision, secret));
        }
    }
    if newest.is_empty() {
        return vec![none(reading)];
    }
    let mut checks = Vec::new();
    for (revision, secret) in newest.values() {
        checks.push(release(revision, secret, now));
        checks.extend(workloads(reading, revision));
    }
    checks
}

fn none(reading: &Reading) -> Check {
    let why = "no Helm release of an ingress controller is there (scope.helm_releases names one that netdr does not know)";
    if reading.objects(INGRESS_ROUTES).is_empty() {
        return Check::not_applicable("ingress release", why);
    }
    Check::ok("ingress release", Value::Null, "deployed").found(
        Alert,
        format!("{why}, but IngressRoutes are"),
        RESTORE,
    )
}

fn release(revision: &Revision, secret: &Value, now: DateTime<Utc>) -> Check {
    let Revision { name, namespace, version, status, .. } = revision;
    let check = Check::ok(format!("ingress helm release {namespace}/{name}"), status.as_str(), "deployed");
    if status == "deployed" {
        return check;
    }
    if !status.starts_with("pending-") {
        return check.found(Alert, format!("revision {version} is {status}"), RESTORE);
    }
    let begun =
        secret["metadata"]["creationTimestamp"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
    let history = format!("helm history -n {namespace} {name}");
    match begun.is_some_and(|begun| now - begun <= UNDER_WAY) {
        true => check.found(Warn, format!("revision {version} is {status}: an operation is under way"), history),
        false => check.found(
            Alert,
            format!(
                "revision {version} is {status} since over {} min: it broke off, and Helm refuses every other operation",
                UNDER_WAY.num_minutes()
            ),
            RESTORE,
        ),
    }
}

/// The workloads that the release rendered; one of definitions alone has none.
fn workloads(reading: &Reading, revision: &Revision) -> Vec<Check> {
    let Revision { name, namespace, .. } = revision;
    if name.ends_with("-crd") || WORKLOADS.iter().any(|source| !reading.has(*source)) {
        return Vec::new();
    }
    let rendered = |object: &Value| {
        let annotations = &object["metadata"]["annotations"];
        annotations["meta.helm.sh/release-name"] == name.as_str()
            && annotations["meta.helm.sh/release-namespace"] == namespace.as_str()
    };
    let all =
        WORKLOADS.into_iter().flat_map(|source| reading.all(source).map(move |(key, o)| (source, key, o)));
    let own: Vec<_> = all.filter(|(_, _, object)| rendered(object)).collect();
    if own.is_empty() {
        let check = Check::ok(format!("ingress workload of {namespace}/{name}"), 0, "rolled out");
        return vec![check.found(
            Alert,
            "the release has no Deployment and no DaemonSet on the cluster",
            RESTORE,
        )];
    }
    let check = |(source, key, object): (crate::check::Source, crate::model::ItemKey, &Value)| {
        let name = format!("ingress {key}");
        match rolled_out(source.plural, object) {
            Ok(()) => Check::ok(name, "rolled out", "rolled out"),
            Err(why) => {
                let check = Check::ok(name, "not rolled out", "rolled out");
                check.found(Alert, why, pods_of(&key, object))
            }
        }
    };
    own.into_iter().map(check).collect()
}

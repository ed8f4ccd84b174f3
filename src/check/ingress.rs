//! Ingress: is the controller deployed and rolled out, and does every route lead somewhere?
//!
//! In: releases, workloads, classes, routes and what they name. Out: checks; what is served over HTTPS is looked at by
//! [`served`]. Invariant: judging is pure; nothing of a Secret is in the words.

mod release;
mod routes;
mod served;

pub use served::{Asked, served};

use chrono::{DateTime, Utc};

use super::{Check, Reading, Source};
use crate::catalog::{TRAEFIK_V2, rows};

const NETWORKING: &str = "networking.k8s.io";
const TRAEFIK: &str = "traefik.io";
const GATEWAY: &str = "gateway.networking.k8s.io";

/// Metadata says all that is asked of a release: its Secret is up to 1 MiB.
const RELEASES: Source =
    Source::all("", "secrets").labels("owner=helm").fields("type=helm.sh/release.v1").metadata();
/// As Helm labels what its charts render.
const BY_HELM: &str = "app.kubernetes.io/managed-by=Helm";
const WORKLOADS: [Source; 2] =
    [Source::all("apps", "deployments").labels(BY_HELM), Source::all("apps", "daemonsets").labels(BY_HELM)];
const CLASSES: Source = Source::all(NETWORKING, "ingressclasses");
const INGRESSES: Source = Source::all(NETWORKING, "ingresses");
const INGRESS_ROUTES: Source = Source::all(TRAEFIK, "ingressroutes");
/// What names a backend or a Secret.
const ROUTES: [Source; 8] = [
    INGRESSES,
    INGRESS_ROUTES,
    Source::all(TRAEFIK, "ingressroutetcps"),
    Source::all(TRAEFIK, "ingressrouteudps"),
    TRAEFIK_SERVICES,
    Source::all(GATEWAY, "httproutes"),
    Source::all(GATEWAY, "grpcroutes"),
    Source::all(GATEWAY, "gateways"),
];
const TRAEFIK_SERVICES: Source = Source::all(TRAEFIK, "traefikservices");
const MIDDLEWARES: [Source; 2] =
    [Source::all(TRAEFIK, "middlewares").metadata(), Source::all(TRAEFIK, "middlewaretcps").metadata()];
const SERVICES: Source = Source::all("", "services").metadata();
/// The pods behind Services that are ready.
const SLICES: Source = Source::all("discovery.k8s.io", "endpointslices");
/// A TLS Secret need not be of that type to be served; by its name alone, none is read.
const SECRETS: Source = Source::all("", "secrets").metadata();

/// Brings back the release, routes, and what they name.
const RESTORE: &str = "netdr restore --scenario traefik --dry-run";

/// What is read.
pub fn sources() -> Vec<Source> {
    let routes = [RELEASES, CLASSES, SERVICES, SLICES, SECRETS, Source::TLS_SECRETS];
    [&routes[..], &WORKLOADS, &ROUTES, &MIDDLEWARES, &dead()].concat()
}

/// The kinds of Traefik v2.
fn dead() -> Vec<Source> {
    let rows = rows(crate::model::Component::Ingress).filter(|row| row.group == TRAEFIK_V2);
    rows.map(|row| Source::all(row.group, row.plural).metadata()).collect()
}

/// Judges all but what is served. `helm_releases` are those that the configuration names.
pub fn judge(reading: &Reading, helm_releases: &[String], now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = reading.unread("ingress", &sources());
    checks.extend(release::judge(reading, helm_releases, now));
    checks.extend(routes::classes(reading));
    checks.extend(routes::judge(reading));
    checks.extend(dead_objects(reading));
    checks
}

/// Objects that Traefik v3 does not read.
fn dead_objects(reading: &Reading) -> Vec<Check> {
    let of_kind = dead().into_iter().filter_map(|source| {
        let there = reading.items(source).count();
        let kind = format!("{}.{}", source.plural, source.group);
        (there > 0).then(|| {
            let why =
                format!("Traefik v3 does not read API group {TRAEFIK_V2}: write them anew for {TRAEFIK}");
            Check::ok(format!("ingress {kind}"), there, "0").found(
                super::Status::Warn,
                why,
                format!("kubectl get {kind} -A"),
            )
        })
    });
    let found: Vec<Check> = of_kind.collect();
    if found.is_empty() { vec![Check::ok(format!("ingress {TRAEFIK_V2}"), 0, "0")] } else { found }
}

#[cfg(test)]
mod tests;

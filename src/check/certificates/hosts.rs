//! Is the certificate that a route names there, and for the hosts of that route?
//!
//! In: routes, Secrets. Out: what is wrong, by Secret. Invariant: pure; a certificate that does not read is judged by who
//! says so, and a Secret that could not be read is not missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::RESTORE;
use crate::{
    certificates::Leaf,
    check::{Check, Reading, Source, Status::Alert},
    model::ItemKey,
    plan::secured_hosts,
};

/// What names a TLS Secret for a host.
pub(super) const ROUTES: [Source; 2] =
    [Source::all("networking.k8s.io", "ingresses"), Source::all("traefik.io", "ingressroutes")];

/// By Secret: which route serves which host with it.
pub(super) struct Hosts(BTreeMap<ItemKey, BTreeSet<(ItemKey, String)>>);

impl Hosts {
    pub(super) fn of(reading: &Reading) -> Self {
        let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (route, object) in ROUTES.into_iter().flat_map(|source| reading.items(source)) {
            for (host, secret) in secured_hosts(&route, object) {
                all.entry(secret).or_default().insert((route.clone(), host));
            }
        }
        Self(all)
    }

    pub(super) fn judge(&self, key: &ItemKey, secret: &Value, check: Check) -> Check {
        let routes = self.0.get(key).into_iter().flatten();
        let wrong = routes.filter_map(|(route, host)| {
            let names = foreign(secret, host)?;
            Some(format!("{route} serves {host} with it, which none of its names covers: {names}"))
        });
        wrong.fold(check, |check, why| check.found(Alert, why, show(key, NAMES)))
    }

    /// Secrets that a route names and that are not there, of whatever type; `there` is every one, where they could be read.
    pub(super) fn missing(
        &self,
        there: Option<&BTreeSet<ItemKey>>,
    ) -> impl Iterator<Item = (ItemKey, Check)> {
        let missing = move |key: &ItemKey| there.is_some_and(|there| !there.contains(key));
        self.0.iter().filter(move |(key, _)| missing(key)).map(|(key, routes)| {
            let check = Check::ok(format!("certificates {key}"), Value::Null, "it is there");
            let check = routes.iter().fold(check, |check, (route, host)| {
                check.found(Alert, format!("{route} names it for {host}, and it does not exist"), RESTORE)
            });
            (key.clone(), check)
        })
    }
}

/// The names of a Secret's certificate, where a host is none of them.
pub(in crate::check) fn foreign(secret: &Value, host: &str) -> Option<String> {
    let names = Leaf::of(secret).ok()?.names;
    (!names.iter().any(|name| covers(name, host))).then(|| match names.is_empty() {
        true => "it has none".to_owned(),
        false => names.join(", "),
    })
}

/// A wildcard stands for one label (RFC 6125, 6.4.3).
fn covers(name: &str, host: &str) -> bool {
    let below = |name: &str| name.split_once('.').map(|(_, parent)| parent.to_ascii_lowercase());
    name.eq_ignore_ascii_case(host) || name.starts_with("*.") && below(name) == below(host)
}

/// What openssl says of a certificate's names.
pub(in crate::check) const NAMES: &str = "-ext subjectAltName";

/// The command that shows this of a Secret's certificate.
pub(in crate::check) fn show(secret: &ItemKey, what: &str) -> String {
    format!(
        "kubectl get secret -n {} {} -o jsonpath='{{.data.tls\\.crt}}' | base64 -d | openssl x509 -noout {what}",
        secret.namespace().unwrap_or_default(),
        secret.name()
    )
}

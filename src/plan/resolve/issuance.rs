//! Which Certificate a Secret is for, so that cert-manager keeps what a restore leaves there.
//!
//! In: the source's and the live Certificates. Out: whether a live Secret stays. Invariant: pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Resolver;
use crate::{
    certificates::{self, GROUP, Observed, owner, secret_of, written_over},
    model::{Class, Component, Item, ItemKey, Json},
};

/// Certificates by the Secret that they name.
pub(super) type BySecret = BTreeMap<ItemKey, Vec<Value>>;

/// The Certificates that there will be, as far as source and live state say before anything is judged.
pub(super) fn by_secret(items: &BTreeMap<(Component, ItemKey), Item>, observed: &Observed) -> BySecret {
    let mut all: BTreeMap<&ItemKey, Value> =
        observed.certificates().map(|(key, live)| (key, live.clone())).collect();
    let wanted = items.values().filter(|item| is_certificate(&item.key) && item.class == Class::Config);
    for item in wanted {
        let Some(wanted) = item.json().map(Json::value) else { continue };
        all.insert(&item.key, written_over(&wanted, observed.certificate(&item.key)));
    }
    let mut by_secret = BySecret::new();
    for certificate in all.into_values() {
        if let Some(secret) = secret_of(&certificate) {
            by_secret.entry(secret).or_default().push(certificate);
        }
    }
    by_secret
}

impl Resolver<'_> {
    /// Why a live Secret is left alone although the source has another.
    pub(super) fn why_kept(&self, key: &ItemKey, live: &Value, wanted: &Value) -> Option<&'static str> {
        let named: Vec<&Value> = self.certificates.get(key).into_iter().flatten().collect();
        let certificate = owner(Some(wanted), &named);
        if certificate.is_none() && wanted["type"] != "kubernetes.io/tls" {
            return None;
        }
        let requests = self.observed.requests(key.namespace().unwrap_or_default());
        certificates::why_kept(live, wanted, certificate, requests, self.now)
    }
}

fn is_certificate(key: &ItemKey) -> bool {
    key.is_kind(GROUP, "certificates")
}

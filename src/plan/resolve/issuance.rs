//! Certificates: which Secret is whose, what waits for cert-manager, what it will do.
//!
//! In: the source's and the live Certificates, the resolved steps. Out: whether a live Secret stays, gates, what is issued
//! anew. Invariant: pure.

mod predict;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Resolver;
use crate::{
    certificates::{self, GROUP, Observed, owner, secret_of, written_over},
    model::{Class, Component, Item, ItemKey, Json},
    plan::{Action, Gate, Issuance, RestorePlan, Step},
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
    /// What the resolved steps mean for certificates, where the plan is about them; fills in what a `renewCertificates`
    /// step does.
    pub(super) fn issue(&self, plan: &RestorePlan, steps: &mut [Step]) -> Issuance {
        let about = plan.components().contains(&Component::Certificates);
        if !about || self.passed.contains(&Component::Certificates) {
            return Issuance::default();
        }
        // By its action: resolving adds steps, so a step's number is not the authored one's.
        let renewing = steps.iter().position(|step| step.action == Action::RenewCertificates.word());
        let issuance = self.issuance(steps, renewing.is_some());
        if let Some(step) = renewing.and_then(|number| steps.get_mut(number)) {
            step.batches = self.renewals(&step.id, &issuance);
        }
        issuance
    }

    /// The source's objects of these kinds, as far as they are on the cluster or will be.
    pub(super) fn readies(&self, component: Component, kinds: &[String]) -> Vec<Gate> {
        let named = |key: &ItemKey| kinds.contains(&key.kind_name());
        let entries =
            self.index.entries.iter().filter(|e| e.component == component && e.class == Class::Config);
        let refused: BTreeSet<&ItemKey> = self.tally.refused.iter().map(|(key, _)| key).collect();
        let keys = entries.map(|entry| &entry.key).filter(|key| named(key) && !refused.contains(key));
        keys.map(|key| Gate::Ready(key.clone())).collect()
    }

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

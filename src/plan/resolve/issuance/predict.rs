//! What cert-manager will do once the plan is done.
//!
//! In: the resolved steps, the live Certificates and their requests. Out: [`Issuance`], and the acts of a
//! `renewCertificates` step. Invariant: pure; what could not be read is unknown, and nothing is ever triggered that is
//! not missing, expired or untrusted, nor what cert-manager issues by itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;
use serde_json::Value;

use super::is_certificate;
use crate::{
    certificates::{
        self, GROUP, Leaf, owner,
        quota::{self, Quota},
        reissue::{Prediction, backs_off, predict},
        secret_of, written_over,
    },
    model::{Component, Content, Extent, ItemKey},
    plan::{
        Act, Batch, Fate, Issuance, Reissue, Step, Verb,
        resolve::{Resolver, unread},
    },
};

/// The state after some acts.
struct After<'a> {
    acts: BTreeMap<&'a ItemKey, &'a Act>,
    live: BTreeMap<&'a ItemKey, &'a Content>,
}

impl After<'_> {
    fn object(&self, key: &ItemKey) -> Option<Value> {
        let content = match self.acts.get(key) {
            Some(act) => &act.item.as_ref()?.content,
            None => self.live.get(key)?,
        };
        match content {
            Content::Resource(json) => Some(json.value()),
            _ => None,
        }
    }
}

impl Resolver<'_> {
    /// Predicts; `renews`: whether the plan triggers what must be triggered.
    pub(in crate::plan::resolve) fn issuance(&self, steps: &[Step], renews: bool) -> Issuance {
        let acts = steps.iter().flat_map(|step| &step.batches).flat_map(|batch| &batch.acts);
        let acts = acts.filter(|act| act.verb.restores()).map(|act| (&act.key, act)).collect();
        let live = self.live.items.iter();
        let live = live.filter_map(|c| Some((&c.entry.key, c.content.as_ref()?))).collect();
        let after = After { acts, live };
        let mut issuance = Issuance { looked: true, ..self.leaves(&after) };
        let certificates = self.certificates_after(&after);
        let mut named: BTreeMap<ItemKey, Vec<&Value>> = BTreeMap::new();
        for certificate in certificates.values() {
            if let Some(secret) = secret_of(certificate) {
                named.entry(secret).or_default().push(certificate);
            }
        }
        let mut counted = Vec::new();
        for (key, certificate) in &certificates {
            if let Some(word) = issuing(certificate) {
                issuance.issuing.insert(key.clone(), word.to_owned());
            }
            let Some(secret_key) = secret_of(certificate) else { continue };
            let secret = after.object(&secret_key);
            if named.get(&secret_key).and_then(|all| owner(secret.as_ref(), all)) != Some(certificate) {
                continue; // cert-manager leaves it alone: another Certificate has the Secret
            }
            let fate = self.fate(certificate, &secret_key, secret.as_ref(), renews);
            let Some((fate, reason, why)) = fate else { continue };
            let is_counted = self.is_counted(certificate, &after);
            if is_counted && matches!(fate, Fate::Reissued | Fate::Renewed) {
                counted.push(certificate);
            }
            let (certificate, secret) = (key.clone(), secret_key);
            issuance.reissues.push(Reissue { certificate, secret, fate, reason, why, counted: is_counted });
        }
        issuance.quota = Quota::of(counted);
        issuance
    }

    /// The acts of a `renewCertificates` step; what an earlier process of the run triggered is not triggered again.
    pub(in crate::plan::resolve) fn renewals(&self, step: &str, issuance: &Issuance) -> Vec<Batch> {
        let renewed = issuance.reissues.iter().filter(|reissue| reissue.fate == Fate::Renewed);
        let done = |key: &ItemKey| self.earlier.done.contains(&(step.to_owned(), key.clone(), Verb::Renew));
        // Whatever is there when its turn comes: a step before may have made it.
        let act = |reissue: &Reissue| Act {
            remarks: vec![reissue.why.clone()],
            ..Act::of(reissue.certificate.clone(), Component::Certificates, Verb::Renew)
        };
        let acts: Vec<Act> = renewed.filter(|reissue| !done(&reissue.certificate)).map(act).collect();
        let batch = (!acts.is_empty()).then_some(Batch { note: "triggered as cmctl renew does", acts });
        batch.into_iter().collect()
    }

    /// Certificates as they will be: those that are live, and those that the plan makes.
    fn certificates_after(&self, after: &After<'_>) -> BTreeMap<ItemKey, Value> {
        let live = self.observed.certificates().map(|(key, _)| key);
        let made = after.acts.keys().copied().filter(|key| is_certificate(key));
        let keys: BTreeSet<&ItemKey> = live.chain(made).collect();
        let will_be = |key: &ItemKey| {
            let live = self.observed.certificate(key);
            match after.acts.get(key) {
                None => live.cloned(),
                Some(act) => {
                    let wanted = act.item.as_ref()?.json()?.value();
                    Some(written_over(&wanted, live.filter(|_| act.verb == Verb::Replace)))
                }
            }
        };
        keys.into_iter().filter_map(|key| Some((key.clone(), will_be(key)?))).collect()
    }

    /// What becomes of one Certificate, with cert-manager's word and a sentence; None where it stays.
    fn fate(
        &self,
        certificate: &Value,
        secret_key: &ItemKey,
        secret: Option<&Value>,
        renews: bool,
    ) -> Option<(Fate, String, String)> {
        let unknown = |why: String| Some((Fate::Unknown, String::new(), why));
        if let Some(why) = self.observed.unread() {
            return unknown(why.to_owned());
        }
        let unread = self.live.failures.iter().find(|failure| failure.kind == "secrets");
        if let Some(failure) = unread.filter(|_| secret.is_none()) {
            return unknown(format!("whether {secret_key} exists {}", unread::object(failure, secret_key)));
        }
        if let Some(word) = issuing(certificate) {
            return Some((Fate::Reissued, word.to_owned(), "it is being issued already".to_owned()));
        }
        let requests = self.observed.requests(secret_key.namespace().unwrap_or_default());
        let useless = certificates::why_useless(secret, self.now).filter(|_| renews);
        let renewed = |reason: &str, why: String| Some((Fate::Renewed, reason.to_owned(), why));
        match predict(certificate, secret, requests, self.now) {
            Prediction::Stuck { reason, message } => Some((Fate::Stuck, reason.to_owned(), message)),
            Prediction::Reissued { reason, message } => match backs_off(certificate, self.now) {
                None => Some((Fate::Reissued, reason.to_owned(), message)),
                Some(until) => {
                    let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
                    let why = format!("{message}; after a failed attempt cert-manager waits until {until}");
                    match useless {
                        Some(_) => renewed(reason, why),
                        None => Some((Fate::Reissued, reason.to_owned(), why)),
                    }
                }
            },
            Prediction::Kept => {
                renewed(MANUALLY, format!("{}, and cert-manager would leave it so", useless?))
            }
            Prediction::Unknown { message } => match useless {
                Some(why) => renewed(MANUALLY, why.to_owned()),
                None => unknown(message),
            },
        }
    }

    /// Whether Let's Encrypt counts what the Certificate's issuer issues.
    fn is_counted(&self, certificate: &Value, after: &After<'_>) -> bool {
        let reference = &certificate["spec"]["issuerRef"];
        let Some(name) = reference["name"].as_str() else { return false };
        let key = match reference["kind"].as_str() {
            Some("ClusterIssuer") => ItemKey::resource(GROUP, "clusterissuers", None, name),
            _ => ItemKey::resource(GROUP, "issuers", certificate["metadata"]["namespace"].as_str(), name),
        };
        let ours = matches!(reference["group"].as_str(), None | Some("" | GROUP));
        ours && after.object(&key).is_some_and(|issuer| quota::is_counted(&issuer))
    }

    /// The certificates of TLS Secrets: as they were read, and those of the source that will be there.
    fn leaves(&self, after: &After<'_>) -> Issuance {
        let mut leaves = Issuance::default();
        let leaf = |content: &Content| match content {
            Content::Resource(json) => Leaf::of(&json.value()).ok(),
            _ => None,
        };
        for captured in self.live.items.iter().filter(|captured| is_secret(&captured.entry.key)) {
            if let Some(leaf) = captured.content.as_ref().and_then(leaf) {
                leaves.live.insert(captured.entry.key.clone(), leaf);
            }
        }
        let restored = |component, extent| component == Component::Certificates && extent == Extent::Whole;
        let entries = self.index.entries.iter();
        for entry in entries.filter(|e| is_secret(&e.key) && restored(e.component, e.extent)) {
            let live = self.seen.get(&(entry.component, &entry.key));
            let wanted = match after.acts.get(&entry.key) {
                Some(act) => act.item.as_ref().and_then(|item| leaf(&item.content)),
                None if live.is_some_and(|live| live.entry.sha256 == entry.sha256) => {
                    leaves.live.get(&entry.key).cloned()
                }
                None => None,
            };
            if let Some(wanted) = wanted {
                leaves.wanted.insert(entry.key.clone(), wanted);
            }
        }
        leaves
    }
}

/// cert-manager's word for an issuance that it does not begin by itself.
const MANUALLY: &str = "ManuallyTriggered";

/// cert-manager's word for why it is issuing, where it is.
fn issuing(certificate: &Value) -> Option<&str> {
    let conditions = certificate["status"]["conditions"].as_array()?;
    let issuing = conditions.iter().find(|c| c["type"] == "Issuing" && c["status"] == "True")?;
    Some(issuing["reason"].as_str().unwrap_or_default())
}

fn is_secret(key: &ItemKey) -> bool {
    key.is_kind("", "secrets")
}

//! What is wrong with a certificate and its key, before a disaster shows it; what a restore would make cert-manager do.
//!
//! In: Secrets of type kubernetes.io/tls and a time. Out: warnings, the leaf certificate, which of two is to be there.
//! Invariant: pure, and no message shows anything of a key or a certificate but its dates.

mod choice;
mod controller;
mod leaf;
mod observed;
pub mod quota;
pub mod reissue;

pub use choice::{why_kept, why_useless};
pub use controller::{CHART_DEFAULT, CONTROLLER, issuer_namespace};
pub use leaf::{Leaf, serial};
pub use observed::{GROUP, Observed, owner, secret_of, written_over};

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use leaf::{Match, key_match};
use serde_json::Value;

use crate::model::ItemKey;

/// What a person should know about a TLS Secret: a snapshot of a broken one must be flagged.
pub fn warnings(key: &ItemKey, secret: &Value, now: DateTime<Utc>) -> Vec<String> {
    let leaf = match Leaf::of(secret) {
        Ok(leaf) => leaf,
        Err(why) => return vec![format!("{key} {why}")],
    };
    let pair = match key_match(secret) {
        Ok(Match::Fits) => None,
        Ok(Match::Differs) => Some("has a private key that does not match its certificate"),
        Ok(Match::NoKey) => Some("has a tls.key that is no private key"),
        Ok(Match::Unknown) => Some("has a kind of key that netdr cannot compare with its certificate"),
        Err(why) => Some(why),
    };
    let time = |t: DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Secs, true);
    let validity = if now > leaf.not_after {
        Some(format!("has a certificate that expired at {}", time(leaf.not_after)))
    } else if now < leaf.not_before {
        Some(format!("has a certificate that is not valid before {}", time(leaf.not_before)))
    } else {
        None
    };
    let pair = pair.map(str::to_owned);
    let temporary =
        leaf.is_temporary.then(|| "has cert-manager's temporary certificate, not the issuer's".to_owned());
    pair.into_iter().chain(temporary).chain(validity).map(|what| format!("{key} {what}")).collect()
}

/// Until when the certificates of TLS Secrets are valid, by `namespace/name`; one that does not read has a warning of its own.
pub fn expiries<'a>(secrets: impl Iterator<Item = (&'a ItemKey, Value)>) -> BTreeMap<String, DateTime<Utc>> {
    let tls = secrets.filter(|(_, secret)| secret["type"] == "kubernetes.io/tls");
    let expiry = |(key, secret): (&ItemKey, Value)| {
        let not_after = Leaf::of(&secret).ok()?.not_after;
        Some((format!("{}/{}", key.namespace().unwrap_or_default(), key.name()), not_after))
    };
    tls.filter_map(expiry).collect()
}

#[cfg(test)]
mod tests;

//! What a plan means for certificates: which cert-manager will issue anew, and what that costs.
//!
//! In: predictions. Out: lines for people and JSON. Invariant: no content of a Secret is in it, only names, serial
//! numbers and times, which every client of the certificate sees.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    certificates::{
        Leaf,
        quota::{PER_DOMAIN, PER_SET, Quota},
    },
    model::ItemKey,
};

/// Certificates after the plan is done, and before.
#[derive(Clone, Debug, Default)]
pub struct Issuance {
    /// Whether certificates are in the plan's scope, so that an empty list says something.
    pub looked: bool,
    /// Certificates that will not stay as they are, or of which nobody knows.
    pub reissues: Vec<Reissue>,
    /// What those cost that Let's Encrypt issues.
    pub quota: Quota,
    /// Per Secret of the source that the plan leaves on the cluster: its certificate.
    pub wanted: BTreeMap<ItemKey, Leaf>,
    /// Per TLS Secret of the cluster, as it was read: its certificate.
    pub live: BTreeMap<ItemKey, Leaf>,
    /// Certificates as they were read that are being issued, with cert-manager's word for why.
    pub issuing: BTreeMap<ItemKey, String>,
}

/// A Certificate that does not simply stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reissue {
    /// Which.
    pub certificate: ItemKey,
    /// Its Secret.
    #[serde(skip)]
    pub secret: ItemKey,
    /// What happens.
    pub fate: Fate,
    /// cert-manager's word: "DoesNotExist".
    pub reason: String,
    /// For people.
    pub why: String,
    /// Whether Let's Encrypt counts it.
    pub counted: bool,
}

/// What happens to a Certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// cert-manager issues it anew by itself.
    Reissued,
    /// cert-manager would not, or only later: the plan triggers it.
    Renewed,
    /// cert-manager wants to and cannot before a person acts.
    Stuck,
    /// It cannot be said.
    Unknown,
}

impl Issuance {
    /// Those that will be issued anew, by themselves or because the plan triggers it.
    pub fn expected(&self) -> impl Iterator<Item = &Reissue> {
        self.reissues.iter().filter(|reissue| matches!(reissue.fate, Fate::Reissued | Fate::Renewed))
    }

    /// The limits that the plan alone would break, for people.
    pub fn broken(&self) -> Vec<String> {
        self.quota.broken()
    }

    /// What Let's Encrypt would count, a line per limit; the fullest first.
    pub fn costs(&self) -> Vec<String> {
        let line =
            |count: u32, limit: u32, what: String| format!("{count} of {limit} in seven days for {what}");
        let sets = self.quota.sets.iter();
        let mut sets: Vec<_> =
            sets.map(|(set, n)| (*n, line(*n, PER_SET, format!("exactly {}", set.join(", "))))).collect();
        let domains = self.quota.domains.iter();
        sets.extend(domains.map(|(domain, n)| (*n, line(*n, PER_DOMAIN, format!("names under {domain}")))));
        sets.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        sets.into_iter().map(|(_, line)| line).collect()
    }

    /// `lets_encrypt` of a plan's JSON.
    pub fn costs_json(&self) -> Value {
        let sets: Vec<Value> = self
            .quota
            .sets
            .iter()
            .map(|(names, count)| json!({"names": names, "certificates": count}))
            .collect();
        json!({
            "per_set": {"limit": PER_SET, "days": 7, "sets": sets},
            "per_domain": {"limit": PER_DOMAIN, "days": 7, "domains": self.quota.domains},
            "broken": self.broken(),
        })
    }
}

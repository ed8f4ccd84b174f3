//! Why a Certificate that is to be issued is not: its request, the order and the challenges that follow from it.
//!
//! In: what was read, a Certificate. Out: of each link that does not get on what it says. Invariant: pure; what has come
//! about is not told of.

use serde_json::Value;

use crate::{
    certificates::GROUP,
    check::{Reading, Source, describe},
    model::ItemKey,
    restore::condition,
};

const ACME: &str = "acme.cert-manager.io";
pub(super) const REQUESTS: Source = Source::all(GROUP, "certificaterequests");
pub(super) const ORDERS: Source = Source::all(ACME, "orders");
pub(super) const CHALLENGES: Source = Source::all(ACME, "challenges");

/// Of a certificate for many names the first few say what is wrong with all.
const LINES: usize = 4;

/// What each says and the command that shows it, the last links first: they are nearest to the cause.
pub(super) fn links(reading: &Reading, certificate: &ItemKey) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (request, live) in owned(reading, REQUESTS, "Certificate", certificate) {
        let ready = condition(live, "Ready");
        if ready.is_some_and(|condition| condition["status"] == "True") {
            continue; // of an issuance that has come about
        }
        let before = lines.len();
        for (order, live) in owned(reading, ORDERS, "CertificateRequest", &request) {
            let challenges = owned(reading, CHALLENGES, "Order", &order);
            lines.extend(challenges.filter_map(|(challenge, live)| of_challenge(&challenge, live)));
            lines.extend(of_order(&order, live));
        }
        let said = ready.and_then(|condition| condition["message"].as_str());
        if let Some(said) = said.filter(|_| lines.len() == before) {
            lines.push((format!("{request}: {said}"), describe(&request)));
        }
    }
    lines.truncate(LINES);
    lines
}

/// Those that an object of this kind made, by the reference that it left in them.
fn owned<'a>(
    reading: &'a Reading,
    source: Source,
    kind: &'a str,
    owner: &ItemKey,
) -> impl Iterator<Item = (ItemKey, &'a Value)> {
    let (namespace, name) = (owner.namespace().map(str::to_owned), owner.name().to_owned());
    reading.all(source).filter(move |(key, object)| {
        let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        key.namespace() == namespace.as_deref()
            && owners.any(|owner| owner["kind"] == kind && owner["name"] == *name)
    })
}

/// What cert-manager tries to prove to the authority: that the record it made is seen, by DNS-01.
fn of_challenge(key: &ItemKey, challenge: &Value) -> Option<(String, String)> {
    let state = challenge["status"]["state"].as_str().unwrap_or("not begun");
    let spec = |field: &str| challenge["spec"][field].as_str().unwrap_or("?");
    let said = challenge["status"]["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    let why = format!("{key}: {} for {} is {state}{said}", spec("type"), spec("dnsName"));
    (state != "valid").then(|| (why, describe(key)))
}

/// An order that is pending waits for its challenges, of which each says more.
fn of_order(key: &ItemKey, order: &Value) -> Option<(String, String)> {
    let state = order["status"]["state"].as_str()?;
    let said = order["status"]["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    matches!(state, "invalid" | "errored" | "expired")
        .then(|| (format!("{key} is {state}{said}"), describe(key)))
}

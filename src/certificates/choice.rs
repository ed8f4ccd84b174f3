//! Which of two TLS Secrets is to be there after a restore: the live one, or the source's.
//!
//! In: both, the Certificate that the Secret is for, a time. Out: why the live one stays. Invariant: pure; a live
//! certificate that works and is newer stays unless cert-manager would replace it and would keep the source's.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Leaf,
    leaf::{Match, key_match},
    reissue::{Prediction, predict},
};

const NEWER: &str = "its certificate was renewed since and is valid";
const WORKS: &str = "its certificate is valid, and the source's does not work";
const REWRITTEN: &str =
    "only its keystores differ, which cert-manager makes anew from the same key whenever it writes it";
const SPARES: &str = "its certificate is valid, and with the source's cert-manager would issue a new one";

/// Why the live Secret is left alone, or None where the source's replaces it.
///
/// Putting an older certificate back would make cert-manager issue once more, which Let's Encrypt counts. With a
/// Certificate (as it will be, and its namespace's CertificateRequests; see [`predict`]) that is known and not guessed:
/// a live certificate for other names or of another issuer than the Certificate asks for gives way to one that fits.
/// Of one certificate, the rest of the Secret is put back as the source has it.
pub fn why_kept(
    live: &Value,
    stored: &Value,
    certificate: Option<&Value>,
    requests: &[Value],
    now: DateTime<Utc>,
) -> Option<&'static str> {
    if is_rewritten(live, stored) {
        return Some(REWRITTEN);
    }
    let here = working(live, now)?;
    let Some(there) = working(stored, now) else { return Some(WORKS) };
    if (&here.serial, here.not_after) == (&there.serial, there.not_after) {
        return None;
    }
    let newer = (here.not_before > there.not_before).then_some(NEWER);
    let fits = |secret| certificate.is_none_or(|certificate| fits(certificate, secret, requests, now));
    match (fits(live), fits(stored)) {
        (false, true) => None,
        (true, false) => newer.or(Some(SPARES)),
        _ => newer,
    }
}

/// What cert-manager derives from key and certificate, with another salt each time (`spec.keystores` of a Certificate).
const KEYSTORES: [&str; 4] = ["keystore.jks", "keystore.p12", "truststore.jks", "truststore.p12"];

/// Whether two Secrets differ in the content of their keystores alone. cert-manager writes a Secret that somebody else
/// made once more, to own its annotations: so every restored one.
fn is_rewritten(live: &Value, stored: &Value) -> bool {
    let without = |secret: &Value| {
        let mut secret = secret.clone();
        let data = secret["data"].as_object_mut();
        for (name, value) in data.into_iter().flatten() {
            if KEYSTORES.contains(&name.as_str()) {
                *value = Value::Null;
            }
        }
        secret
    };
    live != stored && without(live) == without(stored)
}

/// The certificate of a Secret that a server can use now.
fn working(secret: &Value, now: DateTime<Utc>) -> Option<Leaf> {
    let leaf = Leaf::of(secret).ok()?;
    let works = leaf.is_valid_at(now) && !leaf.is_temporary;
    (works && matches!(key_match(secret), Ok(Match::Fits | Match::Unknown))).then_some(leaf)
}

/// Whether cert-manager would keep it, or only renew it in its time.
fn fits(certificate: &Value, secret: &Value, requests: &[Value], now: DateTime<Utc>) -> bool {
    match predict(certificate, Some(secret), requests, now) {
        Prediction::Kept | Prediction::Unknown { .. } => true,
        Prediction::Reissued { reason, .. } | Prediction::Stuck { reason, .. } => reason == "Renewing",
    }
}

/// Why a Secret's certificate is of no use, whatever cert-manager thinks of it: it is missing, expired or untrusted.
pub fn why_useless(secret: Option<&Value>, now: DateTime<Utc>) -> Option<&'static str> {
    let Some(secret) = secret else { return Some("it has no Secret") };
    match (Leaf::of(secret), key_match(secret)) {
        (Err(_), _) => Some("its Secret holds no certificate"),
        (_, Err(_) | Ok(Match::NoKey)) => Some("its Secret holds no private key"),
        (_, Ok(Match::Differs)) => Some("its private key does not match its certificate"),
        (Ok(leaf), Ok(Match::Fits | Match::Unknown)) => {
            (leaf.not_after < now).then_some("its certificate has expired")
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, KeyUsagePurpose};
    use serde_json::json;

    use super::*;
    use crate::certificates::tests::{day, secret};

    /// What may be wrong with a Secret, or different.
    #[derive(Clone, Copy)]
    struct Made {
        /// Issued on the first of this month of 2026, for so many months.
        month: u32,
        months: u32,
        name: &'static str,
        issuer: &'static str,
        pair: bool,
        temporary: bool,
    }

    const OLD: Made =
        Made { month: 1, months: 11, name: "a.example.org", issuer: "ours", pair: true, temporary: false };
    const NEW: Made = Made { month: 5, ..OLD };

    fn made(made: Made) -> Value {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut params = CertificateParams::new([made.name.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.not_before = rcgen::date_time_ymd(2026, made.month as u8, 1);
        let end = made.month + made.months - 1;
        params.not_after = rcgen::date_time_ymd(2026 + (end / 12) as i32, (end % 12 + 1) as u8, 1);
        let mut authority = CertificateParams::default();
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        if made.temporary {
            authority.distinguished_name.push(DnType::CommonName, "cert-manager.local");
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), "1234567890");
        }
        let authority = Issuer::new(authority, KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &authority).unwrap().pem();
        let mut secret = secret(&pem, &if made.pair { &key } else { &other }.serialize_pem());
        secret["metadata"]["annotations"] = json!({
            "cert-manager.io/certificate-name": "web", "cert-manager.io/issuer-name": made.issuer,
            "cert-manager.io/issuer-kind": "ClusterIssuer", "cert-manager.io/issuer-group": "cert-manager.io",
        });
        secret
    }

    fn certificate() -> Value {
        json!({"metadata": {"name": "web"}, "spec": {
            "secretName": "web-tls", "dnsNames": ["a.example.org"], "privateKey": {"algorithm": "ECDSA"},
            "issuerRef": {"name": "ours", "kind": "ClusterIssuer"}}})
    }

    #[test]
    fn of_two_that_work_the_newer_stays_unless_it_is_not_what_is_wanted() {
        let other_name = Made { name: "b.example.org", ..NEW };
        let other_issuer = Made { issuer: "theirs", ..NEW };
        let old_name = Made { name: "b.example.org", ..OLD };
        for (live, stored, alone, with_certificate) in [
            (NEW, OLD, Some(NEWER), Some(NEWER)),
            (OLD, NEW, None, None),
            (other_name, OLD, Some(NEWER), None),
            (other_issuer, OLD, Some(NEWER), None),
            (NEW, old_name, Some(NEWER), Some(NEWER)),
            (OLD, other_name, None, Some(SPARES)),
            (OLD, other_issuer, None, Some(SPARES)),
            // Neither is what is wanted: it is issued anew whichever is there.
            (other_name, old_name, Some(NEWER), Some(NEWER)),
        ] {
            let (live, stored) = (made(live), made(stored));
            assert_eq!(why_kept(&live, &stored, None, &[], day(2026, 6)), alone);
            assert_eq!(why_kept(&live, &stored, Some(&certificate()), &[], day(2026, 6)), with_certificate);
        }
    }

    #[test]
    fn what_does_not_work_never_stays_and_what_works_never_gives_way_to_what_does_not() {
        let mismatch = |of: Made| made(Made { pair: false, ..of });
        let expired = |of: Made| made(Made { months: 1, ..of });
        let temporary = |of: Made| made(Made { temporary: true, ..of });
        let (garbage, empty) = (secret("x", "y"), json!({"type": "kubernetes.io/tls"}));
        let wanted = certificate();
        for certificate in [None, Some(&wanted)] {
            let kept = |live: &Value, stored: &Value| why_kept(live, stored, certificate, &[], day(2026, 6));
            for broken in [mismatch(NEW), expired(Made { month: 4, ..NEW }), temporary(NEW), garbage.clone()]
            {
                assert_eq!(kept(&broken, &made(OLD)), None, "{broken}");
                assert_eq!(kept(&broken, &broken), None, "{broken}");
            }
            for broken in [mismatch(NEW), expired(OLD), temporary(NEW), garbage.clone(), empty.clone()] {
                assert_eq!(kept(&made(OLD), &broken), Some(WORKS), "{broken}");
            }
        }
        let early = made(Made { month: 9, ..NEW });
        assert_eq!(why_kept(&early, &made(OLD), None, &[], day(2026, 6)), None, "not valid yet");
    }

    #[test]
    fn of_one_certificate_the_rest_of_the_secret_is_put_back() {
        let stored = made(OLD);
        let mut live = stored.clone();
        live["metadata"]["annotations"] = json!({});
        assert_eq!(why_kept(&live, &stored, Some(&certificate()), &[], day(2026, 6)), None);
    }

    #[test]
    fn keystores_that_cert_manager_made_anew_are_no_difference() {
        let with = |secret: &Value, keystore: &str| {
            let mut secret = secret.clone();
            secret["data"]["keystore.p12"] = json!(keystore);
            secret
        };
        let kept = |live: &Value, stored: &Value| why_kept(live, stored, None, &[], day(2026, 6));
        let stored = made(OLD);
        assert_eq!(kept(&with(&stored, "YQ=="), &with(&stored, "Yg==")), Some(REWRITTEN));
        assert_eq!(kept(&stored, &with(&stored, "Yg==")), None, "it has none: it is put back");
        let mut bare = with(&stored, "YQ==");
        bare["metadata"]["annotations"] = json!({});
        assert_eq!(kept(&bare, &with(&stored, "Yg==")), None, "more differs");
        assert_eq!(kept(&with(&made(OLD), "YQ=="), &with(&stored, "Yg==")), None, "another key");
    }

    #[test]
    fn a_renewal_that_is_due_makes_no_certificate_unfit() {
        // Two thirds of its six months are over on the first of September.
        let live = made(Made { month: 5, months: 6, ..OLD });
        assert!(!reissue_reason(&live, day(2026, 9)).is_empty());
        let stored = made(OLD);
        assert_eq!(why_kept(&live, &stored, Some(&certificate()), &[], day(2026, 9)), Some(NEWER));
    }

    fn reissue_reason(secret: &Value, now: DateTime<Utc>) -> &'static str {
        match predict(&certificate(), Some(secret), &[], now) {
            Prediction::Reissued { reason, .. } => reason,
            _ => "",
        }
    }

    #[test]
    fn the_newer_one_stays_although_its_key_is_another_than_the_current_requests() {
        // The stale-secret trap, the other way round: the request that led to the live one is the current one.
        let (live, stored) = (made(NEW), made(OLD));
        let mut certificate = certificate();
        certificate["metadata"]["uid"] = json!("u");
        certificate["status"] = json!({"revision": 2});
        let request = json!({"metadata": {
            "annotations": {"cert-manager.io/certificate-revision": "2"},
            "ownerReferences": [{"uid": "u", "controller": true}]}, "spec": {"request": "bm9uZQ=="}});
        assert_eq!(why_kept(&live, &stored, Some(&certificate), &[request], day(2026, 6)), Some(NEWER));
    }

    #[test]
    fn only_what_is_missing_expired_or_untrusted_is_useless() {
        let now = day(2026, 6);
        let why = |secret: &Value| why_useless(Some(secret), now);
        assert_eq!(why(&made(OLD)), None);
        assert_eq!(why(&made(Made { name: "b.example.org", ..OLD })), None, "cert-manager judges that");
        assert_eq!(why_useless(None, now), Some("it has no Secret"));
        assert_eq!(why(&made(Made { months: 2, ..OLD })), Some("its certificate has expired"));
        let mismatch = made(Made { pair: false, ..OLD });
        assert_eq!(why(&mismatch), Some("its private key does not match its certificate"));
        assert_eq!(why(&secret("x", "y")), Some("its Secret holds no certificate"));
        let mut bare = made(OLD);
        bare["data"]["tls.key"] = json!("");
        assert_eq!(why(&bare), Some("its Secret holds no private key"));
    }
}

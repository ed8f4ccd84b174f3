//! Would cert-manager issue a certificate once more, if the cluster looked like this?
//!
//! In: a Certificate and its Secret as they will be after a restore, the CertificateRequests that are there, a time.
//! Out: [`Prediction`]. Invariant: pure; what cannot be decided is [`Prediction::Unknown`], never [`Prediction::Kept`].
//!
//! The checks are those of cert-manager v1.21.2 in its order, the first that fails wins:
//! `NewTriggerPolicyChain` (internal/controller/certificates/policies/policies.go). Reasons are its own;
//! messages are its own up to what it appends of a decoding error. Older versions decide the same but for
//! `spec.renewal`, and compare the issuer's name only where that very annotation is there.
//!
//! Not looked at, because the trigger controller decides it before the chain: an issuance that is already running,
//! the back-off after a failed one, a Secret that two Certificates name.

mod back_off;
mod key;
mod names;
mod renewal;
mod request;
mod secret;

pub use back_off::backs_off;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use x509_parser::prelude::X509Certificate;

/// What cert-manager will do with a Certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// Nothing: the certificate in the Secret stays.
    Kept,
    /// It issues a new one.
    Reissued {
        /// cert-manager's word, as in the Certificate's Issuing condition: "IncorrectIssuer".
        reason: &'static str,
        /// For people: cert-manager's sentence, as in its events.
        message: String,
    },
    /// It wants to issue a new one and cannot before a person deletes the key: rotationPolicy Never
    /// (createNextPrivateKeyRotationPolicyNever in pkg/controller/certificates/keymanager/keymanager_controller.go).
    Stuck {
        /// cert-manager's word.
        reason: &'static str,
        /// For people.
        message: String,
    },
    /// No check failed, and one could not be made.
    Unknown {
        /// For people: what could not be checked.
        message: String,
    },
}

/// Predicts what cert-manager does once it sees these objects at this time.
///
/// `certificate` is a cert-manager.io/v1 Certificate as it will be: the spec to be restored; `metadata.uid` and
/// `status` of the live object where there is one, none where it will be created. `secret` is the one that
/// `spec.secretName` names, None where there will be none. Of `requests` (CertificateRequests of the same namespace)
/// the current one is chosen as cert-manager does.
pub fn predict(
    certificate: &Value,
    secret: Option<&Value>,
    requests: &[Value],
    now: DateTime<Utc>,
) -> Prediction {
    let request = match current(certificate, requests) {
        Ok(request) => request,
        Err(message) => return Prediction::Unknown { message },
    };
    let mut doubts = Vec::new();
    match chain(certificate, secret, request, now, &mut doubts) {
        Err(Trigger { reason, message, stuck: false }) => Prediction::Reissued { reason, message },
        Err(Trigger { reason, message, stuck: true }) => Prediction::Stuck { reason, message },
        Ok(()) if doubts.is_empty() => Prediction::Kept,
        Ok(()) => Prediction::Unknown { message: doubts.join("; ") },
    }
}

/// A check that failed, which ends the chain.
struct Trigger {
    reason: &'static str,
    message: String,
    stuck: bool,
}

impl Trigger {
    fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), stuck: false }
    }

    /// Fails where fields of the Certificate differ, as cert-manager words it: "…: [spec.dnsNames spec.uris]".
    fn where_differing(reason: &'static str, what: &str, fields: &[&str]) -> Result<(), Self> {
        if fields.is_empty() {
            return Ok(());
        }
        Err(Self::new(reason, format!("{what}: [{}]", fields.join(" "))))
    }
}

fn chain(
    certificate: &Value,
    secret: Option<&Value>,
    request: Option<&Value>,
    now: DateTime<Utc>,
    doubts: &mut Vec<String>,
) -> Result<(), Trigger> {
    let spec = &certificate["spec"];
    let secret =
        secret.ok_or_else(|| Trigger::new("DoesNotExist", "Issuing certificate as Secret does not exist"))?;
    secret::missing_data(secret)?;
    let blocks = secret::pair(secret, doubts)?;
    let x509 = secret::leaf(&blocks)?;
    secret::issuer_annotations(secret, &spec["issuerRef"])?;
    secret::certificate_name(secret, certificate)?;
    // The pair was compared above: from here on the certificate's public key stands for the private key.
    key_spec(spec, &x509, doubts)?;
    match request {
        Some(request) => request::compare(spec, request, x509.public_key(), doubts)?,
        None => {
            let differing = names::fuzzy(spec, &x509);
            let what = "Issuing certificate as Existing issued Secret is not up to date for spec";
            Trigger::where_differing("SecretMismatch", what, &differing)?;
        }
    }
    nearing_expiry(certificate, secret, now, doubts)
}

/// SecretPrivateKeyMismatchesSpec: algorithm and size; the encoding is not compared, and rotationPolicy says
/// whether a new key may be made.
fn key_spec(spec: &Value, x509: &X509Certificate<'_>, doubts: &mut Vec<String>) -> Result<(), Trigger> {
    let field = match key::difference(&spec["privateKey"], x509.public_key()) {
        Ok(None) => return Ok(()),
        Ok(Some(field)) => field,
        Err(doubt) => {
            doubts.push(doubt);
            return Ok(());
        }
    };
    let mut message = format!("Existing private key is not up to date for spec: [{field}]");
    let stuck = spec["privateKey"]["rotationPolicy"] == "Never";
    if stuck {
        message += "; with rotationPolicy Never cert-manager makes no new key";
    }
    Err(Trigger { reason: "SecretMismatch", message, stuck })
}

/// The request that led to the certificate: DataForCertificate in policies/gatherer.go.
fn current<'a>(certificate: &Value, requests: &'a [Value]) -> Result<Option<&'a Value>, String> {
    let revision = certificate["status"]["revision"].as_i64().map(|revision| revision.to_string());
    let (Some(revision), Some(uid)) = (revision, certificate["metadata"]["uid"].as_str()) else {
        return Ok(None);
    };
    let is_owner = |owner: &Value| owner["controller"] == true && owner["uid"] == uid;
    let mut current = requests.iter().filter(|request| {
        let metadata = &request["metadata"];
        let of_revision =
            metadata["annotations"]["cert-manager.io/certificate-revision"] == revision.as_str();
        of_revision
            && metadata["ownerReferences"].as_array().is_some_and(|owners| owners.iter().any(is_owner))
    });
    match (current.next(), current.next()) {
        (_, Some(_)) => Err(format!(
            "several CertificateRequests are of revision {revision}: cert-manager does nothing before one is left"
        )),
        (first, None) => Ok(first),
    }
}

/// CurrentCertificateNearingExpiry.
fn nearing_expiry(
    certificate: &Value,
    secret: &Value,
    now: DateTime<Utc>,
    doubts: &mut Vec<String>,
) -> Result<(), Trigger> {
    let Ok(leaf) = super::Leaf::of(secret) else {
        return Err(Trigger::new("InvalidCertificate", secret::INVALID_CERTIFICATE));
    };
    match renewal::due(certificate, leaf.not_before, leaf.not_after, now) {
        Ok(None) => Ok(()),
        Ok(Some(at)) => {
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Err(Trigger::new("Renewing", format!("Renewing certificate as renewal was scheduled at {at}")))
        }
        Err(doubt) => {
            doubts.push(doubt);
            Ok(())
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The strings of a list; none where the field is absent.
fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether two lists hold the same, in any order: EqualUnsorted in pkg/util/util.go.
fn same<T: Ord>(mut a: Vec<T>, mut b: Vec<T>) -> bool {
    a.sort();
    b.sort();
    a == b
}

#[cfg(test)]
mod tests;

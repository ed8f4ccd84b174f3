//! Is a Secret whole, and is it of this Certificate and its issuer?
//!
//! In: a Secret, what the Certificate says. Out: the check that failed. Invariant: pure, and no message shows
//! anything of a key or a certificate.

use serde_json::Value;
use x509_parser::{pem::Pem, prelude::X509Certificate};

use super::{Trigger, text};
use crate::certificates::leaf::{Match, data, key_match};

/// SecretIsMissingData.
pub(super) fn missing_data(secret: &Value) -> Result<(), Trigger> {
    let missing = if !secret["data"].is_object() {
        "any data"
    } else if data(secret, "tls.key").is_none() {
        "a private key"
    } else if data(secret, "tls.crt").is_none() {
        "a certificate"
    } else {
        return Ok(());
    };
    Err(Trigger::new("MissingData", format!("Issuing certificate as Secret does not contain {missing}")))
}

pub(super) const INVALID_CERTIFICATE: &str = "Issuing certificate as Secret contains an invalid certificate";

/// SecretPublicKeysDiffer. Every PEM block of tls.crt must be a certificate, and the first of tls.key a key.
pub(super) fn pair(secret: &Value, doubts: &mut Vec<String>) -> Result<Vec<Pem>, Trigger> {
    let blocks = |field| pem(&data(secret, field).unwrap_or_default());
    let invalid = |message: &str| Err(Trigger::new("InvalidKeyPair", message));
    let no_key = "Issuing certificate as Secret contains invalid private key data";
    let is_key = |block: &Pem| matches!(&*block.label, "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY");
    if !blocks("tls.key").first().is_some_and(is_key) {
        return invalid(no_key);
    }
    let certificates = blocks("tls.crt");
    if certificates.iter().any(|block| block.parse_x509().is_err()) {
        return Err(Trigger::new("InvalidCertificate", INVALID_CERTIFICATE));
    }
    match key_match(secret) {
        Ok(Match::Fits) => {}
        Ok(Match::Differs) => {
            return invalid(
                "Issuing certificate as Secret contains a private key that does not match the certificate",
            );
        }
        Ok(Match::NoKey) => return invalid(no_key),
        Ok(Match::Unknown) => {
            doubts.push("its kind of key cannot be compared with its certificate".to_owned());
        }
        Err(_) => return Err(Trigger::new("InvalidCertificate", INVALID_CERTIFICATE)),
    }
    Ok(certificates)
}

/// The PEM blocks of a text, of any label. As in Go, what is between them and what is broken is passed over.
pub(super) fn pem(text: &[u8]) -> Vec<Pem> {
    Pem::iter_from_buffer(text).filter_map(Result::ok).collect()
}

pub(super) fn leaf(blocks: &[Pem]) -> Result<X509Certificate<'_>, Trigger> {
    let leaf = blocks.first().and_then(|block| block.parse_x509().ok());
    leaf.ok_or_else(|| Trigger::new("InvalidCertificate", INVALID_CERTIFICATE))
}

/// SecretIssuerAnnotationsMismatch: without any of the three annotations a Secret counts as issued by an Issuer,
/// whatever its name; so a Secret that lost them is re-issued where the Certificate names a ClusterIssuer.
pub(super) fn issuer_annotations(secret: &Value, issuer: &Value) -> Result<(), Trigger> {
    let annotation =
        |part| secret["metadata"]["annotations"][format!("cert-manager.io/issuer-{part}")].as_str();
    let (name, kind, group) = (annotation("name"), annotation("kind"), annotation("group"));
    let any = name.or(kind).or(group).is_some();
    let same_name = name.unwrap_or_default() == text(&issuer["name"]);
    let (kind, group) = (issuer_kind(kind), issuer_group(group));
    let same =
        kind == issuer_kind(issuer["kind"].as_str()) && group == issuer_group(issuer["group"].as_str());
    if (same_name || !any) && same {
        return Ok(());
    }
    let by = format!("{kind}.{group}/{}", name.unwrap_or_default());
    Err(Trigger::new(
        "IncorrectIssuer",
        format!("Issuing certificate as Secret was previously issued by {by:?}"),
    ))
}

/// IssuerKind in pkg/api/util/issuers.go.
pub(super) fn issuer_kind(kind: Option<&str>) -> &str {
    kind.filter(|kind| !kind.is_empty()).unwrap_or("Issuer")
}

/// IssuerGroup in pkg/api/util/issuers.go.
pub(super) fn issuer_group(group: Option<&str>) -> &str {
    group.filter(|group| !group.is_empty()).unwrap_or("cert-manager.io")
}

/// SecretCertificateNameAnnotationsMismatch.
pub(super) fn certificate_name(secret: &Value, certificate: &Value) -> Result<(), Trigger> {
    match secret["metadata"]["annotations"]["cert-manager.io/certificate-name"].as_str() {
        Some(name) if name != text(&certificate["metadata"]["name"]) => {
            let message = format!(
                "Secret was issued for {name:?}. If this message is not transient, you might have two \
                 conflicting Certificates pointing to the same secret."
            );
            Err(Trigger::new("IncorrectCertificate", message))
        }
        _ => Ok(()),
    }
}

//! The leaf certificate of a TLS Secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::Value;
use x509_parser::{
    extensions::GeneralName,
    oid_registry::OID_X509_SERIALNUMBER,
    pem::Pem,
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

/// What is read of the certificate a server shows: the first PEM CERTIFICATE of `tls.crt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Serial number, in lower-case hex.
    pub serial: String,
    /// Valid from.
    pub not_before: DateTime<Utc>,
    /// Valid until.
    pub not_after: DateTime<Utc>,
    /// DNS names and addresses it is for, or its common name where it has none.
    pub names: Vec<String>,
    /// Whether it is cert-manager's stand-in until the issuer answers (annotation
    /// `cert-manager.io/issue-temporary-certificate`): no client trusts it.
    pub is_temporary: bool,
}

/// Whether a private key fits a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// It does.
    Fits,
    /// It is the key of another certificate.
    Differs,
    /// `tls.key` is no PEM private key.
    NoKey,
    /// Of a kind that ring cannot compute with (P-521, RSA of less than 2048 or more than 4096 bits).
    Unknown,
}

impl Leaf {
    /// Reads the leaf of a Secret of type kubernetes.io/tls.
    ///
    /// # Errors
    /// What is wrong with `tls.crt`, as "has no tls.crt"; never its content.
    pub fn of(secret: &Value) -> Result<Self, &'static str> {
        let pem = certificate(secret)?;
        let certificate = parse(&pem)?;
        let time = |t: x509_parser::time::ASN1Time| DateTime::from_timestamp(t.timestamp(), 0);
        let validity = certificate.validity();
        let (Some(not_before), Some(not_after)) = (time(validity.not_before), time(validity.not_after))
        else {
            return Err(NOT_X509);
        };
        Ok(Self {
            serial: serial_of(&certificate),
            not_before,
            not_after,
            names: names(&certificate),
            is_temporary: is_temporary(&certificate),
        })
    }

    /// Whether it is valid at a time, both ends included (RFC 5280, 4.1.2.5).
    pub fn is_valid_at(&self, now: DateTime<Utc>) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// Serial number of a certificate in DER, in lower-case hex; none where it is no certificate.
pub fn serial(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(serial_of(&certificate))
}

fn serial_of(certificate: &X509Certificate<'_>) -> String {
    crate::model::hex(&certificate.tbs_certificate.serial.to_bytes_be())
}

const NOT_X509: &str = "has a tls.crt that is no X.509 certificate";

/// Compares public keys, as cert-manager's SecretPublicKeysDiffer does.
pub(super) fn key_match(secret: &Value) -> Result<Match, &'static str> {
    let pem = certificate(secret)?;
    let certificate = parse(&pem)?;
    let key = data(secret, "tls.key").ok_or("has no tls.key")?;
    let Ok(key) = PrivateKeyDer::from_pem_slice(&key) else { return Ok(Match::NoKey) };
    let public = certificate.public_key();
    let key = any_supported_type(&key).ok();
    let Some(derived) = key.as_ref().and_then(|key| key.public_key()) else {
        return Ok(if is_supported(public) { Match::NoKey } else { Match::Unknown });
    };
    let fits = SubjectPublicKeyInfo::from_der(&derived)
        .is_ok_and(|(_, derived)| derived.subject_public_key.data == public.subject_public_key.data);
    Ok(if fits { Match::Fits } else { Match::Differs })
}

/// Whether ring has this kind of key: then a private key that it refuses is no key at all.
fn is_supported(public: &SubjectPublicKeyInfo<'_>) -> bool {
    const ED25519: &str = "1.3.101.112";
    match public.parsed() {
        Ok(PublicKey::RSA(key)) => (2048..=4096).contains(&key.key_size()),
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384),
        _ => public.algorithm.algorithm.to_id_string() == ED25519,
    }
}

/// A field's bytes; None where it is absent or empty.
pub(super) fn data(secret: &Value, field: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret["data"][field].as_str()?).ok()?;
    (!bytes.is_empty()).then_some(bytes)
}

fn certificate(secret: &Value) -> Result<Pem, &'static str> {
    let text = data(secret, "tls.crt").ok_or("has no tls.crt")?;
    let mut blocks = Pem::iter_from_buffer(&text).map_while(Result::ok);
    blocks.find(|block| block.label == "CERTIFICATE").ok_or("has a tls.crt without a PEM certificate")
}

fn parse(pem: &Pem) -> Result<X509Certificate<'_>, &'static str> {
    pem.parse_x509().map_err(|_| NOT_X509)
}

/// As GenerateLocallySignedTemporaryCertificate makes it (cert-manager's pkg/util/pki/temporarycertificate.go): by an
/// authority of this name, with this serial number in its subject.
fn is_temporary(certificate: &X509Certificate<'_>) -> bool {
    let by = certificate.issuer().iter_common_name().any(|name| name.as_str() == Ok("cert-manager.local"));
    by && certificate.subject().iter_attributes().any(|attribute| {
        *attribute.attr_type() == OID_X509_SERIALNUMBER && attribute.as_str() == Ok("1234567890")
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names: Vec<String> = alternative
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        return names;
    }
    let common = certificate.subject().iter_common_name();
    common.filter_map(|name| name.as_str().ok().map(str::to_owned)).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| std::net::Ipv4Addr::from(octets).to_string());
    let v6 = <[u8; 16]>::try_from(bytes).map(|octets| std::net::Ipv6Addr::from(octets).to_string());
    v4.or(v6).ok()
}

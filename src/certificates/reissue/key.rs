//! Is a key of the algorithm and size that a Certificate asks for?
//!
//! In: `spec.privateKey` and a public key. Out: the field that differs. Invariant: pure; an algorithm that
//! cert-manager does not know is an error, never "no difference".

use serde_json::Value;
use x509_parser::{public_key::PublicKey, x509::SubjectPublicKeyInfo};

/// PrivateKeyMatchesSpec in cert-manager's pkg/util/pki/match.go: RSA of 2048 bits and ECDSA on P-256 by default.
pub(super) fn difference(
    wanted: &Value,
    key: &SubjectPublicKeyInfo<'_>,
) -> Result<Option<&'static str>, String> {
    let algorithm = wanted["algorithm"].as_str().unwrap_or_default();
    let (bits, default) = match algorithm {
        "" | "RSA" => (rsa_bits(key), 2048),
        "ECDSA" => (curve_bits(key), 256),
        "Ed25519" => (is(key, "1.3.101.112").then_some(0), 0), // of one size only
        other => return Err(format!("cert-manager does not know the key algorithm {other:?}")),
    };
    let size = wanted["size"].as_u64().filter(|size| *size > 0 && algorithm != "Ed25519").unwrap_or(default);
    Ok(match bits {
        None => Some("spec.privateKey.algorithm"),
        Some(bits) if bits != size => Some("spec.privateKey.size"),
        Some(_) => None,
    })
}

fn is(key: &SubjectPublicKeyInfo<'_>, algorithm: &str) -> bool {
    key.algorithm.algorithm.to_id_string() == algorithm
}

/// Length of the modulus, as Go's BitLen: x509-parser's key_size counts whole bytes.
fn rsa_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<u64> {
    let Ok(PublicKey::RSA(rsa)) = key.parsed() else { return None };
    let zeros = rsa.modulus.iter().take_while(|byte| **byte == 0).count();
    let digits = &rsa.modulus[zeros..];
    let leading = digits.first().map_or(0, |byte| byte.leading_zeros());
    Some(digits.len() as u64 * 8 - u64::from(leading))
}

/// Size of a named curve (RFC 5480, 2.1.1.1); 0 for another, which no Certificate can ask for.
fn curve_bits(key: &SubjectPublicKeyInfo<'_>) -> Option<u64> {
    if !is(key, "1.2.840.10045.2.1") {
        return None;
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
    Some(match &*curve {
        "1.2.840.10045.3.1.7" => 256,
        "1.3.132.0.34" => 384,
        "1.3.132.0.35" => 521,
        _ => 0,
    })
}

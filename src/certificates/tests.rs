use chrono::TimeZone as _;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::json;

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};

pub(super) fn day(year: i32, month: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0).unwrap()
}

/// A certificate valid from one first of a month to another, as PEM.
fn certificate(key: &KeyPair, from: (i32, u32), to: (i32, u32)) -> String {
    let mut params = CertificateParams::new(["*.example.org".to_owned(), "10.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from.0, from.1 as u8, 1);
    params.not_after = rcgen::date_time_ymd(to.0, to.1 as u8, 1);
    params.serial_number = Some(0x0bad_cafe_u64.into());
    params.self_signed(key).unwrap().pem()
}

fn valid(key: &KeyPair) -> String {
    certificate(key, (2026, 1), (2027, 1))
}

pub(super) fn secret(crt: &str, key: &str) -> Value {
    json!({"type": "kubernetes.io/tls", "data": {"tls.crt": STANDARD.encode(crt), "tls.key": STANDARD.encode(key)}})
}

fn found(secret: &Value) -> Vec<String> {
    warnings(&ItemKey::resource("", "secrets", Some("demo"), "tls"), secret, day(2026, 6))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The key within PKCS#8 (RFC 5208): what follows the header of its OCTET STRING, given that header.
fn inner<'a>(pkcs8: &'a [u8], octets: &[u8]) -> &'a [u8] {
    let at = pkcs8.windows(octets.len()).position(|window| window == octets).unwrap();
    &pkcs8[at + octets.len()..]
}

/// ring generates no RSA keys; this one protects nothing.
const RSA: &str = include_str!("testdata/rsa-pkcs8.pem");
/// P-521, which ring does not compute with.
const P521: &str = include_str!("testdata/p521.pem");
const P521_CERTIFICATE: &str = include_str!("testdata/p521-certificate.pem");

#[test]
fn keys_of_every_kind_and_encoding_match_their_certificates() {
    let rsa = KeyPair::from_pkcs8_pem_and_sign_algo(RSA, &PKCS_RSA_SHA256).unwrap();
    let p256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let (rsa_der, p256_der) = (rsa.serialize_der(), p256.serialize_der());
    let pkcs1 = pem("RSA PRIVATE KEY", &rsa_der[26..]);
    // SEC1 as OpenSSL writes it: the curve's parameters come first, in a block of their own.
    let sec1 = pem("EC PARAMETERS", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7])
        + &pem("EC PRIVATE KEY", inner(&p256_der, &[0x04, 0x6d]));
    let cases = [
        (&rsa, rsa.serialize_pem()),
        (&rsa, pkcs1),
        (&p256, p256.serialize_pem()),
        (&p256, sec1),
        (&p384, p384.serialize_pem()),
        (&ed25519, ed25519.serialize_pem()),
    ];
    let foreign = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
    for (pair, key) in cases {
        assert_eq!(
            found(&secret(&valid(pair), &key)),
            Vec::<String>::new(),
            "{}",
            key.lines().next().unwrap()
        );
        let wanted = "secrets demo/tls has a private key that does not match its certificate";
        assert_eq!(found(&secret(&valid(pair), &foreign)), [wanted]);
    }
}

#[test]
fn of_a_chain_the_first_certificate_is_the_leaf() {
    let (leaf, authority) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let chain = format!("a comment\n{}{}", valid(&leaf), certificate(&authority, (2020, 1), (2021, 1)));
    let secret = secret(&chain, &leaf.serialize_pem());
    assert_eq!(found(&secret), Vec::<String>::new());
    let parsed = Leaf::of(&secret).unwrap();
    assert_eq!(parsed.serial, "0badcafe");
    assert_eq!((parsed.not_before, parsed.not_after), (day(2026, 1), day(2027, 1)));
    assert_eq!(parsed.names, ["*.example.org", "10.0.0.1"]);
}

#[test]
fn a_certificate_out_of_its_time_is_flagged_with_the_time() {
    let key = KeyPair::generate().unwrap();
    let expired = secret(&certificate(&key, (2025, 1), (2026, 1)), &key.serialize_pem());
    assert_eq!(found(&expired), ["secrets demo/tls has a certificate that expired at 2026-01-01T00:00:00Z"]);
    let early = secret(&certificate(&key, (2027, 1), (2028, 1)), &key.serialize_pem());
    assert_eq!(
        found(&early),
        ["secrets demo/tls has a certificate that is not valid before 2027-01-01T00:00:00Z"]
    );
}

#[test]
fn what_is_missing_or_no_pem_is_named_and_never_shown() {
    let key = KeyPair::generate().unwrap();
    let crt = valid(&key);
    let garbage = pem("CERTIFICATE", b"MARKER");
    let half = pem("PRIVATE KEY", b"MARKER");
    let cases = [
        (json!({}), "has no tls.crt"),
        (secret("", ""), "has no tls.crt"),
        (secret("MARKER", "MARKER"), "has a tls.crt without a PEM certificate"),
        (secret(&garbage, "MARKER"), "has a tls.crt that is no X.509 certificate"),
        (secret(&crt, ""), "has no tls.key"),
        (secret(&crt, "MARKER"), "has a tls.key that is no private key"),
        (secret(&crt, &half), "has a tls.key that is no private key"),
        (secret(&crt, &crt), "has a tls.key that is no private key"),
    ];
    for (secret, why) in cases {
        assert_eq!(found(&secret), [format!("secrets demo/tls {why}")]);
    }
}

#[test]
fn a_key_that_cannot_be_compared_is_said_to_be_so() {
    let key = ItemKey::resource("", "secrets", Some("demo"), "tls");
    let found = warnings(&key, &secret(P521_CERTIFICATE, P521), day(2030, 1));
    assert_eq!(found, ["secrets demo/tls has a kind of key that netdr cannot compare with its certificate"]);
}

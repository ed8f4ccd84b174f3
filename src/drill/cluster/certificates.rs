//! Real key pairs in TLS Secrets, as cert-manager leaves them.

use chrono::{DateTime, Datelike as _, Days, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use serde_json::{Value, json};

use crate::{Error, Result};

/// (namespace, certificate, Secret, names): as the Certificates in `cert-manager.yaml` ask for.
const ISSUED: [(&str, &str, &str, &[&str]); 3] = [
    (
        "traefik",
        "wildcard-radioastronomy",
        "wildcard-radioastronomy-tls",
        &["*.radioastronomy.io", "radioastronomy.io"],
    ),
    ("traefik", "wildcard-lab", "wildcard-lab-tls", &["*.lab.radioastronomy.io"]),
    ("registry", "registry", "registry-tls", &["registry.radioastronomy.io"]),
];

/// The Secrets, certificates a month old with two to go.
pub(super) fn objects(now: DateTime<Utc>) -> Result<Vec<Value>> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Let's Encrypt (simulated)");
    params.distinguished_name.push(DnType::CommonName, "E7");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let key = KeyPair::generate().map_err(failed)?;
    let authority = params.self_signed(&key).map_err(failed)?.pem();
    let issuer = Issuer::new(params, key);
    ISSUED.iter().map(|row| secret(*row, &issuer, &authority, now)).collect()
}

fn secret(
    (namespace, certificate, name, names): (&str, &str, &str, &[&str]),
    issuer: &Issuer<'_, KeyPair>,
    authority: &str,
    now: DateTime<Utc>,
) -> Result<Value> {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, names[0].clone());
    let day = |time: DateTime<Utc>| date_time_ymd(time.year(), time.month() as u8, time.day() as u8);
    params.not_before = day(now - Days::new(30));
    params.not_after = day(now + Days::new(60));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let pem = params.signed_by(&key, issuer).map_err(failed)?.pem();
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"controller.cert-manager.io/fao": "true"},
            "annotations": {
                "cert-manager.io/certificate-name": certificate,
                "cert-manager.io/common-name": names[0],
                "cert-manager.io/alt-names": names.join(","),
                "cert-manager.io/ip-sans": "",
                "cert-manager.io/uri-sans": "",
                "cert-manager.io/issuer-name": "letsencrypt-cloudflare",
                "cert-manager.io/issuer-kind": "ClusterIssuer",
                "cert-manager.io/issuer-group": "cert-manager.io",
            },
        },
        "stringData": {"tls.crt": format!("{pem}{authority}"), "tls.key": key.serialize_pem()},
    }))
}

fn failed(error: rcgen::Error) -> Error {
    Error::failed("cannot make the believable cluster's certificates").because(error)
}

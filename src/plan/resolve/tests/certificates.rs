//! TLS Secrets and the Certificates that they are for.

use Component::{Certificates, Ingress};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::*;
use crate::certificates::GROUP;

fn secret(component: Component, fields: Value) -> Item {
    item(component, "", "secrets", "Secret", ("demo", "web-tls"), fields)
}

/// A TLS Secret whose certificate is valid from the first of a month of 2026, for a year.
fn tls(component: Component, month: u8, name: &str) -> Item {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = rcgen::date_time_ymd(2026, month, 1);
    params.not_after = rcgen::date_time_ymd(2027, month, 1);
    let pem = params.self_signed(&key).unwrap().pem();
    let data = json!({"tls.crt": STANDARD.encode(pem), "tls.key": STANDARD.encode(key.serialize_pem())});
    let annotations = json!({
        "cert-manager.io/certificate-name": "web", "cert-manager.io/issuer-name": "letsencrypt",
        "cert-manager.io/issuer-kind": "ClusterIssuer", "cert-manager.io/issuer-group": GROUP});
    let metadata = json!({"annotations": annotations});
    secret(component, json!({"type": "kubernetes.io/tls", "data": data, "metadata": metadata}))
}

/// The Certificate that the Secret is for.
fn web(name: &str) -> Item {
    let issuer = json!({"name": "letsencrypt", "kind": "ClusterIssuer", "group": GROUP});
    let spec = json!({"secretName": "web-tls", "dnsNames": [name], "issuerRef": issuer,
        "privateKey": {"algorithm": "ECDSA"}, "renewBefore": "24h"});
    item(Certificates, GROUP, "certificates", "Certificate", ("demo", "web"), json!({"spec": spec}))
}

/// As the API server has it, with this status.
fn observed(certificate: &Item, status: Value) -> Observed {
    let mut live = certificate.json().unwrap().value();
    live["metadata"]["uid"] = json!("u");
    live["status"] = status;
    Observed::new(vec![live], Vec::new(), None)
}

#[test]
fn a_certificate_renewed_since_stays_and_a_broken_one_does_not() -> Result<()> {
    let (older, newer) = (tls(Ingress, 1, "a.example.org"), tls(Ingress, 9, "a.example.org"));
    let broken = secret(Ingress, json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "YnJva2Vu"}}));
    for (stored, live, expected, kept) in [
        (&older, &newer, "", 1),
        (&newer, &older, "replace web-tls", 0),
        (&older, &broken, "replace web-tls", 0),
    ] {
        let plan = World::new(&["apply: {component: ingress, kinds: [secrets]}"])
            .source([namespace(Ingress, "demo"), stored.clone()])
            .live([namespace(Ingress, "demo"), live.clone()])
            .resolve()?;
        assert_eq!((story(&plan).as_str(), plan.kept.len()), (expected, kept));
    }
    Ok(())
}

#[test]
fn a_newer_certificate_for_other_names_gives_way_to_what_the_certificate_asks_for() -> Result<()> {
    let steps = ["apply: {component: certificates, kinds: [secrets, certificates.cert-manager.io]}"];
    let (stored, live) = (tls(Certificates, 1, "a.example.org"), tls(Certificates, 9, "b.example.org"));
    // Somebody changed the Certificate, too: the restore brings the source's back, and with it its Secret.
    let (wanted, changed) = (web("a.example.org"), web("b.example.org"));
    let world =
        |status: Value| World {
            observed: observed(&changed, status),
            ..World::new(&steps)
                .source([namespace(Certificates, "demo"), stored.clone(), wanted.clone()])
                .live([namespace(Certificates, "demo"), live.clone(), changed.clone()])
        };
    assert_eq!(story(&world(json!({})).resolve()?), "replace web-tls | replace web");

    let unchanged = World {
        observed: observed(&changed, json!({})),
        ..World::new(&steps)
            .source([namespace(Certificates, "demo"), stored.clone(), changed.clone()])
            .live([namespace(Certificates, "demo"), live.clone(), changed.clone()])
    };
    let plan = unchanged.resolve()?;
    assert_eq!(
        (story(&plan).as_str(), reasons(&plan.kept)),
        ("", vec!["web-tls: its certificate was renewed since and is valid".to_owned()])
    );
    Ok(())
}

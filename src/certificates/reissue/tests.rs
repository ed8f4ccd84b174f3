//! One case for each check; that all of them together decide as cert-manager does is compared with cert-manager
//! itself in tests/story/reissue.rs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeZone as _;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P384_SHA384, SanType};
use serde_json::json;

use super::*;

mod renewal;

/// A Certificate of a ClusterIssuer, its Secret as cert-manager leaves it, and the request that led to it.
struct World {
    key: KeyPair,
    certificate: Value,
    secret: Value,
    request: Value,
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 0, 0, 0).unwrap()
}

/// Of names a and b of example.org, valid for the 90 days from May 1st.
fn params() -> CertificateParams {
    let mut params =
        CertificateParams::new(["a.example.org".to_owned(), "b.example.org".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "a.example.org");
    params.not_before = rcgen::date_time_ymd(2026, 5, 1);
    params.not_after = rcgen::date_time_ymd(2026, 7, 30);
    params
}

impl World {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = params().self_signed(&key).unwrap().pem();
        let csr = params().serialize_request(&key).unwrap().pem().unwrap();
        let issuer = json!({"name": "letsencrypt", "kind": "ClusterIssuer"});
        let annotations = json!({
            "cert-manager.io/certificate-name": "web", "cert-manager.io/issuer-name": "letsencrypt",
            "cert-manager.io/issuer-kind": "ClusterIssuer", "cert-manager.io/issuer-group": "cert-manager.io",
        });
        let certificate = json!({
            "metadata": {"name": "web", "namespace": "demo", "uid": "u"},
            "spec": {
                "secretName": "web-tls", "issuerRef": issuer.clone(), "privateKey": {"algorithm": "ECDSA"},
                "commonName": "a.example.org", "dnsNames": ["b.example.org", "a.example.org"],
            },
            "status": {"revision": 3},
        });
        let owner = json!({"uid": "u", "controller": true});
        let request = json!({
            "metadata": {
                "annotations": {"cert-manager.io/certificate-revision": "3"}, "ownerReferences": [owner],
            },
            "spec": {"request": STANDARD.encode(csr), "issuerRef": issuer},
        });
        let mut world = Self { key, certificate, secret: Value::Null, request };
        world.secret = json!({"metadata": {"name": "web-tls", "annotations": annotations}, "data": {}});
        let key = world.key.serialize_pem();
        world.put(&pem, &key);
        world
    }

    fn put(&mut self, crt: &str, key: &str) {
        self.secret["data"] = json!({"tls.crt": STANDARD.encode(crt), "tls.key": STANDARD.encode(key)});
    }

    fn spec(&mut self) -> &mut Value {
        &mut self.certificate["spec"]
    }

    fn at(&self, now: DateTime<Utc>) -> Prediction {
        predict(&self.certificate, Some(&self.secret), std::slice::from_ref(&self.request), now)
    }

    /// As after a restore onto a new cluster: no status, no request.
    fn restored(&self) -> Prediction {
        predict(&self.certificate, Some(&self.secret), &[], now())
    }
}

fn reissued(reason: &'static str, message: &str) -> Prediction {
    Prediction::Reissued { reason, message: message.to_owned() }
}

/// What becomes of a good world that is changed, with and without its request.
fn after(change: impl FnOnce(&mut World)) -> (Prediction, Prediction) {
    let mut world = World::new();
    change(&mut world);
    (world.at(now()), world.restored())
}

fn both(prediction: Prediction) -> (Prediction, Prediction) {
    (prediction.clone(), prediction)
}

#[test]
fn a_secret_as_cert_manager_left_it_is_kept() {
    assert_eq!(after(|_| {}), both(Prediction::Kept));
}

#[test]
fn a_secret_that_is_missing_or_incomplete_is_reissued() {
    let world = World::new();
    let missing = predict(&world.certificate, None, &[], now());
    assert_eq!(missing, reissued("DoesNotExist", "Issuing certificate as Secret does not exist"));
    for (field, what) in [("tls.key", "a private key"), ("tls.crt", "a certificate")] {
        let message = format!("Issuing certificate as Secret does not contain {what}");
        assert_eq!(
            after(|world| world.secret["data"][field] = json!("")),
            both(reissued("MissingData", &message))
        );
    }
}

#[test]
fn a_pair_that_does_not_fit_is_reissued() {
    let world = World::new();
    let (crt, key) = (params().self_signed(&world.key).unwrap().pem(), world.key.serialize_pem());
    let other = KeyPair::generate().unwrap().serialize_pem();
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let cases = [
        (crt.clone(), "MARKER".to_owned(), "InvalidKeyPair"),
        ("MARKER".to_owned(), "MARKER".to_owned(), "InvalidKeyPair"),
        ("MARKER".to_owned(), key.clone(), "InvalidCertificate"),
        (format!("{crt}{parameters}"), key.clone(), "InvalidCertificate"),
        (crt.clone(), format!("{parameters}{key}"), "InvalidKeyPair"), // OpenSSL reads it, cert-manager does not
        (crt, other, "InvalidKeyPair"),
    ];
    for (crt, key, wanted) in cases {
        let (with, without) = after(|world| world.put(&crt, &key));
        assert_eq!(with, without);
        let Prediction::Reissued { reason, message } = with else { panic!("{with:?}") };
        assert_eq!(reason, wanted);
        assert!(!message.contains("MARKER"), "{message}");
    }
}

#[test]
fn a_secret_that_lost_its_annotations_is_reissued_where_a_cluster_issuer_is_named() {
    let strip = |world: &mut World| world.secret["metadata"] = json!({"name": "web-tls"});
    let message = "Issuing certificate as Secret was previously issued by \"Issuer.cert-manager.io/\"";
    assert_eq!(after(strip), both(reissued("IncorrectIssuer", message)));
    for issuer in
        [json!({"name": "ours"}), json!({"name": "ours", "kind": "Issuer", "group": "cert-manager.io"})]
    {
        let (_, restored) = after(|world| {
            strip(world);
            world.spec()["issuerRef"] = issuer;
        });
        assert_eq!(restored, Prediction::Kept, "an Issuer needs no annotation");
    }
}

#[test]
fn annotations_of_another_issuer_or_certificate_are_a_reason() {
    let message =
        "Issuing certificate as Secret was previously issued by \"ClusterIssuer.cert-manager.io/staging\"";
    let other = |world: &mut World| {
        world.secret["metadata"]["annotations"]["cert-manager.io/issuer-name"] = json!("staging");
    };
    assert_eq!(after(other), both(reissued("IncorrectIssuer", message)));
    let (found, _) = after(|world| world.certificate["metadata"]["name"] = json!("site"));
    assert!(matches!(found, Prediction::Reissued { reason: "IncorrectCertificate", .. }), "{found:?}");
}

#[test]
fn a_key_of_another_kind_or_size_is_a_reason_unless_it_may_not_be_replaced() {
    let field =
        |name: &str| format!("Existing private key is not up to date for spec: [spec.privateKey.{name}]");
    let with = |key: Value| after(|world| world.spec()["privateKey"] = key);
    assert_eq!(
        with(Value::Null),
        both(reissued("SecretMismatch", &field("algorithm"))),
        "RSA is the default"
    );
    let large = json!({"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Always"});
    assert_eq!(with(large), both(reissued("SecretMismatch", &field("size"))));
    let fixed = with(json!({"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"})).0;
    assert!(matches!(fixed, Prediction::Stuck { reason: "SecretMismatch", .. }), "{fixed:?}");
    assert_eq!(with(json!({"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"})), both(Prediction::Kept));
    let unknown = with(json!({"algorithm": "ML-DSA"})).0;
    assert!(matches!(unknown, Prediction::Unknown { .. }), "{unknown:?}");
}

#[test]
fn a_key_that_cannot_be_compared_is_unknown_unless_something_else_decides() {
    let p521 = (include_str!("../testdata/p521-certificate.pem"), include_str!("../testdata/p521.pem"));
    let world = |change: fn(&mut World)| {
        after(|world| {
            world.put(p521.0, p521.1);
            let names = super::super::Leaf::of(&world.secret).unwrap().names;
            *world.spec() = json!({
                "issuerRef": world.certificate["spec"]["issuerRef"], "dnsNames": names,
                "privateKey": {"algorithm": "ECDSA", "size": 521}, "renewal": {"policy": "Disabled"},
            });
            change(world);
        })
        .1
    };
    let message = "its kind of key cannot be compared with its certificate".to_owned();
    assert_eq!(world(|_| {}), Prediction::Unknown { message });
    let other = world(|world| world.spec()["dnsNames"] = json!(["c.example.org"]));
    assert!(matches!(other, Prediction::Reissued { reason: "SecretMismatch", .. }), "{other:?}");
}

#[test]
fn names_are_compared_with_the_request_or_loosely_with_the_certificate() {
    let request = |fields: &str| {
        let what = "Fields on existing CertificateRequest resource not up to date";
        reissued("RequestChanged", &format!("{what}: [{fields}]"))
    };
    let certificate = |fields: &str| {
        let what = "Issuing certificate as Existing issued Secret is not up to date for spec";
        reissued("SecretMismatch", &format!("{what}: [{fields}]"))
    };
    let added =
        after(|world| world.spec()["dnsNames"] = json!(["a.example.org", "b.example.org", "c.example.org"]));
    assert_eq!(added, (request("spec.dnsNames"), certificate("spec.dnsNames")));
    let moved = after(|world| {
        world.spec()["commonName"] = Value::Null;
        world.spec()["usages"] = json!(["server auth"]);
    });
    assert_eq!(moved, (request("spec.commonName spec.usages"), Prediction::Kept));
    let others = after(|world| {
        world.spec()["ipAddresses"] = json!(["192.0.2.1"]);
        world.spec()["uris"] = json!(["spiffe://demo"]);
        world.spec()["emailAddresses"] = json!(["a@example.org"]);
    });
    let fields = "spec.ipAddresses spec.uris spec.emailAddresses";
    assert_eq!(others, (request(fields), certificate(fields)));
}

#[test]
fn an_address_is_the_same_however_it_is_written() {
    let mut world = World::new();
    let mut params = params();
    let addresses = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    params.subject_alt_names.extend(addresses.map(SanType::IpAddress));
    let key = world.key.serialize_pem();
    world.put(&params.self_signed(&world.key).unwrap().pem(), &key);
    world.spec()["ipAddresses"] = json!(["2001:0db8:0:0::1", "192.0.2.1"]);
    assert_eq!(world.restored(), Prediction::Kept);
}

#[test]
fn an_older_secret_than_the_current_request_is_reissued() {
    let mut world = World::new();
    let newer = KeyPair::generate().unwrap();
    let csr = params().serialize_request(&newer).unwrap().pem().unwrap();
    world.request["spec"]["request"] = json!(STANDARD.encode(csr));
    let message = "Secret contains a private key that does not match the current CertificateRequest";
    assert_eq!(world.at(now()), reissued("SecretMismatch", message));
    assert_eq!(world.restored(), Prediction::Kept, "without it, the Secret is judged on its own");
    world.request["metadata"]["annotations"]["cert-manager.io/certificate-revision"] = json!("2");
    assert_eq!(world.at(now()), Prediction::Kept, "of a former revision");
    let twice = [world.request.clone(), world.request.clone()];
    world.certificate["status"]["revision"] = json!(2);
    let several = predict(&world.certificate, Some(&world.secret), &twice, now());
    assert!(matches!(several, Prediction::Unknown { .. }), "{several:?}");
    world.request["spec"]["request"] = json!("TUFSS0VS");
    assert!(matches!(world.at(now()), Prediction::Reissued { reason: "InvalidCertificateRequest", .. }));
}

#[test]
fn what_is_not_compared_with_the_request_is_said() {
    for (field, value) in [("literalSubject", json!("CN=a.example.org")), ("otherNames", json!([]))] {
        let (with, _) = after(|world| world.spec()[field] = value);
        let message = format!("spec.{field} is not compared with the current CertificateRequest");
        assert_eq!(with, Prediction::Unknown { message });
    }
}

#[test]
fn a_key_of_another_curve_is_told_by_its_size() {
    let mut world = World::new();
    world.key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let (crt, key) = (params().self_signed(&world.key).unwrap().pem(), world.key.serialize_pem());
    world.put(&crt, &key);
    assert!(matches!(world.restored(), Prediction::Reissued { reason: "SecretMismatch", .. }));
    world.spec()["privateKey"]["size"] = json!(384);
    assert_eq!(world.restored(), Prediction::Kept);
}

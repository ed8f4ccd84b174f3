//! Certificates, Secrets and requests as they may be found after a restore, most of them nearly right.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, PKCS_RSA_SHA256, SanType,
};
use serde_json::{Value, json};

/// ring generates no RSA keys, and knows no P-521.
const RSA: &str = include_str!("../../../src/certificates/testdata/rsa-pkcs8.pem");
const P521: &str = include_str!("../../../src/certificates/testdata/p521.pem");
const P521_CERTIFICATE: &str = include_str!("../../../src/certificates/testdata/p521-certificate.pem");
const PARAMETERS: &str = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nBggqhkjOPQMBBw==\n-----END CERTIFICATE-----\n";

/// Early, late, and around the times at which a third of a lifetime (see [`params`]) or a suggested window begins.
const TIMES: [&str; 7] = [
    "2026-01-02T00:00:00Z",
    "2026-01-03T00:00:00Z",
    "2026-03-01T23:59:59.999999999Z",
    "2026-03-02T00:00:00Z",
    "2026-08-31T23:59:59Z",
    "2026-09-01T08:00:00Z",
    "2027-06-01T00:00:00Z",
];

/// An endless supply, the same for the same seed but for the keys.
pub(super) struct Situations {
    random: StdRng,
    p256: KeyPair,
    other: KeyPair,
    p384: KeyPair,
    ed25519: KeyPair,
    rsa: KeyPair,
}

/// What a Certificate may ask for, field by field.
fn domains() -> Vec<(&'static str, Vec<Value>)> {
    let null = Value::Null;
    vec![
        (
            "dnsNames",
            vec![
                json!(["a.example.org"]),
                json!(["a.example.org", "b.example.org"]),
                json!(["b.example.org", "a.example.org"]),
                json!([]),
                null.clone(),
            ],
        ),
        ("commonName", vec![null.clone(), json!("a.example.org"), json!("b.example.org"), json!("")]),
        (
            "ipAddresses",
            vec![
                null.clone(),
                json!(["192.0.2.1"]),
                json!(["2001:db8::1", "192.0.2.1"]),
                json!(["192.0.2.1", "2001:0db8:0::1"]),
            ],
        ),
        (
            "uris",
            vec![null.clone(), json!(["spiffe://demo/a"]), json!(["spiffe://demo/b", "spiffe://demo/a"])],
        ),
        ("emailAddresses", vec![null.clone(), json!(["a@example.org"])]),
        (
            "subject",
            vec![
                null.clone(),
                json!({}),
                json!({"organizations": ["Stars"], "serialNumber": "7"}),
                json!({"organizations": ["Stars"], "countries": ["GB"], "provinces": ["Kent"], "localities": ["Dover"],
                "organizationalUnits": ["Sky"], "postalCodes": ["CT16"], "streetAddresses": ["1 Hill"]}),
            ],
        ),
        (
            "usages",
            vec![
                null.clone(),
                json!(["server auth", "client auth"]),
                json!(["client auth", "server auth"]),
                json!(["server auth"]),
            ],
        ),
        ("isCA", vec![null.clone(), json!(false), json!(true)]),
        ("duration", vec![null.clone(), json!("2160h0m0s"), json!("2160h"), json!("1h30m0.5s")]),
        (
            "issuerRef",
            vec![
                json!({"name": "ours"}),
                json!({"name": "ours", "kind": "Issuer"}),
                json!({"name": "ours", "kind": "Issuer", "group": "cert-manager.io"}),
                json!({"name": "ours", "kind": "ClusterIssuer"}),
                json!({"name": "theirs", "kind": "ClusterIssuer", "group": "cert-manager.io"}),
                json!({"name": "ours", "kind": "Issuer", "group": "example.org"}),
            ],
        ),
        (
            "privateKey",
            vec![
                null.clone(),
                json!({"algorithm": "RSA", "size": 2048}),
                json!({"algorithm": "RSA", "size": 4096, "rotationPolicy": "Always"}),
                json!({"algorithm": "ECDSA"}),
                json!({"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"}),
                json!({"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"}),
                json!({"algorithm": "ECDSA", "size": 521}),
                json!({"algorithm": "Ed25519", "rotationPolicy": "Never"}),
            ],
        ),
        (
            "renewBefore",
            vec![null.clone(), json!("720h0m0s"), json!("1h30m5.5s"), json!("0s"), json!("3000h")],
        ),
        ("renewBeforePercentage", vec![null.clone(), json!(1), json!(50), json!(99), json!(100)]),
        (
            "renewal",
            vec![
                null,
                json!({"policy": "RenewBefore"}),
                json!({"policy": "RenewBefore", "windows": [{"cron": "0 2 * * 6", "windowDuration": "2h"}]}),
                json!({"policy": "Disabled"}),
            ],
        ),
    ]
}

impl Situations {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            p256: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
            other: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
            p384: KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
            ed25519: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            rsa: KeyPair::from_pkcs8_pem_and_sign_algo(RSA, &PKCS_RSA_SHA256).unwrap(),
        }
    }

    /// Mostly the usual, else one of the others.
    fn mostly<T>(&mut self, usual: T, mut others: Vec<T>) -> T {
        if self.random.random_ratio(14, 15) {
            usual
        } else {
            others.swap_remove(self.random.random_range(0..others.len()))
        }
    }

    /// The spec with, now and then, another value in a field.
    fn drifted(&mut self, spec: &Value) -> Value {
        let mut spec = spec.clone();
        for (field, values) in domains() {
            let value = spec[field].take();
            spec[field] = self.mostly(value, values);
        }
        spec
    }

    /// Each field drawn from all that it may be.
    fn spec(&mut self) -> Value {
        let mut spec = json!({"secretName": "web-tls"});
        for (field, mut values) in domains() {
            let count = values.len();
            spec[field] = values.swap_remove(self.random.random_range(0..count));
        }
        spec
    }

    /// A key of the kind that is asked for, None for P-521.
    fn key(&self, wanted: &Value) -> Option<&KeyPair> {
        match (wanted["algorithm"].as_str(), wanted["size"].as_u64()) {
            (Some("ECDSA"), Some(384)) => Some(&self.p384),
            (Some("ECDSA"), Some(521)) => None,
            (Some("ECDSA"), _) => Some(&self.p256),
            (Some("Ed25519"), _) => Some(&self.ed25519),
            _ => Some(&self.rsa),
        }
    }

    fn secret(&mut self, spec: &Value) -> Value {
        let issued = self.drifted(spec);
        let ends = self.mostly(2027, vec![2026, 2400]);
        let (crt, key) = match self.key(&issued["privateKey"]) {
            Some(key) => (params(&issued, ends).self_signed(key).unwrap().pem(), key.serialize_pem()),
            None => (P521_CERTIFICATE.to_owned(), P521.to_owned()),
        };
        let foreign = self.other.serialize_pem();
        let crts = vec![
            String::new(),
            "none".to_owned(),
            BROKEN.to_owned(),
            format!("{crt}{BROKEN}"),
            format!("{crt}{crt}"),
            format!("a comment\n{crt}"),
            format!("{crt}{PARAMETERS}"),
        ];
        let keys = vec![String::new(), "none".to_owned(), foreign, format!("{PARAMETERS}{key}"), crt.clone()];
        let (crt, key) = (self.mostly(crt, crts), self.mostly(key, keys));
        let issuer = &issued["issuerRef"];
        let mut annotations = json!({"cert-manager.io/issuer-name": issuer["name"]});
        for part in ["kind", "group"] {
            if let Some(value) = issuer[part].as_str() {
                annotations[format!("cert-manager.io/issuer-{part}")] = json!(value);
            }
        }
        let annotations =
            self.mostly(annotations, vec![json!({}), json!({"cert-manager.io/issuer-kind": "Issuer"})]);
        let mut metadata = json!({"name": "web-tls", "namespace": "demo", "annotations": annotations});
        let name = self.mostly(Some("web"), vec![None, Some("site"), Some("")]);
        if let Some(name) = name {
            metadata["annotations"]["cert-manager.io/certificate-name"] = json!(name);
        }
        let data = json!({"tls.crt": STANDARD.encode(crt), "tls.key": STANDARD.encode(key)});
        let whole = json!({"metadata": metadata, "data": data});
        self.mostly(whole, vec![Value::Null, json!({"metadata": metadata})])
    }

    fn request(&mut self, spec: &Value) -> Value {
        let asked = self.drifted(spec);
        let key = self.key(&spec["privateKey"]).unwrap_or(&self.p384);
        let csr = params(&asked, 2027).serialize_request(key).unwrap().pem().unwrap();
        let csr = self.mostly(csr, vec!["none".to_owned(), BROKEN.to_owned()]);
        let revision = self.mostly("2", vec!["1", "x"]);
        let uid = self.mostly("u", vec!["v"]);
        let mut request = json!({
            "metadata": {
                "name": "web-2", "namespace": "demo",
                "annotations": {"cert-manager.io/certificate-revision": revision},
                "ownerReferences": [{"uid": uid, "controller": true}],
            },
            "spec": {"request": STANDARD.encode(csr)},
        });
        for field in ["usages", "isCA", "duration", "issuerRef"] {
            request["spec"][field] = asked[field].clone();
        }
        request
    }
}

impl Iterator for Situations {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let spec = self.spec();
        let secret = self.secret(&spec);
        let requests = if self.random.random() { vec![self.request(&spec)] } else { Vec::new() };
        let mut status = self.mostly(json!({"revision": 2}), vec![json!({})]);
        let ari = json!({"ari": {"suggestedWindow": {"start": "2026-02-20T00:00:00Z", "end": "2026-02-21T00:00:00Z"}}});
        status["acme"] = self.mostly(Value::Null, vec![ari]);
        let now = TIMES[self.random.random_range(0..TIMES.len())];
        let metadata = json!({"name": "web", "namespace": "demo", "uid": "u"});
        let certificate = json!({"metadata": metadata, "spec": spec, "status": status});
        Some(json!({"certificate": certificate, "secret": secret, "requests": requests, "now": now}))
    }
}

/// What is issued for a spec, from the first of 2026 on: to the first of April, or of January of a later year.
fn params(spec: &Value, ends: i32) -> CertificateParams {
    let texts = |field: &str| -> Vec<String> {
        spec[field].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(ends, if ends == 2026 { 4 } else { 1 }, 1);
    let names = &mut params.subject_alt_names;
    names.extend(texts("dnsNames").into_iter().map(|name| SanType::DnsName(name.try_into().unwrap())));
    names.extend(texts("ipAddresses").into_iter().map(|ip| SanType::IpAddress(ip.parse().unwrap())));
    names.extend(texts("uris").into_iter().map(|uri| SanType::URI(uri.try_into().unwrap())));
    names.extend(
        texts("emailAddresses").into_iter().map(|mail| SanType::Rfc822Name(mail.try_into().unwrap())),
    );
    params.distinguished_name = DistinguishedName::new();
    let x520 = |arc| DnType::CustomDnType(vec![2, 5, 4, arc]);
    let subject = &spec["subject"];
    let parts = [
        (DnType::CommonName, &spec["commonName"]),
        (x520(5), &subject["serialNumber"]),
        (DnType::OrganizationName, &subject["organizations"][0]),
        (DnType::CountryName, &subject["countries"][0]),
        (DnType::LocalityName, &subject["localities"][0]),
        (DnType::OrganizationalUnitName, &subject["organizationalUnits"][0]),
        (x520(17), &subject["postalCodes"][0]),
        (DnType::StateOrProvinceName, &subject["provinces"][0]),
        (x520(9), &subject["streetAddresses"][0]),
    ];
    for (part, value) in parts {
        if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
            params.distinguished_name.push(part, value);
        }
    }
    params
}

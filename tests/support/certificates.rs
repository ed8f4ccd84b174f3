//! Certificates of any age.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, Timelike as _, Utc};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

/// A self-signed pair as a TLS Secret, issued then for 90 days more.
pub(crate) fn tls_secret(namespace: &str, name: &str, issued: DateTime<Utc>) -> String {
    let mut params = CertificateParams::new([format!("{name}.lab")]).unwrap();
    let at = |time: DateTime<Utc>| {
        let day =
            date_time_ymd(time.year(), time.month().try_into().unwrap(), time.day().try_into().unwrap());
        day + Duration::from_secs(time.num_seconds_from_midnight().into())
    };
    (params.not_before, params.not_after) = (at(issued), at(issued + Days::new(90)));
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"tls.crt": certificate, "tls.key": key.serialize_pem()},
    })
    .to_string()
}

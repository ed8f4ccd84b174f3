//! What cert-manager decides by, besides Secrets: Certificates with their status, and CertificateRequests.
//!
//! In: objects as the API server gives them. Out: them, by namespace and name. Invariant: what could not be read is
//! said, never taken for absent.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::ItemKey;

/// API group of Certificates, their requests and issuers.
pub const GROUP: &str = "cert-manager.io";

/// The live state.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    certificates: BTreeMap<ItemKey, Value>,
    /// By namespace.
    requests: BTreeMap<String, Vec<Value>>,
    unread: Option<String>,
}

impl Observed {
    /// Certificates and CertificateRequests that are not being deleted; `unread` says what could not be listed.
    pub fn new(certificates: Vec<Value>, requests: Vec<Value>, unread: Option<String>) -> Self {
        let stays = |object: &Value| object["metadata"]["deletionTimestamp"].is_null();
        let certificates = certificates.into_iter().filter(stays);
        let certificates = certificates.filter_map(|object| Some((key(&object)?, object))).collect();
        let mut by_namespace: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for request in requests.into_iter().filter(stays) {
            let namespace = request["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
            by_namespace.entry(namespace).or_default().push(request);
        }
        Self { certificates, requests: by_namespace, unread }
    }

    /// What could not be read, and why.
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// A live Certificate.
    pub fn certificate(&self, key: &ItemKey) -> Option<&Value> {
        self.certificates.get(key)
    }

    /// All live Certificates.
    pub fn certificates(&self) -> impl Iterator<Item = (&ItemKey, &Value)> {
        self.certificates.iter()
    }

    /// The CertificateRequests of a namespace.
    pub fn requests(&self, namespace: &str) -> &[Value] {
        self.requests.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// A Certificate that is written over a live one keeps its uid and status; one that is made has neither.
pub fn written_over(wanted: &Value, live: Option<&Value>) -> Value {
    let mut certificate = wanted.clone();
    if let Some(live) = live {
        for field in ["uid", "creationTimestamp"] {
            certificate["metadata"][field] = live["metadata"][field].clone();
        }
        certificate["status"] = live["status"].clone();
    }
    certificate
}

/// The Secret that a Certificate names.
pub fn secret_of(certificate: &Value) -> Option<ItemKey> {
    let namespace = certificate["metadata"]["namespace"].as_str()?;
    Some(ItemKey::resource("", "secrets", Some(namespace), certificate["spec"]["secretName"].as_str()?))
}

/// Which of the Certificates that name one Secret cert-manager issues for: CertificateOwnsSecret
/// (internal/controller/certificates/certificates.go). The one that the Secret was issued for, else the oldest.
pub fn owner<'a>(secret: Option<&Value>, certificates: &[&'a Value]) -> Option<&'a Value> {
    let issued_for = secret
        .and_then(|secret| secret["metadata"]["annotations"]["cert-manager.io/certificate-name"].as_str());
    let named =
        certificates.iter().find(|c| issued_for.is_some() && c["metadata"]["name"].as_str() == issued_for);
    // One that a restore makes has no time yet, and so is the youngest.
    let age = |c: &&&Value| {
        let metadata = &c["metadata"];
        let born = metadata["creationTimestamp"].as_str();
        (born.is_none(), born.map(str::to_owned), metadata["name"].as_str().map(str::to_owned))
    };
    named.or_else(|| certificates.iter().min_by_key(age)).copied()
}

fn key(object: &Value) -> Option<ItemKey> {
    let metadata = &object["metadata"];
    Some(ItemKey::resource(
        GROUP,
        "certificates",
        Some(metadata["namespace"].as_str()?),
        metadata["name"].as_str()?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_certificates_that_name_one_secret_one_owns_it() {
        let certificate =
            |name: &str, born: Option<&str>| json!({"metadata": {"name": name, "creationTimestamp": born}});
        let (old, young) =
            (certificate("b", Some("2026-01-01T00:00:00Z")), certificate("c", Some("2026-02-01T00:00:00Z")));
        let made = certificate("a", None);
        let all = [&young, &made, &old];
        let secret =
            |name: &str| json!({"metadata": {"annotations": {"cert-manager.io/certificate-name": name}}});
        assert_eq!(owner(None, &all), Some(&old));
        assert_eq!(owner(Some(&secret("a")), &all), Some(&made));
        assert_eq!(owner(Some(&secret("gone")), &all), Some(&old));
        assert_eq!(owner(Some(&json!({})), &[&made]), Some(&made));
    }
}

//! Does the CertificateRequest that led to a certificate still ask for what its Certificate says?
//!
//! In: a Certificate's spec, the request, the certificate's public key. Out: the check that failed. Invariant:
//! pure; what is not compared is a doubt.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::ParsedExtension,
    prelude::FromDer as _,
    x509::{SubjectPublicKeyInfo, X509Name},
};

use super::{
    Trigger,
    names::{COMMON_NAME, Names, last, values},
    renewal, same,
    secret::{issuer_group, issuer_kind, pem},
    text, texts,
};

/// SecretPublicKeyDiffersFromCurrentCertificateRequest, then CurrentCertificateRequestMismatchesSpec.
pub(super) fn compare(
    spec: &Value,
    request: &Value,
    key: &SubjectPublicKeyInfo<'_>,
    doubts: &mut Vec<String>,
) -> Result<(), Trigger> {
    let request = &request["spec"];
    let blocks = pem(&STANDARD.decode(text(&request["request"])).unwrap_or_default());
    let der = blocks.first().map(|block| &*block.contents).unwrap_or_default();
    let Ok((_, signed)) = X509CertificationRequest::from_der(der) else {
        return Err(Trigger::new("InvalidCertificateRequest", "Failed to decode current CertificateRequest"));
    };
    let info = &signed.certification_request_info;
    if info.subject_pki.subject_public_key.data != key.subject_public_key.data {
        let message = "Secret contains a private key that does not match the current CertificateRequest";
        return Err(Trigger::new("SecretMismatch", message));
    }
    let mut fields = alternative_names(spec, &signed);
    if text(&spec["literalSubject"]).is_empty() {
        fields.extend(subject(spec, &info.subject));
    } else {
        doubts.push("spec.literalSubject is not compared with the current CertificateRequest".to_owned());
    }
    if spec["otherNames"].is_array() {
        doubts.push("spec.otherNames is not compared with the current CertificateRequest".to_owned());
    }
    fields.extend(rest(spec, request));
    let what = "Fields on existing CertificateRequest resource not up to date";
    Trigger::where_differing("RequestChanged", what, &fields)
}

/// First part of RequestMatchesSpec in cert-manager's pkg/util/pki/match.go, in its order.
fn alternative_names(spec: &Value, signed: &X509CertificationRequest<'_>) -> Vec<&'static str> {
    let extensions = signed.requested_extensions().into_iter().flatten();
    let names = Names::of(extensions.flat_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(names) => &*names.general_names,
        _ => &[],
    }));
    let mut fields = names.differing(spec);
    if !same(names.dns, texts(&spec["dnsNames"])) {
        fields.push("spec.dnsNames");
    }
    fields
}

/// Its second part: the subject, field by field.
fn subject(spec: &Value, name: &X509Name<'_>) -> Vec<&'static str> {
    let wanted = &spec["subject"];
    let list = |attribute, field: &str| same(values(name, attribute), texts(&wanted[field]));
    let fields = [
        ("spec.commonName", last(name, COMMON_NAME) == text(&spec["commonName"])),
        ("spec.subject.serialNumber", last(name, "5") == text(&wanted["serialNumber"])),
        ("spec.subject.organizations", list("10", "organizations")),
        ("spec.subject.countries", list("6", "countries")),
        ("spec.subject.localities", list("7", "localities")),
        ("spec.subject.organizationalUnits", list("11", "organizationalUnits")),
        ("spec.subject.postCodes", list("17", "postalCodes")),
        ("spec.subject.provinces", list("8", "provinces")),
        ("spec.subject.streetAddresses", list("9", "streetAddresses")),
    ];
    differing(fields)
}

/// Its third part: what the request says beside its PKCS#10.
fn rest(spec: &Value, request: &Value) -> Vec<&'static str> {
    let is_ca = |of: &Value| of["isCA"] == true;
    let duration = |of: &Value| of["duration"].as_str().map(renewal::nanoseconds);
    let durations = duration(spec).zip(duration(request));
    let issuer = |of: &Value| {
        let issuer = &of["issuerRef"];
        let (kind, group) = (issuer_kind(issuer["kind"].as_str()), issuer_group(issuer["group"].as_str()));
        [text(&issuer["name"]), kind, group].map(str::to_owned)
    };
    differing([
        ("spec.isCA", is_ca(spec) == is_ca(request)),
        ("spec.usages", same(texts(&spec["usages"]), texts(&request["usages"]))),
        ("spec.duration", durations.is_none_or(|(wanted, has)| wanted == has)),
        ("spec.issuerRef", issuer(spec) == issuer(request)),
    ])
}

fn differing(fields: impl IntoIterator<Item = (&'static str, bool)>) -> Vec<&'static str> {
    fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}

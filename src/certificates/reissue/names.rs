//! The names that a certificate or a request is for, compared with those that a Certificate asks for.
//!
//! In: parsed X.509 and a Certificate's spec. Out: names of the spec's fields that differ. Invariant: pure.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde_json::Value;
use x509_parser::{extensions::GeneralName, prelude::X509Certificate, x509::X509Name};

use super::{same, text, texts};

/// Subject alternative names by their kind.
#[derive(Default)]
pub(super) struct Names<'a> {
    pub(super) dns: Vec<&'a str>,
    pub(super) uris: Vec<&'a str>,
    pub(super) emails: Vec<&'a str>,
    addresses: Vec<Option<Ipv6Addr>>,
}

impl<'a> Names<'a> {
    pub(super) fn of(names: impl IntoIterator<Item = &'a GeneralName<'a>>) -> Self {
        let mut all = Self::default();
        for name in names {
            match name {
                GeneralName::DNSName(name) => all.dns.push(name),
                GeneralName::URI(name) => all.uris.push(name),
                GeneralName::RFC822Name(name) => all.emails.push(name),
                GeneralName::IPAddress(bytes) => all.addresses.push(address(bytes)),
                _ => {}
            }
        }
        all
    }

    /// Which of `spec.ipAddresses`, `spec.uris` and `spec.emailAddresses` differ.
    pub(super) fn differing(&self, spec: &Value) -> Vec<&'static str> {
        let wanted = texts(&spec["ipAddresses"]).into_iter().map(|ip| ip.parse().ok().map(mapped)).collect();
        let fields = [
            ("spec.ipAddresses", same(self.addresses.clone(), wanted)),
            ("spec.uris", same(self.uris.clone(), texts(&spec["uris"]))),
            ("spec.emailAddresses", same(self.emails.clone(), texts(&spec["emailAddresses"]))),
        ];
        fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
    }
}

/// As Go's net.IP.To16: an IPv4 address equals its IPv6 form.
fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

fn address(bytes: &[u8]) -> Option<Ipv6Addr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_ipv6_mapped());
    v4.or(<[u8; 16]>::try_from(bytes).map(Ipv6Addr::from)).ok()
}

/// The last value of an attribute that may be there once, as Go reads common name and serial number.
pub(super) fn last<'a>(name: &X509Name<'a>, attribute: &str) -> &'a str {
    values(name, attribute).last().copied().unwrap_or_default()
}

/// The values of an attribute, given by the last arc of its identifier below 2.5.4 (X.520).
pub(super) fn values<'a>(name: &X509Name<'a>, attribute: &str) -> Vec<&'a str> {
    let id = format!("2.5.4.{attribute}");
    let attributes = name.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == id);
    attributes.filter_map(|attribute| attribute.as_str().ok()).collect()
}

/// X.520's commonName.
pub(super) const COMMON_NAME: &str = "3";

/// FuzzyX509AltNamesMatchSpec in cert-manager's pkg/util/pki/match.go, for a certificate whose request is gone:
/// an authority may move names between the common name and the DNS names.
pub(super) fn fuzzy(spec: &Value, x509: &X509Certificate<'_>) -> Vec<&'static str> {
    let extension = x509.subject_alternative_name().ok().flatten();
    let names = Names::of(extension.iter().flat_map(|extension| &extension.value.general_names));
    let (common, wanted_common) = (last(x509.subject(), COMMON_NAME), text(&spec["commonName"]));
    let wanted_dns = texts(&spec["dnsNames"]);
    let with = |dns: &[&str], common: &str| -> BTreeSet<String> {
        let common = Some(common).filter(|common| !common.is_empty());
        dns.iter().copied().chain(common).map(str::to_owned).collect()
    };
    let (has, wanted) = (with(&names.dns, common), with(&wanted_dns, wanted_common));
    let is_in = |name: &str, names: &BTreeSet<String>| name.is_empty() || names.contains(name);
    let mut fields = Vec::new();
    if !is_in(wanted_common, &has) || !is_in(common, &wanted) {
        fields.push("spec.commonName");
    }
    let all_in = |some: &[&str], names: &BTreeSet<String>| some.iter().all(|name| names.contains(*name));
    if !all_in(&wanted_dns, &has) || !all_in(&names.dns, &wanted) {
        fields.push("spec.dnsNames");
    }
    fields.extend(names.differing(spec));
    fields
}

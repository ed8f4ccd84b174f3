//! What issuing certificates once more costs of Let's Encrypt's limits.
//!
//! In: Certificates that would be issued. Out: [`Quota`]: how many of the limits of seven days that takes.
//! Invariant: pure. What was issued in the last seven days is not known here and comes on top; for what is counted,
//! the count is never too low.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde_json::Value;

/// "New Certificates per Registered Domain" (letsencrypt.org/docs/rate-limits): so many in seven days, refilled by
/// one every 202 minutes. A certificate for exactly the names of an earlier one is a renewal, which this limit does
/// not count: an upper bound after a disaster.
pub const PER_DOMAIN: u32 = 50;

/// "New Certificates per Exact Set of Identifiers" (the same page): so many in seven days, refilled by one every
/// 34 hours. Renewals count, revoking does not give back, and nobody can ask for an exception.
pub const PER_SET: u32 = 5;

/// How many certificates of seven days' limits are needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// By registered domain, of [`PER_DOMAIN`]. Taken to be a name's last two labels: where a public suffix has more
    /// (co.uk) that counts several domains as one, so too much and never too little. An IPv4 address and an IPv6
    /// /64 stand for themselves.
    pub domains: BTreeMap<String, u32>,
    /// By exact set of names, in lower case and sorted, of [`PER_SET`].
    pub sets: BTreeMap<Vec<String>, u32>,
}

impl Quota {
    /// Counts Certificates (cert-manager.io/v1), each issued once.
    pub fn of<'a>(certificates: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut quota = Self::default();
        for certificate in certificates {
            let set = identifiers(&certificate["spec"]);
            for domain in set.iter().map(|name| registered(name)).collect::<BTreeSet<_>>() {
                *quota.domains.entry(domain).or_default() += 1;
            }
            *quota.sets.entry(set.into_iter().collect()).or_default() += 1;
        }
        quota
    }

    /// For people: each limit that these alone would break, as "6 certificates for exactly a.example.org, and Let's
    /// Encrypt issues 5 in seven days".
    pub fn broken(&self) -> Vec<String> {
        let says = |count: u32, what: String, limit: u32| {
            format!("{count} certificates for {what}, and Let's Encrypt issues {limit} in seven days")
        };
        let domains = self.domains.iter().filter(|(_, count)| **count > PER_DOMAIN);
        let domains =
            domains.map(|(domain, count)| says(*count, format!("names under {domain}"), PER_DOMAIN));
        let sets = self.sets.iter().filter(|(_, count)| **count > PER_SET);
        let sets = sets.map(|(set, count)| says(*count, format!("exactly {}", set.join(", ")), PER_SET));
        domains.chain(sets).collect()
    }
}

/// Whether what an Issuer or ClusterIssuer issues counts: Let's Encrypt's own server, not its staging one, whose
/// limits are far higher (letsencrypt.org/docs/staging-environment), nor another authority.
pub fn is_counted(issuer: &Value) -> bool {
    let server = issuer["spec"]["acme"]["server"].as_str().unwrap_or_default();
    let host = server.split_once("://").map_or(server, |(_, rest)| rest).split(['/', ':']).next();
    let host = host.unwrap_or_default().to_ascii_lowercase();
    host.ends_with(".api.letsencrypt.org") && !host.contains("staging")
}

/// The names that are ordered: cert-manager puts the common name among the DNS names.
fn identifiers(spec: &Value) -> BTreeSet<String> {
    let lists = ["dnsNames", "ipAddresses"].map(|field| spec[field].as_array());
    let names = lists.into_iter().flatten().flatten().chain([&spec["commonName"]]);
    names.filter_map(Value::as_str).filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect()
}

fn registered(name: &str) -> String {
    match name.parse() {
        Ok(IpAddr::V4(_)) => name.to_owned(),
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Err(_) => {
            let mut labels: Vec<&str> = name.rsplit('.').take(2).collect();
            labels.reverse();
            labels.join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn certificate(names: &[&str]) -> Value {
        json!({"spec": {"dnsNames": names}})
    }

    #[test]
    fn each_certificate_counts_once_for_its_domains_and_its_exact_set() {
        let certificates = [
            certificate(&["a.example.org", "*.example.org", "www.example.net"]),
            certificate(&["*.EXAMPLE.org", "www.example.net", "a.example.org"]),
            json!({"spec": {"commonName": "www.example.net", "dnsNames": ["www.example.net"]}}),
            json!({"spec": {"ipAddresses": ["192.0.2.1", "2001:db8::1"]}}),
        ];
        let quota = Quota::of(&certificates);
        let wanted = [("192.0.2.1", 1), ("2001:db8:0:0::/64", 1), ("example.net", 3), ("example.org", 2)];
        assert_eq!(quota.domains, wanted.map(|(name, count)| (name.to_owned(), count)).into());
        let sets: Vec<u32> = quota.sets.values().copied().collect();
        assert_eq!(sets, [2, 1, 1], "order and case of names make no other set");
    }

    #[test]
    fn only_what_exceeds_a_limit_is_broken() {
        let same = vec![certificate(&["www.example.org"]); 5];
        assert_eq!(Quota::of(&same).broken(), Vec::<String>::new());
        let more = vec![certificate(&["www.example.org"]); 6];
        let told = "6 certificates for exactly www.example.org, and Let's Encrypt issues 5 in seven days";
        assert_eq!(Quota::of(&more).broken(), [told]);
        let many: Vec<Value> = (0..51).map(|n| certificate(&[&format!("{n}.example.org")])).collect();
        let told = "51 certificates for names under example.org, and Let's Encrypt issues 50 in seven days";
        assert_eq!(Quota::of(&many).broken(), [told]);
        assert_eq!(Quota::of(&many[1..]).broken(), Vec::<String>::new());
    }

    #[test]
    fn only_lets_encrypts_own_server_counts() {
        let counted = |server: &str| is_counted(&json!({"spec": {"acme": {"server": server}}}));
        assert!(counted("https://acme-v02.api.letsencrypt.org/directory"));
        assert!(!counted("https://acme-staging-v02.api.letsencrypt.org/directory"));
        assert!(!counted("https://ca.example.org/acme-v02.api.letsencrypt.org/"));
        assert!(!is_counted(&json!({"spec": {"ca": {"secretName": "root"}}})));
    }
}

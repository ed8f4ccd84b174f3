//! Helm values, which may hold anything, by a rule that knows what is harmless.
//!
//! In: values. Out: the same, with every text filtered that the rule does not know. Invariant: pure; a name that says secret
//! takes all that is below it away, and of texts only those pass that are of a form which no secret has.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::filter::FILTERED;
use crate::yaml;

/// Parts of names below which nothing passes, whatever it is.
const SECRET: [&str; 20] = [
    "pass",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "cert",
    "cookie",
    "private",
    "signature",
    "salt",
    "seed",
    "dsn",
    "webhook",
    "header",
    "annotation",
    "login",
    "user",
    "account",
    "psk",
];
/// Names whose texts pass where they are plain: places of images, and what Kubernetes objects are called.
const PLAIN: [&str; 9] =
    ["repository", "registry", "tag", "name", "namespace", "kind", "level", "type", "backend"];
/// Texts that pass.
const WORDS: [&str; 36] = [
    "always",
    "cluster",
    "clusterip",
    "common",
    "daemonset",
    "debug",
    "deployment",
    "error",
    "fatal",
    "host-gw",
    "ifnotpresent",
    "info",
    "ipip",
    "ipv4",
    "ipv6",
    "json",
    "loadbalancer",
    "local",
    "never",
    "nodeport",
    "none",
    "ondelete",
    "panic",
    "preferdualstack",
    "recreate",
    "requiredualstack",
    "rollingupdate",
    "sctp",
    "singlestack",
    "tcp",
    "text",
    "trace",
    "udp",
    "vxlan",
    "warn",
    "wireguard",
];

/// Whether a name says that what it names is secret.
fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

/// Values as the text of a HelmChartConfig has them; comments go.
pub(super) fn text(values: &Value) -> Value {
    let parsed = values.as_str().and_then(|text| yaml::read(text.as_bytes()));
    let written = parsed.and_then(|parsed| yaml::write(&filtered(&parsed)).ok());
    written.unwrap_or_else(|| FILTERED.into()).into()
}

/// The values, filtered.
pub(super) fn filtered(values: &Value) -> Value {
    match values {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), named(name, value)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(filtered).collect(),
        Value::String(text) if !is_harmless(text) => FILTERED.into(),
        other => other.clone(),
    }
}

fn named(name: &str, value: &Value) -> Value {
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    match value {
        Value::Null => Value::Null,
        kept if empty => kept.clone(),
        _ if is_secret_name(name) => FILTERED.into(),
        Value::String(text) if PLAIN.contains(&name) && is_plain(text) => text.clone().into(),
        value => filtered(value),
    }
}

/// An address or a network, a number with a unit or a version, or a word that charts know.
fn is_harmless(text: &str) -> bool {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    let network = address.parse::<IpAddr>().is_ok() && text[address.len()..].len() <= 4;
    let socket = text.parse::<SocketAddr>().is_ok();
    text.is_empty()
        || network
        || socket
        || is_quantity(text)
        || WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// `100m`, `128Mi`, `30s`, `v3.7.13`, `80`: no more than eight digits, and a unit.
fn is_quantity(text: &str) -> bool {
    let rest = text.strip_prefix('v').unwrap_or(text);
    let number = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let digits = number.chars().filter(char::is_ascii_digit).count();
    (1..=8).contains(&digits)
        && rest.len() - number.len() <= 3
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// What an image, an object or a setting is called: lower case, and no long mixture of letters and digits as tokens are.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._/:".contains(c);
    let token = |word: &str| word.len() >= 16 && word.contains(|c: char| c.is_ascii_digit());
    text.chars().all(plain) && !text.split(['-', '.', '_', '/', ':']).any(token) && !text.contains("://")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_charts_are_mostly_given_stays_readable() {
        let values = json!({
            "deployment": {"replicas": 3, "kind": "DaemonSet"},
            "image": {"repository": "docker.io/traefik", "tag": "v3.7.13"},
            "logs": {"general": {"level": "INFO", "format": "json"}, "access": {"enabled": true}},
            "resources": {"limits": {"memory": "128Mi", "cpu": "100m"}},
            "service": {"spec": {"loadBalancerIP": "10.25.0.7"}, "loadBalancerSourceRanges": ["10.0.0.0/8", "fd00::/64"]},
            "resolvers": ["1.1.1.1:53"],
            "flannel": {"backend": "vxlan"}, "empty": {}, "nothing": null, "timeout": "30s",
        });
        assert_eq!(filtered(&values), values);
    }

    #[test]
    fn what_may_be_a_secret_never_passes() {
        for values in [
            json!({"env": [{"name": "CF_API_TOKEN", "value": "MARKER"}]}),
            json!({"additionalArguments": ["--certificatesresolvers.le.acme.email=MARKER"]}),
            json!({"dashboard": {"auth": {"basic": {"deep": ["MARKER"]}}}}),
            json!({"imagePullToken": "MARKER"}),
            json!({"pin": "4711-MARKER"}),
            json!({"note": "marker"}),
            json!({"name": "MARKER"}),
            json!({"tag": "m4rk3rm4rk3rm4rk3r"}),
            json!(["MARKER"]),
        ] {
            let text = filtered(&values).to_string().to_lowercase();
            assert!(!text.contains("marker") && !text.contains("m4rk3r"), "{text}");
        }
        assert_eq!(filtered(&json!({"password": 12345678}))["password"], FILTERED, "nor a number");
    }

    #[test]
    fn the_text_of_a_helm_chart_config_loses_its_comments_and_what_is_no_yaml_is_filtered_whole() {
        let kept = text(&json!("# MARKER\nflannel:\n  backend: vxlan\n  token: MARKER\n"));
        assert_eq!(kept, json!(format!("flannel:\n  backend: vxlan\n  token: {FILTERED}\n")));
        assert_eq!(text(&json!("a: [MARKER")), FILTERED);
        assert_eq!(text(&json!("MARKER")), json!(format!("{FILTERED}\n")));
    }
}

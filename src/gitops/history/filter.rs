//! What of an item may stand in Git, where whoever reads the repository reads it, and for ever.
//!
//! In: an item's content. Out: the same with everything filtered that is a secret or may be one, and where. Invariant: pure;
//! what the catalog calls secret, what a Helm chart was given unless a rule knows it as harmless, and what looks like a
//! token wherever it stands, never passes.

use serde_json::{Value, json};

use super::values;
use crate::{catalog, model::ItemKey};

/// What stands where something was filtered.
pub(super) const FILTERED: &str = "(filtered by netdr)";
/// The annotation that names the filtered fields of an object, by which nothing restores it.
pub(super) const ANNOTATION: &str = "netdr.io/filtered";

/// Whether fields of an object were filtered: what is left is not what the cluster had.
pub(crate) fn is_filtered(object: &Value) -> bool {
    !object["metadata"]["annotations"][ANNOTATION].is_null() || holds_mark(object)
}

/// Whoever copies such an object may leave the annotation behind.
fn holds_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(FILTERED),
        Value::Array(items) => items.iter().any(holds_mark),
        Value::Object(fields) => fields.values().any(holds_mark),
        _ => false,
    }
}

/// Filters an object, and annotates it where that changed something.
pub(super) fn object(key: &ItemKey, mut object: Value) -> (Value, bool) {
    let mut walk = Walk { key, path: Vec::new(), found: Vec::new() };
    walk.value(&mut object);
    let found = walk.found;
    if found.is_empty() {
        return (object, false);
    }
    if !object["metadata"]["annotations"].is_object() {
        object["metadata"]["annotations"] = json!({});
    }
    object["metadata"]["annotations"][ANNOTATION] = found.join(", ").into();
    (object, true)
}

/// A file of a host as text; none where it may hold a secret, or is no text.
pub(super) fn file<'a>(key: &ItemKey, bytes: &'a [u8]) -> Option<&'a str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let secret = catalog::is_sensitive(key, &[]) || catalog::looks_secret(text);
    (!secret && !names_secret(text)).then_some(text)
}

/// A setting such as `password=…`, which files of NetworkManager and of the kubelet can have.
fn names_secret(text: &str) -> bool {
    const NAMES: [&str; 6] = ["passw", "passphrase", "psk", "secret", "token", "header"];
    let name = |line: &str| line.split_once(['=', ':']).map(|(name, _)| name.to_ascii_lowercase());
    text.lines().filter_map(name).any(|name| NAMES.iter().any(|part| name.contains(part)))
}

struct Walk<'a> {
    key: &'a ItemKey,
    path: Vec<String>,
    /// Paths of what was filtered.
    found: Vec<String>,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value) {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let helm = self.key.is_kind("helm.cattle.io", "helmchartconfigs");
        if catalog::is_within_secret(self.key, &path) {
            if !is_empty(value) {
                *value = match path[..] {
                    _ if catalog::is_yaml(self.key, &path) => values::text(value),
                    ["spec", "values"] if helm => values::filtered(value),
                    _ => FILTERED.into(),
                };
                self.found.push(path.join("."));
            }
            return;
        }
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| self.below(name, value)),
            Value::Array(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.below(&position.to_string(), item);
                }
            }
            Value::String(text) if !catalog::shows_credential(self.key, text) => {}
            Value::String(text) => {
                *text = FILTERED.into();
                self.found.push(path.join("."));
            }
            _ => {}
        }
    }

    fn below(&mut self, step: &str, value: &mut Value) {
        self.path.push(step.to_owned());
        self.value(value);
        self.path.pop();
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(group: &str, plural: &str, content: Value) -> (Value, bool) {
        object(&ItemKey::resource(group, plural, Some("n"), "x"), content)
    }

    #[test]
    fn what_the_catalog_calls_secret_is_filtered_as_a_whole_and_named() {
        let peer = json!({"metadata": {"name": "x"}, "spec": {"myASN": 64512, "password": "MARKER"}});
        let (peer, was) = filtered("metallb.io", "bgppeers", peer);
        assert!(was && is_filtered(&peer));
        assert_eq!(peer["spec"], json!({"myASN": 64512, "password": FILTERED}));
        assert_eq!(peer["metadata"]["annotations"][ANNOTATION], "spec.password");
        let maps = json!({"metadata": {"name": "x"}, "data": {"MARKER": "MARKER"}});
        let (map, _) = filtered("", "configmaps", maps);
        assert_eq!(map["data"], FILTERED, "the names in it, too");
        let (unknown, _) =
            filtered("security.istio.io", "x", json!({"metadata": {"name": "x"}, "spec": {"a": 1}}));
        assert_eq!(unknown["spec"], FILTERED);
    }

    #[test]
    fn an_item_without_a_secret_stays_as_it_is() {
        let policy = json!({"metadata": {"name": "x"}, "spec": {"podSelector": {}, "ingress": [{}]}});
        assert_eq!(filtered("networking.k8s.io", "networkpolicies", policy.clone()), (policy.clone(), false));
        assert!(!is_filtered(&policy));
        let empty = json!({"metadata": {"name": "x"}, "spec": {"password": ""}});
        assert!(!filtered("metallb.io", "bgppeers", empty).1);
    }

    #[test]
    fn what_looks_like_a_token_is_filtered_wherever_it_stands() {
        for text in [
            "ghp_0123456789abcdef",
            "token=glpat-0123456789",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.sig",
            "https://me:secret@forge.lab/x",
            "https://me:secret@auth.lab/verify?next=abc@d",
            "http://TOKEN@auth.lab/a",
            "Authorization: Bearer abcdef",
            "-----BEGIN EC PRIVATE KEY-----\nx",
        ] {
            let route = json!({"metadata": {"name": "x", "annotations": {"note": text}}});
            let (route, was) = filtered("traefik.io", "ingressroutes", route);
            assert!(was && route["metadata"]["annotations"]["note"] == FILTERED, "{text}");
        }
        for text in
            ["Host(`shop.lab`) && PathPrefix(`/api`)", "https://acme.lab:14000/dir", "ssh://git@forge/x"]
        {
            let route = json!({"metadata": {"name": "x", "annotations": {"note": text}}});
            assert!(!filtered("traefik.io", "ingressroutes", route).1, "{text}");
        }
    }

    #[test]
    fn an_object_that_was_copied_without_its_annotation_is_known_by_what_stands_in_it() {
        assert!(is_filtered(&json!({"spec": {"a": [format!("x: {FILTERED}\n")]}})));
    }

    #[test]
    fn a_file_that_may_hold_a_secret_is_left_out() {
        let key = |path: &str| ItemKey::File { node: "n1".into(), path: path.into() };
        let sysctl = key("/etc/sysctl.d/90-rke2.conf");
        let settings = "net.ipv4.ip_forward = 1\nnet.ipv4.tcp_syncookies = 1\n";
        assert_eq!(file(&sysctl, settings.as_bytes()), Some(settings));
        assert_eq!(file(&sysctl, b"\xff"), None);
        let manager = key("/etc/NetworkManager/conf.d/wifi.conf");
        assert_eq!(file(&manager, b"[wifi-security]\npsk-flags=0\npassword = MARKER\n"), None);
        assert_eq!(file(&key("/etc/rancher/rke2/config.yaml"), b"a: 1\n"), None);
    }
}

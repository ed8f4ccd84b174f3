//! The fields that differ between two contents.
//!
//! In: two canonical contents of one item. Out: paths with both values, or without where they are secret.
//! Invariant: unequal contents have at least one field that differs, equal ones none.

use std::collections::BTreeSet;

use serde_json::Value;

use super::FieldChange;
use crate::{
    catalog,
    model::{Content, FileContent, ItemKey},
    yaml,
};

/// The fields that differ between two contents of one item.
pub fn fields(key: &ItemKey, before: &Content, after: &Content) -> Vec<FieldChange> {
    match (before, after) {
        (Content::File(before), Content::File(after)) => file(key, before, after),
        (
            Content::Resource(before) | Content::Release(before),
            Content::Resource(after) | Content::Release(after),
        ) => {
            let mut walk = Walk { key, path: Vec::new(), within: false, changes: Vec::new() };
            walk.value(Some(&before.value()), Some(&after.value()));
            walk.changes
        }
        _ => vec![FieldChange { path: "content".into(), before: None, after: None, secret: true }],
    }
}

fn file(key: &ItemKey, before: &FileContent, after: &FileContent) -> Vec<FieldChange> {
    let secret = catalog::is_sensitive(key, &["content"]);
    let lines = |file: &FileContent| {
        let count = file.bytes.split_inclusive(|byte| *byte == b'\n').count();
        (!secret).then(|| format!("{count} lines").into())
    };
    let mut changes = Vec::new();
    let mut push = |path: &str, before: Option<Value>, after: Option<Value>, secret| {
        changes.push(FieldChange { path: path.into(), before, after, secret });
    };
    if before.mode != after.mode {
        let mode = |file: &FileContent| Some(format!("{:04o}", file.mode).into());
        push("mode", mode(before), mode(after), false);
    }
    if (before.uid, before.gid) != (after.uid, after.gid) {
        let owner = |file: &FileContent| Some(format!("{}:{}", file.uid, file.gid).into());
        push("owner", owner(before), owner(after), false);
    }
    if before.bytes != after.bytes {
        push("content", lines(before), lines(after), secret);
    }
    changes
}

struct Walk<'a> {
    key: &'a ItemKey,
    path: Vec<String>,
    /// Whether it is in a text that is YAML itself.
    within: bool,
    changes: Vec<FieldChange>,
}

impl Walk<'_> {
    fn value(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (before, after) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                    self.below(name, before.get(name), after.get(name));
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.list(before, after),
            (Some(Value::String(before)), Some(Value::String(after))) => self.text(before, after),
            _ => self.differs(before.cloned(), after.cloned()),
        }
    }

    /// Of values that a chart gets as YAML the keys that differ; where it is no such YAML, or only written otherwise, as it is.
    fn text(&mut self, before: &str, after: &str) {
        if !self.within && catalog::is_yaml(self.key, &self.steps()) {
            let read = |text: &str| yaml::read(text.as_bytes()).filter(Value::is_object);
            if let (Some(old), Some(new)) = (read(before), read(after))
                && old != new
            {
                self.within = true;
                self.value(Some(&old), Some(&new));
                self.within = false;
                return;
            }
        }
        self.differs(Some(before.into()), Some(after.into()));
    }

    fn below(&mut self, step: &str, before: Option<&Value>, after: Option<&Value>) {
        if self.within && !is_name(step) {
            // Somebody's text, and no name of a value: it may be as secret as one.
            if self.changes.last().is_none_or(|last| last.path != self.path.join(".")) {
                self.differs(None, None);
            }
            return;
        }
        self.path.push(step.to_owned());
        self.value(before, after);
        self.path.pop();
    }

    /// By name where every item has one of its own, so that one item more is one difference; else by position.
    fn list(&mut self, before: &[Value], after: &[Value]) {
        let named = |list| names(list).filter(|_| !self.within);
        let (Some(old), Some(new)) = (named(before), named(after)) else {
            for position in 0..before.len().max(after.len()) {
                self.below(&position.to_string(), before.get(position), after.get(position));
            }
            return;
        };
        let find = |list: &'_ [&str], name: &str| list.iter().position(|n| *n == name);
        for name in old.iter().chain(&new).collect::<BTreeSet<_>>() {
            let before = find(&old, name).and_then(|at| before.get(at));
            let after = find(&new, name).and_then(|at| after.get(at));
            self.below(name, before, after);
        }
        let kept = |list: &[&str], other: &[&str]| -> Vec<Value> {
            list.iter().filter(|name| other.contains(name)).map(|name| Value::from(*name)).collect()
        };
        let (old, new) = (kept(&old, &new), kept(&new, &old));
        if old != new {
            self.differs(Some(old.into()), Some(new.into())); // the same items in another order
        }
    }

    /// A credential is one wherever somebody wrote it.
    fn holds_credential(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => catalog::shows_credential(self.key, text),
            Value::Array(items) => items.iter().any(|item| self.holds_credential(item)),
            Value::Object(fields) => fields.values().any(|field| self.holds_credential(field)),
            _ => false,
        }
    }

    fn steps(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    fn differs(&mut self, before: Option<Value>, after: Option<Value>) {
        let secret = catalog::is_sensitive(self.key, &self.steps())
            || before.iter().chain(&after).any(|value| self.holds_credential(value));
        let shown = |value: Option<Value>| value.filter(|_| !secret);
        self.changes.push(FieldChange {
            path: self.path.join("."),
            before: shown(before),
            after: shown(after),
            secret,
        });
    }
}

/// Whether it can be the name of a chart's value, or of what Kubernetes names.
fn is_name(step: &str) -> bool {
    step.len() <= 63 && step.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
}

/// The names of a list's items, where all have one and no two the same.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = list.iter().map(|item| item["name"].as_str()).collect::<Option<_>>()?;
    (names.iter().collect::<BTreeSet<_>>().len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::Json;

    fn changes(key: &ItemKey, before: Value, after: Value) -> Vec<FieldChange> {
        fields(key, &Content::Resource(Json::new(&before)), &Content::Resource(Json::new(&after)))
    }

    fn policy() -> ItemKey {
        ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), "x")
    }

    fn paths(changes: &[FieldChange]) -> Vec<&str> {
        changes.iter().map(|change| change.path.as_str()).collect()
    }

    #[test]
    fn a_field_is_named_by_its_path_with_both_values() {
        let changes = changes(
            &policy(),
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
            json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}}),
        );
        assert_eq!(paths(&changes), ["spec.egress", "spec.policyTypes.1"]);
        assert_eq!((&changes[0].before, &changes[0].after), (&None, &Some(json!([{}]))));
    }

    #[test]
    fn list_items_are_known_by_name_and_their_order_counts() {
        let key = ItemKey::resource("traefik.io", "ingressroutes", Some("demo"), "x");
        let (a, b) = (json!({"name": "a", "port": 1}), json!({"name": "b", "port": 2}));
        let list = |items: &[&Value]| json!({"spec": items});
        assert_eq!(paths(&changes(&key, list(&[&b]), list(&[&a, &b]))), ["spec.a"]);
        let swapped = changes(&key, list(&[&a, &b]), list(&[&b, &a]));
        assert_eq!(paths(&swapped), ["spec"]);
        assert_eq!(swapped[0].after, Some(json!(["b", "a"])));
    }

    #[test]
    fn a_secret_differs_and_shows_nothing_else() {
        let secret = ItemKey::resource("", "secrets", Some("demo"), "x");
        let marker = "MARKER-7f3a";
        for (before, after) in [
            (json!({"data": {"password": marker}}), json!({"data": {"password": "b3RoZXI="}})),
            (json!({"data": {"password": marker}}), json!({})),
            (json!({}), json!({"data": {"password": marker}})),
        ] {
            let changes = changes(&secret, before, after);
            assert!(changes.iter().all(|change| change.secret) && changes.len() == 1, "{changes:?}");
            assert!(!format!("{changes:?}{}", json!(changes)).contains(marker));
        }
        let file = |text: &str| {
            Content::File(FileContent { mode: 0o600, uid: 0, gid: 0, bytes: text.as_bytes().to_vec() })
        };
        let key = ItemKey::File { node: "n1".into(), path: "/etc/rancher/rke2/config.yaml".into() };
        let changes = fields(&key, &file(marker), &file("token: b"));
        assert_eq!(paths(&changes), ["content"]);
        assert!(!format!("{changes:?}").contains(marker));
    }

    #[test]
    fn a_credential_that_somebody_wrote_into_any_field_is_not_shown() {
        let key = ItemKey::resource("traefik.io", "middlewares", Some("demo"), "x");
        let to = |url: &str| json!({"spec": {"forwardAuth": {"address": url}}});
        for url in ["https://svc:MARKER@auth.lab/verify?x=1", "https://auth.lab/verify?token=MARKER"] {
            for (before, after) in [(to(url), to("https://auth.lab")), (to("https://auth.lab"), to(url))] {
                let changes = changes(&key, before, after);
                assert!(changes.len() == 1 && changes[0].secret, "{changes:?}");
                assert!(!format!("{changes:?}{}", json!(changes)).contains("MARKER"));
            }
            let whole = changes(&key, json!({}), to(url));
            assert!(whole[0].secret && !format!("{whole:?}").contains("MARKER"), "{whole:?}");
        }
        assert!(!changes(&key, to("https://a.lab/x"), to("https://b.lab/x"))[0].secret);
    }

    #[test]
    fn of_a_charts_values_the_keys_that_differ_are_named_and_no_value() {
        let key = ItemKey::resource("helm.cattle.io", "helmchartconfigs", Some("kube-system"), "rke2-canal");
        let values = |text: &str| json!({"spec": {"valuesContent": text}});
        let of = |before: &str, after: &str| {
            let changes = changes(&key, values(before), values(after));
            let said = format!("{changes:?}{}", json!(changes));
            assert!(changes.iter().all(|change| change.secret) && !said.contains("MARKER"), "{said}");
            paths(&changes).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let before =
            "flannel: {iface: ens18, backend: vxlan}\ncalico: {vethuMTU: 1450}\nenv: [{name: MARKER-1}]\n";
        let after = "flannel: {iface: ens19, backend: vxlan}\nenv: [{name: MARKER-2}]\n";
        let below =
            |keys: &[&str]| keys.iter().map(|key| format!("spec.valuesContent.{key}")).collect::<Vec<_>>();
        assert_eq!(of(before, after), below(&["calico", "env.0.name", "flannel.iface"]));
        assert_eq!(of("a: 1\nusers: {'MARKER $apr1$x': 1, 'MARKER y': 1}", "a: 2"), below(&["a", "users"]));
        let users = |a: u8| format!("users: {{'MARKER $apr1$x': {a}, 'MARKER y': {a}}}");
        assert_eq!(of(&users(1), &users(2)), below(&["users"]), "what is no name is not shown");
        for (before, after) in
            [("a: 1", "a:  1 # why"), ("MARKER", "a: 1"), ("a: [", "a: 1"), ("a: 1", "a: 1\n---\nb: 1")]
        {
            assert_eq!(of(before, after), ["spec.valuesContent"], "{before} {after}");
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("name|spec|[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn there_are_fields_exactly_where_contents_differ(before in any_value(), after in any_value()) {
            let changes = changes(&policy(), before.clone(), after.clone());
            prop_assert_eq!(changes.is_empty(), before == after);
        }
    }
}

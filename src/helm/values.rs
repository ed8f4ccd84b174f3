//! The values that a release was deployed with against those that somebody authored since.
//!
//! In: a decoded release, authored values. Out: the keys that differ. Invariant: pure; paths alone, never a value; equal
//! is what Helm would store as equal.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

/// A key that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyDifference {
    /// Its path, as `ports.web.port`; empty for all of them.
    pub path: String,
    /// In what it differs.
    pub how: How,
}

/// In what a key differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Both have it, with different values.
    Differs,
    /// The release was deployed without it.
    OnlyAuthored,
    /// It was set otherwise: by `--set`, or by another file.
    OnlyReleased,
}

impl fmt::Display for KeyDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "all of them" } else { &self.path };
        let how = match self.how {
            How::Differs => "differs",
            How::OnlyAuthored => "only in Git",
            How::OnlyReleased => "only in the release",
        };
        write!(f, "{path} ({how})")
    }
}

/// Where what the operator set in the release is not what is authored; nothing where it is.
pub fn differing_keys(content: &Value, authored: &Value) -> Vec<KeyDifference> {
    let mut walk = Walk { path: Vec::new(), found: Vec::new() };
    // Helm stores no values as null.
    let some = |values: &Value| if values.is_null() { Map::new().into() } else { values.clone() };
    walk.value(Some(&some(&content["release"]["config"])), Some(&some(authored)));
    walk.found
}

struct Walk {
    path: Vec<String>,
    found: Vec<KeyDifference>,
}

impl Walk {
    fn value(&mut self, released: Option<&Value>, authored: Option<&Value>) {
        let how = match (released, authored) {
            (Some(Value::Object(released)), Some(Value::Object(authored))) => {
                for key in released.keys().chain(authored.keys()).collect::<BTreeSet<_>>() {
                    self.below(key, released.get(key), authored.get(key));
                }
                return;
            }
            (Some(Value::Array(released)), Some(Value::Array(authored))) => {
                for position in 0..released.len().max(authored.len()) {
                    self.below(&position.to_string(), released.get(position), authored.get(position));
                }
                return;
            }
            // To Helm every number is a float: 1.0 is stored as 1.
            (Some(Value::Number(released)), Some(Value::Number(authored)))
                if released.as_f64() == authored.as_f64() =>
            {
                return;
            }
            (released, authored) if released == authored => return,
            (None, _) => How::OnlyAuthored,
            (_, None) => How::OnlyReleased,
            _ => How::Differs,
        };
        self.found.push(KeyDifference { path: self.path.join("."), how });
    }

    fn below(&mut self, step: &str, released: Option<&Value>, authored: Option<&Value>) {
        self.path.push(step.to_owned());
        self.value(released, authored);
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn keys(released: Value, authored: Value) -> Vec<String> {
        let release = json!({"release": {"config": released}});
        differing_keys(&release, &authored).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_named_by_path_and_side_and_no_value_is() {
        let released = json!({"logs": {"level": "MARKER"}, "ports": {"web": {"port": 80}}, "args": ["a", "MARKER"],
            "old": {"MARKER-is-a-value": false}});
        let authored = json!({"logs": {"level": "INFO"}, "ports": {"web": {"port": 80, "expose": "MARKER"}},
            "args": ["a"], "old": "MARKER"});
        let keys = keys(released, authored);
        assert_eq!(
            keys,
            [
                "args.1 (only in the release)",
                "logs.level (differs)",
                "old (differs)",
                "ports.web.expose (only in Git)"
            ]
        );
        assert!(!keys.concat().contains("MARKER"));
    }

    #[test]
    fn what_helm_stores_as_the_same_is_the_same() {
        for (released, authored) in [
            (Value::Null, json!({})),
            (json!({}), Value::Null),
            (json!({"weight": 1, "ratio": 0.5}), json!({"ratio": 0.5, "weight": 1.0})),
        ] {
            assert_eq!(keys(released, authored), Vec::<String>::new());
        }
        assert_eq!(keys(json!({"a": 1}), json!({"a": "1"})), ["a (differs)"]);
        assert_eq!(
            keys(json!({"a": null}), json!({})),
            ["a (only in the release)"],
            "null removes a default"
        );
        assert_eq!(keys(json!({"a": {}}), json!({})), ["a (only in the release)"]);
        assert_eq!(keys(json!({"a": 1}), json!([])), ["all of them (differs)"]);
    }

    proptest! {
        #[test]
        fn a_key_more_is_found_wherever_it_is(path in prop::collection::vec("[a-c]", 1..5)) {
            let values = path.iter().rev().fold(json!(1), |inner, key| json!({key.as_str(): inner}));
            prop_assert!(keys(values.clone(), values.clone()).is_empty());
            prop_assert_eq!(keys(json!({}), values), [format!("{} (only in Git)", path[0])]);
        }
    }
}

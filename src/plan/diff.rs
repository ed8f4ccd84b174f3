//! How two states differ, by item and by field, with secret values hidden.
//!
//! In: two indexes, or two contents of one item. Out: differences. Invariant: pure; no value that
//! [`crate::catalog::is_sensitive`] marks, or that looks like a credential, is in any of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::guard;
use crate::model::{Class, Component, IndexEntry, ItemKey};

mod fields;

pub use fields::fields;

/// How an item differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Only in the second state.
    Added,
    /// Only in the first.
    Removed,
    /// In both, with other content.
    Changed,
}

/// One item that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which.
    pub key: ItemKey,
    /// In which bundle.
    pub component: Component,
    /// How.
    pub change: Change,
    /// The fields, where both contents are at hand.
    pub fields: Vec<FieldChange>,
}

/// One field that differs. A secret value is never in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Dotted path; list items by `name` where all have one, else by position.
    pub path: String,
    /// The value before; none where there was none. Absent for secret fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// The values are secret and differ: that is all there is to show.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// Items that differ between two indexes (config items only unless `all`), sorted by component and key; no fields yet.
///
/// The guards of a restore that was interrupted are no difference: the next restore removes them.
pub fn compare<'a>(
    before: impl IntoIterator<Item = &'a IndexEntry>,
    after: impl IntoIterator<Item = &'a IndexEntry>,
    all: bool,
) -> Vec<Difference> {
    compare_those(before, after, &|entry| all || entry.class == Class::Config)
}

/// As [`compare`], of the items that count on both sides.
pub fn compare_those<'a>(
    before: impl IntoIterator<Item = &'a IndexEntry>,
    after: impl IntoIterator<Item = &'a IndexEntry>,
    counts: &dyn Fn(&IndexEntry) -> bool,
) -> Vec<Difference> {
    let mut pairs: BTreeMap<(Component, &ItemKey), [Option<&IndexEntry>; 2]> = BTreeMap::new();
    for entry in before {
        pairs.entry((entry.component, &entry.key)).or_default()[0] = Some(entry);
    }
    for entry in after {
        pairs.entry((entry.component, &entry.key)).or_default()[1] = Some(entry);
    }
    // An item that a controller took over since is nobody's intent any more: no difference either.
    pairs
        .into_iter()
        .filter(|((_, key), pair)| !guard::is_guard(key) && pair.iter().flatten().all(|entry| counts(entry)))
        .filter_map(|((component, key), pair)| {
            let change = match pair {
                [Some(before), Some(after)] if before.sha256 == after.sha256 => return None,
                [Some(_), Some(_)] => Change::Changed,
                [Some(_), None] => Change::Removed,
                _ => Change::Added,
            };
            Some(Difference { key: key.clone(), component, change, fields: Vec::new() })
        })
        .collect()
}

/// A difference as lines for a terminal: `~ key`, then `    path: before → after`.
pub fn lines(difference: &Difference) -> Vec<String> {
    let sign = match difference.change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    };
    let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "(none)".into(), Value::to_string);
    let mut lines = vec![format!("{sign} {}", difference.key)];
    lines.extend(difference.fields.iter().map(|field| match field.secret {
        true => format!("    {}: differs (secret)", field.path),
        false => format!("    {}: {} → {}", field.path, show(&field.before), show(&field.after)),
    }));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Extent;

    fn entry(name: &str, class: Class, sha256: &str) -> IndexEntry {
        let key = ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), name);
        IndexEntry {
            key,
            component: Component::Policies,
            class,
            extent: Extent::Whole,
            sha256: sha256.into(),
        }
    }

    #[test]
    fn a_terminal_shows_the_item_and_its_fields_and_no_secret() {
        let field = |path: &str, secret: bool| FieldChange {
            path: path.into(),
            before: None,
            after: (!secret).then(|| json!([{}])),
            secret,
        };
        let difference = Difference {
            key: entry("x", Class::Config, "1").key,
            component: Component::Policies,
            change: Change::Changed,
            fields: vec![field("spec.egress", false), field("data.token", true)],
        };
        assert_eq!(
            lines(&difference),
            [
                "~ networkpolicies.networking.k8s.io demo/x",
                "    spec.egress: (none) → [{}]",
                "    data.token: differs (secret)",
            ]
        );
    }

    #[test]
    fn states_differ_by_what_somebody_wanted() {
        use Class::{Config, Evidence, Generated};
        let before = [
            entry("changed", Config, "1"),
            entry("equal", Config, "1"),
            entry("gone", Config, "1"),
            entry("seen", Evidence, "1"),
            entry("taken-over", Config, "1"),
        ];
        let after = [
            entry("changed", Config, "2"),
            entry("equal", Config, "1"),
            entry("netdr-guard-r", Config, "9"),
            entry("new", Config, "1"),
            entry("seen", Evidence, "2"),
            entry("taken-over", Generated, "2"),
        ];
        let summary = |all| -> Vec<(String, Change)> {
            let differences = compare(&before, &after, all);
            differences.iter().map(|d| (d.key.name().to_owned(), d.change)).collect()
        };
        let intent = [("changed", Change::Changed), ("gone", Change::Removed), ("new", Change::Added)];
        assert_eq!(summary(false), intent.map(|(name, change)| (name.to_owned(), change)));
        assert_eq!(summary(true).len(), 5);
    }
}

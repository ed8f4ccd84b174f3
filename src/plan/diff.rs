//! How two states differ, by item and by field, with secret values hidden.

use serde::Serialize;
use serde_json::Value;

use crate::model::{Component, Content, IndexEntry, ItemKey};

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
pub fn compare<'a>(
    _before: impl IntoIterator<Item = &'a IndexEntry>,
    _after: impl IntoIterator<Item = &'a IndexEntry>,
    _all: bool,
) -> Vec<Difference> {
    vec![]
}

/// The fields that differ between two contents of one item.
pub fn fields(_key: &ItemKey, _before: &Content, _after: &Content) -> Vec<FieldChange> {
    vec![]
}

/// A difference as lines for a terminal: `~ key`, then `    path: before → after`.
pub fn lines(_difference: &Difference) -> Vec<String> {
    vec![]
}

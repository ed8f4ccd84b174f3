//! seam
use crate::model::ItemKey;
use serde_json::Value;
use std::collections::BTreeSet;
pub fn references(_: &ItemKey, _: &Value, _: &str) -> BTreeSet<ItemKey> {
    BTreeSet::new()
}
pub fn excluded(_: &ItemKey) -> Option<&'static str> {
    None
}

//! seam
use std::collections::BTreeSet; use serde_json::Value; use crate::model::ItemKey;
pub fn references(_: &ItemKey, _: &Value, _: &str) -> BTreeSet<ItemKey> { BTreeSet::new() }
pub fn excluded(_: &ItemKey) -> Option<&'static str> { None }

//! seam
use chrono::{DateTime, Utc}; use serde_json::Value; use crate::model::ItemKey;
pub fn warnings(_: &ItemKey, _: &Value, _: DateTime<Utc>) -> Vec<String> { vec![] }

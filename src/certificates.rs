//! seam
use crate::model::ItemKey;
use chrono::{DateTime, Utc};
use serde_json::Value;
pub fn warnings(_: &ItemKey, _: &Value, _: DateTime<Utc>) -> Vec<String> {
    vec![]
}

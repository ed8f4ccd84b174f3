//! seam
use serde_json::Value; use crate::{Result, model::Component};
#[derive(Clone)] pub struct Revision { pub name: String, pub namespace: String, pub version: u64, pub status: String, pub secret_name: String }
impl Revision { pub fn of(_: &Value) -> Option<Self> { None } }
pub fn choose(_: &[Revision]) -> (Vec<Revision>, Vec<String>) { (vec![], vec![]) }
pub fn release_component(_: &str, _: &str, _: &[String]) -> Option<Component> { None }
pub fn decode(_: &Value) -> Result<Value> { Ok(Value::Null) }
pub fn manifest_objects(_: &Value) -> Result<Vec<Value>> { Ok(vec![]) }

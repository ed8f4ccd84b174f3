//! A release's values against the schema of its own chart, as `helm upgrade` checks them before it renders anything
//! (Helm pkg/chartutil/jsonschema.go, coalesce.go).
//!
//! In: a decoded release. Out: which keys do not fit, and why by the schema's own word. Invariant: pure; no value is ever
//! in the words, only paths; what a schema refers to outside its chart is never fetched.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// More lines than these say no more.
const LINES: usize = 8;

/// What of a release's values its chart would not take today, a line a key; nothing where the chart has no schema.
///
/// # Errors
/// When the schema is none, or refers to what is not in the chart.
pub fn misfits(content: &Value) -> Result<Vec<String>> {
    let chart = &content["release"]["chart"];
    let Some(schema) = chart["schema"].as_str().filter(|schema| !schema.is_empty()) else {
        return Ok(Vec::new());
    };
    let schema = STANDARD.decode(schema).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let schema = schema.ok_or_else(|| Error::damaged("values.schema.json of its chart is not JSON"))?;
    let validator = jsonschema::options().offline().build(&schema).map_err(|error| match error.kind() {
        ValidationErrorKind::Referencing(_) => {
            Error::failed("values.schema.json of its chart refers to what is not in the chart")
        }
        _ => Error::failed("values.schema.json of its chart is no JSON schema"),
    })?;
    let mut values = content["release"]["config"].clone();
    coalesce(&mut values, &chart["values"]);
    let mut lines: Vec<String> = validator.iter_errors(&values).flat_map(|error| words(&error)).collect();
    lines.sort();
    lines.dedup();
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("{more} more"));
    }
    Ok(lines)
}

/// The chart's defaults under the operator's values. Where the operator wrote null a default goes away.
fn coalesce(values: &mut Value, defaults: &Value) {
    if values.is_null() {
        *values = Map::new().into();
    }
    let (Value::Object(values), Value::Object(defaults)) = (values, defaults) else { return };
    for (key, default) in defaults {
        match values.get_mut(key) {
            None => drop(values.insert(key.clone(), default.clone())),
            Some(Value::Null) if !default.is_null() => drop(values.remove(key)),
            Some(value) if value.is_object() => coalesce(value, default),
            Some(_) => {}
        }
    }
}

fn words(error: &jsonschema::ValidationError<'_>) -> Vec<String> {
    let path: Vec<String> = error.instance_path().iter().map(|step| step.to_string()).collect();
    let at = |key: &str| path.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join(".");
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|key| format!("{} (unknown to the chart)", at(key))).collect()
        }
        ValidationErrorKind::Required { property } => {
            vec![format!("{} (missing)", at(property.as_str().unwrap_or_default()))]
        }
        kind if path.is_empty() => vec![format!("all of them ({})", kind.keyword())],
        kind => vec![format!("{} ({})", path.join("."), kind.keyword())],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(schema: Value, defaults: Value, config: Value) -> Result<Vec<String>> {
        let schema = STANDARD.encode(schema.to_string());
        misfits(&json!({"release": {"config": config, "chart": {"schema": schema, "values": defaults}}}))
    }

    /// What Traefik's chart says of the two keys that stopped fitting between its versions.
    fn schema() -> Value {
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
            "required": ["ports"], "properties": {
                "ports": {"type": "object", "additionalProperties": {"type": "object", "properties": {
                    "port": {"type": "integer"}, "expose": {"type": "object"}}}},
                "logs": {"type": ["object", "null"], "properties": {"level": {"enum": ["INFO", "DEBUG"]}}},
                "users": {"type": "array", "items": {"type": "string"}}}})
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path_and_never_by_its_value() -> Result<()> {
        let config = json!({
            "ports": {"metrics": {"expose": "MARKER"}},
            "logs": {"level": "MARKER"},
            "users": ["a", {"MARKER": 1}],
            "tls": {"certificatesResolvers": "MARKER"},
        });
        let lines = of(schema(), json!({"ports": {"metrics": {"port": 9100}}}), config)?;
        assert_eq!(
            lines,
            [
                "logs.level (enum)",
                "ports.metrics.expose (type)",
                "tls (unknown to the chart)",
                "users.1 (type)"
            ]
        );
        Ok(())
    }

    #[test]
    fn values_are_judged_with_the_charts_defaults_under_them_as_helm_does() -> Result<()> {
        let defaults = json!({"ports": {"web": {"port": 80}}, "logs": {"level": "INFO"}});
        assert_eq!(of(schema(), defaults.clone(), Value::Null)?, Vec::<String>::new());
        assert_eq!(
            of(schema(), defaults.clone(), json!({"ports": {"web": null}, "logs": null}))?,
            Vec::<String>::new()
        );
        assert_eq!(of(schema(), defaults, json!({"ports": null}))?, ["ports (missing)"]);
        assert_eq!(
            of(schema(), json!({"ports": {"web": {"port": "80"}}}), json!({}))?,
            ["ports.web.port (type)"]
        );
        Ok(())
    }

    #[test]
    fn a_chart_without_schema_takes_everything() -> Result<()> {
        let bare = json!({"release": {"config": {"a": 1}, "chart": {"schema": null}}});
        assert_eq!(misfits(&bare)?, Vec::<String>::new());
        Ok(())
    }

    #[test]
    fn what_is_outside_the_chart_is_not_fetched_and_no_schema_is_said() {
        for elsewhere in ["http://127.0.0.1:1/x.json", "https://example.org/x.json", "file:///etc/passwd"] {
            let error = of(json!({"$ref": elsewhere}), json!({}), json!({})).unwrap_err().to_string();
            assert!(error.contains("refers to what is not in the chart"), "{elsewhere}: {error}");
        }
        let error = of(json!({"type": "MARKER"}), json!({}), json!({})).unwrap_err().to_string();
        assert!(error.ends_with("is no JSON schema"), "{error}");
        let broken = json!({"release": {"chart": {"schema": STANDARD.encode("{")}}});
        assert!(misfits(&broken).unwrap_err().to_string().ends_with("is not JSON"));
    }

    #[test]
    fn many_misfits_are_counted() -> Result<()> {
        let many: Map<String, Value> = (0..20).map(|n| (format!("k{n:02}"), json!(1))).collect();
        let lines = of(schema(), json!({"ports": {}}), many.into())?;
        assert_eq!((lines.len(), lines[8].as_str()), (9, "12 more"));
        Ok(())
    }
}

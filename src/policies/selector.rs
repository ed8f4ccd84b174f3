//! Label selectors (Kubernetes API, LabelSelector).
//!
//! In: a selector and labels. Out: whether it selects them. Invariant: pure; an operator that is not known selects nothing.

use serde_json::Value;

/// Whether it selects everything; an absent one does, too.
pub fn is_empty(selector: &Value) -> bool {
    let none = |field: &str| match &selector[field] {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    none("matchLabels") && none("matchExpressions")
}

/// Whether it selects these labels.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let mut equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.all(|(name, value)| labels[name] == *value)
        && expressions.all(|expression| {
            let value = &labels[expression["key"].as_str().unwrap_or_default()];
            let listed = expression["values"].as_array().is_some_and(|values| values.contains(value));
            match expression["operator"].as_str() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => !value.is_null(),
                Some("DoesNotExist") => value.is_null(),
                _ => false,
            }
        })
}

/// As kubectl writes it: `app=web,tier in (edge,data)`.
pub fn words(selector: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let equal = equal.map(|(name, value)| format!("{name}={}", text(value)));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().map(|expression| {
        let values = expression["values"].as_array().into_iter().flatten().map(text);
        let (key, values) = (text(&expression["key"]), values.collect::<Vec<_>>().join(","));
        match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key,
        }
    });
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_select_as_kubernetes_says() {
        let labels = json!({"tier": "edge"});
        let by = |operator: &str, key: &str| {
            let expression = json!({"key": key, "operator": operator, "values": ["edge"]});
            selects(&json!({"matchExpressions": [expression]}), &labels)
        };
        assert!(by("In", "tier") && !by("In", "other"));
        assert!(!by("NotIn", "tier") && by("NotIn", "other"));
        assert!(by("Exists", "tier") && !by("Exists", "other"));
        assert!(!by("DoesNotExist", "tier") && by("DoesNotExist", "other"));
        assert!(selects(&Value::Null, &labels) && is_empty(&json!({"matchLabels": {}})));
    }

    #[test]
    fn a_selector_is_written_as_kubectl_takes_it() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["edge", "data"]}, {"key": "old", "operator": "DoesNotExist"}]});
        assert_eq!(words(&selector), "app=web,tier in (edge,data),!old");
    }
}

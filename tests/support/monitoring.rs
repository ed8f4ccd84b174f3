//! What `schedules/monitoring/` holds: alerts, and what the dashboard asks.

use std::{fs, path::Path};

use netdr::yaml;
use serde_json::Value;

/// The text of a file there.
pub(crate) fn monitoring(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules/monitoring").join(file)).unwrap()
}

/// The groups of the plain rule file.
pub(crate) fn groups() -> Value {
    yaml::documents(&monitoring("netdr.rules.yaml")).unwrap().remove(0)["groups"].take()
}

/// Every alert, with its expression.
pub(crate) fn rules() -> Vec<(String, String)> {
    let groups = groups();
    let rules = groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let text = |rule: &Value, key: &str| rule[key].as_str().unwrap().to_owned();
    rules.map(|rule| (text(rule, "alert"), text(rule, "expr"))).collect()
}

/// Every expression of the dashboard.
pub(crate) fn expressions() -> Vec<String> {
    panels().into_iter().flat_map(|(_, expressions)| expressions).collect()
}

/// Every panel of the dashboard by its title, with what it asks.
pub(crate) fn panels() -> Vec<(String, Vec<String>)> {
    let dashboard: Value = serde_json::from_str(&monitoring("dashboard.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let asks = |panel: &Value| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| text(&target["expr"])).collect()
    };
    dashboard["panels"].as_array().unwrap().iter().map(|panel| (text(&panel["title"]), asks(panel))).collect()
}

//! docs/plan-reference.md has every field of a plan, in the words of the schema that editors read.
//!
//! `NETDR_UPDATE=1 cargo test --test integration document` writes its tables anew.

use netdr::plan::RestorePlan;
use serde_json::Value;

use crate::support::kept;

struct Schema(Value);

impl Schema {
    fn said<'a>(&'a self, place: &'a Value) -> &'a Value {
        place["$ref"].as_str().map_or(place, |other| self.0.pointer(&other[1..]).unwrap())
    }

    /// What may stand there, for people.
    fn kind(&self, place: &Value) -> String {
        match place["$ref"].as_str().map(|name| name.rsplit('/').next().unwrap()) {
            Some("duration") => return "duration".into(),
            Some("component") => return "component".into(),
            Some("kind") => return "kind".into(),
            Some("slug") => return "name".into(),
            Some("step") => return "step".into(),
            _ => {}
        }
        if let Some(word) = place["const"].as_str() {
            return format!("`{word}`");
        }
        if let Some(words) = place["enum"].as_array() {
            let words: Vec<String> =
                words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
            return words.join(" or ");
        }
        if let Some(each) = place["oneOf"].as_array() {
            return each.iter().map(|one| self.kind(one)).collect::<Vec<_>>().join(" or ");
        }
        match (place["type"].as_str().unwrap(), place["maximum"].as_u64()) {
            ("boolean", _) => "true or false".into(),
            ("integer", Some(most)) if most < 1 << 20 => {
                format!("number from {} to {most}", place["minimum"])
            }
            ("integer", _) => "number".into(),
            ("array", _) => format!("list of {}s", self.kind(&place["items"])),
            ("object", _) => "map".into(),
            _ => "text".into(),
        }
    }

    /// The fields of a map, a row each, but for those that are a word of their own.
    fn table(&self, map: &Value, but: &[&str]) -> String {
        let fields: Vec<_> = map["properties"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| !but.contains(&name.as_str()))
            .collect();
        if fields.is_empty() {
            return String::new();
        }
        let needed =
            |name: &str| map["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let mut rows = "\n| field | value | default | what it does |\n|---|---|---|---|\n".to_owned();
        for (name, field) in fields {
            let default = match &field["default"] {
                Value::Null if needed(name) => "**needed**".to_owned(),
                Value::Null => "–".into(),
                Value::String(text) => format!("`{text}`"),
                other => format!("`{other}`"),
            };
            let says = field["description"].as_str().unwrap_or_default();
            rows += &format!("| `{name}` | {} | {default} | {says} |\n", self.kind(field));
        }
        rows
    }

    fn section(&self, head: &str, place: &Value, but: &[&str]) -> String {
        let map = self.said(place);
        format!("\n{head}\n{}\n{}", map["description"].as_str().unwrap(), self.table(map, but))
    }

    fn page(&self) -> String {
        let step = &self.0["$defs"]["step"];
        let words: Vec<&str> = step["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["required"][0].as_str().unwrap())
            .collect();
        let mut page = self.section("## The plan", &self.0, &[]) + &self.section("## A step", step, &words);
        for word in words {
            let place = &step["properties"][word];
            let below =
                matches!(word, "wait" | "probe").then(|| self.said(place)["properties"].as_object().unwrap());
            match below {
                None => page += &self.section(&format!("## `{word}`"), place, &[]),
                Some(below) => {
                    let names: Vec<&str> = below.keys().map(String::as_str).collect();
                    page += &self.section(&format!("## `{word}`"), place, &names);
                    for (name, place) in below {
                        page += &self.below(word, name, place);
                    }
                }
            }
        }
        page
    }

    fn below(&self, word: &str, name: &str, place: &Value) -> String {
        let head = format!("### `{word}: {{{name}: …}}`");
        match self.said(place)["type"] == "array" {
            true => format!("\n{head}\n{}\n", self.said(place)["description"].as_str().unwrap()),
            false => self.section(&head, place, &[]),
        }
    }
}

#[test]
fn the_document_of_plans_has_every_field_of_the_schema() {
    let schema = Schema(serde_json::from_str(RestorePlan::SCHEMA).unwrap());
    kept("docs/plan-reference.md", "schema", &schema.page());
}

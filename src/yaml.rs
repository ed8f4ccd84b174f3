//! YAML as Kubernetes' own tools read it (sigs.k8s.io/yaml: YAML 1.1 scalars, duplicate keys refused).
//!
//! In: text. Out: JSON values, and text again.
//! Invariant: no error shows content, only its place: manifests, values and configurations hold secrets.

use serde_json::Value;

use crate::{Error, Result};

/// The documents of a stream; those that are empty or only comments are left out.
///
/// # Errors
/// Names the document by number, by its "# Source:" comment where Helm wrote one, and the line within it.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let mut documents = Vec::new();
    for (number, document) in split(text).iter().enumerate() {
        let parsed: Value = if blank(document) { Value::Null } else { parse(document, number + 1)? };
        if !parsed.is_null() {
            documents.push(parsed);
        }
    }
    Ok(documents)
}

/// A value as YAML text, with every string quoted that Kubernetes' tools would read as something else.
///
/// # Errors
/// When the value cannot be written, which no JSON value is known to do.
pub fn text(value: &Value) -> Result<String> {
    let mut text = String::new();
    let options = serde_saphyr::ser_options! {
        folded_wrap_chars: usize::MAX, // folding helps nobody read a certificate
    };
    serde_saphyr::to_fmt_writer_with_options(&mut text, value, options)
        .map_err(|_| Error::failed("a value cannot be written as YAML"))?;
    Ok(text)
}

fn parse(document: &str, number: usize) -> Result<Value> {
    let options = serde_saphyr::options! {
        // A chart's CRDs are hundreds of thousands of lines in one file.
        budget: serde_saphyr::budget! { max_depth: 256, max_nodes: 2_000_000, max_events: 8_000_000, },
        with_snippet: false,
        legacy_octal_numbers: true, // `defaultMode: 0644` is 420 to Helm and kubectl
    };
    serde_saphyr::from_str_with_options(document, options).map_err(|flaw| {
        let source = document.lines().find_map(|line| line.trim().strip_prefix("# Source: "));
        let source = source.map(|path| format!(" ({path})")).unwrap_or_default();
        let line = flaw.location().map(|at| format!(", at its line {}", at.line())).unwrap_or_default();
        Error::damaged(format!("document {number}{source} is not valid YAML{line}"))
    })
}

/// Splits at document markers: `---` at the start of a line, followed by white space or nothing. PEM's
/// `-----BEGIN` is none.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let rest = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if rest.is_some() {
            documents.push(String::new());
        }
        if let Some(document) = documents.last_mut() {
            document.push_str(rest.unwrap_or(line));
            document.push('\n');
        }
    }
    documents
}

fn blank(document: &str) -> bool {
    document.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "...")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn documents_are_split_at_markers_only_and_empty_ones_left_out() {
        let stream = "# only a comment\n---\n---\r\n# Source: a\na: 1\n--- # second\nb: |\n  ---\n  x\n...\n--- {c: 3}\n---\nd: \"\n  -----BEGIN\"\n";
        let found = documents(stream).unwrap();
        assert_eq!(
            found,
            [json!({"a": 1}), json!({"b": "---\nx\n"}), json!({"c": 3}), json!({"d": " -----BEGIN"})]
        );
        assert_eq!(documents("").unwrap(), Vec::<Value>::new());
    }

    #[test]
    fn scalars_are_read_as_kubernetes_tools_read_them() {
        let found =
            documents("{octal: 0644, yes: 'yes', on: on, n: null, big: 12345678901, f: 1.5}").unwrap();
        assert_eq!(
            found[0],
            json!({"octal": 420, "yes": "yes", "on": true, "n": null, "big": 12345678901u64, "f": 1.5})
        );
    }

    #[test]
    fn an_error_names_the_place_and_shows_nothing_of_the_content() {
        let stream = "a: 1\n---\n# Source: chart/templates/secret.yaml\npassword: [MARKER\nMARKER: : x\n";
        let error = documents(stream).unwrap_err().to_string();
        assert!(error.contains("document 2 (chart/templates/secret.yaml) is not valid YAML"), "{error}");
        assert!(!error.contains("MARKER"), "{error}");
        let twice = documents("MARKER: 1\nMARKER: 2\n").unwrap_err().to_string();
        assert!(!twice.contains("MARKER"), "{twice}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let tricky = prop::sample::select(vec![
            "yes",
            "on",
            "y",
            "~",
            "",
            "null",
            "0644",
            "0o7",
            "1_000",
            "1e3",
            ".5",
            "2001-01-01",
            "12:30:45",
            "- a",
            "a: b",
            "# a",
            "---",
            "\ttab",
            " lead",
            "trail ",
            "a\nb",
            "a\n",
            "\n",
            "\"",
            "'",
            "é\u{1f600}",
            "<<",
            "&a",
        ]);
        let text = prop_oneof![tricky.prop_map(str::to_owned), "[ -~\n\t]{0,40}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in json()) {
            let map = json!({"v": value});
            prop_assert_eq!(documents(&text(&map).unwrap()).unwrap(), vec![map]);
        }
    }
}

//! Resources as YAML that people read and kubectl takes, and back.
//!
//! In: a JSON value. Out: YAML that every reader, YAML 1.1 or 1.2, takes for the same value.
//! Invariant: reading what was written gives the value back exactly, so digests over canonical JSON hold.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::DoubleQuoted;

use crate::{Error, Result};

/// Writes a value as a YAML document.
pub(super) fn write(value: &Value) -> Result<String> {
    let mut text = String::new();
    let options = serde_saphyr::ser_options! {
        // Folding helps nobody read a certificate.
        folded_wrap_chars: usize::MAX,
    };
    serde_saphyr::to_fmt_writer_with_options(&mut text, &Portable(value), options)
        // The cause may quote the value.
        .map_err(|_| Error::failed("it cannot be written as YAML"))?;
    Ok(text)
}

/// A value, written so that go-yaml, which kubectl reads with, takes it too: it refuses a block scalar whose text
/// begins with a tab ("found a tab character where an indentation space is expected"), so such texts are quoted.
struct Portable<'a>(&'a Value);

impl Serialize for Portable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if text.trim_start_matches('\n').starts_with('\t') => {
                DoubleQuoted(text).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Portable)),
            Value::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, Portable(value))))
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// Reads a YAML document; none where it is not one. The cause is not told: it would quote content.
pub(super) fn read(text: &[u8]) -> Option<Value> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: 256, max_nodes: 2_000_000, max_events: 8_000_000, },
        with_snippet: false,
    };
    serde_saphyr::from_slice_with_options(text, options).ok()
}

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*};
    use serde_json::{Map, Number, json};

    use super::*;

    /// Texts that some YAML reader takes for something else, or that end a plain or a block scalar.
    const TRAPS: &[&str] = &[
        "",
        " ",
        "yes",
        "No",
        "on",
        "y",
        "null",
        "~",
        "Null",
        "true",
        "1.0",
        "1e3",
        "0x1f",
        "0o17",
        "017",
        "1_000",
        ".inf",
        "-.INF",
        ".nan",
        "12:30:45",
        "2026-11-24",
        "2026-11-24T01:00:00Z",
        "<<",
        "=",
        "-",
        "- a",
        "? a",
        "a: b",
        "a:",
        ": a",
        "a #b",
        "#a",
        "#",
        "&a",
        "*a",
        "!a",
        "!!str a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "'a'",
        "\"a\"",
        "{a}",
        "[a]",
        "{",
        "]",
        ",",
        "---",
        "...",
        "--- a",
        "a\n",
        "a\n\n",
        "\na",
        "\n",
        "\n\n",
        " a\nb",
        "a \nb ",
        "a\n  b",
        "a\r\nb\r\n",
        "a\rb",
        "\t",
        "\ta",
        "a\t",
        "\ta\nb",
        "\n\ta\nb",
        "\t\n",
        "\n\t",
        " \ta\nb",
        "a\n\n\tb\n",
        "\t\ta\n\tb\n",
        "a\n\tb",
        "a\n\n\nb\n",
        "a\n---\nb",
        "a\n...\nb",
        "# a\nb: c",
        "\u{85}",
        "a\u{2028}b",
        "a\u{2029}\nb",
        "\u{feff}a",
        "\u{7f}",
        "\u{0}",
        "\u{1b}[0m\n",
        "\u{a0}",
        "é\nü",
        "\u{1f512}",
        "\u{fffe}",
        "\u{ffff}",
        "\\",
        "\\n",
        "a\\\nb",
        "''",
        "a'b\"c",
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "0b1",
        "1e999",
        "a,b",
        "a, b",
        "[a, b]",
        "a]: b",
        "key: [",
        " \n",
        "\n ",
        "  \n  a\n",
        "a\n ",
        "a\n \n",
        "x: |\n  y\n",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            proptest::sample::select(TRAPS).prop_map(str::to_string),
            "[ -~]{0,90}",
            "([ -~]{0,12}\n){0,5}[ -~]{0,5}",
            "\\PC{0,20}",
            any::<String>(),
            collection::vec(proptest::sample::select(TRAPS), 2..4).prop_map(|parts| parts.concat()),
        ]
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            (-100i64..100).prop_map(Number::from),
            any::<f64>().prop_filter_map("finite", Number::from_f64),
            (-1000i32..1000).prop_filter_map("finite", |n| Number::from_f64(f64::from(n) / 8.0)),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number().prop_map(Value::Number),
            text().prop_map(Value::String),
            text().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                collection::vec((text(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_was_written_is_read_back(value in value()) {
            let text = write(&value).unwrap();
            let back = read(text.as_bytes());
            // By text: 1 and 1.0 are equal values with different digests.
            prop_assert_eq!(back.map(|v| v.to_string()), Some(value.to_string()), "{}", text);
        }
    }

    #[test]
    fn every_trap_survives_in_every_place() {
        for trap in TRAPS {
            let value =
                json!({"k": trap, *trap: "v", "list": [trap, {"k": trap, "z": [trap, [trap]]}], "end": trap});
            let text = write(&value).unwrap();
            assert_eq!(read(text.as_bytes()), Some(value), "{trap:?}\n{text}");
        }
    }

    #[test]
    fn it_reads_like_a_manifest() {
        let value = json!({"apiVersion": "v1", "data": {"values.yaml": "ports:\n  web:\n    port: 80\n"},
            "kind": "ConfigMap", "metadata": {"name": "x", "labels": {}}, "list": [{"a": 1, "b": "yes"}]});
        let expected = "apiVersion: v1\ndata:\n  values.yaml: |\n    ports:\n      web:\n        port: 80\nkind: ConfigMap\n\
            list:\n- a: 1\n  b: \"yes\"\nmetadata:\n  labels: {}\n  name: x\n";
        assert_eq!(write(&value).unwrap(), expected);
    }

    #[test]
    fn a_leading_tab_is_quoted_for_go_yaml() {
        assert_eq!(write(&json!({"a": "\tif\n\tfi\n"})).unwrap(), "a: \"\\tif\\n\\tfi\\n\"\n");
    }

    #[test]
    fn what_is_not_yaml_is_nothing() {
        assert_eq!(read(b"a: [b"), None);
        assert_eq!(read(b"a: 1\na: 2\n"), None);
        assert_eq!(read(b"\xff"), None);
    }
}

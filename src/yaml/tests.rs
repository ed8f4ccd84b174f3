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
    let found = documents("{octal: 0644, yes: 'yes', on: on, n: null, big: 12345678901, f: 1.5}").unwrap();
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

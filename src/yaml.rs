//! YAML as Kubernetes' own tools read it (sigs.k8s.io/yaml: YAML 1.1 scalars, duplicate keys refused), and back.
//!
//! In: text, or a JSON value. Out: JSON values, or YAML that every reader, of YAML 1.1 or 1.2, takes for the same
//! value. Invariant: reading what was written gives the value back exactly, so digests over canonical JSON hold; and
//! no error shows content, only its place: manifests, values and configurations hold secrets.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::{DoubleQuoted, Options};

use crate::{Error, Result};

/// Writes a value as a YAML document.
///
/// # Errors
/// When the value cannot be written, which no JSON value is known to do.
pub fn write(value: &Value) -> Result<String> {
    let mut text = String::new();
    let options = serde_saphyr::ser_options! {
        folded_wrap_chars: usize::MAX, // folding helps nobody read a certificate
    };
    serde_saphyr::to_fmt_writer_with_options(&mut text, &Portable(value), options)
        // The cause may quote the value.
        .map_err(|_| Error::failed("it cannot be written as YAML"))?;
    Ok(text)
}

/// Reads one YAML document; none where it is not one.
pub fn read(text: &[u8]) -> Option<Value> {
    serde_saphyr::from_slice_with_options(text, options()).ok()
}

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

fn parse(document: &str, number: usize) -> Result<Value> {
    serde_saphyr::from_str_with_options(document, options()).map_err(|flaw| {
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

fn options() -> Options {
    serde_saphyr::options! {
        // A chart's CRDs are hundreds of thousands of lines in one file.
        budget: serde_saphyr::budget! { max_depth: 256, max_nodes: 2_000_000, max_events: 8_000_000, },
        with_snippet: false,
        legacy_octal_numbers: true, // `defaultMode: 0644` is 420 to Helm and kubectl
    }
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

#[cfg(test)]
mod tests;

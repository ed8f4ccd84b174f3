//! Strict YAML: what people author by hand and must not mistype.
//!
//! In: a text and the name of its file. Out: its value; an error names the line, what is wrong and the nearest
//! word that would be right. Invariant: nothing that is not understood is passed over.

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Parses `text`; types of its own deny unknown fields. `file` names it in errors.
///
/// # Errors
/// Usage: the YAML is malformed, a key or value is unknown, or a value has another type.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T> {
    serde_saphyr::from_str(text).map_err(|e| explain(&e, file))
}

/// The nearest of `known` to `word`, where one is near enough to be what was meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|k| (strsim::jaro_winkler(word, k), k));
    scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, k)| k)
}

/// Where and why YAML does not parse, without the lines around it: they may be of a key that was named by mistake.
pub fn malformed(error: &serde_saphyr::Error, file: &str) -> Error {
    let error = error.without_snippet();
    let at = error.location().map_or_else(String::new, |l| format!(", line {}", l.line()));
    // A key alone is named: what stands behind it may be a secret.
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error {
        return Error::usage(format!("{file}{at}: key `{key}` is there twice"));
    }
    Error::usage(format!("{file} is not valid YAML{at}")).why(words(&error.to_string()))
}

fn explain(error: &serde_saphyr::Error, file: &str) -> Error {
    use serde_saphyr::Error as Yaml;
    let error = error.without_snippet();
    let at = error.location().map_or_else(|| file.to_owned(), |l| format!("{file}, line {}", l.line()));
    match error {
        Yaml::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected, &at),
        Yaml::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected, &at),
        Yaml::SerdeMissingField { field, .. } => Error::usage(format!("{at}: key `{field}` is missing")),
        Yaml::DuplicateMappingKey { key, .. } => {
            Error::usage(format!("{at}: key `{}` is there twice", key.as_deref().unwrap_or("?")))
        }
        Yaml::SerdeInvalidType { unexpected, expected, .. } => {
            Error::usage(format!("{at}: {expected} is expected, not {unexpected}"))
        }
        other => Error::usage(at).why(words(&other.to_string())),
    }
}

/// Serde lists every word it knows; a person who mistyped one needs only that one.
fn unknown(what: &str, word: &str, known: &[&str], at: &str) -> Error {
    let error = Error::usage(format!("{at}: unknown {what} `{word}`"));
    match nearest(word, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known here: {}", known.join(", "))),
    }
}

/// The library's words without the place, which has been said.
fn words(text: &str) -> &str {
    let line = text.lines().next().unwrap_or(text);
    match line.split(" at line ").next().unwrap_or(line).trim() {
        "invalid u32" | "invalid u64" => "a whole number is expected, 0 or more",
        words => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "daily")]
        _daily: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "repository")]
        _repository: String,
        #[serde(default, rename = "retention")]
        _retention: Option<Inner>,
    }

    fn error(text: &str) -> String {
        format!("{:?}", parse::<Outer>(text, "netdr.yaml").unwrap_err())
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
        assert_eq!(
            error("repository: /r\nretention:\n  dayly: 7\n"),
            "netdr.yaml, line 3: unknown key `dayly`\n  hint: did you mean `daily`?"
        );
        assert_eq!(
            error("x: 1\n"),
            "netdr.yaml, line 1: unknown key `x`\n  hint: known here: repository, retention"
        );
    }

    #[test]
    fn missing_doubled_and_mistyped_values_are_named() {
        assert_eq!(error("retention: {daily: 1}\n"), "netdr.yaml, line 1: key `repository` is missing");
        assert!(error("repository: a\nrepository: b\n").contains("key `repository` is there twice"));
        assert_eq!(
            error("repository: a\nretention: {daily: many}\n"),
            "netdr.yaml, line 2: a whole number is expected, 0 or more"
        );
        assert!(error("repository: [\n").starts_with("netdr.yaml, line"));
    }
}

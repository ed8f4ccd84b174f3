//! A strict reading of YAML values, with errors for people.
//!
//! In: a value and where it stands. Out: text, flag, list, duration or map, or an error that says what is expected
//! there. Invariant: no key of a map is ever passed over in silence.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{Error, Result, strict};

/// A value of a file, and its place in it.
pub(super) struct Node {
    place: String,
    value: Value,
}

/// A map whose keys are all known.
pub(super) struct Fields {
    place: String,
    map: Map<String, Value>,
}

impl Node {
    /// The whole file.
    pub(super) fn root(value: Value) -> Self {
        Self { place: String::new(), value }
    }

    /// An error at this place.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        error_at(&self.place, what)
    }

    fn expected(&self, what: &str) -> Error {
        // A file that is no map at all is another file, perhaps a key: what is in it is not repeated.
        if self.place.is_empty() {
            return Error::usage(format!("the whole file is not {what}"));
        }
        self.error(format!("{} is not {what}", shown(&self.value)))
    }

    /// A map with none but these keys.
    pub(super) fn fields(self, known: &[&str]) -> Result<Fields> {
        let (fields, unknown) = self.known(known)?;
        unknown.into_iter().next().map_or(Ok(fields), Err)
    }

    /// Of a map these keys, and an error for each other one.
    pub(super) fn known(self, known: &[&str]) -> Result<(Fields, Vec<Error>)> {
        let Value::Object(map) = self.value else { return Err(self.expected("a map")) };
        let strange = map.keys().filter(|key| !known.contains(&key.as_str()));
        let strange = strange.map(|key| unknown(&self.place, "key", key, known)).collect();
        Ok((Fields { place: self.place, map }, strange))
    }

    /// A text that is not empty.
    pub(super) fn text(self) -> Result<String> {
        match self.value {
            Value::String(text) if !text.trim().is_empty() => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    /// True or false.
    pub(super) fn flag(self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    /// Whether it is this word.
    pub(super) fn is(&self, word: &str) -> bool {
        self.value == word
    }

    /// A number that is not negative; `what` says what is expected.
    pub(super) fn number(self, what: &str) -> Result<u32> {
        self.value.as_u64().and_then(|number| number.try_into().ok()).ok_or_else(|| self.expected(what))
    }

    /// A number from 1 to this one; `what` says what is expected.
    pub(super) fn number_to(self, what: &str, most: u32) -> Result<u32> {
        let number = self.value.as_u64().and_then(|number| number.try_into().ok());
        number.filter(|number| (1..=most).contains(number)).ok_or_else(|| self.expected(what))
    }

    /// A map with exactly one of these keys: which, and its value.
    pub(super) fn one_of<'a>(self, names: &[&'a str]) -> Result<(&'a str, Self)> {
        let mut fields = self.fields(names)?;
        let mut found: Vec<_> = names.iter().filter_map(|name| Some((*name, fields.take(name)?))).collect();
        match (found.pop(), found.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(fields.error(format!("exactly one of {} stands here", names.join(", ")))),
        }
    }

    /// A list.
    pub(super) fn list(self) -> Result<Vec<Self>> {
        let Value::Array(values) = self.value else { return Err(self.expected("a list")) };
        let items = values.into_iter().enumerate();
        Ok(items.map(|(n, value)| Self { place: format!("{}[{n}]", self.place), value }).collect())
    }

    /// A list of texts.
    pub(super) fn texts(self) -> Result<Vec<String>> {
        self.list()?.into_iter().map(Self::text).collect()
    }

    /// `15m`, `24h`, `1h30m`, `0s`.
    pub(super) fn duration(self) -> Result<Duration> {
        let parsed = self.value.as_str().and_then(duration);
        parsed.ok_or_else(|| self.expected("a duration such as 15m, 24h or 0s"))
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T> {
        let place = self.place.clone();
        let text = self.text()?;
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(unknown(&place, "value", &text, &known)),
        }
    }
}

impl Fields {
    /// The value of a key that must be there.
    pub(super) fn need(&mut self, key: &str) -> Result<Node> {
        self.take(key).ok_or_else(|| error_at(&self.place, format!("`{key}` is missing")))
    }

    /// The value of a key, where it is there.
    pub(super) fn take(&mut self, key: &str) -> Option<Node> {
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
        self.map.remove(key).map(|value| Node { place, value })
    }

    /// An error at this place.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        error_at(&self.place, what)
    }
}

/// A word that is none of the known ones, with the nearest of them.
pub(super) fn unknown(place: &str, what: &str, word: &str, known: &[&str]) -> Error {
    let error = error_at(place, format!("unknown {what} `{word}`"));
    let error = match strict::nearest(word, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    error.hint(format!("known: {}", known.join(", ")))
}

fn error_at(place: &str, what: impl std::fmt::Display) -> Error {
    if place.is_empty() { Error::usage(what.to_string()) } else { Error::usage(format!("{place}: {what}")) }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Object(_) => "a map".into(),
        Value::Array(_) => "a list".into(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..unit].parse().ok()?;
        let factor = match rest.as_bytes()[unit] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[unit + 1..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(seconds))
}

//! How a report speaks: durations and times for people, and hostile text made visible.
//!
//! In: numbers, times, text from a cluster. Out: text. Invariant: pure, and the same in HTML and Markdown.

use chrono::{DateTime, Utc};

/// A duration as people say it: `340 ms`, `4.2 s`, `3 min 10 s`, `1 d 2 h`. What is no duration (negative, not a
/// number) reads as `0 s`.
pub fn duration(seconds: f64) -> String {
    let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
    let millis = (seconds * 1000.0).round();
    if millis == 0.0 {
        return "0 s".into();
    }
    if millis < 1000.0 {
        return format!("{millis} ms");
    }
    let tenths = (seconds * 10.0).round() / 10.0;
    if tenths < 10.0 {
        return format!("{tenths} s");
    }
    let whole = seconds.round() as u64;
    let (large, size, small, unit) = match whole {
        0..60 => return format!("{whole} s"),
        60..3600 => ("min", 60, "s", 1),
        3600..86400 => ("h", 3600, "min", 60),
        _ => ("d", 86400, "h", 3600),
    };
    match whole % size / unit {
        0 => format!("{} {large}", whole / size),
        rest => format!("{} {large} {rest} {small}", whole / size),
    }
}

/// `2026-11-24 03:15:00 UTC`.
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `1 step`, `3 steps`.
pub(crate) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// At most so many letters of a label, and a sign where there are more.
pub(super) fn short(label: &str, letters: usize) -> String {
    match label.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.into(),
    }
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// A name or a command.
    Code(&'a str),
}

/// A text taken apart: what our own words put between backticks is code.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('`')
        && let Some((code, behind)) = after.split_once('`')
        && !code.trim().is_empty()
    {
        pieces.extend([Piece::Text(before), Piece::Code(code)]);
        rest = behind;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// Text with what a reader cannot see made visible: control characters, and the marks that reverse or hide text
/// (Unicode TR 36), which would let an object's name pass for another. Line ends and tabs become spaces.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{61c}'
            | '\u{ad}'
            | '\u{feff}' => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        for (seconds, said) in [
            (0.0, "0 s"),
            (0.000_4, "0 s"),
            (0.34, "340 ms"),
            (0.999_6, "1 s"),
            (4.2, "4.2 s"),
            (9.96, "10 s"),
            (42.4, "42 s"),
            (59.7, "1 min"),
            (190.0, "3 min 10 s"),
            (900.0, "15 min"),
            (7500.0, "2 h 5 min"),
            (3599.6, "1 h"),
            (93_600.0, "1 d 2 h"),
            (-3.0, "0 s"),
            (f64::NAN, "0 s"),
            (f64::INFINITY, "0 s"),
        ] {
            assert_eq!(duration(seconds), said, "{seconds}");
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        use Piece::{Code, Text};
        let all = [Text("step "), Code("a"), Text(": "), Code("b c"), Text(" was not run")];
        assert_eq!(pieces("step `a`: `b c` was not run"), all);
        assert_eq!(pieces("an odd ` and an empty ``"), [Text("an odd "), Code(" and an empty "), Text("`")]);
        assert_eq!(pieces("``x"), [Text("``x")]);
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("a\u{202e}b\u{7}c\nd"), "a\\u{202e}b\\u{7}c d");
        assert_eq!(visible("default-deny é 中"), "default-deny é 中");
    }
}

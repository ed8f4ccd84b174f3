//! Building HTML and SVG so that nothing hostile gets in.
//!
//! In: markup that stands in this program's source, and values. Out: text. Invariant: by type, markup is
//! `&'static str`; whatever comes from a cluster can only enter through [`Markup::text`], which escapes it.

use std::fmt::Display;

use super::words;

/// A document being written.
#[derive(Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Markup as it stands in the source.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A value, safe between tags and inside a double-quoted attribute.
    pub(super) fn text(&mut self, value: impl Display) -> &mut Self {
        for c in words::visible(&value.to_string()).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                _ => self.0.push(c),
            }
        }
        self
    }

    /// A coordinate, to a tenth of a unit: finer is noise, and would tie the bytes to a platform's rounding.
    pub(super) fn at(&mut self, number: f64) -> &mut Self {
        self.text(format_args!("{number:.1}"))
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

//! Building HTML and SVG so that nothing hostile gets in.
//!
//! In: markup that stands in this program's source, and values. Out: text. Invariant: by type, markup is
//! `&'static str`; whatever comes from a cluster can only enter through [`Markup::text`], which escapes it.

use std::fmt::Display;

use super::words::{self, Piece};

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

    /// A value for people, between tags: as [`Self::text`], and what stands between backticks is code.
    pub(super) fn prose(&mut self, value: impl Display) -> &mut Self {
        for piece in words::pieces(&value.to_string()) {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Code(code) => self.raw("<code>").text(code).raw("</code>"),
            };
        }
        self
    }

    /// A coordinate, to a tenth of a unit: finer is noise, and would tie the bytes to a platform's rounding.
    pub(super) fn at(&mut self, number: f64) -> &mut Self {
        self.text(format_args!("{number:.1}"))
    }

    /// Begins a drawing, in SVG units, with its name and what it shows in words; the ids of these are its own in the document.
    pub(super) fn drawing(
        &mut self,
        [name, text]: [&str; 2],
        (width, height): (f64, f64),
        title: &'static str,
        description: &str,
    ) -> &mut Self {
        self.raw("<svg viewBox=\"0 0 ").at(width).raw(" ").at(height);
        self.raw("\" role=\"img\" aria-labelledby=\"").text(name).raw(" ").text(text).raw("\">\n");
        self.raw("<title id=\"").text(name).raw("\">").raw(title).raw("</title>\n");
        self.raw("<desc id=\"").text(text).raw("\">").text(description).raw("</desc>\n")
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

//! The one error of netdr: what failed, on which object, why, and what to do next.
//!
//! In: a cause from any layer. Out: a text a person can act on, and the exit code scripts act on.
//! Invariant: no error carries secret material; whoever builds one names objects, never their content.

use std::fmt;

/// How a failure counts for the caller; `docs/` and `--help` list the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command did not do what it was asked (exit code 1).
    Failed,
    /// The command line or a configuration file is wrong; nothing was changed (exit code 2).
    Usage,
    /// Data is damaged, or its origin is not proved (exit code 5).
    Damaged,
    /// The operator or a signal stopped it (exit code 130).
    Interrupted,
}

/// Result with netdr's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure as a person reads it: one line that says what and why, then hints that say what to do.
pub struct Error {
    kind: Kind,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// What a library says and only who wrote it understands, in words of an operator.
pub(crate) fn plainly(text: String) -> String {
    // rustls-webpki, of a certificate without extensions: `openssl x509 -req` makes such ones by itself.
    const VERSION_1: &str = "UnsupportedCertVersion";
    if !text.contains(VERSION_1) {
        return text;
    }
    let whole = format!("invalid peer certificate: Other(OtherError({VERSION_1}))");
    let known = if text.contains(&whole) { whole.as_str() } else { VERSION_1 };
    text.replace(
        known,
        "the server shows an X.509 certificate of version 1, which has no subjectAltName and which TLS takes for none; issue \
         it anew as version 3: openssl x509 -req -extfile <(echo subjectAltName=DNS:HOST) …",
    )
}

impl Error {
    /// A failure of the kind given; `message` names the object and fits after "error: ".
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// The command did not do what it was asked.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The command line or a configuration is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Data is damaged or untrusted.
    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, message)
    }

    /// Adds why: the cause as its own library words it, the chain flattened.
    #[must_use]
    pub fn because(mut self, cause: impl std::error::Error) -> Self {
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(inner) = source {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            source = inner.source();
        }
        self.causes.push(plainly(text));
        self
    }

    /// Adds why, in our own words.
    #[must_use]
    pub fn why(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next, with the exact command where there is one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Puts what was being done in front: "{doing}: {message}".
    #[must_use]
    pub fn doing(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// How it counts.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All of it as one text, where there is place for no more: what and why, and then what to do.
    pub fn with_hints(&self) -> String {
        self.hints.iter().fold(self.to_string(), |text, hint| format!("{text}; {hint}"))
    }

    /// What to do next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

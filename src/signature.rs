//! Signatures that stock `ssh-keygen -Y` makes and checks (OpenSSH PROTOCOL.sshsig).
//!
//! In: bytes, a namespace, a key or an allowed_signers file. Out: a signature, or whether one is trusted.
//! Invariant: whether a signer is trusted never depends on what is signed.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::{Error, Result, seal::Ask};

/// Namespace of snapshot headers.
pub const SNAPSHOT: &str = "netdr-snapshot";
/// Namespace of reports.
pub const REPORT: &str = "netdr-report";
/// Namespace of runs.
pub const RUN: &str = "netdr-run";

/// An ed25519 signing key. Its `Debug` shows nothing.
pub struct SigningKey {}

impl SigningKey {
    /// Reads an OpenSSH private key; asks for its passphrase where it has one.
    pub fn read(_path: &Path, _ask: &Ask<'_>) -> Result<Self> {
        Err(Error::failed("seam"))
    }
    /// The armored signature of `message` under `namespace`.
    pub fn sign(&self, _namespace: &str, _message: &[u8]) -> Result<String> {
        Err(Error::failed("seam"))
    }
}

/// Who may sign: an OpenSSH allowed_signers file.
#[derive(Clone, Debug, Default)]
pub struct TrustedSigners {}

/// Whether a signature is one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Signed by this principal, who is trusted now.
    Trusted(String),
    /// Not: why, in words that fit after "untrusted: ".
    Untrusted(String),
}

impl Trust {
    /// Whether it is trusted.
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted(_))
    }
}

impl TrustedSigners {
    /// Reads the file.
    pub fn read(_path: &Path) -> Result<Self> {
        Err(Error::failed("seam"))
    }
    /// Parses its text; `source` names it in errors.
    pub fn parse(_text: &str, _source: &str) -> Result<Self> {
        Err(Error::failed("seam"))
    }
    /// Checks an armored signature; none is untrusted. `now` judges valid-after and valid-before: a key that was
    /// revoked proves nothing any more, whatever date its thief writes.
    pub fn check(
        &self,
        _namespace: &str,
        _message: &[u8],
        _signature: Option<&str>,
        _now: DateTime<Utc>,
    ) -> Trust {
        Trust::Untrusted("seam".into())
    }
}

//! Signatures that stock `ssh-keygen -Y` makes and checks (OpenSSH PROTOCOL.sshsig).
//!
//! In: bytes, a namespace, a key or an allowed_signers file. Out: a signature, or whether one is trusted.
//! Invariant: whether a signer is trusted never depends on what is signed.

use std::{fmt, fs, os::unix::fs::MetadataExt, path::Path};

use chrono::{DateTime, Utc};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::{Error, Result, seal::Ask};

mod allowed;
use allowed::Signer;

/// Namespace of snapshot headers.
pub const SNAPSHOT: &str = "netdr-snapshot";
/// Namespace of reports.
pub const REPORT: &str = "netdr-report";
/// Namespace of runs.
pub const RUN: &str = "netdr-run";

/// What the key of a job may sign, as a line of trusted signers says it: snapshots, reports and runs.
pub const OURS: &str = "netdr-snapshot,netdr-report,netdr-run";

/// Namespace of Git's commits (gitformat-signature).
pub const GIT: &str = "git";

/// An ed25519 signing key. Its `Debug` shows its fingerprint.
#[derive(Clone)]
pub struct SigningKey {
    key: PrivateKey,
}

impl SigningKey {
    /// Reads an OpenSSH private key; asks for its passphrase where it has one.
    ///
    /// # Errors
    /// A file that cannot be read or is no ed25519 key, a wrong passphrase, and, as OpenSSH does, a file of the
    /// user's own that others can read. (A Secret mounted into a pod is root's, so that rule spares it.)
    pub fn read(path: &Path, ask: &Ask<'_>) -> Result<Self> {
        let name = path.display();
        let unreadable = |error: std::io::Error| {
            Error::usage(format!("cannot read the signing key {name}")).because(error)
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        let own = metadata.uid() == rustix::process::geteuid().as_raw();
        if own && metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o777;
            return Err(Error::usage(format!(
                "the signing key {name} can be read by others (mode {mode:04o})"
            ))
            .hint(format!("chmod 600 {name}")));
        }
        let key = PrivateKey::read_openssh_file(path).map_err(|error| {
            Error::usage(format!("{name} is no signing key"))
                .because(error)
                .hint("make one with: ssh-keygen -t ed25519 -f FILE, or netdr keys generate --out DIR")
        })?;
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(Error::usage(format!("the signing key {name} is of type {}", key.algorithm()))
                .hint("netdr signs with ed25519: ssh-keygen -t ed25519 -f FILE"));
        }
        let key = if key.is_encrypted() {
            let passphrase = ask(&name.to_string())?;
            key.decrypt(passphrase)
                .map_err(|_| Error::failed(format!("the passphrase does not open {name}")))?
        } else {
            key
        };
        Ok(Self { key })
    }

    /// The armored signature of `message` under `namespace`, as `ssh-keygen -Y sign` writes it.
    ///
    /// # Errors
    /// An empty namespace.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<String> {
        self.key
            .sign(namespace, HashAlg::Sha512, message)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|error| Error::failed("cannot sign").because(error))
    }

    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The public half, as a line of authorized_keys.
    pub fn public(&self) -> Result<String> {
        public_line(self.key.public_key())
    }
}

/// A public key as `type base64`, without its comment.
pub(crate) fn public_line(key: &PublicKey) -> Result<String> {
    PublicKey::new(key.key_data().clone(), "")
        .to_openssh()
        .map_err(|error| Error::failed("cannot write the public key").because(error))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint())
    }
}

/// Who may sign: an OpenSSH allowed_signers file.
#[derive(Clone, Debug, Default)]
pub struct TrustedSigners {
    signers: Vec<Signer>,
}

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
    ///
    /// # Errors
    /// It cannot be read, or does not parse.
    pub fn read(path: &Path) -> Result<Self> {
        let source = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("cannot read the trusted signers {source}"))
                .because(error)
                .hint("name the file: --trusted-signers FILE (NETDR_TRUSTED_SIGNERS)")
        })?;
        Self::parse(&text, &source)
    }

    /// Parses its text (ssh-keygen(1), ALLOWED SIGNERS); `source` names it in errors.
    ///
    /// # Errors
    /// A line that does not parse, or is a certificate authority's, by its number: trust is never guessed.
    pub fn parse(text: &str, source: &str) -> Result<Self> {
        let mut signers = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            signers.push(Signer::parse(line).map_err(|why| {
                Error::usage(format!("{source}: line {} is no signer", number + 1))
                    .why(why)
                    .hint("a signer is: NAME [namespaces=\"netdr-snapshot,…\"] ssh-ed25519 AAAA… (ssh-keygen(1), ALLOWED SIGNERS)")
            })?);
        }
        Ok(Self { signers })
    }

    /// Checks an armored signature; none is untrusted. `now` judges valid-after and valid-before: a key that was
    /// revoked proves nothing any more, whatever date its thief writes.
    pub fn check(
        &self,
        namespace: &str,
        message: &[u8],
        signature: Option<&str>,
        now: DateTime<Utc>,
    ) -> Trust {
        self.principal(namespace, message, signature, now).map_or_else(Trust::Untrusted, Trust::Trusted)
    }

    /// Whether a line has this key whose time is over, or still to come: a line without bounds would undo that.
    pub fn bars(&self, key: &SigningKey, now: DateTime<Utc>) -> bool {
        let mut lines = self.signers.iter().filter(|signer| signer.is(key.key.public_key()));
        lines.any(|signer| signer.is_of(now).is_err())
    }

    /// The principal who signed, or why nobody who is trusted did.
    fn principal(
        &self,
        namespace: &str,
        message: &[u8],
        signature: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<String, String> {
        let text = signature.ok_or("it is not signed")?;
        let signature =
            SshSig::from_pem(text).map_err(|error| format!("its signature does not parse: {error}"))?;
        let key = PublicKey::from(signature.public_key().clone());
        let who = || format!("the key {}", key.fingerprint(HashAlg::Sha256));
        let mut refusal = format!("it is signed by {}, which is not a trusted signer", who());
        for signer in self.signers.iter().filter(|signer| signer.is(&key)) {
            match signer.may_sign(namespace, now) {
                Ok(()) => {
                    return match key.verify(namespace, message, &signature) {
                        Ok(()) => Ok(signer.principals.clone()),
                        Err(ssh_key::Error::Namespace) => Err(format!(
                            "it is signed as `{}`, not as `{namespace}`",
                            signature.namespace().escape_default()
                        )),
                        Err(_) => Err("its signature does not match its content".into()),
                    };
                }
                Err(why) => {
                    refusal = format!("it is signed by {} ({}), which {why}", signer.principals, who())
                }
            }
        }
        Err(refusal)
    }
}

#[cfg(test)]
mod tests;

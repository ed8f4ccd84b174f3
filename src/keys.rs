//! Making the keys of an installation.
//!
//! In: a folder that has none of them. Out: the files of cli.md (`keys generate`), private ones mode 0600.
//! Invariant: an existing key is never overwritten.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The files that [`generate`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `operator.txt`: identity, leaves this machine.
    pub operator: PathBuf,
    /// `break-glass.txt`: identity, leaves this machine and goes offline.
    pub break_glass: PathBuf,
    /// `recipients.txt`: public.
    pub recipients: PathBuf,
    /// `index.txt`: the index identity, stays with the job.
    pub index: PathBuf,
    /// `signing`: stays with the job.
    pub signing: PathBuf,
    /// `trusted_signers`: public.
    pub trusted_signers: PathBuf,
    /// The recipients as text.
    pub recipient_lines: Vec<String>,
    /// The signer's public key as text.
    pub signer: String,
}

/// Makes them all in `folder`, or none.
pub fn generate(_folder: &Path) -> Result<Keys> {
    Err(Error::failed("seam"))
}

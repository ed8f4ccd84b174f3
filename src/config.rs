//! The configuration file, `netdr.yaml`.
//!
//! In: its text. Out: its values; an unknown key is an error that names it and the nearest known one.
//! Invariant: pure; reading the file, the environment and the flags is the command line's.

use std::path::PathBuf;

use crate::{Error, Result, capture::Scope, repository::Retention};

/// What the file says; everything may be absent.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `cluster.name`.
    pub cluster_name: Option<String>,
    /// `repository`.
    pub repository: Option<PathBuf>,
    /// `recipients`.
    pub recipients: Vec<String>,
    /// `recipients_file`.
    pub recipients_file: Option<PathBuf>,
    /// `signing_key`.
    pub signing_key: Option<PathBuf>,
    /// `index_key`.
    pub index_key: Option<PathBuf>,
    /// `trusted_signers`.
    pub trusted_signers: Option<PathBuf>,
    /// `retention`.
    pub retention: Retention,
    /// `scope`; its `components` are the command line's to fill.
    pub scope: Scope,
    /// `plans`: a folder whose files override the built-in plans.
    pub plans: Option<PathBuf>,
}

impl Config {
    /// Parses; `file` names it in errors. Relative paths are relative to the file's folder.
    pub fn parse(_text: &str, _file: &std::path::Path) -> Result<Self> {
        Err(Error::failed("seam"))
    }
}

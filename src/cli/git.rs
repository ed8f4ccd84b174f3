//! Repositories of Git as the configuration names them, and as every command finds them again.
//!
//! In: the configuration. Out: what to read, and absolute paths. Invariant: a repository of this machine has one name,
//! whatever the working directory: runs and comparisons know it by that.

use std::path;

use super::{access::ssh_keys, settings::Settings};
use crate::{
    Error, Result,
    gitops::{self, GitSource},
};

/// The newest of what people author: objects, or the values of releases.
pub(super) fn authored(settings: &Settings, values: bool) -> Result<gitops::Wanted> {
    let sources = settings.config.git_sources.iter().filter(|source| source.release.is_some() == values);
    let source = |source: &GitSource| Ok(GitSource { url: absolute(&source.url)?, ..source.clone() });
    let sources = sources.map(source).collect::<Result<_>>()?;
    Ok(gitops::Wanted { sources, ssh_keys: ssh_keys(), ..gitops::Wanted::default() })
}

/// The URL; of this machine, its whole path.
pub(super) fn absolute(url: &str) -> Result<String> {
    let Some(path) = gitops::local(url) else { return Ok(url.to_owned()) };
    let whole = path::absolute(path).map_err(|e| Error::usage(format!("{path} is no path")).because(e))?;
    Ok(whole.display().to_string())
}

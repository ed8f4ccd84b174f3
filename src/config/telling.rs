//! `metrics`: to whom netdr says how things stand.
//!
//! In: the key's value. Out: places. Invariant: what cannot work is refused here; no secret is in the file, only where it
//! is.

use std::path::{Path, PathBuf};

use http::Uri;
use serde::Deserialize;

use crate::{Error, Result, web};

/// Where metrics go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// A file that node_exporter reads.
    pub textfile: Option<PathBuf>,
    /// A Pushgateway's address.
    pub pushgateway: Option<Uri>,
    /// Authorities (PEM) that are trusted for it in place of this machine's.
    pub ca_file: Option<PathBuf>,
    /// A file with a bearer token for it.
    pub token_file: Option<PathBuf>,
}

impl Metrics {
    /// Whether they go anywhere.
    pub fn is_asked_for(&self) -> bool {
        self.textfile.is_some() || self.pushgateway.is_some()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MetricsSection {
    textfile: Option<PathBuf>,
    pushgateway: Option<String>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

/// Where metrics go; `folder` is the configuration's, `shown` names it.
pub(super) fn metrics(section: MetricsSection, folder: &Path, shown: &str) -> Result<Metrics> {
    let pushgateway = section.pushgateway.filter(|url| !url.is_empty());
    let pushgateway = pushgateway.map(|url| web::address(&url)).transpose();
    Ok(Metrics {
        textfile: file(section.textfile, folder),
        pushgateway: pushgateway.map_err(|why| {
            Error::usage(format!("{shown}: metrics: `pushgateway` is no address of one")).why(why)
        })?,
        ca_file: file(section.ca_file, folder),
        token_file: file(section.token_file, folder),
    })
}

/// A path relative to the configuration's folder; empty is unset.
fn file(path: Option<PathBuf>, folder: &Path) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty()).map(|path| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("/etc/netdr/netdr.yaml"))
    }

    #[test]
    fn metrics_go_where_they_are_asked_for() {
        let config =
            parse("metrics: {textfile: netdr.prom, pushgateway: 'http://lab-mon01:9091'}\n").unwrap();
        assert_eq!(config.metrics.textfile, Some("/etc/netdr/netdr.prom".into()));
        assert_eq!(config.metrics.pushgateway, Some("http://lab-mon01:9091".parse().unwrap()));
        assert!(!parse("metrics: {textfile: '', pushgateway: ''}\n").unwrap().metrics.is_asked_for());
        for wrong in ["lab-mon01:9091", "https://me:MARKER@x", "ftp://x"] {
            let error =
                format!("{:?}", parse(&format!("metrics: {{pushgateway: '{wrong}'}}\n")).unwrap_err());
            assert!(error.contains("pushgateway") && !error.contains("MARKER"), "{error}");
        }
    }
}

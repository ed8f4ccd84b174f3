//! Reaching a cluster: kubectl's rules, each failure with its way out.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    slice,
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::Cluster;
use crate::{Error, Result};

/// How to reach the cluster; decided by the command line, never guessed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A kubeconfig file and, if named, one of its contexts.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The context; the file's current one if none.
        context: Option<String>,
    },
    /// Several kubeconfig files, merged by kubectl's rules: the first to set a value wins.
    Kubeconfigs {
        /// The files.
        paths: Vec<PathBuf>,
        /// The context; the first file's current one if none.
        context: Option<String>,
    },
    /// The service account of the pod netdr runs in.
    InCluster,
}

/// An API server that does not answer within this time is reported, not waited for.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
const READ: Duration = Duration::from_secs(60);

impl Cluster {
    /// Connects. No request is sent yet.
    ///
    /// # Errors
    /// When the kubeconfig is missing, does not parse, lacks the context, or names key files that cannot be read.
    pub async fn connect(access: &Access) -> Result<Self> {
        let (mut config, name) = match access {
            Access::InCluster => {
                let config = Config::incluster().map_err(|e| {
                    Error::usage("no cluster to talk to: the pod's service account cannot be used")
                        .because(e)
                        .hint("mount a service account token, or pass --kubeconfig FILE")
                })?;
                (config, "kubernetes".to_owned())
            }
            Access::Kubeconfig { path, context } => {
                from_files(slice::from_ref(path), context.as_deref()).await?
            }
            Access::Kubeconfigs { paths, context } => from_files(paths, context.as_deref()).await?,
        };
        config.connect_timeout = Some(CONNECT);
        config.read_timeout = Some(READ);
        config.reset_reader_on_write = true;
        config.default_retry = false; // `request` retries, with a deadline and for resets too
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config)
            .map_err(|e| Error::usage(format!("cannot set up the connection to {server}")).because(e))?;
        Ok(Self::from_client(client, server, name))
    }
}

/// Reads one file; a missing one is named with the ways to name another.
fn read(path: &Path) -> Result<Kubeconfig> {
    let shown = path.display();
    if !path.exists() {
        return Err(Error::usage(format!("kubeconfig {shown} does not exist"))
            .hint("pass --kubeconfig FILE, set KUBECONFIG, or on an RKE2 server node run as root, which uses /etc/rancher/rke2/rke2.yaml"));
    }
    Kubeconfig::read_from(path).map_err(|e| {
        // Not the lines around the mistake, which the parser shows as well: they hold tokens and keys.
        let why = e.to_string();
        Error::usage(format!("kubeconfig {shown} cannot be used"))
            .why(why.lines().next().unwrap_or_default())
            .hint(format!("check it with: kubectl --kubeconfig {shown} config view"))
    })
}

async fn from_files(paths: &[PathBuf], context: Option<&str>) -> Result<(Config, String)> {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let shown = names.join(":");
    let mut kubeconfig = Kubeconfig::default();
    for path in paths {
        kubeconfig = kubeconfig
            .merge(read(path)?)
            .map_err(|e| Error::usage(format!("kubeconfigs {shown} cannot be merged")).because(e))?;
    }
    let wanted = context.or(kubeconfig.current_context.as_deref());
    let entry = kubeconfig.contexts.iter().find(|c| Some(c.name.as_str()) == wanted);
    let name = entry.and_then(|c| c.context.as_ref()).map(|c| c.cluster.clone());
    let options = KubeConfigOptions { context: context.map(Into::into), ..KubeConfigOptions::default() };
    let names: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let proxied =
        kubeconfig.clusters.iter().filter_map(|c| c.cluster.as_ref()).any(|c| c.proxy_url.is_some());
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| {
        Error::usage(format!("kubeconfig {shown} cannot be used"))
            .because(e)
            .hint(format!("contexts in this file: {known}; choose one with --context NAME"))
    })?;
    // Else it is HTTPS_PROXY's, which nobody means for the machine itself: kubectl and Go heed none for a loopback address.
    if !proxied && config.cluster_url.host().is_some_and(is_loopback) {
        config.proxy_url = None;
    }
    Ok((config, name.unwrap_or_else(|| "kubernetes".into())))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_past_a_proxy() {
        for (host, loopback) in [
            ("127.0.0.1", true),
            ("[::1]", true),
            ("localhost", true),
            ("10.25.20.4", false),
            ("k8s.lab", false),
        ] {
            assert_eq!(is_loopback(host), loopback, "{host}");
        }
    }

    #[test]
    fn a_broken_kubeconfig_is_refused_without_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "users:\n- name: admin\n  user:\n    token: sesame\n   bad: [\n").unwrap();
        let error = read(&file).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line") && !text.contains("sesame"), "{text}");
    }
}

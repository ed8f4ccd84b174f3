//! The configuration file, `netdr.yaml`.
//!
//! In: its text. Out: its values; an unknown key is an error that names it and the nearest known one.
//! Invariant: pure; reading the file, the environment and the flags is the command line's.

mod git;
mod replicas;
mod telling;

use std::path::{Path, PathBuf};

pub use replicas::{LOCAL, S3, chosen};
use serde::Deserialize;
use serde_json::Value;
pub use telling::Metrics;

use crate::{
    Error, Result,
    capture::Scope,
    catalog::ExtraKind,
    gitops::{GitSource, History},
    model::Component,
    notify::Channel,
    repository::{Retention, s3::Place},
    strict,
};
use git::GitSection;
use replicas::ReplicaSection;
use telling::{ChannelSection, MetricsSection};

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
    /// `replicas`: places outside that snapshots are copied to.
    pub replicas: Vec<Place>,
    /// `scope`; its `components` are the command line's to fill.
    pub scope: Scope,
    /// `git.history`: where what netdr saw is committed.
    pub git_history: Option<History>,
    /// `git.sources`: what people author.
    pub git_sources: Vec<GitSource>,
    /// `plans`: a folder whose files override the built-in plans.
    pub plans: Option<PathBuf>,
    /// `metrics`: where they go.
    pub metrics: Metrics,
    /// `notify`: who is told what went wrong.
    pub notify: Vec<Channel>,
}

impl Config {
    /// Parses; `file` names it in errors. Relative paths are relative to the file's folder.
    ///
    /// # Errors
    /// Usage: malformed, an unknown key, or what cannot work.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let shown = file.display().to_string();
        let document: Document = strict::parse(text, &shown)?;
        if document.recipients.is_some() && document.recipients_file.is_some() {
            return Err(Error::usage(format!(
                "{shown}: `recipients` and `recipients_file` exclude each other"
            ))
            .hint("keep one of them"));
        }
        if let Some(kind) = document.scope.taken_in_part() {
            return Err(Error::usage(format!("{shown}: scope.extra: {kind} is not a kind to take whole"))
                .hint("netdr reads of it what is the network's: a Secret that something in scope names, a namespace's labels"));
        }
        if let Some(name) = document
            .cluster
            .name
            .as_deref()
            .filter(|name| name.trim().is_empty() || name.contains(char::is_control))
        {
            let why = if name.trim().is_empty() {
                "is empty"
            } else {
                "is of several lines, or has control characters"
            };
            return Err(Error::usage(format!("{shown}: `cluster.name` {why}"))
                .hint("name the cluster as its snapshots do, in one word, or leave the key out: then it is the kubeconfig's name"));
        }
        document.git.check(&shown)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let path = |p: Option<PathBuf>| p.map(|p| folder.join(p));
        Ok(Self {
            cluster_name: document.cluster.name,
            repository: path(document.repository),
            recipients: document.recipients.unwrap_or_default(),
            recipients_file: path(document.recipients_file),
            signing_key: path(document.signing_key),
            index_key: path(document.index_key),
            trusted_signers: path(document.trusted_signers),
            retention: document.retention.into(),
            replicas: replicas::places(document.replicas, folder, &shown)?,
            scope: document.scope.into(),
            git_history: document.git.history(folder),
            git_sources: document.git.sources(folder),
            plans: path(document.plans),
            metrics: telling::metrics(document.metrics, folder, &shown)?,
            notify: telling::channels(document.notify, folder, &shown)?,
        })
    }

    /// Of a text that [`Self::parse`] refuses: who is told of that, of which cluster, and where it is remembered, each as far
    /// as it can be read; and why it is refused. None of one that is right, or that names nobody.
    pub fn of_refused(text: &str, file: &Path) -> Option<(Self, Error)> {
        let why = Self::parse(text, file).err()?;
        let document: Value = strict::parse(text, "").ok()?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let path = |key: &str| document[key].as_str().map(|path| folder.join(path));
        let notify = telling::readable(&document["notify"], folder);
        let config = Self {
            cluster_name: document["cluster"]["name"].as_str().map(ToOwned::to_owned),
            repository: path("repository"),
            trusted_signers: path("trusted_signers"),
            notify,
            ..Self::default()
        };
        (!config.notify.is_empty()).then_some((config, why))
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    cluster: ClusterSection,
    repository: Option<PathBuf>,
    recipients: Option<Vec<String>>,
    recipients_file: Option<PathBuf>,
    signing_key: Option<PathBuf>,
    index_key: Option<PathBuf>,
    trusted_signers: Option<PathBuf>,
    retention: RetentionSection,
    scope: ScopeSection,
    plans: Option<PathBuf>,
    replicas: Vec<ReplicaSection>,
    git: GitSection,
    metrics: MetricsSection,
    notify: Vec<ChannelSection>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClusterSection {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RetentionSection {
    daily: Option<u32>,
    weekly: Option<u32>,
    monthly: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScopeSection {
    namespaces: NamespacesSection,
    extra: Vec<ExtraSection>,
    helm_releases: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NamespacesSection {
    exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtraSection {
    group: String,
    kinds: Vec<String>,
    component: Component,
}

impl ScopeSection {
    /// A kind that netdr reads in part on purpose: all of it would be every application's Secrets, or what others own.
    fn taken_in_part(&self) -> Option<&str> {
        let core = self.extra.iter().filter(|extra| extra.group.is_empty());
        let taken = ["Secret", "Namespace", "Node", "Service"];
        core.flat_map(|extra| &extra.kinds).map(String::as_str).find(|kind| taken.contains(kind))
    }
}

impl From<RetentionSection> for Retention {
    fn from(section: RetentionSection) -> Self {
        let default = Self::default();
        Self {
            daily: section.daily.unwrap_or(default.daily),
            weekly: section.weekly.unwrap_or(default.weekly),
            monthly: section.monthly.unwrap_or(default.monthly),
        }
    }
}

impl From<ScopeSection> for Scope {
    fn from(section: ScopeSection) -> Self {
        let extra = section.extra.into_iter().flat_map(|e| {
            let ExtraSection { group, kinds, component } = e;
            kinds.into_iter().map(move |kind| ExtraKind { group: group.clone(), kind, component })
        });
        Self {
            exclude_namespaces: section.namespaces.exclude.into_iter().collect(),
            extra: extra.collect(),
            helm_releases: section.helm_releases,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("/etc/netdr/netdr.yaml"))
    }

    #[test]
    fn an_empty_file_says_nothing() {
        let config = parse("").unwrap();
        assert_eq!(config.repository, None);
        assert_eq!(config.retention, Retention { daily: 7, weekly: 4, monthly: 3 });
        assert!(parse("# nothing yet\n").is_ok());
    }

    #[test]
    fn every_key_is_read_and_paths_are_the_files() {
        let config = parse(
            "cluster: {name: proj-k8s}\nrepository: /backup/netdr\nrecipients: [age1a, age1b]\nsigning_key: signing\n\
             index_key: index.txt\ntrusted_signers: trusted_signers\nretention: {daily: 14}\nplans: plans\n\
             scope: {namespaces: {exclude: [dev]}, helm_releases: [traefik/traefik], \
             extra: [{group: security.istio.io, kinds: [AuthorizationPolicy, PeerAuthentication], component: policies}]}\n",
        )
        .unwrap();
        assert_eq!(config.cluster_name.as_deref(), Some("proj-k8s"));
        assert_eq!(config.repository, Some("/backup/netdr".into()));
        assert_eq!(config.recipients, ["age1a", "age1b"]);
        assert_eq!(config.signing_key, Some("/etc/netdr/signing".into()));
        assert_eq!(config.plans, Some("/etc/netdr/plans".into()));
        assert_eq!(config.retention, Retention { daily: 14, weekly: 4, monthly: 3 });
        assert!(config.scope.exclude_namespaces.contains("dev"));
        assert_eq!(config.scope.helm_releases, ["traefik/traefik"]);
        let kinds: Vec<&str> = config.scope.extra.iter().map(|e| e.kind.as_str()).collect();
        assert_eq!(kinds, ["AuthorizationPolicy", "PeerAuthentication"]);
    }

    #[test]
    fn a_mistyped_key_is_an_error_with_the_nearest_known_one() {
        let error = parse("repositry: /backup\n").unwrap_err();
        assert_eq!(error.to_string(), "/etc/netdr/netdr.yaml, line 1: unknown key `repositry`");
        assert_eq!(error.hints(), ["did you mean `repository`?"]);
        let error = parse("scope:\n  extra:\n  - {group: g, kinds: [K], component: polices}\n").unwrap_err();
        assert!(error.to_string().contains("line 3"), "{error}");
        assert_eq!(error.hints(), ["did you mean `policies`?"]);
    }

    #[test]
    fn nobody_takes_every_secret_of_a_cluster() {
        let error =
            parse("scope: {extra: [{group: '', kinds: [Secret], component: ingress}]}\n").unwrap_err();
        assert!(error.to_string().contains("Secret is not a kind to take whole"), "{error}");
        assert!(parse("scope: {extra: [{group: x.io, kinds: [Secret], component: ingress}]}\n").is_ok());
    }

    #[test]
    fn recipients_are_given_once() {
        assert!(parse("recipients: [age1a]\nrecipients_file: r.txt\n").is_err());
    }
}

//! The section `git`: what people author, and where what netdr saw is committed.
//!
//! In: the section. Out: sources and history. Invariant: pure; no URL holds a password, and no path leaves its repository.

use std::{
    ffi::OsStr,
    path::{self, Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    Error, Result,
    gitops::{self, GitSource, History},
    model::Component,
};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GitSection {
    sources: Vec<SourceSection>,
    history: Option<HistorySection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceSection {
    url: String,
    #[serde(default = "main")]
    branch: String,
    #[serde(default)]
    path: String,
    component: Component,
    release: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistorySection {
    url: String,
    #[serde(default = "netdr")]
    branch: String,
    path: Option<String>,
    token_file: Option<PathBuf>,
}

fn main() -> String {
    "main".into()
}

fn netdr() -> String {
    "netdr".into()
}

impl GitSection {
    /// # Errors
    /// Usage, where it cannot be what it says; `file` names the configuration.
    pub(super) fn check(&self, file: &str) -> Result<()> {
        if let Some(why) = self.sources.iter().find_map(SourceSection::wrong) {
            return Err(Error::usage(format!("{file}: git.sources: {why}")));
        }
        if let Some(why) = self.history.as_ref().and_then(HistorySection::wrong) {
            return Err(Error::usage(format!("{file}: git.history: {why}")));
        }
        if let Some(url) = self.in_two_branches() {
            return Err(Error::usage(format!("{file}: git.sources: {url} is named with two branches"))
                .hint("a run that is resumed finds its commit by the repository: name one branch of each"));
        }
        Ok(())
    }

    pub(super) fn sources(&self, folder: &Path) -> Vec<GitSource> {
        self.sources.iter().map(|source| source.within(folder)).collect()
    }

    pub(super) fn history(&self, folder: &Path) -> Option<History> {
        self.history.as_ref().map(|history| History {
            url: url(&history.url, folder),
            branch: history.branch.clone(),
            path: history.path.as_deref().map(plain),
            token_file: history.token_file.as_ref().map(|file| folder.join(file)),
        })
    }

    fn in_two_branches(&self) -> Option<&str> {
        let twice = |one: &&SourceSection| {
            self.sources.iter().any(|other| other.url == one.url && other.branch != one.branch)
        };
        self.sources.iter().find(twice).map(|source| source.url.as_str())
    }
}

impl SourceSection {
    /// Why it cannot be one.
    fn wrong(&self) -> Option<&'static str> {
        wrong_url(&self.url)
            .or_else(|| wrong_path(&self.path))
            .or_else(|| self.release.as_ref().and_then(|release| self.wrong_release(release)))
    }

    fn wrong_release(&self, release: &str) -> Option<&'static str> {
        let (namespace, name) = release.split_once('/').unwrap_or_default();
        if namespace.is_empty() || name.is_empty() || name.contains('/') {
            return Some("a `release` is a namespace and a name, such as traefik/traefik");
        }
        if self.component == Component::Cni {
            return Some(
                "a `release` of the CNI takes its values from a HelmChartConfig, which is an object",
            );
        }
        let file = [".yaml", ".yml"].iter().any(|ending| self.path.ends_with(ending));
        (!file).then_some("beside `release`, `path` is its values file, such as helm/traefik-values.yaml")
    }

    fn within(&self, folder: &Path) -> GitSource {
        GitSource {
            url: url(&self.url, folder),
            branch: self.branch.clone(),
            path: plain(&self.path),
            component: self.component,
            release: self.release.clone(),
        }
    }
}

impl HistorySection {
    /// Why it cannot be one.
    fn wrong(&self) -> Option<&'static str> {
        let whole = self.path.as_deref().is_some_and(|path| plain(path).is_empty());
        wrong_url(&self.url)
            .or_else(|| self.path.as_deref().and_then(wrong_path))
            .or_else(|| whole.then_some("`path` is a folder of its own: what is in it is netdr's to replace"))
            .or_else(|| {
                (self.token_file.is_some() && !self.url.starts_with("https://"))
                    .then_some("a `token_file` is for an https:// URL")
            })
            .or_else(|| self.branch.is_empty().then_some("`branch` is empty"))
    }
}

const FOLDER: &str = "a `path` is a folder of the repository, such as infrastructure/policies: neither absolute nor with `..` in it";
const GITS_OWN: &str =
    "a `path` holds no `.git`: Git keeps that name for itself, and takes no commit with it";

/// It would stand in journals and reports. Forges take a token in place of a user's name.
fn wrong_url(url: &str) -> Option<&'static str> {
    let user = url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split('/').next()?.rsplit_once('@')?.0)));
    let secret = user.is_some_and(|(scheme, user)| scheme.starts_with("http") || user.contains(':'));
    secret.then_some("a `url` holds a password or token; leave it to git's credential helper")
}

/// Why it names nothing that a commit can hold (libgit2, `git_path_validate`: `.git` in any case, and its short name).
fn wrong_path(path: &str) -> Option<&'static str> {
    let gits = |name: &OsStr| [".git", "git~1"].iter().any(|own| name.eq_ignore_ascii_case(own));
    Path::new(path).components().find_map(|part| match part {
        path::Component::Normal(name) => gits(name).then_some(GITS_OWN),
        path::Component::CurDir => None,
        _ => Some(FOLDER),
    })
}

/// Of this machine, relative to the configuration's folder.
fn url(url: &str, folder: &Path) -> String {
    let here = gitops::local(url).is_some_and(|path| path == url);
    if here { folder.join(url).display().to_string() } else { url.to_owned() }
}

fn plain(path: &str) -> String {
    let parts = Path::new(path).components().filter(|part| *part != path::Component::CurDir);
    parts.collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("/etc/netdr/netdr.yaml"))
    }

    #[test]
    fn git_sources_are_read_with_what_is_usual() {
        let config = parse(
            "git: {sources: [{url: 'git@forge.lab:ops/k8s.git', path: ./policies/, component: policies}, \
             {url: clone, branch: live, component: ingress}, \
             {url: clone, branch: live, path: helm/traefik-values.yaml, component: ingress, release: traefik/traefik}]}\n",
        )
        .unwrap();
        let [forge, clone, values] = &config.git_sources[..] else { panic!("{:?}", config.git_sources) };
        assert_eq!(
            (forge.url.as_str(), forge.branch.as_str(), forge.path.as_str(), forge.component),
            ("git@forge.lab:ops/k8s.git", "main", "policies", Component::Policies)
        );
        assert_eq!(
            (clone.url.as_str(), clone.branch.as_str(), clone.path.as_str()),
            ("/etc/netdr/clone", "live", "")
        );
        assert_eq!(
            (values.path.as_str(), values.release.as_deref()),
            ("helm/traefik-values.yaml", Some("traefik/traefik"))
        );
        assert_eq!((&forge.release, &clone.release), (&None, &None));
        let error = parse("git: {sources: [{url: x, komponent: policies}]}\n").unwrap_err();
        assert!(format!("{error:?}").contains("did you mean `component`?"), "{error:?}");
        assert!(
            parse("git: {sources: [{url: x}]}\n").unwrap_err().to_string().contains("`component` is missing")
        );
    }

    #[test]
    fn a_git_source_is_what_it_can_be() {
        for (source, why) in [
            ("url: 'https://me:MARKER@forge.lab/x', component: policies", "credential helper"),
            ("url: 'https://MARKER@forge.lab/x', component: policies", "credential helper"),
            ("url: x, path: ../y, component: policies", "a folder of the repository"),
            ("url: x, path: /y, component: policies", "a folder of the repository"),
            ("url: x, path: .git/hooks, component: policies", "keeps that name for itself"),
            ("url: x, path: v.yaml, component: ingress, release: traefik", "a namespace and a name"),
            ("url: x, path: v.yaml, component: ingress, release: /traefik", "a namespace and a name"),
            ("url: x, path: v.yaml, component: ingress, release: a/b/c", "a namespace and a name"),
            ("url: x, path: helm, component: ingress, release: traefik/traefik", "is its values file"),
            ("url: x, component: ingress, release: traefik/traefik", "is its values file"),
            ("url: x, path: v.yaml, component: cni, release: kube-system/rke2-canal", "HelmChartConfig"),
        ] {
            let error = parse(&format!("git: {{sources: [{{{source}}}]}}\n")).unwrap_err();
            assert!(error.to_string().contains(why) && !format!("{error:?}").contains("MARKER"), "{error:?}");
        }
        assert!(parse("git: {sources: [{url: 'ssh://git@forge.lab:22/x', component: policies}]}\n").is_ok());
        let two = "{url: x, component: policies}, {url: x, branch: live, component: ingress}";
        let error = parse(&format!("git: {{sources: [{two}]}}\n")).unwrap_err();
        assert!(error.to_string().ends_with("x is named with two branches"), "{error}");
    }

    #[test]
    fn the_history_is_a_branch_and_a_folder_of_its_own() {
        let of = |text: &str| parse(&format!("git: {{history: {{{text}}}}}\n"));
        let history = |url: &str, branch: &str, path: Option<&str>| {
            Some(History {
                url: url.into(),
                branch: branch.into(),
                path: path.map(Into::into),
                token_file: None,
            })
        };
        let ssh = "git@forge.lab:ops/k8s.git";
        assert_eq!(of(&format!("url: '{ssh}'")).unwrap().git_history, history(ssh, "netdr", None));
        assert_eq!(
            of("url: seen.git, branch: main, path: ./clusters/a/").unwrap().git_history,
            history("/etc/netdr/seen.git", "main", Some("clusters/a"))
        );
        let token =
            of("url: 'https://forge.lab/x', token_file: git-token").unwrap().git_history.unwrap().token_file;
        assert_eq!(token, Some("/etc/netdr/git-token".into()));
        for (text, why) in [
            ("url: 'https://MARKER@forge.lab/x'", "credential helper"),
            ("url: x, path: ../y", "a folder of the repository"),
            ("url: x, path: a/../../y", "with `..` in it"),
            ("url: x, path: .git", "keeps that name for itself"),
            ("url: x, path: clusters/.GIT/a", "keeps that name for itself"),
            ("url: x, path: ./", "a folder of its own"),
            ("url: x, branch: ''", "`branch` is empty"),
            ("url: x, token_file: t", "for an https:// URL"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.to_string().contains(why) && !format!("{error:?}").contains("MARKER"), "{error:?}");
        }
    }
}

//! The values that people author of a release, beside those that it comes back with.
//!
//! In: what a plan is resolved from. Out: per values file, whether they are the same, and in words. Invariant: pure; names
//! keys, never values; what was not compared is said, and is never taken for equal.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Command, Inputs, notices};
use crate::{
    gitops::{self, GitSource},
    helm::{self, KeyDifference},
    model::{Component, Item, ItemKey, SourceName},
};

/// Keys that are named; the JSON has them all.
const NAMED: usize = 8;

/// The values file of a release, an entry of `git.sources`.
#[derive(Clone, Debug)]
pub struct AuthoredValues {
    /// The entry.
    pub source: GitSource,
    /// What is in it, or why that could not be read.
    pub read: Result<gitops::Values, String>,
}

/// A release that comes back, beside its values file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Which release.
    pub release: ItemKey,
    /// The repository.
    pub url: String,
    /// The file.
    pub path: String,
    /// The commit; none where it could not be read.
    pub commit: Option<String>,
    /// What differs; none where they were not compared.
    pub keys: Option<Vec<KeyDifference>>,
    /// All of it in words.
    pub says: String,
}

impl Compared {
    /// Whether the release comes back with the very values of the file.
    pub fn is_equal(&self) -> bool {
        self.keys.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it comes back with other values.
    pub fn differs(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| !keys.is_empty())
    }
}

/// Every values file of a release that steps bring back.
pub(super) fn compared(inputs: &Inputs<'_>, passed: &BTreeSet<Component>) -> Vec<Compared> {
    let here = |authored: &&AuthoredValues| {
        let GitSource { component, release, .. } = &authored.source;
        let wanted = release.as_ref().is_some_and(|r| notices::brings_back(&inputs.plan, *component, r));
        wanted && !passed.contains(component)
    };
    inputs.authored.iter().filter(here).filter_map(|authored| compare(inputs, authored)).collect()
}

fn compare(inputs: &Inputs<'_>, authored: &AuthoredValues) -> Option<Compared> {
    let AuthoredValues { source: GitSource { url, branch, path, component, release }, read } = authored;
    let (namespace, name) = release.as_ref()?.split_once('/')?;
    let key = ItemKey::Release { namespace: namespace.into(), name: name.into() };
    let commit = read.as_ref().ok().map(|read| read.commit.clone());
    let told = |keys, says| Compared {
        release: key.clone(),
        url: url.clone(),
        path: path.clone(),
        commit,
        keys,
        says,
    };
    let not_compared = |why: &str| {
        format!(
            "{key}: its values were not compared with {path} of {url}, so nothing is claimed of them: {why}"
        )
    };
    let read = match read {
        Ok(read) => read,
        Err(why) => return Some(told(None, not_compared(why))),
    };
    let stored = inputs.items.get(&(*component, key.clone())).and_then(Item::json);
    let Some(stored) = stored else {
        return Some(told(None, not_compared("the source has no such release")));
    };
    let keys = helm::differing_keys(&stored.value(), &read.values);
    let gitops::Values { commit: id, answers, newest, .. } = read;
    let place = format!("{path} at commit {id} of {url}, for which {answers} answers");
    let says = match (keys.len(), newest) {
        (0, true) => format!(
            "{key} comes back with the values of {place}; it is the newest of branch {branch}: of these values, nothing authored is lost"
        ),
        (0, false) => format!(
            "{key} comes back with the values of {place}; it is not known to be the newest of branch {branch}, wherever people push to"
        ),
        (differing, _) => {
            let named: Vec<String> = keys.iter().take(NAMED).map(ToString::to_string).collect();
            let more = match differing.saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{key} comes back as it was deployed, and not with the values of {place}: {}{more}. No RPO of 0 is claimed. \
                 To have those of Git, when it is back: {}",
                named.join(", "),
                upgrade(inputs, *component, &key, path, id)
            )
        }
    };
    Some(told(Some(keys), says))
}

/// The commands that roll the values of a commit out, with the chart that is stored: no chart repository is needed.
fn upgrade(inputs: &Inputs<'_>, component: Component, key: &ItemKey, path: &str, commit: &str) -> String {
    let shell = |words: &[&str]| {
        Command { words: words.iter().map(ToString::to_string).collect(), allowed: false, done: false }
            .to_string()
    };
    let mut snapshots = inputs.source.names.iter().filter_map(SourceName::snapshot);
    let snapshot = snapshots.find(|id| id.is_of(component.set()));
    let (namespace, name) = (key.namespace().unwrap_or_default(), key.name());
    let (extract, chart) = match snapshot {
        Some(id) => (
            format!("netdr extract {id} --component {component} --to extracted; "),
            format!("extracted/{component}/helm/{namespace}/{name}/chart.tgz"),
        ),
        None => (String::new(), "CHART".into()),
    };
    let show = shell(&["git", "show", &format!("{commit}:{path}")]);
    let upgrade =
        shell(&["helm", "upgrade", name, &chart, "--namespace", namespace, "--values", "values.yaml"]);
    format!("{extract}in a clone {show} > values.yaml; {upgrade}")
}

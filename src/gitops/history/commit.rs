//! The commit of one snapshot: its tree, its message, its signature.
//!
//! In: what was seen, and the commit before. Out: the next commit; none where nothing changed. Invariant: it is signed as
//! `git commit -S` signs with an SSH key, and made of its inputs alone: made again, it is the same commit.

use chrono::{DateTime, SecondsFormat, Utc};
use git2::{Commit, Delta, DiffDelta, Oid, Repository, Signature, Time, Tree};
use serde::Serialize;

use super::{
    mark,
    seen::{REVIEW, Seen},
    tree::{self, failed},
};
use crate::{
    Error, Result,
    model::{Component, ItemKey, SnapshotId},
    signature::{self, SigningKey},
};

/// Objects of one sort that a message names; the others it counts.
const NAMED: usize = 50;
/// The trailer that says of when the capture is; by it a commit is known to be netdr's.
const CAPTURED_AT: &str = "Netdr-Captured-At: ";
/// Those that say of what it is.
const CLUSTER: &str = "Netdr-Cluster: ";
const SNAPSHOT: &str = "Netdr-Snapshot: ";

/// A commit that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its full id.
    pub commit: String,
    /// Of which snapshot it is.
    pub snapshot: SnapshotId,
    /// Files that it added.
    pub added: usize,
    /// Files that it changed.
    pub changed: usize,
    /// Files that it removed.
    pub removed: usize,
}

/// What changed, in words.
#[derive(Default)]
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    /// Of which nothing that is shown changed.
    filtered: Vec<String>,
    removed: Vec<String>,
}

/// Makes the commit that follows `before`.
pub(super) fn next(
    repository: &Repository,
    before: Option<&Commit<'_>>,
    path: &str,
    seen: &Seen,
    signer: &SigningKey,
) -> Result<Option<(Oid, Made)>> {
    let was = before.map(Commit::tree).transpose().map_err(failed)?;
    let id = tree::next(repository, was.as_ref(), path, seen, signer)?;
    if was.as_ref().is_some_and(|was| was.id() == id) || (was.is_none() && is_empty(repository, id)?) {
        return Ok(None);
    }
    let tree = repository.find_tree(id).map_err(failed)?;
    let changes = Changes::between(repository, was.as_ref(), &tree, path)?;
    let when = Time::new(seen.captured_at.timestamp(), 0);
    let netdr = Signature::new("netdr", "netdr@localhost", &when).map_err(failed)?;
    let parents: Vec<&Commit<'_>> = before.into_iter().collect();
    let content = repository
        .commit_create_buffer(&netdr, &netdr, &changes.message(seen), &tree, &parents)
        .map_err(failed)?;
    let signature = signer.sign(signature::GIT, &content)?;
    let content =
        std::str::from_utf8(&content).map_err(|e| Error::failed("the next commit is not text").because(e))?;
    let commit = repository.commit_signed(content, signature.trim_end(), None).map_err(failed)?;
    let made = Made {
        commit: commit.to_string(),
        snapshot: seen.snapshot.clone(),
        added: changes.added.len(),
        changed: changes.changed.len() + changes.filtered.len(),
        removed: changes.removed.len(),
    };
    Ok(Some((commit, made)))
}

/// When what is in a commit was captured, by its message; none where it is not netdr's.
pub(in crate::gitops) fn captured_at(message: &str) -> Option<DateTime<Utc>> {
    trailer(message, CAPTURED_AT)?.parse().ok()
}

/// Likewise of a commit of the same part of the same cluster; none of another.
pub(super) fn captured_alike(message: &str, seen: &Seen) -> Option<DateTime<Utc>> {
    let snapshot: SnapshotId = trailer(message, SNAPSHOT)?.parse().ok()?;
    let alike = snapshot.part() == seen.snapshot.part()
        && trailer(message, CLUSTER)? == one_line(&seen.cluster).trim_end();
    captured_at(message).filter(|_| alike)
}

fn trailer<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.lines().rev().find_map(|line| line.strip_prefix(name)).map(str::trim_end)
}

fn is_empty(repository: &Repository, tree: Oid) -> Result<bool> {
    Ok(repository.find_tree(tree).map_err(failed)?.is_empty())
}

impl Changes {
    fn between(
        repository: &Repository,
        before: Option<&Tree<'_>>,
        after: &Tree<'_>,
        path: &str,
    ) -> Result<Self> {
        let before = before.map(|tree| tree::below(repository, tree, path)).transpose()?.flatten();
        let after = tree::below(repository, after, path)?;
        let diff = repository.diff_tree_to_tree(before.as_ref(), after.as_ref(), None).map_err(failed)?;
        let mut changes = Self::default();
        for delta in diff.deltas() {
            let file = delta.new_file().path().or(delta.old_file().path());
            let Some(object) = file.and_then(|path| path.to_str()).and_then(object) else { continue };
            match delta.status() {
                Delta::Added => changes.added.push(object),
                Delta::Deleted => changes.removed.push(object),
                _ if differ_in_marks(repository, &delta)? => changes.filtered.push(object),
                _ => changes.changed.push(object),
            }
        }
        Ok(changes)
    }

    fn message(&self, seen: &Seen) -> String {
        let counted: Vec<String> =
            self.sorts().map(|(sort, names)| format!("{} {sort}", names.len())).collect();
        let counted =
            if counted.is_empty() { "its kustomizations changed".to_owned() } else { counted.join(", ") };
        let Seen { snapshot, set, cluster, captured_at, folders } = seen;
        let mut text = format!("{set} of {}: {counted}\n\n", one_line(cluster));
        for (sort, names) in self.sorts() {
            text += &format!("{sort}:\n");
            names.iter().take(NAMED).for_each(|name| text += &format!("  {name}\n"));
            if let more @ 1.. = names.len().saturating_sub(NAMED) {
                text += &format!("  and {more} more\n");
            }
            text.push('\n');
        }
        for (folder, of_it) in folders.iter().filter(|(_, of_it)| !of_it.unread.is_empty()) {
            let kinds: Vec<&str> = of_it.unread.iter().map(String::as_str).collect();
            text += &format!("Not read, so nothing of {folder} is removed here: {}\n\n", kinds.join(", "));
        }
        let at = captured_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        text + &format!("{CLUSTER}{}\n{SNAPSHOT}{snapshot}\n{CAPTURED_AT}{at}\n", one_line(cluster))
    }

    fn sorts(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        let sorts = [
            ("added", &self.added),
            ("changed", &self.changed),
            ("changed in filtered fields", &self.filtered),
            ("removed", &self.removed),
        ];
        sorts.into_iter().filter(|(_, names)| !names.is_empty())
    }
}

/// Whether of a file that changed nothing changed but what is filtered.
fn differ_in_marks(repository: &Repository, delta: &DiffDelta<'_>) -> Result<bool> {
    let blob = |id: Oid| repository.find_blob(id).map_err(failed);
    let (before, after) = (blob(delta.old_file().id())?, blob(delta.new_file().id())?);
    Ok(mark::differ_in_marks(before.content(), after.content()))
}

/// The object whose file is at a path of the history's folder; none for a kustomization.
fn object(path: &str) -> Option<String> {
    let (component, rest) = path.split_once('/')?;
    if path.ends_with("/kustomization.yaml") {
        return None;
    }
    let rest = rest.strip_prefix(REVIEW).and_then(|rest| rest.strip_prefix('/')).unwrap_or(rest);
    let key = match rest.strip_suffix(".yaml") {
        _ if component == Component::Host.name() => format!("host/{rest}"),
        Some(release) if release.starts_with("helm/") => release.to_owned(),
        resource => format!("resources/{}", resource.unwrap_or(rest)),
    };
    let key: Option<ItemKey> = key.parse().ok();
    Some(key.map_or_else(|| path.to_owned(), |key| format!("{key} ({component})")))
}

/// A cluster is called what somebody wrote into a kubeconfig.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Set;

    #[test]
    fn a_file_is_told_as_the_object_that_it_is_of() {
        for (path, says) in [
            (
                "policies/networking.k8s.io/networkpolicies/shop/deny.yaml",
                Some("networkpolicies.networking.k8s.io shop/deny (policies)"),
            ),
            ("policies/core/namespaces/_cluster/shop.yaml", Some("namespaces shop (policies)")),
            (
                "loadbalancer/review/metallb.io/bgppeers/m/x.yaml",
                Some("bgppeers.metallb.io m/x (loadbalancer)"),
            ),
            ("ingress/review/helm/traefik/traefik.yaml", Some("helm release traefik/traefik (ingress)")),
            ("host/n1/etc/sysctl.d/90-rke2.conf", Some("file n1:/etc/sysctl.d/90-rke2.conf (host)")),
            ("policies/core/kustomization.yaml", None),
            ("kustomization.yaml", None),
        ] {
            assert_eq!(object(path).as_deref(), says, "{path}");
        }
    }

    #[test]
    fn a_message_names_so_many_and_counts_the_others() {
        let at: DateTime<Utc> = "2026-11-24T01:00:00Z".parse().unwrap();
        let id = SnapshotId::new(at, Set::Network, None, 1);
        let seen = Seen::new(id, (Set::Network, None), "lab\n\nNetdr-Captured-At: 1", at, []);
        let added = (0..NAMED + 7).map(|n| format!("object {n}")).collect();
        let message = Changes { added, ..Changes::default() }.message(&seen);
        assert!(
            message.starts_with("network of labNetdr-Captured-At: 1: 57 added\n\nadded:\n  object 0\n"),
            "{message}"
        );
        assert!(
            message.contains("  object 49\n  and 7 more\n") && !message.contains("object 50"),
            "{message}"
        );
        assert_eq!(captured_at(&message), Some(at));
        assert_eq!(captured_at("somebody's own words\n"), None);
    }
}

//! Which snapshot `latest` is.
//!
//! In: every snapshot, and whose state of when is wanted. Out: one, and the newer ones that were passed over.
//! Invariant: pure; what is not trusted, complete, of this cluster and from before the incident is never chosen.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Listed;
use crate::{
    Error, Result,
    model::{Component, Set, SnapshotHeader, SnapshotId, SnapshotState},
    signature::Trust,
};

/// What choosing `latest` came to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The one chosen.
    pub header: SnapshotHeader,
    /// Newer ones that were passed over, newest first, and why.
    pub passed_over: Vec<(SnapshotId, String)>,
}

/// The newest complete, unshrunk, trusted snapshot of this cluster and set captured before `before` that has
/// these `components`. Clusters are told apart by name; another uid under the same name (a rebuilt cluster) is the
/// caller's to warn of.
///
/// # Errors
/// When there is none; what there is instead is named.
pub fn choose(
    listed: &[Listed],
    cluster: &str,
    set: Set,
    node: Option<&str>,
    components: &BTreeSet<Component>,
    before: DateTime<Utc>,
) -> Result<Choice> {
    let mut candidates: Vec<&Listed> = listed.iter().filter(|l| l.is_of(set, node)).collect();
    candidates.sort_by(|a, b| b.age().cmp(&a.age()));
    let mut passed_over = Vec::new();
    for candidate in candidates {
        match objection(candidate, cluster, components, before) {
            Ok(header) => return Ok(Choice { header: header.clone(), passed_over }),
            Err(why) => passed_over.push((candidate.id.clone(), why)),
        }
    }
    let of = node.map_or_else(String::new, |node| format!(" of node {node}"));
    let mut error =
        Error::failed(format!("no snapshot of set {set}{of} of cluster {cluster} can be relied on"));
    error = match passed_over.len() {
        0 => error.why("there is none; make one with: netdr backup"),
        _ => passed_over.iter().take(3).fold(error, |error, (id, why)| error.why(format!("{id} is {why}"))),
    };
    if passed_over.len() > 3 {
        error = error.why(format!("and {} more", passed_over.len() - 3));
    }
    Err(error.hint("see them all with: netdr snapshots").hint("name one to use it anyway: --snapshot ID"))
}

/// The header, or why not this one, in words that fit after "is".
fn objection<'a>(
    candidate: &'a Listed,
    cluster: &str,
    components: &BTreeSet<Component>,
    before: DateTime<Utc>,
) -> Result<&'a SnapshotHeader, String> {
    let header = match (&candidate.header, &candidate.trust) {
        (_, Trust::Untrusted(why)) | (Err(why), _) => return Err(format!("untrusted: {why}")),
        (Ok(header), Trust::Trusted(_)) => header,
    };
    if header.cluster.name != cluster {
        return Err(format!("of another cluster: {}", header.cluster.name));
    }
    if header.captured_at >= before {
        return Err("captured after the incident".into());
    }
    if let Some(missing) = components.iter().find(|c| header.bundles.iter().all(|b| b.component != **c)) {
        return Err(format!("without component {missing}"));
    }
    match header.state {
        SnapshotState::Complete => Ok(header),
        state => Err(format!("{}: {}", state.name(), header.reasons.join("; "))),
    }
}

impl Listed {
    /// Orders snapshots by when they were captured. The id's time comes first: it is there even where there is no
    /// header, and a header that is not ours may claim anything.
    pub(super) fn age(&self) -> impl Ord + use<'_> {
        let id = self.id.as_str();
        let time = id.split_once('-').map_or(id, |(time, _)| time);
        (time, self.header.as_ref().ok().map(|h| h.captured_at), id)
    }

    /// Whether it is of this set and node. Only a trusted header is believed; else the folder's name says it.
    fn is_of(&self, set: Set, node: Option<&str>) -> bool {
        if let (Ok(header), Trust::Trusted(_)) = (&self.header, &self.trust) {
            return header.set == set && header.node.as_deref() == node;
        }
        let parts = self.id.as_str().split_once('-').and_then(|(_, rest)| rest.rsplit_once('-'));
        let wanted = node.map_or_else(|| set.name().to_owned(), |node| format!("{set}-{node}"));
        parts.is_some_and(|(name, _random)| name == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::fixture::{at, listed};

    fn latest(listed: &[Listed]) -> Result<Choice> {
        choose(listed, "c1", Set::Network, None, &BTreeSet::new(), at("2026-11-30T00:00:00Z"))
    }

    #[test]
    fn latest_is_the_newest_that_can_be_relied_on_and_says_what_it_passed_over() {
        let day = |day: u32| listed(&format!("2026-11-{day:02}T01:00:00Z"), SnapshotState::Complete);
        let mut all = vec![day(20), day(21), day(22), day(23), day(24), day(25)];
        all[2].trust = Trust::Untrusted("it is not signed".into());
        for (index, state) in [(3, SnapshotState::Partial), (4, SnapshotState::Shrunk)] {
            let header = all[index].header.as_mut().unwrap();
            header.state = state;
            header.reasons = vec!["policies: x could not be read".into()];
        }
        all[5].header.as_mut().unwrap().cluster.name = "c2".into();
        all.push(listed("2026-11-30T00:00:00Z", SnapshotState::Complete));
        all.reverse();
        let choice = latest(&all).unwrap();
        assert_eq!(choice.header.captured_at, at("2026-11-21T01:00:00Z"));
        let why: Vec<&str> = choice.passed_over.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(
            why,
            [
                "captured after the incident",
                "of another cluster: c2",
                "shrunk: policies: x could not be read",
                "partial: policies: x could not be read",
                "untrusted: it is not signed",
            ]
        );
    }

    #[test]
    fn a_snapshot_of_some_components_is_passed_over_by_who_needs_another() {
        let all = [listed("2026-11-20T01:00:00Z", SnapshotState::Complete)];
        let needed = [Component::Policies, Component::Ingress].into();
        let later = at("2026-11-30T00:00:00Z");
        let error = choose(&all, "c1", Set::Network, None, &needed, later).unwrap_err();
        assert!(error.to_string().contains("is without component ingress"), "{error}");
    }

    #[test]
    fn sets_and_nodes_are_apart_even_where_the_header_cannot_be_read() {
        let mut host = listed("2026-11-20T01:00:00Z", SnapshotState::Complete);
        host.id = "20261120T010000Z-host-rke2-a-00beef".parse().unwrap();
        host.header = Err("snapshot.json is missing".into());
        host.trust = Trust::Untrusted("snapshot.json is missing".into());
        assert!(host.is_of(Set::Host, Some("rke2-a")));
        assert!(!host.is_of(Set::Host, Some("rke2")));
        assert!(!host.is_of(Set::Network, None));
    }

    #[test]
    fn nothing_to_choose_says_what_there_is() {
        assert!(latest(&[]).unwrap_err().to_string().contains("netdr backup"));
        let error = latest(&[listed("2026-11-20T01:00:00Z", SnapshotState::Shrunk)]).unwrap_err();
        assert!(error.to_string().contains("20261120T010000Z-network-000000 is shrunk"), "{error}");
        assert!(error.hints()[0].contains("netdr snapshots"));
    }
}

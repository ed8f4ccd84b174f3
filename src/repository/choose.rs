//! Which snapshot `latest` is.
//!
//! In: every snapshot, and whose state of when is wanted. Out: one, and the newer ones that were passed over.
//! Invariant: pure; what is not trusted, whole, complete, of this cluster and from before the incident is never chosen.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};

use super::{
    COPIES, Listed,
    passed::{LATER, SHOWN, by_reason, in_short},
    replaced,
};
use crate::{
    Error,
    model::{Component, Set, SnapshotHeader, SnapshotId, SnapshotState},
};

/// What choosing `latest` came to.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The one chosen.
    pub header: SnapshotHeader,
    /// Newer ones that were passed over, newest first, and why.
    pub passed_over: Vec<(SnapshotId, String)>,
}

/// Why none was chosen.
#[derive(Debug)]
pub struct Unchosen {
    /// Whose state was wanted, in words that fit after "no snapshot of".
    of: String,
    /// What there is, newest first.
    passed_over: Vec<(SnapshotId, Objection)>,
}

/// Why not this one.
#[derive(Debug)]
enum Objection {
    /// Nobody who is trusted answers for it, or it cannot be read: no verb takes it.
    Untrusted(String),
    /// It is not there as it was written: no verb takes what is wrong.
    Damaged(String),
    /// It is of the cluster of this name.
    Foreign(String),
    /// It was captured after the incident, by so many seconds.
    Later(u64),
    /// Somebody who knows better may name it.
    Doubtful(String),
}

/// The newest complete, unshrunk, undamaged, trusted snapshot of this cluster and set captured before `before` that has
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
) -> std::result::Result<Choice, Unchosen> {
    let old = replaced(listed);
    let current = |l: &&Listed| l.is_of(set, node) && !old.contains_key(&l.id);
    let mut candidates: Vec<&Listed> = listed.iter().filter(current).collect();
    candidates.sort_by(|a, b| b.age().cmp(&a.age()));
    let mut passed_over = Vec::new();
    for candidate in candidates {
        match objection(candidate, cluster, components, before) {
            Ok(header) => {
                let words = |(id, why): (SnapshotId, Objection)| (id, why.to_string());
                let passed_over = passed_over.into_iter().map(words).collect();
                return Ok(Choice { header: header.clone(), passed_over });
            }
            Err(why) => passed_over.push((candidate.id.clone(), why)),
        }
    }
    let of_node = node.map_or_else(String::new, |node| format!(" of node {node}"));
    Err(Unchosen { of: format!("set {set}{of_node} of cluster {cluster}"), passed_over })
}

impl Unchosen {
    /// As an error of a restore, which takes what is named and of the cluster that is named.
    pub fn to_restore(self) -> Error {
        // A backup made now would capture the damage.
        self.error("--snapshot", &[COPIES], |cluster| {
            format!("to restore the state of that cluster: --from-cluster {cluster}")
        })
    }

    /// As an error of a comparison, which takes another cluster's snapshot by its id.
    pub fn to_compare(self) -> Error {
        let newest = self.newest(|why| matches!(why, Objection::Foreign(_))).map(|(id, _)| id.clone());
        self.error("--against", &["make one with: netdr backup", COPIES], |_| {
            format!(
                "to compare with that cluster: --against {}",
                newest.map_or_else(String::new, |id| id.to_string())
            )
        })
    }

    fn newest(&self, so: impl Fn(&Objection) -> bool) -> Option<&(SnapshotId, Objection)> {
        self.passed_over.iter().find(|(_, why)| so(why))
    }

    /// Why none was taken: each reason once, with the newest of which it is true.
    fn reasons(&self) -> String {
        let reasons = by_reason(self.passed_over.iter().map(|(id, why)| (id, why.to_string())));
        let said = |(why, newest, n): &(String, &SnapshotId, usize)| match n {
            1 => format!("{newest} is {}", in_short(why, newest)),
            n => format!("{n} snapshots are {}, the newest of them {newest}", in_short(why, newest)),
        };
        let mut text = reasons.iter().take(SHOWN).map(said).collect::<Vec<_>>().join("; ");
        if reasons.len() > SHOWN {
            text += &format!("; and {} other reasons", reasons.len() - SHOWN);
        }
        text
    }

    /// `flag` names a snapshot; only what it would accept is offered.
    fn error(&self, flag: &str, none: &[&str], another: impl FnOnce(&str) -> String) -> Error {
        let message = format!("no snapshot of {} can be relied on", self.of);
        let Some((first, _)) = self.passed_over.first() else {
            let error = Error::failed(message).why("there is none");
            return none.iter().fold(error, |error, hint| error.hint(*hint));
        };
        let bad = |why: &Objection| matches!(why, Objection::Untrusted(_) | Objection::Damaged(_));
        let error = if self.passed_over.iter().all(|(_, why)| bad(why)) {
            Error::damaged(message)
        } else {
            Error::failed(message)
        };
        let mut error = error.why(self.reasons());
        if let Some((id, _)) = self.newest(|why| matches!(why, Objection::Doubtful(_))) {
            error = error.hint(format!("to use it all the same: {flag} {id}"));
        } else if let Some((id, Objection::Later(after))) =
            self.passed_over.iter().rfind(|(_, why)| matches!(why, Objection::Later(_)))
        {
            error = error.hint(format!(
                "the one nearest to the incident was captured {} after it began and may hold its damage: {flag} {id}",
                span(*after)
            ));
        } else if let Some((_, Objection::Foreign(cluster))) =
            self.newest(|why| matches!(why, Objection::Foreign(_)))
        {
            error = error.hint(another(cluster));
        } else {
            error = error.hint(format!("what is wrong with one: netdr verify {first}"));
            error = match self.newest(|why| matches!(why, Objection::Untrusted(_))) {
                Some(_) => error.hint("a signer becomes trusted by a line in the trusted_signers file"),
                None => error.hint(COPIES),
            };
        }
        error.hint("see them all with: netdr snapshots")
    }
}

/// A span of time, rounded down to one unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// In words that fit after "is".
impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted(why) => write!(f, "untrusted: {why}"),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::Foreign(cluster) => write!(f, "of another cluster: {cluster}"),
            Self::Later(_) => f.write_str(LATER),
            Self::Doubtful(why) => f.write_str(why),
        }
    }
}

/// The header, or why not this one.
fn objection<'a>(
    candidate: &'a Listed,
    cluster: &str,
    components: &BTreeSet<Component>,
    before: DateTime<Utc>,
) -> std::result::Result<&'a SnapshotHeader, Objection> {
    let header = candidate.believed().map_err(|why| Objection::Untrusted(why.to_owned()))?;
    if header.cluster.name != cluster {
        return Err(Objection::Foreign(header.cluster.name.clone()));
    }
    if header.captured_at >= before {
        let after = (header.captured_at - before).num_seconds();
        return Err(Objection::Later(after.unsigned_abs()));
    }
    if let Some(missing) = components.iter().find(|c| header.bundles.iter().all(|b| b.component != **c)) {
        return Err(Objection::Doubtful(format!("without component {missing}")));
    }
    if let Some(what) = candidate.damage_of(components) {
        return Err(Objection::Damaged(what.to_owned()));
    }
    match header.state {
        SnapshotState::Complete => Ok(header),
        state => Err(Objection::Doubtful(format!("{}: {}", state.name(), header.reasons.join("; ")))),
    }
}

impl Listed {
    /// Orders snapshots by when they were captured. The id's time comes first: it is there even where there is no
    /// header, and a header that is not ours may claim anything.
    pub(crate) fn age(&self) -> impl Ord + use<'_> {
        let id = self.id.as_str();
        let time = id.split_once('-').map_or(id, |(time, _)| time);
        (time, self.header.as_ref().ok().map(|h| h.captured_at), id)
    }

    /// Whether it is of this set and node. Only a trusted header is believed; else the folder's name says it.
    pub(crate) fn is_of(&self, set: Set, node: Option<&str>) -> bool {
        if let Ok(header) = self.believed() {
            return header.set == set && header.node.as_deref() == node;
        }
        let wanted = node.map_or_else(|| set.name().to_owned(), |node| format!("{set}-{node}"));
        self.id.part() == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::BundleEntry,
        repository::fixture::{at, listed},
        signature::Trust,
    };

    fn latest(listed: &[Listed]) -> std::result::Result<Choice, Unchosen> {
        choose(listed, "c1", Set::Network, None, &BTreeSet::new(), at("2026-11-30T00:00:00Z"))
    }

    #[test]
    fn a_reason_is_said_once_however_many_it_is_true_of() {
        let day = |day: u32| listed(&format!("2026-11-{day:02}T01:00:00Z"), SnapshotState::Complete);
        let mut all: Vec<Listed> = (1..=9).map(day).collect();
        all.iter_mut().for_each(|one| one.trust = Trust::Untrusted("it is not signed".into()));
        let error = latest(&all).unwrap_err().to_restore();
        let newest = all[8].id.clone();
        let said = format!(": 9 snapshots are untrusted: it is not signed, the newest of them {newest}");
        assert!(error.to_string().ends_with(&said), "{error}");
        all[8] = day(9);
        all[8].header.as_mut().unwrap().cluster.name = "c2".into();
        let error = latest(&all).unwrap_err().to_restore();
        assert!(
            error.to_string().contains(&format!(": {newest} is of another cluster: c2; 8 snapshots are")),
            "{error}"
        );
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
    fn one_whose_files_are_not_there_is_passed_over_by_who_needs_them_and_never_offered() {
        let mut all =
            [20, 21].map(|day| listed(&format!("2026-11-{day}T01:00:00Z"), SnapshotState::Complete));
        let bundle = |component| BundleEntry { component, sha256: String::new(), bytes: 1, items: 1 };
        for one in &mut all {
            one.header.as_mut().unwrap().bundles = vec![bundle(Component::Policies), bundle(Component::Cni)];
        }
        all[1].damage = vec![(Some(Component::Policies), "policies.tar.zst.age is missing".into())];
        let of = |component: Component, listed: &[Listed]| {
            choose(listed, "c1", Set::Network, None, &[component].into(), at("2026-11-30T00:00:00Z"))
        };
        assert_eq!(of(Component::Cni, &all).unwrap().header.id, all[1].id);
        let choice = of(Component::Policies, &all).unwrap();
        assert_eq!((&choice.header.id, &choice.passed_over[0].0), (&all[0].id, &all[1].id));
        let error = of(Component::Policies, &all[1..]).unwrap_err().to_restore();
        assert_eq!(error.kind(), crate::Kind::Damaged);
        assert!(error.to_string().ends_with("is damaged: policies.tar.zst.age is missing"), "{error}");
        assert!(
            error.hints()[0].contains("netdr verify") && !format!("{error:?}").contains("signer"),
            "{error:?}"
        );
    }

    #[test]
    fn a_snapshot_of_some_components_is_passed_over_by_who_needs_another() {
        let all = [listed("2026-11-20T01:00:00Z", SnapshotState::Complete)];
        let needed = [Component::Policies, Component::Ingress].into();
        let later = at("2026-11-30T00:00:00Z");
        let error = choose(&all, "c1", Set::Network, None, &needed, later).unwrap_err().to_restore();
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
    fn of_those_captured_after_the_incident_the_nearest_to_it_is_offered() {
        let later =
            [1, 3, 9].map(|day| listed(&format!("2026-12-{day:02}T01:00:00Z"), SnapshotState::Complete));
        let error = latest(&later).unwrap_err().to_restore();
        let wanted = "captured 25 h after it began and may hold its damage: --snapshot 20261201T010000Z-network-000000";
        assert!(error.hints()[0].ends_with(wanted), "{error:?}");
    }

    #[test]
    fn only_what_would_be_accepted_is_offered() {
        let none = latest(&[]).unwrap_err().to_restore();
        assert!(!format!("{none:?}").contains("netdr backup"), "{none:?}");
        let none = latest(&[]).unwrap_err().to_compare();
        assert!(none.hints()[0].contains("netdr backup"), "{none:?}");
        let shrunk = || listed("2026-11-20T01:00:00Z", SnapshotState::Shrunk);
        let mut untrusted = listed("2026-11-21T01:00:00Z", SnapshotState::Complete);
        untrusted.trust = Trust::Untrusted("it is not signed".into());
        let mut foreign = listed("2026-11-22T01:00:00Z", SnapshotState::Complete);
        foreign.header.as_mut().unwrap().cluster.name = "c2".into();

        let doubtful = || latest(&[shrunk(), untrusted.clone(), foreign.clone()]).unwrap_err();
        let error = doubtful().to_restore();
        assert!(error.to_string().contains("20261120T010000Z-network-000000 is shrunk"), "{error}");
        assert!(error.hints()[0].ends_with(": --snapshot 20261120T010000Z-network-000000"), "{error:?}");
        let error = doubtful().to_compare();
        assert!(error.hints()[0].ends_with(": --against 20261120T010000Z-network-000000"), "{error:?}");

        let others = || latest(&[untrusted.clone(), foreign.clone()]).unwrap_err();
        let error = others().to_restore();
        assert!(error.hints()[0].ends_with("--from-cluster c2"), "{error:?}");
        assert_eq!(error.kind(), crate::Kind::Failed);
        let error = others().to_compare();
        assert!(error.hints()[0].ends_with("--against 20261122T010000Z-network-000000"), "{error:?}");

        let error = latest(std::slice::from_ref(&untrusted)).unwrap_err().to_restore();
        assert_eq!(error.kind(), crate::Kind::Damaged);
        assert!(
            !format!("{error:?}").contains("--snapshot") && error.hints()[0].contains("netdr verify"),
            "{error:?}"
        );
    }
}

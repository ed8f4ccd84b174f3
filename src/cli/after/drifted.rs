//! What a look for drift found, for metrics.
//!
//! In: a report, and what was looked at. Out: of each set, of the files of each node, and of Git, a record. Invariant: a look
//! at some of it says nothing of the rest, and one that could not read all of it not that there is less drift than before.

use super::{Context, DRIFTED, Records};
use crate::{
    Result,
    drift::Report,
    metrics::Drifted,
    model::{Set, Severity},
};

/// What is compared that is no set.
const GIT: &str = "git";

impl Context {
    /// Says how a look at these sets came out, each with the node whose files it is.
    pub(in crate::cli) fn drifted(&self, sets: &[(Set, Option<String>)], report: &Report) {
        for (set, node) in sets {
            let of_set = |severity| report.grave.get(&(*set, severity)).copied().unwrap_or_default();
            self.drift_found(set.name(), node.as_deref(), report, of_set);
        }
    }

    /// Says how a look at what people author came out.
    pub(in crate::cli) fn drifted_from_git(&self, report: &Report) {
        let all = |severity| Set::ALL.into_iter().filter_map(|set| report.grave.get(&(set, severity))).sum();
        self.drift_found(GIT, None, report, all);
    }

    fn drift_found(&self, set: &str, node: Option<&str>, report: &Report, items: impl Fn(Severity) -> u64) {
        let found = Drifted {
            cluster: String::new(), // known when the verb is over
            set: set.into(),
            node: node.unwrap_or_default().into(),
            at: self.now,
            items: Severity::ALL.into_iter().map(|severity| (severity, items(severity))).collect(),
        };
        self.tasks.told().found.drifted.push((found, report.unread.is_empty()));
    }
}

/// Keeps what was found.
pub(super) fn remember(records: &Records<'_>, cluster: &str, drifted: Vec<(Drifted, bool)>) -> Result<()> {
    if drifted.is_empty() {
        return Ok(());
    }
    let before: Vec<Drifted> = records.read(DRIFTED)?.into_values().collect();
    drifted.into_iter().try_for_each(|(mut found, is_whole)| {
        found.cluster = cluster.into();
        let earlier = before.iter().find(|one| one.subject() == found.subject()).filter(|_| !is_whole);
        for (severity, items) in earlier.iter().flat_map(|earlier| &earlier.items) {
            let known = found.items.entry(*severity).or_default();
            *known = (*known).max(*items);
        }
        records.keep(DRIFTED, &found.subject(), &found)
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::repository::Repository;

    #[test]
    fn a_look_in_part_does_not_say_that_there_is_less_drift() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(&folder.path().join("r"), 7).unwrap();
        let records = Records::of(&repository, "c");
        let look = |set: &str, node: &str, hour, items: &[(Severity, u64)], is_whole| {
            let at = DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
            let items = items.iter().copied().collect();
            let found = Drifted { cluster: String::new(), set: set.into(), node: node.into(), at, items };
            remember(&records, "c", vec![(found, is_whole)]).unwrap();
        };
        let known = |set: &str, node: &str| -> (DateTime<Utc>, Vec<u64>) {
            let all: Vec<Drifted> = records.read(DRIFTED).unwrap().into_values().collect();
            let one = all.into_iter().find(|one| one.set == set && one.node == node).unwrap();
            (
                one.at,
                Severity::ALL.map(|severity| one.items.get(&severity).copied().unwrap_or_default()).into(),
            )
        };
        let hour = |hours| DateTime::UNIX_EPOCH + TimeDelta::hours(hours);
        look("network", "", 1, &[(Severity::High, 2), (Severity::Low, 1)], true);
        look("host", "n1", 1, &[(Severity::Critical, 1)], true);
        look("network", "", 2, &[(Severity::Low, 3)], false);
        assert_eq!(known("network", ""), (hour(2), vec![3, 0, 2, 0]));
        look("network", "", 3, &[], true);
        assert_eq!(known("network", ""), (hour(3), vec![0, 0, 0, 0]));
        assert_eq!(known("host", "n1"), (hour(1), vec![0, 0, 0, 1]), "another look says nothing of it");
    }
}

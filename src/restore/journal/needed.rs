//! The snapshots that runs still need, which can be resumed.
//!
//! In: the folder of runs, since when. Out: each such run with its sources. Invariant: whatever `--resume` would take up
//! is among them, and a journal that cannot be read because the disk says no is an error: it might need something.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Past, read::ids};
use crate::{
    Kind, Result,
    model::{RunId, SnapshotId, SourceName},
    plan::CommandLine,
};

/// The runs below `runs` that began since then and can be resumed, oldest first, with the snapshots that they restore
/// from. A journal that is damaged is left out: nobody can resume its run.
///
/// # Errors
/// When the folder or a journal cannot be read.
pub fn needed(runs: &Path, since: DateTime<Utc>) -> Result<Vec<(RunId, Vec<SnapshotId>)>> {
    let mut needed = Vec::new();
    for run in ids(runs)?.into_iter().filter(|run| run.started_at() >= since) {
        match Past::read(&runs.join(run.as_str())) {
            Ok(past) if past.resumable(&CommandLine::default()).is_ok() => {
                let snapshots = past.source.into_iter().filter_map(|source| match source {
                    SourceName::Snapshot(id) => Some(id),
                    SourceName::Git { .. } | SourceName::Velero { .. } => None,
                });
                needed.push((run, snapshots.collect()));
            }
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Damaged => {}
            Err(error) => return Err(error),
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        model::ClusterIdentity,
        restore::{Entry, Journal, safety},
    };

    const SOURCE: &str = "20261124T010000Z-network-7f3a9c";

    #[test]
    fn a_run_needs_its_sources_while_it_can_be_resumed_and_for_thirty_days() {
        let runs = tempfile::tempdir().unwrap();
        let began = |run: &str, undoes: Option<&str>, more: Vec<Entry>| {
            let begun = Entry::Begun {
                format: super::super::FORMAT,
                run: run.into(),
                scenario: "traefik".into(),
                plan: "d".into(),
                source: vec![SourceName::Snapshot(SOURCE.parse().unwrap())],
                cluster: ClusterIdentity { name: "c".into(), uid: "u".into(), kubernetes: "v1.36.3".into() },
                operator: "me".into(),
                asked: None,
                undoes: undoes.map(|run| run.parse().unwrap()),
            };
            let journal = Journal::create(&runs.path().join(run)).unwrap();
            let run: RunId = run.parse().unwrap();
            journal.write(run.started_at(), [vec![begun], more].concat()).unwrap();
        };
        let ended =
            |outcome: &str| Entry::Ended { outcome: outcome.into(), differences_left: 0, not_begun: 0 };
        let killed = "20261101T000000Z-traefik-000001";
        began(killed, None, vec![]);
        began("20261101T000001Z-traefik-000002", None, vec![ended("interrupted")]);
        began("20261101T000002Z-traefik-000003", None, vec![ended("recovered")]);
        began("20261101T000003Z-undo-000004", Some(killed), vec![]);
        let damaged = runs.path().join("20261101T000004Z-traefik-000005");
        fs::create_dir(&damaged).unwrap();
        fs::write(damaged.join(super::super::FILE), "{}\n").unwrap();
        fs::create_dir(runs.path().join("20261101T000005Z-traefik-000006")).unwrap();
        let needing = |now: &str| -> Vec<String> {
            let now: DateTime<Utc> = now.parse().unwrap();
            let needed = needed(runs.path(), now - safety::KEPT).unwrap();
            assert!(needed.iter().all(|(_, sources)| sources.len() == 1 && sources[0].as_str() == SOURCE));
            needed.into_iter().map(|(run, _)| run.as_str()[25..].to_owned()).collect()
        };
        assert_eq!(needing("2026-11-30T00:00:00Z"), ["000001", "000002"]);
        assert_eq!(needing("2026-12-01T00:00:01Z"), ["000002"]);
        assert!(needing("2026-12-02T00:00:00Z").is_empty());
        let unreadable = runs.path().join("20261101T000006Z-traefik-000007").join(super::super::FILE);
        fs::create_dir_all(unreadable).unwrap();
        assert!(needed(runs.path(), DateTime::UNIX_EPOCH).is_err(), "it might need something");
    }
}

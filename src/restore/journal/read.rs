//! Reading journals: `netdr runs`, `netdr runs show`, and what an undo or a resumed run starts from.
//!
//! In: a folder of a run, or of all. Out: lines, or a summary a run. Invariant: a line that a crash cut off is left
//! out; any other line that does not read is an error, never skipped.

use std::{collections::BTreeMap, io::ErrorKind, path::Path};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Entry, FILE, FORMAT, Line};
use crate::{Error, Result, model::RunId, repository::regular, restore::outcome};

/// Reads the journal of the run in `folder`. A last line that a crash cut off is left out.
///
/// # Errors
/// When there is none, it is of a newer format, or a line in the middle is no journal line.
pub fn read(folder: &Path) -> Result<Vec<Line>> {
    let path = folder.join(FILE);
    let text = regular::read_to_string(&path).map_err(|e| {
        let error = Error::failed(format!("cannot read the journal {}", path.display())).because(&e);
        if e.kind() == ErrorKind::NotFound { error.hint("list the runs with: netdr runs") } else { error }
    })?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    if let Some(format) = newer(whole) {
        return Err(Error::failed(format!(
            "the journal {} is of format {format}, newer than this netdr reads ({FORMAT})",
            path.display()
        ))
        .hint("update netdr to the version that wrote it"));
    }
    let parse = |(number, line)| {
        serde_json::from_str(line).map_err(|e| {
            Error::damaged(format!("{}, line {}, is not a line of a journal", path.display(), number + 1))
                .because(e)
        })
    };
    whole.lines().enumerate().map(parse).collect()
}

/// The format that a journal's first line names, where this netdr does not read it.
fn newer(text: &str) -> Option<u64> {
    let first: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    first["format"].as_u64().filter(|format| *format > u64::from(FORMAT))
}

/// A run as `netdr runs` lists it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// The plan's name.
    pub scenario: String,
    /// On which cluster.
    pub cluster: String,
    /// Who began it.
    pub operator: String,
    /// The run that it undoes.
    pub undoes: Option<RunId>,
    /// The last run that undid it.
    pub undone_by: Option<RunId>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// The report's outcome; `unfinished` where the journal has no end.
    pub outcome: String,
    /// Acts that changed the cluster.
    pub changed: u64,
    /// Acts that failed or were left alone, and waits and looks that came to nothing: as its report counts.
    pub failed: u64,
}

impl RunSummary {
    /// Whether it has not come to its end.
    fn is_open(&self) -> bool {
        matches!(self.outcome.as_str(), "unfinished" | "interrupted" | "failed")
    }
}

/// Of the runs on a cluster, oldest first, the restores that have not come to their end: neither was one undone, nor did a
/// later run of its scenario get through.
pub fn unfinished<'a>(runs: &'a [RunSummary], cluster: &str) -> Vec<&'a RunId> {
    let runs: Vec<&RunSummary> = runs.iter().filter(|run| run.cluster == cluster).collect();
    let open = runs.iter().enumerate().filter(|(number, run)| {
        let through = |later: &&RunSummary| later.scenario == run.scenario && !later.is_open();
        let restores = run.undoes.is_none() && run.undone_by.is_none();
        run.is_open() && restores && !runs[number + 1..].iter().any(through)
    });
    open.map(|(_, run)| &run.run).collect()
}

/// The runs below `runs`, oldest first; none where the folder does not exist. What cannot be read is named.
///
/// # Errors
/// When the folder cannot be listed.
pub fn list(runs: &Path) -> Result<(Vec<RunSummary>, Vec<String>)> {
    let (mut summaries, mut unreadable) = (Vec::new(), Vec::new());
    for run in ids(runs)? {
        match read(&runs.join(run.as_str())) {
            Ok(lines) => summaries.extend(summary(run, &lines)),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    summaries.sort_by_key(|summary| summary.began); // ids of one second are in no order
    // Of a `partial` one a part was not put back, and its run is undone by none.
    let undos: BTreeMap<RunId, RunId> = summaries
        .iter()
        .filter(|run| matches!(run.outcome.as_str(), "undone" | "recovered" | "nothing-to-do"))
        .filter_map(|run| Some((run.undoes.clone()?, run.run.clone())))
        .collect();
    for summary in &mut summaries {
        summary.undone_by = undos.get(&summary.run).cloned();
    }
    Ok((summaries, unreadable))
}

/// The runs below `runs` that have a journal, by id: a process that was killed before it wrote a line has changed nothing.
pub(super) fn ids(runs: &Path) -> Result<Vec<RunId>> {
    let folders = match std::fs::read_dir(runs) {
        Ok(folders) => folders,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::failed(format!("cannot list {}", runs.display())).because(e)),
    };
    let names = folders.flatten().filter_map(|f| f.file_name().into_string().ok());
    let mut ids: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
    ids.retain(|run| runs.join(run.as_str()).join(FILE).exists());
    ids.sort();
    Ok(ids)
}

fn summary(run: RunId, lines: &[Line]) -> Option<RunSummary> {
    let first = lines.first()?;
    let Entry::Begun { scenario, cluster, operator, undoes, .. } = &first.entry else { return None };
    let (mut outcome, mut changed, mut failed) = ("unfinished".to_owned(), 0, 0);
    let mut open = 0; // of the step that has not ended
    for line in lines {
        match &line.entry {
            Entry::Outcome { outcome, .. } if outcome == "done" => changed += 1,
            Entry::Outcome { outcome, .. } if outcome != "unchanged" => open += 1,
            Entry::Step { outcome, failures, .. } => {
                failed += outcome::failed(outcome, failures);
                open = 0;
            }
            Entry::Ended { outcome: last, .. } => outcome.clone_from(last),
            Entry::Resumed { .. } => "unfinished".clone_into(&mut outcome),
            _ => {}
        }
    }
    Some(RunSummary {
        run,
        scenario: scenario.clone(),
        cluster: cluster.name.clone(),
        operator: operator.clone(),
        undoes: undoes.clone(),
        undone_by: None,
        began: first.at,
        outcome,
        changed,
        failed: failed + open,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::{
        model::{ClusterIdentity, ItemKey},
        plan::Verb,
        restore::Journal,
    };

    fn key() -> ItemKey {
        ItemKey::resource("networking.k8s.io", "networkpolicies", Some("demo"), "deny")
    }

    fn entries() -> Vec<Entry> {
        let outcome = |outcome: &str| Entry::Outcome {
            step: "policies".into(),
            key: key(),
            verb: Verb::Create,
            outcome: outcome.into(),
            why: None,
        };
        vec![
            Entry::Begun {
                format: FORMAT,
                run: "20261124T031500Z-network-policies-5b21d0".into(),
                scenario: "network-policies".into(),
                plan: "d".into(),
                source: vec![],
                cluster: ClusterIdentity { name: "c".into(), uid: "u".into(), kubernetes: "v1.36.3".into() },
                operator: "me".into(),
                asked: None,
                undoes: None,
            },
            Entry::Intent {
                step: "policies".into(),
                key: key(),
                component: None,
                verb: Verb::Create,
                live: None,
                wanted: None,
                replicas: None,
            },
            outcome("done"),
            outcome("unchanged"),
            outcome("changed-since-planned"),
        ]
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_last_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = "2026-11-24T03:15:00Z".parse().unwrap();
        let journal = Journal::create(folder.path()).unwrap();
        journal.write(at, entries()).unwrap();
        (&journal.file).write_all(br#"{"at":"2026-11-24T03:15:00Z","event":"ou"#).unwrap();
        let lines = read(folder.path()).unwrap();
        assert_eq!(lines.into_iter().map(|l| l.entry).collect::<Vec<_>>(), entries());
        assert!(Journal::create(folder.path()).is_err(), "a journal is never written over");
        let more = Entry::Resumed { plan: "d".into(), operator: "me".into(), cluster: None };
        Journal::reopen(folder.path()).unwrap().write(at, [more.clone()]).unwrap();
        let lines = read(folder.path()).unwrap();
        assert_eq!(lines.len(), entries().len() + 1, "the torn line is gone");
        assert_eq!(lines.last().map(|line| &line.entry), Some(&more));
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "not json\n{}\n").unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn a_run_without_an_end_is_unfinished() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("20261124T031500Z-network-policies-5b21d0");
        std::fs::create_dir(&run).unwrap();
        let at = "2026-11-24T03:15:00Z".parse().unwrap();
        let journal = Journal::create(&run).unwrap();
        journal.write(at, entries()).unwrap();
        let (runs, unreadable) = list(root.path()).unwrap();
        assert!(unreadable.is_empty());
        assert_eq!((runs[0].outcome.as_str(), runs[0].changed, runs[0].failed), ("unfinished", 1, 1));
        journal
            .write(at, [Entry::Ended { outcome: "recovered".into(), differences_left: 0, not_begun: 0 }])
            .unwrap();
        assert_eq!(list(root.path()).unwrap().0[0].outcome, "recovered");
        assert!(list(&root.path().join("none")).unwrap().0.is_empty());
    }

    #[test]
    fn a_run_stays_unfinished_until_it_is_undone_or_its_scenario_got_through() {
        let run = |number: u32, scenario: &str, outcome: &str| RunSummary {
            run: format!("2026112{number}T031500Z-x-5b21d0").parse().unwrap(),
            scenario: scenario.into(),
            cluster: if number == 9 { "c2" } else { "c1" }.into(),
            operator: "me".into(),
            undoes: None,
            undone_by: None,
            began: Default::default(),
            outcome: outcome.into(),
            changed: 0,
            failed: 0,
        };
        let full = run(1, "full-stack", "interrupted");
        let later = [run(2, "cni", "failed"), run(3, "traefik", "recovered"), run(9, "cni", "recovered")];
        let all = |more: &[RunSummary]| [std::slice::from_ref(&full), &later[..], more].concat();
        let open = |runs: Vec<RunSummary>| unfinished(&runs, "c1").len();
        assert_eq!(open(all(&[])), 2, "another scenario, and another cluster, change nothing");
        assert_eq!(open(all(&[run(4, "cni", "failed")])), 3);
        assert_eq!(open(all(&[run(4, "cni", "partial")])), 1);
        let undone = RunSummary { undone_by: Some(later[0].run.clone()), ..full.clone() };
        assert_eq!(open(vec![undone]), 0);
    }

    #[test]
    fn a_run_is_undone_only_by_an_undo_that_put_all_of_it_back() {
        let at = "2026-11-24T03:15:00Z".parse().unwrap();
        for (outcome, open) in
            [("partial", 1), ("interrupted", 1), ("undone", 0), ("recovered", 0), ("nothing-to-do", 0)]
        {
            let root = tempfile::tempdir().unwrap();
            let write = |id: &str, of: Option<&str>, outcome: &str| {
                let mut begun = entries().remove(0);
                if let Entry::Begun { run, undoes, scenario, .. } = &mut begun {
                    *run = id.into();
                    *undoes = of.map(|of| of.parse().unwrap());
                    if of.is_some() {
                        *scenario = "undo".into();
                    }
                }
                let ended = Entry::Ended { outcome: outcome.into(), differences_left: 0, not_begun: 0 };
                let folder = root.path().join(id);
                std::fs::create_dir(&folder).unwrap();
                Journal::create(&folder).unwrap().write(at, [begun, ended]).unwrap();
            };
            let run = "20261124T031500Z-network-policies-5b21d0";
            write(run, None, "failed");
            write("20261124T031600Z-undo-5b21d1", Some(run), outcome);
            let (runs, unreadable) = list(root.path()).unwrap();
            assert!(unreadable.is_empty(), "{unreadable:?}");
            assert_eq!(unfinished(&runs, "c").len(), open, "{outcome}");
            let undone = runs.iter().find(|one| one.undoes.is_none()).unwrap().undone_by.is_some();
            assert_eq!(undone, open == 0, "{outcome}");
        }
    }

    #[test]
    fn two_runs_of_one_second_are_listed_as_they_began() {
        let root = tempfile::tempdir().unwrap();
        for (random, at) in [("ffffff", "2026-11-24T03:15:00.1Z"), ("000000", "2026-11-24T03:15:00.9Z")] {
            let run = root.path().join(format!("20261124T031500Z-network-policies-{random}"));
            std::fs::create_dir(&run).unwrap();
            Journal::create(&run).unwrap().write(at.parse().unwrap(), entries()).unwrap();
        }
        let (runs, _) = list(root.path()).unwrap();
        assert!(runs[0].began < runs[1].began);
        assert!(runs[0].run.as_str().ends_with("ffffff"));
    }
}

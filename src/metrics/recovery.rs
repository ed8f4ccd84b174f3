//! What reports say of restores.
//!
//! In: the folder of reports. Out: what each came to. Invariant: what is no report of a restore is left out, for a folder
//! that people read may hold anything.

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{model::RunId, repository::regular};

/// A restore; the undo of one is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// Which scenario.
    pub scenario: String,
    /// Of which cluster.
    pub cluster: String,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Whether it recovered, or nothing was to be done.
    pub succeeded: bool,
    /// How long it took, in seconds.
    pub recovery_time_s: Option<f64>,
    /// How long it may take, in seconds.
    pub rto_s: Option<f64>,
}

impl Recovery {
    /// Every one that a report in `folder` is of; none where there is no folder.
    pub fn all(folder: &Path) -> Vec<Self> {
        let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        files.filter_map(|file| Self::of(&file)).collect()
    }

    /// What one report is of; that of a drill names no scenario, and that of an undo what it undoes.
    fn of(file: &Path) -> Option<Self> {
        file.file_name()?.to_str()?.strip_suffix(".json")?.parse::<RunId>().ok()?;
        let report: Value = serde_json::from_slice(&regular::read(file).ok()?).ok()?;
        if !report["undoes"].is_null() {
            return None;
        }
        Some(Self {
            scenario: report["scenario"].as_str()?.into(),
            cluster: report["cluster"]["name"].as_str()?.into(),
            at: report["ended_at"].as_str()?.parse().ok()?,
            succeeded: matches!(report["outcome"].as_str()?, "recovered" | "nothing-to-do"),
            recovery_time_s: report["recovery_time_s"].as_f64(),
            rto_s: report["rto_s"].as_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{self, RecoveryReport};

    #[test]
    fn what_reports_say_is_read_and_what_is_none_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let report = report::tests::report();
        write(&format!("{}.json", report.run), report.to_json().to_string());
        write(&format!("{}.html", report.run), "<html>".into());
        write("notes.json", report.to_json().to_string());
        write("20261124T031500Z-x-5b21d1.json", "{\"outcome\": 1}".into());
        // What was not recovered is not so because it was undone.
        let undone = RecoveryReport { undoes: Some(report.run.clone()), ..report.clone() };
        write("20261124T041500Z-traefik-5b21d1.json", undone.to_json().to_string());
        let drill = report::drill::tests::report();
        write(&format!("{}.json", drill.report), drill.to_json().to_string());
        let all = Recovery::all(folder.path());
        let [restore] = &all[..] else { panic!("{all:?}") };
        assert_eq!((&restore.scenario, restore.at), (&report.scenario, report.ended_at));
        assert_eq!((restore.rto_s, &restore.cluster), (Some(report.rto_s as f64), &report.cluster.name));
        assert!(Recovery::all(&folder.path().join("absent")).is_empty());
    }
}

//! What reports say of restores and drills.
//!
//! In: the folder of reports. Out: what each came to. Invariant: what is no report is left out, for a folder that people
//! read may hold anything.

use std::{fs, path::Path};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::RunId;

/// A restore, or one scenario of a drill.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// Which scenario.
    pub scenario: String,
    /// Of which cluster; none of a drill, whose cluster is a disposable one.
    pub cluster: Option<String>,
    /// When the restore ended, or the drill began.
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
        files.filter_map(|file| Self::of(&file)).flatten().collect()
    }

    /// What one report is of. That of a drill has scenarios, and its file's name is the id of its run.
    fn of(file: &Path) -> Option<Vec<Self>> {
        let run: RunId = file.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
        let report: Value = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        match report["scenarios"].as_array() {
            None => Some(vec![Self {
                cluster: Some(report["cluster"]["name"].as_str()?.into()),
                ..Self::read(&report, "scenario", report["ended_at"].as_str()?.parse().ok()?)?
            }]),
            Some(scenarios) => {
                scenarios.iter().map(|scenario| Self::read(scenario, "name", run.started_at())).collect()
            }
        }
    }

    fn read(from: &Value, name: &str, at: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            scenario: from[name].as_str()?.into(),
            cluster: None,
            at,
            succeeded: matches!(from["outcome"].as_str()?, "recovered" | "nothing-to-do"),
            recovery_time_s: from["recovery_time_s"].as_f64(),
            rto_s: from["rto_s"].as_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn what_reports_say_is_read_and_what_is_none_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        let report = report::tests::report();
        write(&format!("{}.json", report.run), report.to_json().to_string());
        write(&format!("{}.html", report.run), "<html>".into());
        write("notes.json", report.to_json().to_string());
        write("20261124T031500Z-x-5b21d1.json", "{\"outcome\": 1}".into());
        let drill = r#"{"scenarios":[{"name":"cni","outcome":"recovered","recovery_time_s":41.5},{"name":"traefik","outcome":"failed"}]}"#;
        write("20261101T031500Z-drill-5b21d1.json", drill.into());
        let mut all = Recovery::all(folder.path());
        all.sort_by(|a, b| a.scenario.cmp(&b.scenario));
        all.sort_by_key(|recovery| recovery.cluster.is_some());
        let [cni, traefik, restore] = &all[..] else { panic!("{all:?}") };
        assert_eq!((cni.recovery_time_s, cni.succeeded, cni.rto_s), (Some(41.5), true, None));
        assert_eq!(
            (traefik.succeeded, traefik.at.to_rfc3339().as_str()),
            (false, "2026-11-01T03:15:00+00:00")
        );
        assert_eq!((&restore.scenario, restore.at), (&report.scenario, report.ended_at));
        assert_eq!(
            (restore.rto_s, restore.cluster.as_ref()),
            (Some(report.rto_s as f64), Some(&report.cluster.name))
        );
        assert!(Recovery::all(&folder.path().join("absent")).is_empty());
    }
}

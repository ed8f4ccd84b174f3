//! The drills on record: reports in the repository that are of several scenarios.
//!
//! In: `reports/`. Out: when each drill was, and how its scenarios went. Invariant: a report of one restore is no drill,
//! and what cannot be read as one counts for nothing.

use std::{
    fs::{self, File},
    io::Read as _,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Repository, layout};
use crate::model::RunId;

/// No report of ours comes near.
const LARGEST: u64 = 4 << 20;
/// How a scenario ends that is good: the word of reports.
const RECOVERED: &str = "recovered";

/// A drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// When it began: the name of its report says it.
    pub at: DateTime<Utc>,
    /// Its scenarios, and how each ended.
    pub scenarios: Vec<(String, String)>,
}

/// `{"scenarios": [{"name": "traefik", "outcome": "recovered"}]}`, and more.
#[derive(Deserialize)]
struct Report {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    outcome: String,
}

impl Drill {
    /// Whether every scenario came back.
    pub fn is_good(&self) -> bool {
        !self.scenarios.is_empty() && self.scenarios.iter().all(|(_, outcome)| outcome == RECOVERED)
    }
}

impl Repository {
    /// The drills that have a report here.
    pub fn drills(&self) -> Vec<Drill> {
        let Ok(folder) = fs::read_dir(self.root.join(layout::REPORTS)) else { return Vec::new() };
        let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter_map(|name| self.drill(&name)).collect()
    }

    fn drill(&self, name: &str) -> Option<Drill> {
        let run: RunId = name.strip_suffix(".json")?.parse().ok()?;
        let mut bytes = Vec::new();
        let file = File::open(self.root.join(layout::REPORTS).join(name)).ok()?;
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let Report { scenarios } = serde_json::from_slice(&bytes).ok()?;
        let scenarios = scenarios.into_iter().map(|one| (one.name, one.outcome)).collect();
        Some(Drill { at: run.started_at(), scenarios })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::fixture::at;

    #[test]
    fn a_report_of_several_scenarios_is_a_drill_and_good_if_all_came_back() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository { root: folder.path().into(), id: "r".into() };
        assert_eq!(repository.drills(), []);
        let reports = folder.path().join("reports");
        fs::create_dir(&reports).unwrap();
        let write = |name: &str, text: &str| fs::write(reports.join(name), text).unwrap();
        write(
            "20261101T010000Z-drill-000001.json",
            r#"{"scenarios": [{"name": "cni", "outcome": "recovered", "x": 1}]}"#,
        );
        write(
            "20261102T010000Z-drill-000002.json",
            r#"{"scenarios": [{"name": "cni", "outcome": "partial"}]}"#,
        );
        write("20261103T010000Z-traefik-000003.json", r#"{"scenario": "traefik", "outcome": "recovered"}"#);
        write("20261104T010000Z-drill-000004.html", "<html>");
        write("notes.json", r#"{"scenarios": []}"#);
        let mut drills = repository.drills();
        drills.sort_by_key(|drill| drill.at);
        let found: Vec<_> = drills.iter().map(|drill| (drill.at, drill.is_good())).collect();
        assert_eq!(found, [(at("2026-11-01T01:00:00Z"), true), (at("2026-11-02T01:00:00Z"), false)]);
        assert!(!Drill { scenarios: vec![], ..drills[0].clone() }.is_good());
    }
}

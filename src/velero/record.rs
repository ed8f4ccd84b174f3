//! `velero-backup.json`, which Velero keeps beside an archive: when it was made, and what it left out.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::Value;

/// What is beside the archive, by the layout of Velero's object storage.
const FILE: &str = "velero-backup.json";
/// Fields of a Backup's spec that narrow it (velero.io, API type Backup).
const NARROWING: [&str; 11] = [
    "includedNamespaces",
    "excludedNamespaces",
    "includedResources",
    "excludedResources",
    "includedClusterScopedResources",
    "excludedClusterScopedResources",
    "includedNamespaceScopedResources",
    "excludedNamespaceScopedResources",
    "labelSelector",
    "orLabelSelectors",
    "resourcePolicy", // its ConfigMap, which is not in the record, may exclude kinds
];

/// What is known of a backup besides its content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Record {
    /// When Velero began to read the cluster.
    pub(super) began: Option<DateTime<Utc>>,
    /// Whether it read everything.
    pub(super) complete: bool,
    pub(super) remarks: Vec<String>,
}

impl Record {
    /// Reads the record beside an archive. Without one nothing says that the archive is whole.
    pub(super) fn beside(file: &Path) -> Self {
        let text = std::fs::read(file.with_file_name(FILE)).ok();
        let record: Option<Value> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.split_once(".tar").map_or(name, |(name, _)| name);
        let name = name.strip_suffix("-data").unwrap_or(name); // so `velero backup download` calls it
        match record {
            Some(record) if record["metadata"]["name"] == name => Self::of(&record),
            _ => Self {
                remarks: vec![format!(
                    "no {FILE} of backup {name} is beside the archive: when it was made is guessed from its entries, and \
                     nothing is deleted, for it may not hold everything"
                )],
                ..Self::default()
            },
        }
    }

    fn of(record: &Value) -> Self {
        let (spec, status) = (&record["spec"], &record["status"]);
        let began = status["startTimestamp"].as_str().or(record["metadata"]["creationTimestamp"].as_str());
        let everything = |value: &Value| match value {
            Value::Null => true,
            Value::Array(names) => names.is_empty() || (names.len() == 1 && names[0] == "*"),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let phase = status["phase"].as_str().unwrap_or("unknown");
        let mut remarks = Vec::new();
        if phase != "Completed" {
            remarks.push(format!(
                "the backup's phase is {phase}: nothing is deleted, for it may not hold everything"
            ));
        }
        let narrowing: Vec<&str> = NARROWING.into_iter().filter(|field| !everything(&spec[*field])).collect();
        if !narrowing.is_empty() {
            let fields = narrowing.join(", ");
            remarks.push(format!(
                "the backup was narrowed by {fields}: nothing is deleted, for it does not hold everything"
            ));
        }
        if spec["includeClusterResources"] == false {
            remarks.push("the backup has no cluster-scoped objects, so nothing is deleted".into());
        }
        Self { began: began.and_then(|at| at.parse().ok()), complete: remarks.is_empty(), remarks }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backup(spec: Value, phase: &str) -> Record {
        let status = json!({"phase": phase, "startTimestamp": "2026-11-24T01:00:00Z"});
        Record::of(&json!({"metadata": {"name": "nightly"}, "spec": spec, "status": status}))
    }

    #[test]
    fn a_backup_is_whole_only_where_velero_left_out_nothing() {
        let whole = backup(
            json!({"includedNamespaces": ["*"], "excludedNamespaces": null, "labelSelector": null}),
            "Completed",
        );
        assert!(whole.complete && whole.remarks.is_empty());
        assert_eq!(whole.began, "2026-11-24T01:00:00Z".parse().ok());
        for (spec, phase, why) in [
            (json!({"includedNamespaces": ["shop"]}), "Completed", "includedNamespaces"),
            (json!({"excludedResources": ["secrets"]}), "Completed", "excludedResources"),
            (json!({"resourcePolicy": {"kind": "configmap", "name": "p"}}), "Completed", "resourcePolicy"),
            (json!({"labelSelector": {"matchLabels": {"a": "b"}}}), "Completed", "labelSelector"),
            (json!({"includeClusterResources": false}), "Completed", "cluster-scoped"),
            (json!({}), "PartiallyFailed", "PartiallyFailed"),
        ] {
            let part = backup(spec, phase);
            assert!(!part.complete && part.remarks[0].contains(why), "{part:?}");
        }
    }

    #[test]
    fn a_record_counts_only_beside_its_own_archive() {
        let folder = tempfile::tempdir().unwrap();
        let record = json!({"metadata": {"name": "nightly"}, "status": {"phase": "Completed"}});
        std::fs::write(folder.path().join(FILE), record.to_string()).unwrap();
        for (archive, complete) in
            [("nightly.tar.gz", true), ("nightly-data.tar.gz", true), ("other.tar.gz", false)]
        {
            assert_eq!(Record::beside(&folder.path().join(archive)).complete, complete, "{archive}");
        }
    }
}

//! `velero-backup.json`, which Velero keeps beside an archive: when it was made, and what it left out.
//!
//! In: the archive's place, and when its entries were written. Out: a [`Record`]. Invariant: an archive has no name of its own,
//! so a record counts only for what is called after its backup, or was written while that backup was made; and never for
//! what was written at another time, whatever it is called.

use std::{io, path::Path};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
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

/// Between what two times an archive's entries were written: Velero dates each by its own clock, as it does begin and end of
/// the backup (velero, pkg/backup/item_backupper.go).
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

/// Whole seconds, rounded either way.
const ROUNDED: TimeDelta = TimeDelta::seconds(2);

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
    pub(super) fn beside(file: &Path, written: Option<Written>) -> Self {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.split_once(".tar").map_or(name, |(name, _)| name);
        let name = name.strip_suffix("-data").unwrap_or(name); // so `velero backup download` calls it
        let text = match std::fs::read(file.with_file_name(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Self::none(format!(
                    "no {FILE} is beside the archive; where the archive is in the bucket, backups/{name}/{FILE} is, too"
                ));
            }
            Err(error) => return Self::none(format!("{FILE} beside the archive cannot be read: {error}")),
        };
        let record: Value = match serde_json::from_slice(&text) {
            Ok(record) => record,
            Err(flaw) => {
                return Self::none(format!(
                    "{FILE} beside the archive is not JSON: its line {}, column {}",
                    flaw.line(),
                    flaw.column()
                ));
            }
        };
        match record["metadata"]["name"].as_str() {
            None => Self::none(format!("{FILE} beside the archive names no backup")),
            Some(of) => Self::named(&record, of, name, written),
        }
    }

    /// The record of backup `of`, beside an archive that is called `name`.
    fn named(record: &Value, of: &str, name: &str, written: Option<Written>) -> Self {
        let at = |field: &str| -> Option<DateTime<Utc>> { record["status"][field].as_str()?.parse().ok() };
        let made = at("startTimestamp").zip(at("completionTimestamp"));
        let shown = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let span = |from, to| format!("from {} to {}", shown(from), shown(to));
        let Some(((began, ended), Written { from, to })) = made.zip(written) else {
            if of == name {
                return Self::of(record);
            }
            return Self::none(format!(
                "{FILE} beside the archive is of backup {of}, and the archive is called {name}: if it is that backup's, \
                 call it {of}.tar.gz"
            ));
        };
        if from + ROUNDED < began || to > ended + ROUNDED {
            return Self::none(format!(
                "{FILE} beside the archive is of backup {of}, which was made {}, and the archive {name} was written {}: it \
                 is another backup's",
                span(began, ended),
                span(from, to)
            ));
        }
        let mut known = Self::of(record);
        if of != name {
            known.remarks.push(format!(
                "the archive {name} is taken for backup {of}, whose {FILE} is beside it: it was written {}, while that backup \
                 was made",
                span(from, to)
            ));
        }
        known
    }

    /// Nothing says what the archive is of.
    fn none(why: String) -> Self {
        let remark = format!(
            "{why}; so when it was made is guessed from its entries, and nothing is deleted, for it may not hold everything"
        );
        Self { remarks: vec![remark], ..Self::default() }
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

    /// What is known of an archive of this name, beside this text, written at these minutes past one.
    fn beside(archive: &str, text: Option<&str>, minutes: Option<(u32, u32)>) -> Record {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = text {
            std::fs::write(folder.path().join(FILE), text).unwrap();
        }
        let at = |minute: u32| format!("2026-11-24T01:{minute:02}:00Z").parse().unwrap();
        let written = minutes.map(|(from, to)| Written { from: at(from), to: at(to) });
        Record::beside(&folder.path().join(archive), written)
    }

    fn nightly(ended: Option<&str>) -> String {
        let status = json!({"phase": "Completed", "startTimestamp": "2026-11-24T01:10:00Z", "completionTimestamp": ended});
        json!({"metadata": {"name": "nightly"}, "status": status}).to_string()
    }

    #[test]
    fn a_record_counts_for_what_is_called_after_its_backup_or_was_written_while_that_was_made() {
        let (whole, open) = (nightly(Some("2026-11-24T01:20:00Z")), nightly(None));
        for (archive, text, minutes, complete, said) in [
            ("nightly.tar.gz", &open, None, true, ""),
            ("nightly-data.tar.gz", &open, Some((11, 19)), true, ""),
            ("nightly.tar.gz", &whole, Some((10, 20)), true, ""),
            ("backup.tar.gz", &whole, Some((10, 20)), true, "backup is taken for backup nightly"),
            ("backup.tar.gz", &whole, None, false, "call it nightly.tar.gz"),
            ("backup.tar.gz", &open, Some((11, 19)), false, "call it nightly.tar.gz"),
            ("backup.tar.gz", &whole, Some((9, 19)), false, "it is another backup's"),
            ("nightly.tar.gz", &whole, Some((11, 21)), false, "made from 2026-11-24T01:10:00Z to"),
        ] {
            let record = beside(archive, Some(text), minutes);
            let remarks = record.remarks.join("\n");
            assert_eq!(record.complete, complete, "{archive} {minutes:?}: {remarks}");
            assert!(remarks.contains(said) && (remarks.is_empty() == said.is_empty()), "{remarks}");
            assert_ne!(complete, remarks.contains("nothing is deleted"), "{remarks}");
        }
    }

    #[test]
    fn what_is_no_record_is_said_to_be_none() {
        for (text, why) in [
            (None, "backups/nightly/velero-backup.json"),
            (Some("{broken"), "is not JSON: its line 1"),
            (Some("[]"), "names no backup"),
        ] {
            let record = beside("nightly.tar.gz", text, None);
            assert!(!record.complete && record.remarks[0].contains(why), "{record:?}");
        }
    }
}

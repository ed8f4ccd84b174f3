//! A Velero archive as a source.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{Given, Sources};
use crate::{
    Result,
    capture::Scope,
    model::{Component, Facts, Index, IndexEntry, SourceName},
    plan::Source,
    restore::Request,
    velero,
};

impl Sources {
    /// Reads what an archive holds of the plan's components.
    pub(in crate::restore) fn of_velero(
        file: &Path,
        sha256: Option<&str>,
        request: &Request<'_>,
        components: &BTreeSet<Component>,
    ) -> Result<Self> {
        let scope = Scope { components: components.clone(), ..request.scope.clone() };
        let backup = velero::read(file, sha256, &scope)?;
        let sha256 = backup.sha256;
        let mut warnings = vec![
            "nobody signed this archive, and nothing in it says which cluster it is of: whoever named it answers for it".into(),
        ];
        if backup.captured_at > request.incident_start {
            warnings.push("the archive was made after the incident began and may hold its damage".into());
        }
        warnings.extend(backup.remarks);
        let name = SourceName::Velero { file: file.display().to_string(), sha256 };
        Ok(Self {
            headers: Vec::new(),
            not_done: Vec::new(),
            absent: BTreeSet::new(),
            signed_by: "nobody; the operator named the file with --from".into(),
            index: Index {
                facts: Facts::default(),
                entries: backup.items.values().map(IndexEntry::of).collect(),
            },
            warnings,
            given: Some(Given {
                source: Source { names: vec![name], captured_at: backup.captured_at, lossless: false },
                complete: backup.complete,
                authored: false,
                narrowed: Vec::new(),
                places: BTreeMap::new(),
                items: backup.items,
                refused: BTreeMap::new(),
            }),
        })
    }
}

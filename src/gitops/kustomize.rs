//! What kustomizations mean for the files beside them.
//!
//! In: the files of a commit. Out: which of them are kustomizations, and which files those leave out. Invariant: where
//! a kustomization changes what is written, or needs what was not read, the files alone are not what is applied, and
//! that is an error.

use std::collections::BTreeSet;

use serde_json::Value;

use super::File;
use crate::{Error, Result, yaml};

/// Fields that make something else of the resources than what is written (kustomize's Kustomization).
const CHANGING: [&str; 15] = [
    "buildMetadata",
    "commonAnnotations",
    "commonLabels",
    "components",
    "generators",
    "helmCharts",
    "labels",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "transformers",
];

/// The kustomizations among some files.
#[derive(Debug, Default)]
pub(super) struct Kustomizations {
    /// Their paths.
    paths: BTreeSet<String>,
    /// Every path that one of them names.
    resources: BTreeSet<String>,
}

impl Kustomizations {
    /// # Errors
    /// Usage: one that changes what is written, or names what is not among the files.
    pub(super) fn of(files: &[File]) -> Result<Self> {
        let mut found = Self::default();
        for file in files.iter().filter(|file| is_kustomization(&file.path)) {
            let path = &file.path;
            let Some(content) = yaml::read(&file.bytes) else {
                return Err(Error::damaged(format!("{path} is not valid YAML")));
            };
            // Flux has a kind of the same name, which says nothing of the files beside it.
            if content["apiVersion"].as_str().is_some_and(|api| !api.starts_with("kustomize.config.k8s.io/"))
            {
                continue;
            }
            found.paths.insert(path.clone());
            if let Some(field) = CHANGING.iter().find(|field| !content[**field].is_null()) {
                return Err(refused(path, &format!("its `{field}` makes something else of what is written")));
            }
            for resource in ["resources", "bases"].iter().flat_map(|field| strings(&content[*field])) {
                let resource = join(folder(path), resource);
                let read = |file: &File| file.path == resource || folder(&file.path) == resource;
                if !files.iter().any(read) {
                    return Err(refused(path, &format!("its resource {resource} is not below `path`")));
                }
                found.resources.insert(resource);
            }
        }
        Ok(found)
    }

    /// Whether a file is a kustomization.
    pub(super) fn is_one(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// The kustomization in whose folder a file is, and which does not name it.
    pub(super) fn leaves_out(&self, path: &str) -> Option<&str> {
        if self.resources.contains(path) {
            return None;
        }
        let above = |kustomization: &&String| {
            let folder = folder(kustomization);
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        self.paths.iter().filter(above).max_by_key(|path| path.len()).map(String::as_str)
    }
}

fn is_kustomization(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("kustomization.yaml" | "kustomization.yml" | "Kustomization"))
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path named from a folder; one that leaves the repository is no path in it.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn refused(path: &str, why: &str) -> Error {
    Error::usage(format!("the files beside {path} are not what is applied: {why}"))
        .hint("name a folder of plain YAML as `path` in git.sources, such as what `kustomize build` writes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    fn of(files: &[(&str, &str)]) -> Result<Kustomizations> {
        let file = |(path, text): &(&str, &str)| File {
            component: Component::Policies,
            path: (*path).into(),
            bytes: text.as_bytes().to_vec(),
        };
        Kustomizations::of(&files.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_kustomization_does_not_name_is_left_out() {
        let found = of(&[
            ("p/kustomization.yaml", "resources: [a.yaml, sub]\n"),
            ("p/a.yaml", ""),
            ("p/old.yaml", ""),
            ("p/sub/kustomization.yaml", "resources: [../b.yaml, c.yaml]\n"),
            ("p/sub/c.yaml", ""),
            ("p/b.yaml", ""),
            ("q/free.yaml", ""),
        ])
        .unwrap();
        assert!(found.is_one("p/sub/kustomization.yaml") && !found.is_one("p/a.yaml"));
        for kept in ["p/a.yaml", "p/b.yaml", "p/sub/c.yaml", "q/free.yaml", "pp/x.yaml"] {
            assert_eq!(found.leaves_out(kept), None, "{kept}");
        }
        assert_eq!(found.leaves_out("p/old.yaml"), Some("p/kustomization.yaml"));
        assert_eq!(found.leaves_out("p/sub/d.yaml"), Some("p/sub/kustomization.yaml"));
    }

    #[test]
    fn kustomize_knows_one_by_its_name_and_flux_has_another_kind_of_it() {
        let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {path: ./p}\n";
        let found = of(&[("p/kustomization.yaml", flux), ("p/a.yaml", "")]).unwrap();
        assert!(!found.is_one("p/kustomization.yaml"));
        assert_eq!(found.leaves_out("p/a.yaml"), None);
        let found = of(&[("p/Kustomization", "resources: [a.yaml]\n"), ("p/a.yaml", ""), ("p/b.yaml", "")]);
        assert_eq!(found.unwrap().leaves_out("p/b.yaml"), Some("p/Kustomization"));
    }

    #[test]
    fn one_that_changes_what_is_written_or_needs_more_is_refused() {
        for (text, why) in [
            ("namePrefix: x-\n", "`namePrefix`"),
            ("patches: [{path: p.yaml}]\n", "`patches`"),
            ("resources: [../base]\n", "base is not below `path`"),
            ("resources: ['https://forge.lab/x?ref=v1']\n", "is not below `path`"),
        ] {
            let error = of(&[("p/kustomization.yaml", text), ("p/a.yaml", "")]).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.kind(), crate::Kind::Usage);
        }
    }
}

//! From files to the objects that people wrote in them.
//!
//! In: the files of a commit. Out: every Kubernetes object, with its place. Invariant: an object is in one place, plain
//! YAML is all that is read (what a template or a kustomization would make of it is refused, never guessed), and
//! what is left out is said. No content is in any message.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Checkout, File, history, kustomize::Kustomizations};
use crate::{Error, Result, model::Component};

const PLAIN_YAML: &str =
    "name a folder of plain YAML as `path` in git.sources, such as what `helm template` writes";

const FILTERED: &str =
    "has fields that netdr filtered out of Git; the whole of it is in a snapshot: --from snapshot";

/// An object as somebody wrote it. Its `Debug` names its place and never shows its content.
pub struct Manifest {
    /// The component of the source that it is in.
    pub component: Component,
    /// Its file, and its number where the file has several.
    pub place: String,
    /// The object.
    pub object: Value,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manifest({})", self.place)
    }
}

/// What a commit's files hold.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The objects, in order of place.
    pub objects: Vec<Manifest>,
    /// What was left out, with why.
    pub ignored: Vec<String>,
    /// Files that a kustomization in or above their folder does not name: by its path, theirs.
    pub narrowed: BTreeMap<String, Vec<String>>,
    /// Whether nothing was left out that may be one of them: behind a link or in a submodule, or encrypted.
    pub complete: bool,
}

/// Reads the objects of a commit.
///
/// # Errors
/// Damaged, by file and line: what is no YAML, and an object that is in two places. Usage: a template, a Helm chart, a
/// kustomization that changes what is written.
pub fn manifests(checkout: &Checkout) -> Result<Manifests> {
    let passed_over = &checkout.passed_over;
    let (ignored, complete) = (passed_over.clone(), passed_over.is_empty());
    let mut found = Manifests { ignored, complete, ..Manifests::default() };
    if let Some(chart) = checkout.files.iter().find(|file| name(&file.path) == "Chart.yaml") {
        return Err(Error::usage(format!(
            "{} is of a Helm chart, whose templates are not what is applied",
            chart.path
        ))
        .hint(PLAIN_YAML));
    }
    let kustomizations = Kustomizations::of(&checkout.files)?;
    for file in &checkout.files {
        if kustomizations.is_one(&file.path) {
            continue;
        }
        match kustomizations.leaves_out(&file.path) {
            Some(_) if found.is_filtered(file) => {}
            Some(kustomization) => {
                found.narrowed.entry(kustomization.to_owned()).or_default().push(file.path.clone());
            }
            None => found.read(file)?,
        }
    }
    found.once()?;
    Ok(found)
}

impl Manifests {
    /// Whether a file that a kustomization leaves out is an object which netdr filtered. It is no authored one, and that it
    /// is left out does not say that the cluster has it too much.
    fn is_filtered(&mut self, file: &File) -> bool {
        let documents = file.documents(|| Error::usage(String::new())).unwrap_or_default();
        let filtered = documents.iter().any(history::is_filtered);
        if filtered {
            self.complete = false;
            self.ignored.push(format!("{} {FILTERED}", file.path));
        }
        filtered
    }

    fn read(&mut self, file: &File) -> Result<()> {
        let path = &file.path;
        let template =
            || Error::usage(format!("{path} is a template, and not what is applied")).hint(PLAIN_YAML);
        let documents = file.documents(template)?;
        let mut objects = Vec::new();
        documents.into_iter().for_each(|document| flatten(document, &mut objects));
        let several = objects.len() > 1;
        for (number, object) in objects.into_iter().enumerate() {
            let place = if several { format!("{path}, object {}", number + 1) } else { path.clone() };
            self.complete &= !is_encrypted(&object) && !history::is_filtered(&object);
            match unwanted(&object) {
                Some(why) => self.ignored.push(format!("{place} {why}")),
                None => self.objects.push(Manifest { component: file.component, place, object }),
            }
        }
        Ok(())
    }

    /// Two texts for one object: which of them is meant, nobody can know.
    fn once(&self) -> Result<()> {
        let mut places: BTreeMap<(Component, String), &str> = BTreeMap::new();
        for Manifest { component, place, object } in &self.objects {
            let metadata = &object["metadata"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (api, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
            let group = api.split_once('/').map_or("", |(group, _)| group);
            let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
            let identity = format!("{kind} {namespace}/{name}");
            if let Some(other) = places.insert((*component, format!("{group} {identity}")), place) {
                return Err(Error::damaged(format!("{identity} is in Git twice: in {other} and in {place}"))
                    .hint("remove one of them, commit, and restore again"));
            }
        }
        Ok(())
    }
}

/// The objects of a document: Kubernetes' lists hold several.
fn flatten(document: Value, objects: &mut Vec<Value>) {
    let list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut fields) if list && fields.get("items").is_some_and(Value::is_array) => {
            let items = fields.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
            objects.extend(items.unwrap_or_default());
        }
        other => objects.push(other),
    }
}

/// Of Secrets it is usual, and nothing is lost by it.
fn is_encrypted(object: &Value) -> bool {
    object["sops"].is_object() && object["kind"] != "Secret"
}

fn unwanted(object: &Value) -> Option<&'static str> {
    if is_encrypted(object) {
        return Some("is encrypted with SOPS, which netdr does not open");
    }
    let named = object["apiVersion"].is_string()
        && object["kind"].is_string()
        && object["metadata"]["name"].is_string();
    if !named {
        return Some("is no Kubernetes object with a name");
    }
    if object["apiVersion"] == "v1" && object["kind"] == "Secret" {
        return Some("is a Secret, and none is restored from Git");
    }
    history::is_filtered(object).then_some(FILTERED)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str =
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: NAME, namespace: demo}\n";

    fn policy(name: &str) -> String {
        POLICY.replace("NAME", name)
    }

    fn read(files: &[(&str, &str)]) -> Result<Manifests> {
        let files = files.iter().map(|(path, text)| File {
            component: Component::Policies,
            path: (*path).into(),
            bytes: text.as_bytes().to_vec(),
        });
        manifests(&Checkout {
            url: "/forge/k8s".into(),
            branch: "main".into(),
            commit: "c".repeat(40),
            committed_at: DateTime::default(),
            answers: "ada".into(),
            newest: true,
            seen_at: None,
            files: files.collect(),
            passed_over: vec!["p/link.yaml is a link, which is not followed".into()],
        })
    }

    use chrono::DateTime;

    #[test]
    fn every_object_is_found_with_its_place() {
        let two = format!("# first\n---\n{}---\n{}", policy("a"), policy("b"));
        let list =
            format!("apiVersion: v1\nkind: List\nitems:\n- {}", policy("c").trim_end().replace('\n', "\n  "));
        let found = read(&[("p/two.yaml", &two), ("p/sub/list.yml", &list), ("p/empty.yaml", "# nothing\n")])
            .unwrap();
        let places: Vec<&str> = found.objects.iter().map(|m| m.place.as_str()).collect();
        assert_eq!(places, ["p/two.yaml, object 1", "p/two.yaml, object 2", "p/sub/list.yml"]);
        assert_eq!(found.objects[2].object["metadata"]["name"], "c");
        assert_eq!(found.ignored, ["p/link.yaml is a link, which is not followed"]);
        assert!(!found.complete, "what is behind the link may be an object");
    }

    #[test]
    fn what_is_no_object_of_netdrs_is_left_out_and_said() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: MARKER}\n";
        let sops = format!("{}sops: {{mac: MARKER}}\n", policy("a"));
        let found = read(&[("s.yaml", secret), ("e.yaml", &sops), ("values.yaml", "replicas: 3\n")]).unwrap();
        assert!(found.objects.is_empty());
        let said = found.ignored.join("\n");
        for part in
            ["s.yaml is a Secret", "e.yaml is encrypted with SOPS", "values.yaml is no Kubernetes object"]
        {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert!(!said.contains("MARKER"));
    }

    #[test]
    fn what_netdr_filtered_is_never_taken_from_git_nor_for_something_that_the_cluster_has_too_much() {
        let annotated = policy("a")
            .replace("namespace: demo", "namespace: demo, annotations: {netdr.io/filtered: spec.x}");
        let copied = format!("{}spec: {{x: (filtered by netdr)}}\n", policy("b"));
        let files = [
            ("p/kustomization.yaml", "resources: [b.yaml]\n"),
            ("p/review/a.yaml", annotated.as_str()),
            ("p/b.yaml", copied.as_str()),
        ];
        let found = read(&files).unwrap();
        assert!(found.objects.is_empty() && found.narrowed.is_empty() && !found.complete);
        for file in ["p/review/a.yaml", "p/b.yaml"] {
            let said = found.ignored.iter().find(|line| line.starts_with(file)).unwrap();
            assert!(said.contains("--from snapshot"), "{said}");
        }
    }

    #[test]
    fn what_a_kustomization_does_not_name_is_told_apart_by_it() {
        let (one, old) = (policy("a"), policy("old"));
        let files =
            [("p/kustomization.yaml", "resources: [a.yaml]\n"), ("p/a.yaml", &one), ("p/old.yaml", &old)];
        let found = read(&files).unwrap();
        assert_eq!(found.objects.len(), 1);
        let narrowed = BTreeMap::from([("p/kustomization.yaml".to_owned(), vec!["p/old.yaml".to_owned()])]);
        assert_eq!(found.narrowed, narrowed);
    }

    #[test]
    fn an_object_in_two_places_is_an_error_that_names_both() {
        let error = read(&[("a.yaml", &policy("x")), ("b.yaml", &policy("x"))]).unwrap_err();
        assert_eq!(error.to_string(), "NetworkPolicy demo/x is in Git twice: in a.yaml and in b.yaml");
        assert_eq!(error.kind(), crate::Kind::Damaged);
    }

    #[test]
    fn what_does_not_parse_is_named_by_file_and_line_without_content() {
        let error = read(&[("p/bad.yaml", &format!("{}---\na: 1\nb: [MARKER\n", policy("x")))]).unwrap_err();
        let said = format!("{error:?}");
        assert!(
            said.contains("p/bad.yaml") && said.contains("document 2") && said.contains("line"),
            "{said}"
        );
        assert!(!said.contains("MARKER"), "{said}");
    }

    #[test]
    fn templates_and_charts_are_refused_in_words() {
        let template =
            read(&[("t.yaml", "metadata:\n  name: {{ .Release.Name }}\n{{- if .x }}\n")]).unwrap_err();
        assert!(template.to_string().contains("t.yaml is a template"), "{template}");
        let chart = read(&[("c/Chart.yaml", "name: c\n"), ("c/values.yaml", "a: 1\n")]).unwrap_err();
        assert!(chart.to_string().contains("c/Chart.yaml is of a Helm chart"), "{chart}");
        assert_eq!((template.kind(), chart.kind()), (crate::Kind::Usage, crate::Kind::Usage));
    }
}

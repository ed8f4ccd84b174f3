//! The values of a Helm release, as somebody authored them.
//!
//! In: a commit, whose only file they are. Out: the values. Invariant: plain YAML is all that is read, and no error shows
//! anything of them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Checkout, GitSource, Wanted, read};
use crate::{Error, Result, signature::TrustedSigners};

/// Values, and the commit that they are of. Its `Debug` never shows them.
#[derive(Clone)]
pub struct Values {
    /// The commit's full id.
    pub commit: String,
    /// Who answers for it.
    pub answers: String,
    /// Whether it is the newest of its branch, wherever people push to.
    pub newest: bool,
    /// A mapping.
    pub values: Value,
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Values({})", self.commit)
    }
}

/// Reads the values file that one of the sources is; revision, keys and whose word is taken are as in `wanted`.
///
/// # Errors
/// As [`read`]; and where the file is a template, is encrypted, or holds no values.
pub async fn values(
    source: &GitSource,
    wanted: &Wanted,
    trusted: &TrustedSigners,
    now: DateTime<Utc>,
) -> Result<Values> {
    let wanted = Wanted { sources: vec![source.clone()], ..wanted.clone() };
    let checkout = read(&wanted, trusted, now).await?.into_iter().next();
    let checkout = checkout.ok_or_else(|| Error::failed(format!("{} has no commit", source.url)))?;
    let values = of(&checkout)?;
    let Checkout { commit, answers, newest, .. } = checkout;
    Ok(Values { commit, answers, newest, values })
}

fn of(checkout: &Checkout) -> Result<Value> {
    let [file] = &checkout.files[..] else {
        return Err(Error::usage("its `path` is no single file").hint("name the values file in git.sources"));
    };
    let path = &file.path;
    let template = || Error::usage(format!("{path} is a template, and not what Helm is given"));
    let mut documents = file.documents(template)?;
    let values = documents.pop().unwrap_or_else(|| Map::new().into());
    if !documents.is_empty() || !values.is_object() {
        return Err(Error::usage(format!("{path} holds no values of a Helm release")));
    }
    if values["sops"].is_object() {
        return Err(Error::usage(format!("{path} is encrypted with SOPS, which netdr does not open")));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{gitops::File, model::Component};

    fn read(texts: &[&str]) -> Result<Value> {
        let file = |text: &&str| File {
            component: Component::Ingress,
            path: "helm/values.yaml".into(),
            bytes: text.as_bytes().to_vec(),
        };
        of(&Checkout {
            url: "/forge/k8s".into(),
            branch: "main".into(),
            commit: "c".repeat(40),
            committed_at: DateTime::default(),
            answers: "ada".into(),
            newest: true,
            seen_at: None,
            files: texts.iter().map(file).collect(),
            passed_over: Vec::new(),
        })
    }

    #[test]
    fn values_are_one_mapping_as_helm_reads_it() {
        assert_eq!(
            read(&["# ours\nlogLevel: INFO\nmode: 0644\n"]).unwrap(),
            json!({"logLevel": "INFO", "mode": 420})
        );
        assert_eq!(read(&["# none\n"]).unwrap(), json!({}));
    }

    #[test]
    fn what_holds_no_values_is_said_without_content() {
        for (texts, why) in [
            (&["a: {{ .Values.MARKER }}\n"][..], "is a template"),
            (&["a: [MARKER\n"], "is not valid YAML"),
            (&["[MARKER]\n"], "holds no values"),
            (&["a: MARKER\n---\nb: 1\n"], "holds no values"),
            (&["a: MARKER\nsops: {mac: x}\n"], "is encrypted with SOPS"),
            (&["a: MARKER\n", "b: 1\n"], "is no single file"),
            (&[], "is no single file"),
        ] {
            let error = format!("{:?}", read(texts).unwrap_err());
            assert!(error.contains(why) && !error.contains("MARKER"), "{error}");
        }
    }
}

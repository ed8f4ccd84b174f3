//! Following a kind: what changed, by metadata alone.
//!
//! In: a kind, and from which resourceVersion. Out: each change as it comes, and where to go on. Invariant: what is in the
//! objects never crosses the wire; a watch that ends for any reason but the server's own time says why.

use std::time::Duration;

use http::{Method, Request, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Answer, ApiKind, Cluster, ListOptions, Refusal,
    list::{Listed, list_path},
    request::{Status, connection_words, lost, refused},
};

/// How long the server keeps one watch; it ends well within the time that the connection may be silent.
const LASTS: Duration = Duration::from_secs(50);

/// What happened to an object.
#[derive(Debug)]
pub enum Change {
    /// The server follows the kind from here on.
    Begun,
    /// It came, or is otherwise now: its metadata.
    Is(Value),
    /// It is gone: what its metadata was.
    Gone(Value),
}

/// One line of a watch.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    what: String,
    object: Value,
}

const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

impl Cluster {
    /// Lists the metadata of a kind; the resourceVersion from which [`Cluster::watch`] follows it.
    pub async fn list_metadata(
        &self,
        kind: &ApiKind,
        options: &ListOptions,
        each: impl FnMut(Listed) + Send,
    ) -> Answer<String> {
        let options = ListOptions { metadata_only: true, ..options.clone() };
        self.list_at(kind, &options, each).await
    }

    /// Follows a kind from a resourceVersion until the server ends the watch; from which to go on then. Nothing is tried
    /// again here: 410 means that the past is forgotten, and to list.
    pub async fn watch(
        &self,
        kind: &ApiKind,
        options: &ListOptions,
        from: &str,
        mut each: impl FnMut(Change) + Send,
    ) -> Answer<String> {
        let path = list_path(
            kind,
            options,
            &[
                ("watch", "true"),
                ("allowWatchBookmarks", "true"),
                ("resourceVersion", from),
                ("timeoutSeconds", &LASTS.as_secs().to_string()),
            ],
        );
        let request = Request::builder().method(Method::GET).uri(&path).header(header::ACCEPT, METADATA);
        let request =
            request.body(kube::client::Body::empty()).map_err(|e| lost(format!("bad path {path}: {e}")))?;
        let answer = self.client.send(request).await.map_err(|e| lost(connection_words(&e)))?;
        let (parts, mut body) = answer.into_parts();
        if !parts.status.is_success() {
            let bytes = body.collect().await.map(|all| all.to_bytes()).unwrap_or_default();
            return Err(refused(parts.status, &parts.headers, &bytes));
        }
        each(Change::Begun);
        let (mut at, mut line) = (from.to_owned(), Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| lost(format!("the connection broke while watching: {e}")))?;
            let Ok(data) = frame.into_data() else { continue };
            for part in data.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(part);
                if line.ends_with(b"\n") {
                    take(&line, kind, &mut at, &mut each)?;
                    line.clear();
                }
            }
        }
        Ok(at)
    }
}

/// One event; moves on to where it happened.
fn take(line: &[u8], kind: &ApiKind, at: &mut String, each: &mut impl FnMut(Change)) -> Answer<()> {
    let bad = |e: serde_json::Error| super::request::bad_answer(&kind.name(), &e);
    let Event { what, mut object } = serde_json::from_slice(line).map_err(bad)?;
    if what == "ERROR" {
        let said: Status = serde_json::from_value(object).map_err(bad)?;
        return Err(Refusal {
            code: said.code,
            reason: said.reason,
            message: said.message,
            fields: Vec::new(),
            retry_after: Duration::ZERO,
        });
    }
    if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
        version.clone_into(at);
    }
    match what.as_str() {
        "BOOKMARK" => {}
        "DELETED" => each(Change::Gone(object["metadata"].take())),
        _ => each(Change::Is(object["metadata"].take())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bookmark_moves_on_and_an_error_says_its_code() {
        let kind = ApiKind {
            group: String::new(),
            version: "v1".into(),
            kind: "Node".into(),
            plural: "nodes".into(),
            namespaced: false,
        };
        let (mut at, mut seen) = ("1".to_owned(), Vec::new());
        let mut each = |change| seen.push(format!("{change:?}"));
        let bookmark = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#;
        take(bookmark, &kind, &mut at, &mut each).unwrap();
        assert_eq!(at, "7");
        let gone = br#"{"type":"DELETED","object":{"metadata":{"name":"n1","resourceVersion":"8"}}}"#;
        take(gone, &kind, &mut at, &mut each).unwrap();
        let expired = br#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        let refusal = take(expired, &kind, &mut at, &mut each).unwrap_err();
        assert_eq!((refusal.code, at.as_str()), (410, "8"));
        assert!(seen.len() == 1 && seen[0].starts_with("Gone"), "{seen:?}");
    }
}

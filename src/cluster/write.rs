//! Changing one object: create, replace, merge, delete, each safe to repeat.

use http::{Method, header};
use serde_json::{Value, json};

use super::{Answer, ApiKind, Cluster, FIELD_MANAGER};

/// What must still be so for a write to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// The object's uid.
    pub uid: String,
    /// The object's resourceVersion.
    pub resource_version: String,
}

impl Precondition {
    /// A live object's.
    pub fn of(object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self { uid: text("uid"), resource_version: text("resourceVersion") }
    }
}

const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
/// Nothing is written, and a field that is not known or that stands there twice is refused (Kubernetes API concepts, "Field
/// validation"); a server before 1.25 takes no notice of the latter.
const DRY_RUN: &str = "dryRun=All&fieldValidation=Strict";
const MERGE: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/merge-patch+json");

impl Cluster {
    /// Reads one object: none where it does not exist.
    pub async fn get(&self, kind: &ApiKind, namespace: Option<&str>, name: &str) -> Answer<Option<Value>> {
        match self.send(Method::GET, &kind.object(namespace, name), &[], None).await {
            Ok(object) => Ok(Some(object)),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// POSTs an object; 409 when it exists.
    pub async fn create(&self, kind: &ApiKind, namespace: Option<&str>, object: &[u8]) -> Answer<()> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}", kind.collection(namespace));
        self.send_bytes(Method::POST, &path, &[JSON], Some(object.to_vec())).await.map(drop)
    }

    /// What the API server would make of an object, defaults included: a POST that is a dry run. Fields that it does not
    /// know, and would drop without a word, are refused ([`Refusal::unknown_fields`](super::Refusal::unknown_fields)).
    pub async fn try_create(&self, kind: &ApiKind, namespace: Option<&str>, object: &Value) -> Answer<Value> {
        let path = format!("{}?{DRY_RUN}&fieldManager={FIELD_MANAGER}", kind.collection(namespace));
        self.send(Method::POST, &path, &[JSON], Some(object)).await
    }

    /// What the API server would make of an object in place of the live one: a PUT that is a dry run, as strict.
    pub async fn try_replace(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        object: Value,
        seen: &Precondition,
    ) -> Answer<Value> {
        let object = only_over(seen, object);
        let path = format!("{}?{DRY_RUN}&fieldManager={FIELD_MANAGER}", kind.object(namespace, name));
        self.send(Method::PUT, &path, &[JSON], Some(&object)).await
    }

    /// PUTs an object over the live one whose resourceVersion is given; 409 when it changed since.
    pub async fn replace(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        object: Value,
        seen: &Precondition,
    ) -> Answer<()> {
        self.put(&kind.object(namespace, name), object, seen).await
    }

    async fn put(&self, path: &str, object: Value, seen: &Precondition) -> Answer<()> {
        let object = only_over(seen, object);
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        self.send_bytes(Method::PUT, &path, &[JSON], Some(object.to_string().into_bytes())).await.map(drop)
    }

    /// PUTs an object's status over the live one's (subresource `status`); 409 when it changed since.
    pub async fn replace_status(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        object: Value,
        seen: &Precondition,
    ) -> Answer<()> {
        self.put(&format!("{}/status", kind.object(namespace, name)), object, seen).await
    }

    /// Merges fields into the live object (RFC 7396); carries a resourceVersion where the patch sets one.
    pub async fn merge(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Answer<()> {
        let path = format!("{}?fieldManager={FIELD_MANAGER}", kind.object(namespace, name));
        self.send_bytes(Method::PATCH, &path, &[MERGE], Some(patch.to_string().into_bytes())).await.map(drop)
    }

    /// Deletes the very object that was seen; one that is gone already counts as deleted.
    pub async fn delete(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        seen: &Precondition,
    ) -> Answer<()> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": seen.uid, "resourceVersion": seen.resource_version},
        });
        let body = Some(options.to_string().into_bytes());
        match self.send_bytes(Method::DELETE, &kind.object(namespace, name), &[JSON], body).await {
            Err(refusal) if refusal.is_not_found() => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// The object, to be written over the very one that was seen and no other.
fn only_over(seen: &Precondition, mut object: Value) -> Value {
    object["metadata"]["resourceVersion"] = seen.resource_version.clone().into();
    if !seen.uid.is_empty() {
        object["metadata"]["uid"] = seen.uid.clone().into();
    }
    object
}

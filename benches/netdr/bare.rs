//! Loops over the same client and nothing else: what the API server itself takes.
//!
//! In: objects, serialised beforehand. Out: how long it took. Invariant: an answer that is no success ends the bench.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use netdr::{cluster::Cluster, model::Component};
use serde_json::{Value, json};

/// Requests in flight: what netdr's restore uses too, so that the ratio compares like with like.
const PARALLEL: usize = 32;
/// On everything that the bench makes, so that it can be deleted by it.
pub(crate) const MADE: (&str, &str) = ("app.kubernetes.io/managed-by", "platform-team");

/// An object to be made.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) component: Component,
    /// Path of its collection.
    pub(crate) collection: String,
    pub(crate) name: String,
    pub(crate) body: String,
}

impl Item {
    /// Of an object with apiVersion, name and, where it has one, namespace; it gets the label [`MADE`].
    pub(crate) fn new(component: Component, plural: &str, mut object: Value) -> Self {
        object["metadata"]["labels"][MADE.0] = MADE.1.into();
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let version = text("/apiVersion").unwrap();
        let root = if version.contains('/') { "apis" } else { "api" };
        let namespace = text("/metadata/namespace").map(|n| format!("namespaces/{n}/")).unwrap_or_default();
        Self {
            component,
            collection: format!("/{root}/{version}/{namespace}{plural}"),
            name: text("/metadata/name").unwrap().into(),
            body: object.to_string(),
        }
    }

    /// Where it is once it is made.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }
}

#[derive(Clone)]
pub(crate) struct Bare {
    pub(crate) cluster: Cluster,
}

impl Bare {
    /// `bench-0` and so on.
    pub(crate) async fn namespaces(&self, count: usize) {
        let namespace = |n: usize| {
            let metadata = json!({"name": format!("bench-{n}"), "labels": {"tier": "bench"}});
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string()
        };
        let all = (0..count).map(async |n| self.send("POST", "/api/v1/namespaces", namespace(n)).await);
        stream::iter(all).buffer_unordered(PARALLEL).for_each(async |_| ()).await;
    }

    /// Creates all, in parallel; how long it took.
    pub(crate) async fn create(&self, items: &[Item]) -> Duration {
        let started = Instant::now();
        let posts = items.iter().map(async |item| self.post(item).await);
        stream::iter(posts).buffer_unordered(PARALLEL).for_each(async |_| ()).await;
        started.elapsed()
    }

    pub(crate) async fn post(&self, item: &Item) -> Value {
        self.send("POST", &item.collection, item.body.clone()).await
    }

    /// Deletes everything that the bench made in the collections of these items.
    pub(crate) async fn delete<'a>(&self, items: impl IntoIterator<Item = &'a Item>) {
        let collections: BTreeSet<&str> = items.into_iter().map(|item| item.collection.as_str()).collect();
        let selector = format!("{}%3D{}", MADE.0.replace('/', "%2F"), MADE.1);
        let deletes = collections.iter().map(async |collection| {
            self.send("DELETE", &format!("{collection}?labelSelector={selector}"), String::new()).await
        });
        stream::iter(deletes).buffer_unordered(PARALLEL).for_each(async |_| ()).await;
    }

    /// Lists a collection, 500 a page, and parses each page.
    pub(crate) async fn list(&self, collection: &str) -> Vec<Value> {
        let (mut token, mut items) = (String::new(), Vec::new());
        loop {
            let mut page = self.get(&format!("{collection}?limit=500&continue={token}")).await;
            if let Value::Array(page) = page["items"].take() {
                items.extend(page);
            }
            token = page["metadata"]["continue"].as_str().unwrap_or_default().into();
            if token.is_empty() {
                return items;
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.send("GET", path, String::new()).await
    }

    /// A request that must succeed; its answer.
    pub(crate) async fn send(&self, method: &str, path: &str, body: String) -> Value {
        self.ask(method, path, body).await.unwrap_or_else(|refusal| unreachable!("{refusal}"))
    }

    /// A request; its answer, or what the API server says against it.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: String) -> Result<Value, String> {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(path).header("Content-Type", content);
        let request = request.body(Body::from(body.into_bytes())).unwrap();
        let answer = self.cluster.client().send(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        if status.is_success() {
            Ok(serde_json::from_slice(&bytes).unwrap())
        } else {
            Err(format!("{method} {path}: {}", String::from_utf8_lossy(&bytes)))
        }
    }
}

//! Listing a kind: paged, whole or an error.

use futures::future::join;
use http::{Method, header};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, ApiKind, Cluster};

/// Objects a page: large enough that 5,000 objects are ten requests, small enough to hold in memory.
const PAGE: usize = 500;

/// Which objects of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// A label selector.
    pub labels: Option<String>,
    /// A field selector, for example `type=kubernetes.io/tls`.
    pub fields: Option<String>,
}

/// How to list.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// In one namespace, or in all.
    pub namespace: Option<String>,
    /// Which ones.
    pub selector: Selector,
    /// Only metadata: what is in the objects never crosses the wire.
    pub metadata_only: bool,
}

/// What a list hands to its caller.
#[derive(Debug)]
pub enum Listed {
    /// One object.
    Object(Value),
    /// The list begins anew: drop what came so far.
    Restarted,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    /// Go writes an empty list as null.
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Deserialize, Default)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    token: Option<String>,
}

const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Cluster {
    /// Lists a kind page by page and hands each object to `each`, with `apiVersion` and `kind` set, which
    /// the items of a list lack.
    ///
    /// An expired continue token (410) starts the list afresh, which the caller is told so that it drops what
    /// it had.
    pub async fn list(
        &self,
        kind: &ApiKind,
        options: &ListOptions,
        mut each: impl FnMut(Listed) + Send,
    ) -> Answer<()> {
        let mut page = self.page(kind, options, None).await?;
        let mut restarts = 0;
        loop {
            let items = page.items.unwrap_or_default();
            let Some(token) = page.metadata.token.filter(|token| !token.is_empty()) else {
                hand_over(kind, items, &mut each);
                return Ok(());
            };
            // The server makes the next page while this one is worked on.
            let next = self.page(kind, options, Some(&token));
            let (next, ()) = join(next, async { hand_over(kind, items, &mut each) }).await;
            page = match next {
                Err(refusal) if refusal.code == 410 && restarts < 3 => {
                    each(Listed::Restarted);
                    restarts += 1;
                    self.page(kind, options, None).await?
                }
                next => next?,
            };
        }
    }

    async fn page(&self, kind: &ApiKind, options: &ListOptions, token: Option<&str>) -> Answer<Page> {
        let accept: &[_] = if options.metadata_only { &[(header::ACCEPT, METADATA)] } else { &[] };
        self.send(Method::GET, &list_path(kind, options, token), accept, None).await
    }

    /// Lists a kind into a vector: for small kinds.
    pub async fn list_all(&self, kind: &ApiKind, options: &ListOptions) -> Answer<Vec<Value>> {
        let mut objects = Vec::new();
        self.list(kind, options, |listed| match listed {
            Listed::Object(object) => objects.push(object),
            Listed::Restarted => objects.clear(),
        })
        .await?;
        Ok(objects)
    }
}

fn hand_over(kind: &ApiKind, items: Vec<Value>, each: &mut impl FnMut(Listed)) {
    for mut object in items {
        if let Some(fields) = object.as_object_mut() {
            fields.insert("apiVersion".into(), kind.api_version().into());
            fields.insert("kind".into(), kind.kind.clone().into());
            each(Listed::Object(object));
        }
    }
}

fn list_path(kind: &ApiKind, options: &ListOptions, token: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &PAGE.to_string());
    for (name, value) in [
        ("labelSelector", options.selector.labels.as_deref()),
        ("fieldSelector", options.selector.fields.as_deref()),
        ("continue", token),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("{}?{}", kind.collection(options.namespace.as_deref()), query.finish())
}

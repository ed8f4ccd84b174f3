//! Listing a kind: paged, whole or an error.

use std::fmt;

use futures::future::join;
use http::{Method, header};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{Answer, ApiKind, Cluster, request::bad_answer};

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

impl Selector {
    /// By fields alone.
    pub fn fields(fields: impl Into<String>) -> Self {
        Self { labels: None, fields: Some(fields.into()) }
    }

    /// The Secrets in which Helm keeps its releases, each of their revisions.
    pub fn releases() -> Self {
        Self { labels: Some("owner=helm".into()), ..Self::fields("type=helm.sh/release.v1") }
    }

    /// Of releases of one name.
    pub fn release(name: &str) -> Self {
        Self { labels: Some(format!("owner=helm,name={name}")), ..Self::releases() }
    }
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

/// What of a page says whether there is another.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: HeadMetadata,
    /// A list has some, be they null; an answer without is no list, and not one of no objects.
    #[serde(rename = "items")]
    _items: IgnoredAny,
}

#[derive(Deserialize, Default)]
struct HeadMetadata {
    #[serde(default, rename = "continue")]
    token: Option<String>,
    /// What the whole list shows, every page of it.
    #[serde(default, rename = "resourceVersion")]
    version: String,
}

/// Reads a page, or its items, and hands over each object as soon as it is parsed: no more than one is held.
struct Objects<F>(F);

impl<'de, F: FnMut(Map<String, Value>)> DeserializeSeed<'de> for Objects<&mut F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, page: D) -> Result<(), D::Error> {
        page.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Map<String, Value>)> Visitor<'de> for Objects<&mut F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut page: A) -> Result<(), A::Error> {
        while let Some(field) = page.next_key::<String>()? {
            match field.as_str() {
                "items" => page.next_value_seed(Objects(&mut *self.0))?,
                _ => drop(page.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(object) = items.next_element()? {
            (self.0)(object);
        }
        Ok(())
    }

    /// Go writes an empty list as null.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
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
        each: impl FnMut(Listed) + Send,
    ) -> Answer<()> {
        self.list_at(kind, options, each).await.map(drop)
    }

    /// As [`Cluster::list`]; the resourceVersion that the list shows.
    pub(super) async fn list_at(
        &self,
        kind: &ApiKind,
        options: &ListOptions,
        mut each: impl FnMut(Listed) + Send,
    ) -> Answer<String> {
        let mut page = self.page(kind, options, None).await?;
        let mut restarts = 0;
        loop {
            let head: Head =
                serde_json::from_slice(&page).map_err(|error| bad_answer(&kind.name(), &error))?;
            let Some(token) = head.metadata.token.filter(|token| !token.is_empty()) else {
                hand_over(kind, &page, &mut each)?;
                return Ok(head.metadata.version);
            };
            // The server makes the next page while this one is parsed and worked on.
            let next = self.page(kind, options, Some(&token));
            let (next, handed_over) = join(next, async { hand_over(kind, &page, &mut each) }).await;
            handed_over?;
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

    async fn page(&self, kind: &ApiKind, options: &ListOptions, token: Option<&str>) -> Answer<Vec<u8>> {
        let accept: &[_] = if options.metadata_only { &[(header::ACCEPT, METADATA)] } else { &[] };
        let page = PAGE.to_string();
        let mut query = vec![("limit", page.as_str())];
        query.extend(token.map(|token| ("continue", token)));
        self.send_bytes(Method::GET, &list_path(kind, options, &query), accept, None).await
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

fn hand_over(kind: &ApiKind, page: &[u8], each: &mut impl FnMut(Listed)) -> Answer<()> {
    let mut each = |mut object: Map<String, Value>| {
        object.insert("apiVersion".into(), kind.api_version().into());
        object.insert("kind".into(), kind.kind.clone().into());
        each(Listed::Object(object.into()));
    };
    let mut page = serde_json::Deserializer::from_slice(page);
    Objects(&mut each).deserialize(&mut page).map_err(|error| bad_answer(&kind.name(), &error))
}

/// The path of a collection with its selectors, and what else is asked.
pub(super) fn list_path(kind: &ApiKind, options: &ListOptions, asked: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(asked);
    for (name, value) in [
        ("labelSelector", options.selector.labels.as_deref()),
        ("fieldSelector", options.selector.fields.as_deref()),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("{}?{}", kind.collection(options.namespace.as_deref()), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_items_is_no_empty_list() {
        let head = |text: &str| serde_json::from_str::<Head>(text);
        assert!(head(r#"{"metadata": {}, "items": null}"#).is_ok());
        assert!(head(r#"{"items": [{}]}"#).is_ok());
        for text in ["{}", r#"{"kind": "Status", "metadata": {}}"#] {
            assert!(head(text).is_err(), "{text}");
        }
    }
}

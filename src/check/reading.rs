//! Reading what checks are about.
//!
//! In: a cluster, which objects of which kinds. Out: [`Reading`]. Invariant: what could not be read is said, never taken
//! for absent; a check reads what its list of [`Source`]s names and nothing else, so that the rights of its job follow
//! from that list.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::Check;
use crate::{
    cluster::{Cluster, Discovery, ListOptions, Selector},
    model::ItemKey,
};

/// Lists in flight.
const LISTS: usize = 6;

/// Objects of a kind, and which of them: they are listed, in all namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// API group, empty for core.
    pub group: &'static str,
    /// Plural resource name.
    pub plural: &'static str,
    labels: Option<&'static str>,
    fields: Option<&'static str>,
    metadata_only: bool,
}

/// What was read.
#[derive(Default)]
pub struct Reading {
    /// None where the kind is not served.
    found: BTreeMap<Source, Result<Option<Vec<Value>>, Unread>>,
    /// Namespaces that the configuration excludes.
    excluded: BTreeSet<String>,
}

/// Why a kind could not be read, and the command that shows more.
struct Unread {
    why: String,
    next: String,
}

impl Source {
    /// TLS Secrets, chosen by the server so that no other Secret is read.
    pub const TLS_SECRETS: Self = Self::all("", "secrets").fields("type=kubernetes.io/tls");

    /// Every object.
    pub const fn all(group: &'static str, plural: &'static str) -> Self {
        Self { group, plural, labels: None, fields: None, metadata_only: false }
    }

    /// Those that a label selector picks.
    #[must_use]
    pub const fn labels(self, labels: &'static str) -> Self {
        Self { labels: Some(labels), ..self }
    }

    /// Those that a field selector picks.
    #[must_use]
    pub const fn fields(self, fields: &'static str) -> Self {
        Self { fields: Some(fields), ..self }
    }

    /// Of each object its metadata alone: what is in it never crosses the wire.
    #[must_use]
    pub const fn metadata(self) -> Self {
        Self { metadata_only: true, ..self }
    }

    const fn whole(self) -> Self {
        Self { metadata_only: false, ..self }
    }

    /// The one name that it is about, where its field selector says one: RBAC grants a list by that, too.
    pub fn only(&self) -> Option<&'static str> {
        self.fields?.strip_prefix("metadata.name=")
    }

    fn name(&self) -> String {
        ItemKey::resource(self.group, self.plural, None, "").kind_name()
    }

    fn options(&self) -> ListOptions {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let selector = Selector { labels: text(self.labels), fields: text(self.fields) };
        ListOptions { namespace: None, selector, metadata_only: self.metadata_only }
    }
}

/// Lists them all, whatever namespace they are in: selectors of what is judged select others, too.
pub async fn read(
    cluster: &Cluster,
    discovery: &Discovery,
    sources: impl IntoIterator<Item = Source>,
    excluded: BTreeSet<String>,
) -> Reading {
    let lists = once(sources.into_iter().collect()).into_iter().map(|source| async move {
        let found = list(cluster, discovery, &source).await;
        (source, found)
    });
    Reading { found: stream::iter(lists).buffer_unordered(LISTS).collect().await, excluded }
}

/// What is listed whole for one check is not listed again for another that needs its metadata alone.
fn once(mut sources: BTreeSet<Source>) -> BTreeSet<Source> {
    let whole: BTreeSet<Source> = sources.iter().filter(|source| !source.metadata_only).copied().collect();
    sources.retain(|source| !source.metadata_only || !whole.contains(&source.whole()));
    sources
}

async fn list(
    cluster: &Cluster,
    discovery: &Discovery,
    source: &Source,
) -> Result<Option<Vec<Value>>, Unread> {
    let Some(kind) = discovery.find(source.group, source.plural) else {
        return match discovery.is_stale(source.group) {
            true => Err(Unread {
                why: format!("the server of API group {} does not answer", source.group),
                next: "kubectl get apiservices".into(),
            }),
            false => Ok(None),
        };
    };
    match cluster.list_all(kind, &source.options()).await {
        Ok(objects) => Ok(Some(objects)),
        Err(refusal) if refusal.is_not_found() => Ok(None), // its definition went away in between
        Err(refusal) => Err(Unread {
            why: format!("{} could not be read: {refusal}", source.name()),
            next: match refusal.code {
                403 => format!("kubectl auth can-i list {} -A", source.name()),
                _ => format!("kubectl get {} -A", source.name()),
            },
        }),
    }
}

impl Reading {
    fn found(&self, source: Source) -> Option<&Result<Option<Vec<Value>>, Unread>> {
        self.found.get(&source).or_else(|| self.found.get(&source.whole()))
    }

    /// The objects; none where the kind is not served or could not be read.
    pub fn objects(&self, source: Source) -> &[Value] {
        match self.found(source) {
            Some(Ok(Some(objects))) => objects,
            _ => &[],
        }
    }

    /// The objects with their keys.
    pub fn all(&self, source: Source) -> impl Iterator<Item = (ItemKey, &Value)> {
        self.objects(source).iter().map(move |object| {
            let text = |field: &str| object["metadata"][field].as_str();
            let name = text("name").unwrap_or_default();
            (ItemKey::resource(source.group, source.plural, text("namespace"), name), object)
        })
    }

    /// The keys of all; none where the kind is not served or could not be read.
    pub fn keys(&self, source: Source) -> Option<BTreeSet<ItemKey>> {
        self.has(source).then(|| self.all(source).map(|(key, _)| key).collect())
    }

    /// Those that are judged: not what is in excluded namespaces.
    pub fn items(&self, source: Source) -> impl Iterator<Item = (ItemKey, &Value)> {
        self.all(source)
            .filter(|(key, _)| !key.namespace().is_some_and(|namespace| self.excluded.contains(namespace)))
    }

    /// Namespaces that the configuration excludes.
    pub fn excluded(&self) -> &BTreeSet<String> {
        &self.excluded
    }

    /// Whether the kind is served and was read.
    pub fn has(&self, source: Source) -> bool {
        matches!(self.found(source), Some(Ok(Some(_))))
    }

    /// A check for each source that could not be read, under the name of the checks that needed it.
    pub fn unread(&self, of: &str, sources: &[Source]) -> Vec<Check> {
        let unread = sources.iter().filter_map(|source| match self.found(*source) {
            Some(Err(unread)) => Some((source.name(), unread)),
            _ => None,
        });
        let unread: BTreeMap<String, &Unread> = unread.collect(); // a kind that two sources are of once
        let check = |(kind, Unread { why, next }): (String, &Unread)| {
            Check::unknown(format!("{of} {kind}"), why, next)
        };
        unread.into_iter().map(check).collect()
    }
}

#[cfg(test)]
impl Reading {
    /// Of objects at hand.
    pub(super) fn of(found: impl IntoIterator<Item = (Source, Vec<Value>)>) -> Self {
        let found = found.into_iter().map(|(source, objects)| (source, Ok(Some(objects)))).collect();
        Self { found, ..Self::default() }
    }

    /// And one that could not be read.
    pub(super) fn without(mut self, source: Source, why: &str) -> Self {
        let next = format!("kubectl auth can-i list {} -A", source.name());
        self.found.insert(source, Err(Unread { why: why.into(), next }));
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_listed_whole_is_not_listed_again_for_its_metadata() {
        let (services, dns) =
            (Source::all("", "services"), Source::all("", "services").labels("k8s-app=kube-dns"));
        let all = BTreeSet::from([services, services.metadata(), dns.metadata()]);
        assert_eq!(once(all), [services, dns.metadata()].into());
        let alone = BTreeSet::from([services.metadata()]);
        assert_eq!(once(alone.clone()), alone);
        let reading = Reading::of([(services, vec![json!({"metadata": {"name": "a"}})])]);
        assert_eq!(reading.objects(services.metadata()).len(), 1);
        assert!(reading.has(services.metadata()) && !reading.has(dns.metadata()));
        let unread = Reading::default().without(services, "forbidden");
        assert_eq!(unread.unread("ingress", &[services.metadata()])[0].name, "ingress services");
    }
}

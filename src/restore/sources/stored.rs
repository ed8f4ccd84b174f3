//! What people wrote, as the cluster would store it.
//!
//! In: authored items, a capture. Out: the same items with what the API server adds by itself: defaults. Invariant: like
//! is compared with like, and nothing is written: the server is asked by dry runs. An item that it says no to stays as
//! it was written, and that is said.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{Given, Refused, Sources};
use crate::{
    Error, Result, canonical,
    capture::{Capture, Captured},
    cluster::{Answer, ApiKind, Cluster},
    model::{Class, Component, Content, Extent, Index, IndexEntry, Item, ItemKey, Json},
    restore::decide,
};

/// Dry runs in flight.
const DRY_RUNS: usize = 16;
/// Labels and annotations by which GitOps tools and Helm know what they brought: they stand on the cluster, not in Git.
const DEPLOYERS: [&str; 5] = [
    "argocd.argoproj.io/",
    "fleet.cattle.io/",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
];
/// The name under which a server is asked that would not take a change in place.
const ANOTHER_NAME: &str = "netdr-dry-run";

struct Asking<'a> {
    cluster: &'a Cluster,
    live: &'a Capture,
    seen: BTreeMap<(Component, &'a ItemKey), &'a Captured>,
    /// Where each item is written.
    places: &'a BTreeMap<(Component, ItemKey), String>,
}

impl Sources {
    /// An authored source as the cluster would store it, with warnings of its own; none for any other source, which was
    /// stored in a cluster before.
    pub(in crate::restore) async fn as_stored(&self, cluster: &Cluster, live: &Capture) -> Option<Self> {
        let given = self.given.as_ref().filter(|given| given.authored)?;
        let seen = live.items.iter().map(|captured| (captured.id(), captured)).collect();
        let asking = Asking { cluster, live, seen, places: &given.places };
        let asked = given.items.values().map(|item| asking.item(item));
        let answers: Vec<(Item, Option<Refused>)> = stream::iter(asked).buffered(DRY_RUNS).collect().await;
        let (mut items, mut entries, mut warnings) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut refused = BTreeMap::new();
        // What was left out of the source stays so.
        let class: BTreeMap<(Component, &ItemKey), Class> =
            self.index.entries.iter().map(|entry| ((entry.component, &entry.key), entry.class)).collect();
        for (item, said_no) in answers {
            let key = &item.key;
            let class = class.get(&(item.component, key)).copied().unwrap_or(item.class);
            if let Some(said_no) = said_no.filter(|_| class == Class::Config) {
                warnings.push(format!(
                    "{key} is compared as it is in Git, for the API server refused a dry run of it: {}",
                    said_no.why
                ));
                refused.insert((item.component, key.clone()), said_no);
            }
            entries.push(IndexEntry { class, ..IndexEntry::of(&item) });
            items.insert((item.component, item.key.clone()), item);
        }
        Some(Self {
            headers: Vec::new(),
            not_done: self.not_done.clone(),
            absent: self.absent.clone(),
            signed_by: self.signed_by.clone(),
            index: Index { facts: self.index.facts.clone(), entries },
            warnings,
            given: Some(Given { items, refused, ..given.clone() }),
        })
    }
}

/// What is written and would be lost: the API server drops a field that it does not know without a word, and a policy
/// without its `podSelectr` selects every pod.
///
/// # Errors
/// Usage: each object with such a field, by file and field.
pub(in crate::restore) fn all_known<'a>(
    refused: impl IntoIterator<Item = (&'a (Component, ItemKey), &'a Refused)>,
) -> Result<()> {
    let unknown =
        refused.into_iter().filter_map(|((_, key), said_no)| Some((key, said_no.unknown.as_ref()?)));
    let unknown: Vec<String> = unknown.map(|(key, unknown)| format!("{key} in {unknown}")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::usage(
        "what is in Git has fields that this cluster does not know, and would drop without a word",
    )
    .why(unknown.join("; "))
    .hint("correct them, look with kubectl apply --dry-run=server -f FILE, commit, and restore again")
    .hint("where the field is right, the CustomResourceDefinition here is older: update that first")
    .hint("or restore what the cluster knows: an older commit with --from git@REV, or --from snapshot"))
}

impl Asking<'_> {
    /// The item as it would be stored; and why the server said no, where it did.
    async fn item(&self, item: &Item) -> (Item, Option<Refused>) {
        let live = self.seen.get(&(item.component, &item.key)).copied();
        let same = live.is_some_and(|live| live.entry.sha256 == item.sha256());
        let Some(wanted) = item.json().map(Json::value).filter(|_| !same) else {
            return (item.clone(), None);
        };
        let seen = match live.and_then(|live| live.content.as_ref()) {
            Some(Content::Resource(json)) => json.value(),
            _ => Value::Null,
        };
        if item.extent == Extent::Fields {
            // What others keep in a shared object is not the author's business.
            return (with(item, &over(seen, wanted)), None);
        }
        let Some(kind) = self.kind(&item.key, &wanted) else { return (item.clone(), None) };
        let wanted = deployed(wanted, &seen);
        match self.ask(&kind, &item.key, &wanted, live).await {
            Ok(stored) => (with(item, &canonical::canonical(&item.key, stored)), None),
            Err(refusal) => {
                let why = decide::said(Some(item), &refusal);
                let place = self.places.get(&(item.component, item.key.clone()));
                let unknown = decide::unknown_fields(item, &refusal)
                    .map(|fields| format!("{}: {fields}", place.map_or("Git", String::as_str)));
                (item.clone(), Some(Refused { code: refusal.code, why, unknown }))
            }
        }
    }

    /// The kind in the version that was written; none where it is not served (yet).
    fn kind(&self, key: &ItemKey, object: &Value) -> Option<ApiKind> {
        let ItemKey::Resource { group, plural, .. } = key else { return None };
        let version = object["apiVersion"].as_str()?.rsplit('/').next()?;
        let kind = self.live.discovery.find(group, plural)?;
        let served = self.live.discovery.serves(group, plural, version);
        served.then(|| ApiKind { version: version.into(), ..kind.clone() })
    }

    async fn ask(
        &self,
        kind: &ApiKind,
        key: &ItemKey,
        wanted: &Value,
        live: Option<&Captured>,
    ) -> Answer<Value> {
        let (namespace, name) = (key.namespace(), key.name());
        if let Some(live) = live {
            let answer = self.cluster.try_replace(kind, namespace, name, wanted.clone(), &live.seen).await;
            return match answer {
                // Immutable: what it would be if it were made anew.
                Err(refusal) if refusal.code == 422 => {
                    self.create(kind, namespace, ANOTHER_NAME, wanted).await.map_err(|_| refusal)
                }
                answer => answer,
            };
        }
        self.create(kind, namespace, name, wanted).await
    }

    /// What would be made, also in a namespace that is made only by the plan: defaults are the same in every one.
    async fn create(
        &self,
        kind: &ApiKind,
        namespace: Option<&str>,
        name: &str,
        wanted: &Value,
    ) -> Answer<Value> {
        let there = |namespace: &str| {
            let mut keys = self.live.items.iter().map(|live| &live.entry.key);
            keys.any(|key| key.is_kind("", "namespaces") && key.name() == namespace)
        };
        let try_in = namespace.map(|namespace| if there(namespace) { namespace } else { "default" });
        let mut object = wanted.clone();
        object["metadata"]["name"] = name.into();
        if let Some(namespace) = try_in {
            object["metadata"]["namespace"] = namespace.into();
        }
        let mut stored = self.cluster.try_create(kind, try_in, &object).await?;
        for field in ["name", "namespace"] {
            if let Some(own) = wanted["metadata"].get(field) {
                stored["metadata"][field] = own.clone();
            }
        }
        Ok(stored)
    }
}

fn with(item: &Item, content: &Value) -> Item {
    Item { content: Content::Resource(Json::new(content)), ..item.clone() }
}

/// What is written laid over what is live: where the API server does not say what it would add by itself, only what is
/// written is compared.
pub(in crate::restore) fn laid_over(live: &Content, written: &Content) -> Content {
    match (live, written) {
        (Content::Resource(live), Content::Resource(written)) => {
            Content::Resource(Json::new(&over(live.value(), written.value())))
        }
        _ => written.clone(),
    }
}

/// `above` laid over `below`: objects field by field, lists of one length item by item, anything else as a whole.
fn over(below: Value, above: Value) -> Value {
    match (below, above) {
        (Value::Array(below), Value::Array(above)) if below.len() == above.len() => {
            below.into_iter().zip(above).map(|(below, above)| over(below, above)).collect()
        }
        (Value::Object(mut below), Value::Object(above)) => {
            for (name, value) in above {
                let under = below.remove(&name).unwrap_or_default();
                below.insert(name, over(under, value));
            }
            below.into()
        }
        (_, above) => above,
    }
}

/// The wanted object with what deployers wrote on the live one.
fn deployed(mut wanted: Value, live: &Value) -> Value {
    for map in ["labels", "annotations"] {
        for (name, value) in live["metadata"][map].as_object().into_iter().flatten() {
            let theirs = DEPLOYERS.iter().any(|prefix| name.starts_with(prefix));
            if theirs && wanted["metadata"][map][name].is_null() {
                if !wanted["metadata"][map].is_object() {
                    wanted["metadata"][map] = json!({});
                }
                wanted["metadata"][map][name] = value.clone();
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_keep_in_a_shared_object_stays() {
        let live =
            json!({"kind": "Namespace", "metadata": {"name": "x", "labels": {"team": "b", "rancher": "1"}}});
        let written = json!({"kind": "Namespace", "metadata": {"name": "x", "labels": {"team": "a"}}});
        assert_eq!(
            over(live, written.clone()),
            json!({"kind": "Namespace", "metadata": {"name": "x", "labels": {"team": "a", "rancher": "1"}}})
        );
        assert_eq!(over(Value::Null, written.clone()), written);
    }

    #[test]
    fn what_the_cluster_would_drop_is_refused_by_file_and_field() {
        let id = |name: &str| {
            (
                Component::Policies,
                ItemKey::resource("networking.k8s.io", "networkpolicies", Some("shop"), name),
            )
        };
        let refused = |code: u16, unknown: Option<&str>| Refused {
            code,
            why: "no".into(),
            unknown: unknown.map(Into::into),
        };
        let other = BTreeMap::from([(id("a"), refused(403, None))]);
        all_known(&other).unwrap();
        let misspelt = refused(400, Some("p/b.yaml of /k8s: unknown field \"spec.podSelectr\""));
        let error =
            all_known(&BTreeMap::from([(id("a"), refused(403, None)), (id("b"), misspelt)])).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Usage);
        assert!(
            error.to_string().ends_with(
                ": networkpolicies.networking.k8s.io shop/b in p/b.yaml of /k8s: unknown field \"spec.podSelectr\""
            ),
            "{error}"
        );
    }

    #[test]
    fn of_what_is_written_nothing_is_hidden_by_what_the_api_server_adds() {
        let content = |value: Value| Content::Resource(Json::new(&value));
        let live = content(json!({"spec": {"policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 80, "protocol": "TCP"}]}]}}));
        let written = |port: u16| content(json!({"spec": {"ingress": [{"ports": [{"port": port}]}]}}));
        assert_eq!(laid_over(&live, &written(80)), live);
        assert_ne!(laid_over(&live, &written(81)), live);
        assert_ne!(laid_over(&live, &content(json!({"spec": {"ingress": []}}))), live);
    }

    #[test]
    fn a_deployers_marks_are_no_difference_and_anybody_elses_are() {
        let live = json!({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/name": "k", "slipped": "in"},
            "annotations": {"meta.helm.sh/release-name": "r"}}});
        let wanted = deployed(json!({"metadata": {"name": "x", "labels": {"a": "b"}}}), &live);
        assert_eq!(
            wanted["metadata"],
            json!({"name": "x", "labels": {"a": "b", "kustomize.toolkit.fluxcd.io/name": "k"},
                "annotations": {"meta.helm.sh/release-name": "r"}})
        );
    }
}

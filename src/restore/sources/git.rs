//! Git as a source: what people authored becomes items.
//!
//! In: manifests of trusted commits, what the cluster serves. Out: items of the kinds that the catalog names for the
//! source's component. Invariant: whatever does not become one is named.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Given, Sources, point::RecoveryPoint};
use crate::{
    Error, Result, canonical,
    catalog::{self, ExtraKind, Select},
    cluster::{Cluster, Discovery},
    gitops::{self, Checkout, Manifest},
    model::{Class, Component, Content, Extent, Facts, Index, IndexEntry, Item, ItemKey, Json, SourceName},
    plan::Source,
    repository::git_seen::GitSeen,
    signature::TrustedSigners,
};

/// What was left out is named this often, then counted.
const NAMED: usize = 8;

/// What it takes to read commits.
pub(in crate::restore) struct Reading<'a> {
    /// Whose commits are read.
    pub(in crate::restore) trusted: &'a TrustedSigners,
    /// What serves the kinds.
    pub(in crate::restore) cluster: &'a Cluster,
    /// Kinds that the catalog lacks.
    pub(in crate::restore) extra: &'a [ExtraKind],
    /// What is known of the branches; none where nothing is restored from them.
    pub(in crate::restore) known: Option<&'a [GitSeen]>,
    /// A later commit may hold the damage.
    pub(in crate::restore) incident_start: DateTime<Utc>,
    pub(in crate::restore) now: DateTime<Utc>,
}

impl Sources {
    /// Reads what people author of these components.
    pub(in crate::restore) async fn of_git(
        wanted: &gitops::Wanted,
        reading: &Reading<'_>,
        components: &BTreeSet<Component>,
    ) -> Result<Self> {
        let mut wanted = wanted.clone();
        wanted.sources.retain(|source| components.contains(&source.component));
        if wanted.sources.is_empty() {
            let names: Vec<&str> = components.iter().map(|component| component.name()).collect();
            return Err(Error::usage(format!("no Git source is configured for {}", names.join(", ")))
                .hint(
                    "name one in netdr.yaml: git: {sources: [{url: …, branch: main, path: …, component: …}]}",
                )
                .hint("or restore from a snapshot: --from snapshot"));
        }
        let checkouts = gitops::read(&wanted, reading.trusted, reading.now).await?;
        let discovery = reading.cluster.discover().await?;
        let mut items = BTreeMap::new();
        let mut places = BTreeMap::new();
        let mut complete = true;
        let (mut warnings, mut narrowed, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for checkout in &checkouts {
            let found = gitops::manifests(checkout)?;
            narrowed.extend(found.narrowed.iter().map(|(kustomization, files)| {
                format!("{} (not among the resources of {kustomization})", some(files))
            }));
            let mut ignored = found.ignored;
            complete &= found.complete;
            for manifest in found.objects {
                let place = manifest.place.clone();
                match item(manifest, &discovery, reading.extra)? {
                    Ok(item) => {
                        once(&mut places, &item, format!("{place} of {}", checkout.url))?;
                        items.insert((item.component, item.key.clone()), item);
                    }
                    Err(what) => ignored.push(format!("{what} ({place})")),
                }
            }
            if let Some(known) = reading.known {
                let point = RecoveryPoint::of(checkout, known, reading.incident_start);
                warnings.extend(remarks(checkout, &point, reading));
                points.push(point);
            }
            warnings.extend(left_out(checkout, &ignored));
        }
        let answers: BTreeSet<&str> = checkouts.iter().map(|checkout| checkout.answers.as_str()).collect();
        let names: BTreeSet<SourceName> = checkouts.iter().map(name).collect();
        let source = Source {
            names: names.into_iter().collect(),
            captured_at: points.iter().map(|point| point.at).min().unwrap_or_default(),
            lossless: points.iter().all(|point| point.lossless),
        };
        Ok(Self {
            headers: Vec::new(),
            not_done: Vec::new(),
            absent: BTreeSet::new(),
            signed_by: answers.into_iter().collect::<Vec<_>>().join(", "),
            index: Index { facts: Facts::default(), entries: items.values().map(IndexEntry::of).collect() },
            warnings: said(&narrowed).chain(warnings).collect(),
            given: Some(Given {
                source,
                complete,
                authored: true,
                narrowed,
                places,
                items,
                refused: BTreeMap::new(),
            }),
        })
    }
}

/// Refuses an object that another repository has too: which of them is meant, nobody can know.
fn once(places: &mut BTreeMap<(Component, ItemKey), String>, item: &Item, place: String) -> Result<()> {
    match places.insert((item.component, item.key.clone()), place.clone()) {
        None => Ok(()),
        Some(other) => {
            Err(Error::damaged(format!("{} is in Git twice: in {other} and in {place}", item.key))
                .hint("remove one of them, commit, and restore again"))
        }
    }
}

fn name(checkout: &Checkout) -> SourceName {
    SourceName::Git { url: checkout.url.clone(), commit: checkout.commit.clone() }
}

/// What a person should know of a commit before saying yes.
fn remarks(checkout: &Checkout, point: &RecoveryPoint, reading: &Reading<'_>) -> Vec<String> {
    let Checkout { url, branch, commit, committed_at, .. } = checkout;
    let mut remarks = vec![format!(
        "what was changed on the cluster alone is not in commit {commit} of {url}, and is lost{}",
        point.says
    )];
    if !checkout.newest {
        remarks.push(format!(
            "commit {commit} is not known to be the newest of branch {branch}, wherever people push to: what was authored since is not in it"
        ));
    }
    if checkout.seen_at.is_some() {
        remarks.push(format!(
            "commit {commit} is netdr's own, of what a backup saw: it has none of what is filtered, and nobody authored it"
        ));
    }
    if *committed_at > reading.incident_start {
        remarks.push(format!("commit {commit} was made after the incident began and may hold its damage"));
    }
    remarks
}

fn left_out(checkout: &Checkout, ignored: &[String]) -> Option<String> {
    let commit = &checkout.commit;
    (!ignored.is_empty()).then(|| {
        format!("left out of commit {commit}, for netdr restores none of it from there: {}", some(ignored))
    })
}

/// What kustomizations leave out is not what the cluster should have: what it has of it, it has too much.
fn said(narrowed: &[String]) -> impl Iterator<Item = String> {
    let line =
        |files: &String| format!("left out of what is restored, and extra where the cluster has it: {files}");
    narrowed.iter().map(line)
}

fn some(names: &[String]) -> String {
    let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// The item that an authored object is; or, where it is none of its component, its name.
fn item(
    manifest: Manifest,
    discovery: &Discovery,
    extra: &[ExtraKind],
) -> Result<std::result::Result<Item, String>> {
    let Manifest { component, place, object } = manifest;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api, kind, name) =
        (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
    let group = api.split_once('/').map_or("", |(group, _)| group);
    let plural = catalog::plural(&kind);
    let own = object["metadata"]["namespace"].as_str();
    let namespace = match discovery.find(group, &plural).map(|kind| kind.namespaced) {
        Some(false) => None,
        Some(true) if own.is_none() => {
            return Err(Error::usage(format!("{kind} {name} in {place} has no namespace")).hint(
                "write metadata.namespace; what kubectl or a GitOps tool would add is not in the file",
            ));
        }
        _ => own,
    };
    let key = ItemKey::resource(group, &plural, namespace, &name);
    let refused = format!("{key}");
    let Some(extent) = extent(component, &key, &kind, &object, extra) else { return Ok(Err(refused)) };
    if catalog::classify(Class::Config, &key, &object) != Class::Config {
        return Ok(Err(refused));
    }
    if let Some(field) = misspelt(extent, &object) {
        return Err(Error::usage(format!("{key} in {place} has a field that no object has: {field}")).hint(
            "correct it, look with kubectl apply --dry-run=server -f FILE, commit, and restore again",
        ));
    }
    let clustered = namespace.is_none();
    let mut object = object;
    if let (true, Some(metadata)) = (clustered, object["metadata"].as_object_mut()) {
        metadata.remove("namespace");
    }
    let Some(content) = canonical::content(&key, extent, object) else { return Ok(Err(refused)) };
    let content = Content::Resource(Json::new(&content));
    Ok(Ok(Item { key, component, class: Class::Config, extent, content }))
}

/// A field that no object has, in one that is netdr's in part: of such a one no API server is asked how it would be stored.
fn misspelt(extent: Extent, object: &Value) -> Option<String> {
    let names =
        |of: &Value| of.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let field = |name: &String| ["apiVersion", "kind", "metadata", "spec", "status"].contains(&name.as_str());
    let outside = names(object).into_iter().find(|name| !field(name));
    let inside = names(&object["metadata"]).into_iter().find(|name| !canonical::is_metadata(name));
    let found = outside.or_else(|| inside.map(|name| format!("metadata.{name}")));
    found.filter(|_| extent == Extent::Fields)
}

/// How much of an object is the component's; none of it where the catalog does not name it.
fn extent(
    component: Component,
    key: &ItemKey,
    kind: &str,
    object: &Value,
    extra: &[ExtraKind],
) -> Option<Extent> {
    let ItemKey::Resource { group, plural, namespace, name } = key else { return None };
    let mut extra = extra.iter().filter(|extra| extra.component == component);
    let row = |group: &str, plural: &str| {
        catalog::rows(component)
            .find(|row| row.group == group && row.plural == plural && row.class == Class::Config)
    };
    if key.is_kind("", "namespaces") {
        return Some(Extent::Fields);
    }
    if key.is_kind("apiextensions.k8s.io", "customresourcedefinitions") {
        let spec = &object["spec"];
        let of = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let (group, plural, kind) =
            (of(&spec["group"]), of(&spec["names"]["plural"]), of(&spec["names"]["kind"]));
        let defines = row(&group, &plural).is_some() || extra.any(|e| e.group == group && e.kind == kind);
        return defines.then_some(Extent::Whole);
    }
    if extra.any(|extra| extra.group == *group && extra.kind == kind) {
        return Some(Extent::Whole);
    }
    let row = row(group, plural)?;
    let in_row = match row.select {
        Select::All => true,
        Select::SecretType(_) => false,
        Select::Named(names) => names.contains(&(namespace.as_deref().unwrap_or_default(), name)),
    };
    in_row.then(|| row.extent())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::ApiKind;

    fn served() -> Discovery {
        let kind = |group: &str, kind: &str, plural: &str, namespaced| ApiKind {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
        };
        Discovery::from_iter([
            kind("networking.k8s.io", "NetworkPolicy", "networkpolicies", true),
            kind("crd.projectcalico.org", "GlobalNetworkPolicy", "globalnetworkpolicies", false),
            kind("", "Namespace", "namespaces", false),
        ])
    }

    fn made(object: Value) -> Result<std::result::Result<Item, String>> {
        item(Manifest { component: Component::Policies, place: "p.yaml".into(), object }, &served(), &[])
    }

    fn policy(metadata: Value) -> Value {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
            "spec": {"podSelector": {}}})
    }

    #[test]
    fn objects_of_the_component_become_items_as_captures_have_them() {
        let item = made(policy(json!({"name": "x", "namespace": "demo", "creationTimestamp": null,
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}})))
        .unwrap()
        .unwrap();
        assert_eq!(item.key.to_string(), "networkpolicies.networking.k8s.io demo/x");
        assert_eq!(item.json().unwrap().value()["metadata"], json!({"name": "x", "namespace": "demo"}));
        let global = json!({"apiVersion": "crd.projectcalico.org/v1", "kind": "GlobalNetworkPolicy",
            "metadata": {"name": "g", "namespace": "odd"}, "spec": {}});
        assert_eq!(made(global).unwrap().unwrap().key.namespace(), None, "it is cluster-scoped");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}});
        assert_eq!(made(namespace).unwrap().unwrap().extent, Extent::Fields);
    }

    #[test]
    fn a_misspelt_field_of_what_is_netdrs_in_part_is_named() {
        let home = |text: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", text: {}}});
        made(home("labels")).unwrap().unwrap();
        let said = made(home("lables")).unwrap_err().to_string();
        assert_eq!(said, "namespaces x in p.yaml has a field that no object has: metadata.lables");
        let beside =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "labels": {}});
        assert!(made(beside).unwrap_err().to_string().ends_with(": labels"));
    }

    #[test]
    fn what_is_not_of_the_component_is_named() {
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"}});
        assert_eq!(made(deployment).unwrap().unwrap_err(), "deployments.apps shop/web");
        let derived = policy(json!({"name": "rke2-flannel-host-networking", "namespace": "kube-system"}));
        assert!(made(derived).unwrap().is_err(), "RKE2 makes it from the nodes");
    }

    #[test]
    fn an_object_of_two_repositories_is_an_error_that_names_both() {
        let item = made(policy(json!({"name": "x", "namespace": "demo"}))).unwrap().unwrap();
        let mut places = BTreeMap::new();
        once(&mut places, &item, "a.yaml of /one".into()).unwrap();
        let error = once(&mut places, &item, "b.yaml of /two".into()).unwrap_err();
        let said = "networkpolicies.networking.k8s.io demo/x is in Git twice: in a.yaml of /one and in b.yaml of /two";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn what_is_left_out_is_named_this_often_then_counted() {
        let names: Vec<String> = (0..NAMED + 2).map(|n| format!("f{n}")).collect();
        assert!(some(&names).ends_with("f7; and 2 more"), "{}", some(&names));
        let line =
            said(&["p/old.yaml (not among the resources of p/kustomization.yaml)".into()]).next().unwrap();
        assert!(line.starts_with("left out of what is restored") && line.contains("p/old.yaml"), "{line}");
    }

    #[test]
    fn a_namespace_is_never_guessed() {
        let error = made(policy(json!({"name": "x"}))).unwrap_err();
        assert_eq!(error.to_string(), "NetworkPolicy x in p.yaml has no namespace");
    }
}

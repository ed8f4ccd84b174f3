//! Rules of resolving, one by one, and as properties of random worlds.

mod authored;
mod certificates;
mod files;
mod helm_charts;
mod operations;
mod policies;
mod probes;
mod properties;
mod releases;
mod verbs;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Inputs, resolve};
use crate::{
    Result,
    capture::{Capture, Captured, Failure},
    certificates::Observed,
    cluster::{ApiKind, Discovery, Precondition},
    helm::Revision,
    model::{Class, Component, Content, Extent, Index, IndexEntry, Item, ItemKey, Json, SourceName},
    plan::{Act, AuthoredValues, Earlier, Install, Isolation, ResolvedPlan, RestorePlan, Source, Verb},
};

/// A source, a live state, and what else a plan is resolved from.
#[derive(Debug)]
struct World {
    plan: String,
    source: Vec<Item>,
    source_names: Vec<SourceName>,
    live: Vec<Item>,
    revisions: Vec<Revision>,
    nodes: Vec<Value>,
    failures: Vec<Failure>,
    observed: Observed,
    terminating: Vec<&'static str>,
    absent_kinds: Vec<&'static str>,
    managed_by: Option<&'static str>,
    complete: bool,
    keep_extras: bool,
    isolation: Option<Isolation>,
    workloads: BTreeMap<ItemKey, Value>,
    installs: BTreeMap<ItemKey, Install>,
    authored: Vec<AuthoredValues>,
    routes: Vec<(ItemKey, Value)>,
    earlier: Earlier,
    allow_run: bool,
    run: &'static str,
    cluster: &'static str,
    now: &'static str,
}

impl World {
    /// A plan of the steps given (YAML flow maps of `apply` and the like).
    fn new(steps: &[&str]) -> Self {
        let steps: Vec<String> =
            steps.iter().enumerate().map(|(n, step)| format!("  - {{id: s{n}, title: t, {step}}}")).collect();
        let head = "apiVersion: netdr/v1\nkind: RestorePlan\nname: p\ntitle: t\nrto: 15m\nrpo: 0s\nrole: r\nrunbook: r";
        Self {
            plan: format!("{head}\nsteps:\n{}\n", steps.join("\n")),
            source: Vec::new(),
            source_names: Vec::new(),
            live: Vec::new(),
            revisions: Vec::new(),
            nodes: Vec::new(),
            failures: Vec::new(),
            observed: Observed::default(),
            terminating: Vec::new(),
            absent_kinds: Vec::new(),
            managed_by: None,
            complete: true,
            keep_extras: false,
            isolation: None,
            workloads: BTreeMap::new(),
            installs: BTreeMap::new(),
            authored: Vec::new(),
            routes: Vec::new(),
            earlier: Earlier::default(),
            allow_run: false,
            run: "20261124T010000Z-p-000001",
            cluster: "uid of kube-system",
            now: "2026-11-24T01:00:00Z",
        }
    }

    fn built_in(name: &str) -> Self {
        let plans: BTreeMap<&str, &str> = RestorePlan::builtin().into_iter().collect();
        Self { plan: plans[name].into(), ..Self::new(&[]) }
    }

    fn source(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.source.extend(items);
        self
    }

    fn live(mut self, items: impl IntoIterator<Item = Item>) -> Self {
        self.live.extend(items);
        self
    }

    fn resolve(&self) -> Result<ResolvedPlan> {
        let index = Index { entries: self.source.iter().map(IndexEntry::of).collect(), ..Index::default() };
        let equal = |a: &Item, others: &[Item]| {
            let same = |b: &&Item| (b.component, &b.key) == (a.component, &a.key);
            others.iter().find(same).is_some_and(|b| b.content == a.content)
        };
        let items = self.source.iter().filter(|item| !equal(item, &self.live));
        let items = items.map(|item| ((item.component, item.key.clone()), item.clone())).collect();
        let captured = |item: &Item| Captured {
            entry: IndexEntry::of(item),
            content: (!equal(item, &self.source) || item.component == Component::Certificates)
                .then(|| item.content.clone()),
            seen: seen(&item.key),
            managed_by: self.managed_by,
        };
        let live = Capture {
            items: self.live.iter().map(captured).collect(),
            failures: self.failures.clone(),
            terminating: self.terminating.iter().map(|name| (*name).to_owned()).collect(),
            revisions: self.revisions.clone(),
            ..Capture::default()
        };
        let kinds = self.source.iter().chain(&self.live).filter_map(|item| match &item.key {
            ItemKey::Resource { group, plural, namespace, .. } => Some(ApiKind {
                group: group.clone(),
                version: "v1".into(),
                kind: item.json()?.value()["kind"].as_str()?.into(),
                plural: plural.clone(),
                namespaced: namespace.is_some(),
            }),
            _ => None,
        });
        let discovery: Discovery =
            kinds.filter(|kind| !self.absent_kinds.contains(&kind.plural.as_str())).collect();
        let now = self.now.parse().unwrap();
        resolve(Inputs {
            plan: RestorePlan::parse(&self.plan, "p.yaml")?,
            source: Source { names: self.source_names.clone(), captured_at: now, ..Source::default() },
            cluster: self.cluster,
            index: &index,
            source_complete: self.complete,
            items,
            live: &live,
            nodes: &self.nodes,
            dangling: Vec::new(),
            authored: &self.authored,
            discovery: &discovery,
            observed: &self.observed,
            workloads: self.workloads.clone(),
            installs: self.installs.clone(),
            routes: &self.routes,
            earlier: &self.earlier,
            allow_run: self.allow_run,
            keep_extras: self.keep_extras,
            isolation: self.isolation,
            run: self.run,
            now,
        })
    }
}

fn seen(key: &ItemKey) -> Precondition {
    Precondition { uid: format!("uid of {key}"), resource_version: "7".into() }
}

/// An item of `Kind group/plural namespace/name` with the fields given.
fn item(
    component: Component,
    group: &str,
    plural: &str,
    kind: &str,
    at: (&str, &str),
    fields: Value,
) -> Item {
    let (namespace, name) = at;
    let namespace = (!namespace.is_empty()).then_some(namespace);
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    for (field, value) in fields.as_object().into_iter().flatten() {
        match (object[field].as_object_mut(), value.as_object()) {
            (Some(map), Some(more)) => map.extend(more.clone()),
            _ => object[field] = value.clone(),
        }
    }
    Item {
        key: ItemKey::resource(group, plural, namespace, name),
        component,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Resource(Json::new(&object)),
    }
}

fn namespace(component: Component, name: &str) -> Item {
    labelled(component, name, json!({}))
}

fn labelled(component: Component, name: &str, labels: Value) -> Item {
    let fields = json!({"metadata": {"labels": labels}});
    Item { extent: Extent::Fields, ..item(component, "", "namespaces", "Namespace", ("", name), fields) }
}

/// A policy that allows from `from`; with none it is a default-deny.
fn policy(namespace: &str, name: &str, from: Option<&str>) -> Item {
    let spec = match from {
        Some(from) => json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": from}}]}]}),
        None => json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    };
    let at = (namespace, name);
    item(
        Component::Policies,
        "networking.k8s.io",
        "networkpolicies",
        "NetworkPolicy",
        at,
        json!({"spec": spec}),
    )
}

/// The ingress' release, of this content.
fn traefik(content: &Value) -> Item {
    Item {
        key: ItemKey::Release { namespace: "traefik".into(), name: "traefik".into() },
        component: Component::Ingress,
        class: Class::Config,
        extent: Extent::Whole,
        content: Content::Release(Json::new(content)),
    }
}

/// `verb name` of every act, batches apart by `|`.
fn story(plan: &ResolvedPlan) -> String {
    let act = |act: &Act| format!("{} {}", act.verb.name(), act.key.name());
    let batches = plan.steps.iter().flat_map(|step| &step.batches);
    let batches: Vec<String> =
        batches.map(|batch| batch.acts.iter().map(act).collect::<Vec<_>>().join(", ")).collect();
    batches.join(" | ")
}

/// The reasons given for items of one list.
fn reasons(list: &[(ItemKey, String)]) -> Vec<String> {
    list.iter().map(|(key, why)| format!("{}: {why}", key.name())).collect()
}

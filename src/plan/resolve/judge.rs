//! What becomes of one item of the source.
//!
//! In: its index line, and the live object of that name. Out: an act, or a line among the unchanged, kept or refused.
//! Invariant: an item is in exactly one of these.

use serde_json::Value;

use super::{Resolver, immutable, operations, tiers, unread};
use crate::{
    Error, Result,
    capture::Captured,
    catalog,
    model::{Class, Content, Extent, IndexEntry, Item, ItemKey},
    plan::{Act, Change, Difference, Existing, Verb, diff},
};

/// What the authored step says.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) existing: Existing,
    pub(super) create_namespaces: bool,
}

/// What is done about an item that differs.
enum Verdict {
    Do(Verb),
    Keep(String),
    Refuse(String),
}

use Verdict::{Do, Keep, Refuse};

/// Of a kind that is config, only an object on its way out is captured as evidence.
const DELETING: &str = "it is being deleted: when it is gone, restore again";

impl<'a> Resolver<'a> {
    /// The acts of a step's items.
    pub(super) fn judge_all(&mut self, entries: &[&'a IndexEntry], rules: Rules) -> Result<Vec<Act>> {
        let mut acts = Vec::new();
        for entry in entries {
            acts.extend(self.judge(entry, rules)?);
        }
        Ok(acts)
    }

    fn judge(&mut self, entry: &'a IndexEntry, rules: Rules) -> Result<Option<Act>> {
        let live = self.seen.get(&(entry.component, &entry.key)).copied();
        if let Some(live) = live.filter(|live| live.entry.sha256 == entry.sha256) {
            match live.entry.class {
                Class::Evidence => self.tally.refused.push((entry.key.clone(), DELETING.into())),
                Class::Config | Class::Generated => self.tally.unchanged += 1,
            }
            return Ok(None);
        }
        let wanted = self.wanted(entry)?;
        match self.verdict(entry, &wanted, live, rules)? {
            Keep(why) => {
                self.tally.kept.push((entry.key.clone(), why));
                Ok(None)
            }
            Refuse(why) => {
                self.differs(entry, Some(&wanted), live);
                self.tally.refused.push((entry.key.clone(), why));
                Ok(None)
            }
            Do(verb) => {
                self.differs(entry, Some(&wanted), live);
                let object = wanted.json().map(crate::model::Json::value).unwrap_or_default();
                let mut act = Act {
                    key: entry.key.clone(),
                    component: entry.component,
                    verb,
                    seen: live.map(|live| live.seen.clone()),
                    live_sha256: live.map(|live| live.entry.sha256.clone()),
                    live: live.map(content_of).transpose()?,
                    class: entry.class,
                    remarks: remarks(
                        &entry.key,
                        live.and_then(|l| l.managed_by).or(catalog::managed_by(&object)),
                    ),
                    item: Some(wanted),
                };
                act.remarks.extend(self.makes_folder(&act));
                self.will_exist(&act);
                Ok(Some(act))
            }
        }
    }

    fn verdict(
        &self,
        entry: &IndexEntry,
        wanted: &Item,
        live: Option<&Captured>,
        rules: Rules,
    ) -> Result<Verdict> {
        if let Some(why) = self.obstacle(entry, live.is_some()) {
            return Ok(Refuse(why));
        }
        if let Some(why) = self.outdated(wanted) {
            return Ok(Refuse(why));
        }
        let Some(live) = live else {
            return Ok(match entry.extent {
                Extent::Whole => Do(Verb::Create),
                Extent::Fields if !entry.key.is_kind("", "namespaces") => Refuse(
                    "it is missing, and only some of its fields are netdr's: its owner must make it".into(),
                ),
                Extent::Fields if rules.create_namespaces => Do(Verb::Create),
                Extent::Fields => Refuse(missing(entry.key.name())),
            });
        };
        match live.entry.class {
            Class::Generated => return Ok(Keep("a controller makes it now".into())),
            Class::Evidence => {
                return Ok(Refuse(DELETING.into()));
            }
            Class::Config => {}
        }
        if rules.existing == Existing::Keep {
            return Ok(Keep("it exists and differs, and the plan keeps what exists".into()));
        }
        if entry.extent == Extent::Fields {
            return Ok(Do(Verb::Merge));
        }
        let (wanted, seen) = (resource(&wanted.content), resource(&content_of(live)?));
        if entry.key.is_kind("", "secrets")
            && let Some(why) = self.why_kept(&entry.key, &seen, &wanted)
        {
            return Ok(Keep(why.into()));
        }
        Ok(match immutable::way(&entry.key, &wanted, &seen) {
            immutable::Way::InPlace => Do(Verb::Replace),
            immutable::Way::Anew => Do(Verb::Recreate),
            immutable::Way::None(why) => Refuse(why),
        })
    }

    /// Why an item cannot be written whatever its content.
    pub(super) fn obstacle(&self, entry: &IndexEntry, exists: bool) -> Option<String> {
        if let ItemKey::File { path, .. } = &entry.key {
            return self.file_obstacle(path);
        }
        let (component, kind) = (entry.component, entry.key.kind_name());
        let failed =
            |kind: &str| self.live.failures.iter().find(|f| f.component == component && f.kind == kind);
        if let Some(failure) = failed(&kind).filter(|_| !exists) {
            return Some(format!("whether it exists {}", unread::object(failure, &entry.key)));
        }
        let namespace = match &entry.key {
            key if key.is_kind("", "namespaces") => Some(key.name()),
            key => key.namespace(),
        };
        if let Some(namespace) = namespace.filter(|namespace| self.live.terminating.contains(*namespace)) {
            return Some(format!("namespace {namespace} is being deleted: when it is gone, restore again"));
        }
        let lost = entry.key.namespace().filter(|namespace| !self.namespaces.contains(*namespace));
        if let Some(namespace) = lost.filter(|_| failed("namespaces").is_none()) {
            return Some(missing(namespace));
        }
        let ItemKey::Resource { group, plural, .. } = &entry.key else { return None };
        if self.is_renamed(&entry.key) {
            return Some(tiers::RENAMED.into());
        }
        if self.discovery.is_stale(group) {
            return Some(format!(
                "the server of API group {group} does not answer; see: kubectl get apiservices"
            ));
        }
        if self.discovery.find(group, plural).is_none() && !self.definitions.contains(&kind) {
            return Some(format!(
                "the cluster does not serve {kind}: install its CustomResourceDefinition, then restore again"
            ));
        }
        None
    }

    /// Whether Calico renamed objects of this kind since.
    pub(super) fn is_renamed(&self, key: &ItemKey) -> bool {
        self.renamed.iter().any(|plural| key.is_kind("crd.projectcalico.org", plural))
    }

    fn outdated(&self, wanted: &Item) -> Option<String> {
        let ItemKey::Resource { group, plural, .. } = &wanted.key else { return None };
        let object = wanted.json()?.value();
        self.discovery.outdated(self.discovery.find(group, plural)?, object["apiVersion"].as_str()?)
    }

    /// The source's item; each is acted on once, so it is taken.
    pub(super) fn wanted(&mut self, entry: &IndexEntry) -> Result<Item> {
        self.items.remove(&(entry.component, entry.key.clone())).ok_or_else(|| {
            Error::damaged(format!(
                "the source's index names {}, its bundle {} has none",
                entry.key, entry.component
            ))
            .hint("check the snapshot: netdr verify --read-data")
        })
    }

    /// Notes a difference, from live to source.
    pub(super) fn differs(&mut self, entry: &IndexEntry, wanted: Option<&Item>, live: Option<&Captured>) {
        let change = match (wanted, live) {
            (Some(_), Some(_)) => Change::Changed,
            (Some(_), None) => Change::Added,
            _ => Change::Removed,
        };
        let fields = match (wanted, live.and_then(|live| live.content.as_ref())) {
            (Some(wanted), Some(live)) => diff::fields(&entry.key, live, &wanted.content),
            _ => Vec::new(),
        };
        self.tally.differences.push(Difference {
            key: entry.key.clone(),
            component: entry.component,
            change,
            fields,
        });
    }

    fn will_exist(&mut self, act: &Act) {
        let name = act.key.name().to_owned();
        if act.key.is_kind("", "namespaces") {
            self.namespaces.insert(name);
        } else if act.key.is_kind("apiextensions.k8s.io", "customresourcedefinitions") {
            self.definitions.insert(name);
        } else if let Some(replicas) =
            operations::replicas(&act.key, act.item.as_ref().map(|item| &item.content))
        {
            self.replicas.insert(act.key.clone(), replicas);
        }
    }
}

/// A Kubernetes object; null for anything else.
pub(super) fn resource(content: &Content) -> Value {
    match content {
        Content::Resource(json) => json.value(),
        _ => Value::Null,
    }
}

/// What an act overwrites must be at hand, or it could not be put back.
pub(super) fn content_of(live: &Captured) -> Result<Content> {
    live.content.clone().ok_or_else(|| {
        Error::failed(format!(
            "the live content of {} was not kept, so nothing may overwrite it",
            live.entry.key
        ))
    })
}

/// What a person should know of one act.
pub(super) fn remarks(key: &ItemKey, managed_by: Option<&str>) -> Vec<String> {
    let rbac = matches!(key, ItemKey::Resource { group, .. } if group == "rbac.authorization.k8s.io");
    let reverted = managed_by.map(|owner| format!("managed by {owner}, which will revert this"));
    rbac.then(|| "RBAC".to_owned()).into_iter().chain(reverted).collect()
}

fn missing(namespace: &str) -> String {
    format!(
        "namespace {namespace} is missing; make it, then restore again: kubectl create namespace {namespace}"
    )
}

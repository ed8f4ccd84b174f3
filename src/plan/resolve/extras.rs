//! What is on the cluster and not in the source.
//!
//! In: the live items of a step's kinds. Out: deletes, or lines among the kept with the reason.
//! Policies in namespaces that the source does not know are named, and left alone.
//! Invariant: only a kind the catalog reads whole has extras, only in namespaces the source knows; a namespace, a
//! CustomResourceDefinition, a HelmChart or what a controller made is never one. What the source cannot have had is
//! never deleted.

use std::collections::BTreeSet;

use super::{Resolver, judge};
use crate::{
    Result,
    capture::Captured,
    catalog::{self, BUILT_IN_GROUPS},
    model::{Class, Component, Content, Extent, Index, ItemKey},
    plan::{Act, Action, Extras, RestorePlan, Verb, guard, spec},
};

/// Tiers that Calico makes again by itself.
pub(crate) const OWN_TIERS: [&str; 4] = ["default", "adminnetworkpolicy", "kube-admin", "kube-baseline"];

/// Policies elsewhere that are named.
const NAMED: usize = 20;

impl<'a> Resolver<'a> {
    /// The deletes of a step; what is left alone is noted as kept.
    pub(super) fn extras(
        &mut self,
        plan: &RestorePlan,
        component: Component,
        kinds: &[String],
        extras: Extras,
    ) -> Result<Vec<Act>> {
        let mut deletes = Vec::new();
        let (extras_there, beyond) = self.find_extras(plan, component, kinds);
        if component == Component::Policies {
            let theirs = |live: &&Captured| !(self.authored && brought_by(live).is_some());
            self.beyond.extend(beyond.into_iter().filter(theirs).map(|live| &live.entry.key));
        }
        for live in extras_there {
            let key = &live.entry.key;
            let own = key.is_kind("crd.projectcalico.org", "tiers") && OWN_TIERS.contains(&key.name());
            let brought_by = self.authored.then(|| brought_by(live)).flatten();
            let why = match extras {
                _ if own => "extra: Calico makes this tier itself",
                _ if self.is_renamed(key) => {
                    "extra: left alone, for Calico renamed its policies since the source was made"
                }
                _ if self.keep_extras => "extra: left alone by --keep-extras",
                Extras::Report => "extra: the source has none; the plan reports and leaves it",
                Extras::Delete if !self.source_complete => {
                    "extra: left alone, for the source is not complete and may only not have read it"
                }
                Extras::Delete if self.authored && !authors(self.index, component, key) => {
                    "extra: left alone, for nobody authors an object of its kind there"
                }
                Extras::Delete if !self.authored && !self.knows(component, key) => {
                    "extra: left alone, for the source has neither an object of its kind nor its \
                     CustomResourceDefinition: the kind is newer than the source, or was not saved"
                }
                Extras::Delete if self.veleros && is_kept_from_velero(live) => {
                    "extra: left alone, for its label velero.io/exclude-from-backup keeps it out of Velero's backups"
                }
                Extras::Delete if brought_by.is_some() => "extra: left alone, for people did not write it",
                Extras::Delete => {
                    self.differs(&live.entry, None, Some(live));
                    deletes.push(delete(live)?);
                    continue;
                }
            };
            let who = brought_by.map_or_else(String::new, |who| format!(" ({who} brought it)"));
            self.tally.kept.push((key.clone(), format!("{why}{who}")));
        }
        Ok(deletes)
    }

    /// Whether the source could have had objects of a kind: it has one, or the definition, or needs none.
    fn knows(&self, component: Component, key: &ItemKey) -> bool {
        let ItemKey::Resource { group, plural, .. } = key else { return true };
        let kind = key.kind_name();
        let entries = self.index.entries.iter().filter(|entry| entry.component == component);
        let defines = |key: &ItemKey| {
            key.is_kind("apiextensions.k8s.io", "customresourcedefinitions") && key.name() == kind
        };
        BUILT_IN_GROUPS.contains(&group.as_str())
            || entries.map(|entry| &entry.key).any(|key| key.is_kind(group, plural) || defines(key))
    }

    /// Those in namespaces that the source knows, and those in others.
    fn find_extras(
        &self,
        plan: &RestorePlan,
        component: Component,
        kinds: &[String],
    ) -> (Vec<&'a Captured>, Vec<&'a Captured>) {
        let config = |live: &&Captured| {
            let entry = &live.entry;
            entry.component == component && entry.class == Class::Config && entry.extent == Extent::Whole
        };
        let unknown =
            |live: &&Captured| !self.known.contains(&live.entry.key) && !guard::is_guard(&live.entry.key);
        let mut extras: Vec<_> = self.live.items.iter().filter(config).filter(unknown).collect();
        if extras.is_empty() {
            return (extras, Vec::new());
        }
        let entries = self.index.entries.iter().filter(|entry| entry.component == component);
        let namespaces: BTreeSet<&str> = entries.filter_map(|entry| within(&entry.key)).collect();
        let elsewhere = named(plan, component);
        let in_step = |kind: &String| match kinds {
            [] => !elsewhere.contains(kind),
            kinds => kinds.contains(kind),
        };
        let in_scope = |key: &ItemKey| {
            let kind = key.kind_name();
            let stays = key.namespace().is_none_or(|namespace| !self.live.terminating.contains(namespace));
            stays && in_step(&kind) && spec::prunable(component, &kind)
        };
        extras.retain(|live| in_scope(&live.entry.key));
        extras.into_iter().partition(|live| {
            live.entry.key.namespace().is_none_or(|namespace| namespaces.contains(namespace))
        })
    }

    /// Whatever a policy opens or cuts off in a namespace that came since the source was made, no restore takes it away:
    /// said, because it is no difference of the plan's either.
    pub(super) fn stays(&self) -> Option<String> {
        let named: Vec<String> = self.beyond.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match self.beyond.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        (!named.is_empty()).then(|| {
            format!(
                "stays: policies in namespaces that the source lacks: {}{more}; no restore deletes them, nor are they counted \
                 as differences: judge them yourself",
                named.join(", ")
            )
        })
    }
}

/// Whether people author something where an object is: anything of its component in its namespace; of what has none, an
/// object of its kind. The one judgement, of a restore and of a comparison, about what only the cluster has: what a restore
/// from Git leaves alone is no difference from Git.
pub(crate) fn authors(authored: &Index, component: Component, key: &ItemKey) -> bool {
    let mut keys =
        authored.entries.iter().filter(|entry| entry.component == component).map(|entry| &entry.key);
    match key.namespace() {
        Some(namespace) => keys.any(|key| within(key) == Some(namespace)),
        None => keys.any(|own| own.kind_name() == key.kind_name()),
    }
}

/// The namespace that an item is in, or is.
fn within(key: &ItemKey) -> Option<&str> {
    if key.is_kind("", "namespaces") { Some(key.name()) } else { key.namespace() }
}

/// The kinds that steps of the plan name for a component.
fn named(plan: &RestorePlan, component: Component) -> BTreeSet<&String> {
    let kinds = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Apply { component: c, kinds, .. } if *c == component => Some(kinds),
        _ => None,
    });
    kinds.flatten().collect()
}

fn brought_by(live: &Captured) -> Option<&'static str> {
    let Some(Content::Resource(json)) = &live.content else { return live.managed_by };
    live.managed_by.or_else(|| catalog::brought_by(&live.entry.key, &json.value()))
}

/// Velero's documentation, "Resource filtering": the label keeps an object out of every backup, and no backup says so.
fn is_kept_from_velero(live: &Captured) -> bool {
    let Some(Content::Resource(json)) = &live.content else { return false };
    json.value()["metadata"]["labels"]["velero.io/exclude-from-backup"] == "true"
}

fn delete(live: &Captured) -> Result<Act> {
    Ok(Act {
        key: live.entry.key.clone(),
        component: live.entry.component,
        verb: Verb::Delete,
        item: None,
        seen: Some(live.seen.clone()),
        live_sha256: Some(live.entry.sha256.clone()),
        live: Some(judge::content_of(live)?),
        class: live.entry.class,
        remarks: judge::remarks(&live.entry.key, live.managed_by),
    })
}

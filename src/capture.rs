//! Reading a cluster's networking state, by the catalog.
//!
//! In: a cluster and which components. Out: items with their digests, what is absent, and what failed.
//! Invariant: all or reported. A kind that could not be read is a failure, never zero objects; and no Secret is
//! read that the catalog, a reference or a release does not name.

mod facts;
mod gather;
mod named;
mod releases;
mod shrunk;

pub use gather::{Keep, capture};
pub use shrunk::shrunk;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    catalog::{self, ExtraKind},
    cluster::{Discovery, Precondition},
    helm::Revision,
    model::{Class, Component, Content, Extent, Facts, IndexEntry, Item, ItemKey},
};

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Which bundles.
    pub components: BTreeSet<Component>,
    /// Namespaces whose items are left out.
    pub exclude_namespaces: BTreeSet<String>,
    /// Kinds the catalog lacks.
    pub extra: Vec<ExtraKind>,
    /// Helm releases as `namespace/name`; empty: those the catalog knows by name.
    pub helm_releases: Vec<String>,
    /// Objects to read whether or not something names them. A restore asks for what its source has: an object that
    /// only a reference or a release led to is still there when what led to it is gone, and one that others own is there
    /// when it has lost whatever of it is netdr's.
    pub also: BTreeSet<(Component, ItemKey)>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Capture {
    /// Every item, sorted by component and key.
    pub items: Vec<Captured>,
    /// Kinds the cluster does not serve, by component: recorded, no failure.
    pub absent: BTreeMap<Component, BTreeSet<String>>,
    /// Kinds that could not be read.
    pub failures: Vec<Failure>,
    /// What a person should know: a key that does not match its certificate, a reference to nothing.
    pub warnings: Vec<String>,
    /// The cluster's network.
    pub facts: Facts,
    /// Every revision of the Helm releases in scope, oldest first: a restore removes those that stand in its way.
    pub revisions: Vec<Revision>,
    /// Workloads whose replicas a HorizontalPodAutoscaler set.
    pub autoscaled: BTreeSet<(Component, ItemKey)>,
    /// Namespaces that are being deleted.
    pub terminating: BTreeSet<String>,
    /// What the cluster served when it was read.
    pub discovery: Discovery,
    /// The node whose files are among the items, where those of one were read.
    pub node: Option<String>,
    /// Its folders that exist, of those that the catalog names.
    pub folders: BTreeSet<String>,
}

/// An item as it was seen on the cluster.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its line in an index.
    pub entry: IndexEntry,
    /// Its content, where the caller asked to keep it.
    pub content: Option<Content>,
    /// Which very object it was.
    pub seen: Precondition,
    /// Who else writes it.
    pub managed_by: Option<&'static str>,
}

/// A kind that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose items are missing.
    pub component: Component,
    /// `plural.group`, or `helm release`.
    pub kind: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.component, self.kind, self.why)
    }
}

impl Capture {
    /// Whether an item that was not read may be there all the same: its kind could not be read, or it is one that only a
    /// release or another item leads to, and one of these could not.
    pub fn may_miss(&self, component: Component, key: &ItemKey) -> bool {
        let led_to = !catalog::lists_all(component, key);
        let mut failures = self.failures.iter().filter(|failure| failure.component == component);
        failures.any(|failure| led_to || failure.kind == key.kind_name())
    }
}

impl Captured {
    /// The item, where its content was kept.
    pub fn item(&self) -> Option<Item> {
        Some(Item {
            key: self.entry.key.clone(),
            component: self.entry.component,
            class: self.entry.class,
            extent: self.entry.extent,
            content: self.content.clone()?,
        })
    }

    /// Identity within a snapshot.
    pub fn id(&self) -> (Component, &ItemKey) {
        (self.entry.component, &self.entry.key)
    }
}

/// What one listing adds, before references are followed.
#[derive(Default)]
struct Batch {
    captured: Vec<Captured>,
    /// Secrets and ConfigMaps that the items of a component name, with one that cannot do without, if any.
    references: BTreeMap<(Component, ItemKey), Option<ItemKey>>,
    /// Every revision of the Helm releases in scope.
    revisions: Vec<Revision>,
    /// Workloads whose replicas a HorizontalPodAutoscaler set.
    autoscaled: BTreeSet<(Component, ItemKey)>,
    warnings: Vec<String>,
}

impl Batch {
    fn merge(&mut self, other: Self) {
        self.captured.extend(other.captured);
        for (named, by) in other.references {
            self.refer(named, by);
        }
        self.revisions.extend(other.revisions);
        self.autoscaled.extend(other.autoscaled);
        self.warnings.extend(other.warnings);
    }

    fn refer(&mut self, named: (Component, ItemKey), by: Option<ItemKey>) {
        let known = self.references.entry(named).or_default();
        *known = known.take().or(by);
    }
}

/// The class and extent an object is captured with.
#[derive(Clone, Copy)]
struct Role {
    component: Component,
    class: Class,
    extent: Extent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_cannot_do_without_a_secret_is_remembered_whatever_the_order() {
        let key = |name: &str| ItemKey::resource("", "secrets", Some("demo"), name);
        let named = || (Component::Ingress, key("named"));
        for order in [[None, Some(key("needs"))], [Some(key("needs")), None]] {
            let mut batch = Batch::default();
            for by in order {
                let mut more = Batch::default();
                more.refer(named(), by);
                batch.merge(more);
            }
            assert_eq!(batch.references, BTreeMap::from([(named(), Some(key("needs")))]));
        }
    }
}

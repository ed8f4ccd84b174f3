//! What is read by its name after the lists: what items reference, what the caller asked for, and the definitions.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};

use super::{
    Batch, Capture, Captured, Role,
    gather::{Gathering, Names, Outcome, READS, refused},
};
use crate::{
    catalog::{self, BUILT_IN_GROUPS, references},
    cluster::ApiKind,
    model::{Class, Component, Extent, ItemKey},
};

impl Gathering<'_> {
    /// Reads the Secrets and ConfigMaps that items name, into the component that names them.
    pub(super) async fn follow(&self, batch: &mut Batch, capture: &mut Capture) {
        let mut wanted = std::mem::take(&mut batch.references);
        if wanted.is_empty() {
            return;
        }
        let have: BTreeSet<(Component, &ItemKey)> = batch.captured.iter().map(Captured::id).collect();
        wanted.retain(|(component, named), _| {
            !have.contains(&(*component, named)) && references::excluded(named).is_none()
        });
        let reads =
            wanted.into_iter().map(|((component, named), by)| self.read_named_by(component, named, by));
        let mut reads = stream::iter(reads).buffer_unordered(READS);
        while let Some(outcome) = reads.next().await {
            capture.take(outcome, batch);
        }
    }

    async fn read_named_by(&self, component: Component, named: ItemKey, by: Option<ItemKey>) -> Outcome {
        let ItemKey::Resource { group, plural, namespace, name } = &named else {
            return Outcome::Read(Batch::default());
        };
        let Some(kind) = self.discovery.find(group, plural) else {
            return self.not_served(component, group, plural);
        };
        let mut found = Batch::default();
        match self.cluster.get(kind, namespace.as_deref(), name).await {
            Ok(Some(object)) => {
                self.add(
                    &mut found,
                    kind,
                    object,
                    Role { component, class: Class::Config, extent: Extent::Whole },
                );
                found.references.clear(); // one step: what a Secret would name is nobody's reference
            }
            Ok(None) => {
                found.warnings.extend(by.map(|by| format!("{by} names {named}, which does not exist")));
            }
            Err(refusal) => return refused(component, kind, &refusal),
        }
        Outcome::Read(found)
    }

    /// Reads what the caller named and no list, reference or release led to; namespaces come with all others.
    pub(super) async fn also(&self, batch: &mut Batch, capture: &mut Capture) {
        let listed = |(component, key): &&(Component, ItemKey)| catalog::lists_all(*component, key);
        let also = self.scope.also.iter().filter(|also| !also.1.is_kind("", "namespaces") && !listed(also));
        let mut unread: BTreeSet<(Component, &ItemKey)> =
            also.map(|(component, key)| (*component, key)).collect();
        for captured in &batch.captured {
            unread.remove(&captured.id());
        }
        let mut wanted: BTreeMap<(Component, &ApiKind), Names> = BTreeMap::new();
        for (component, key) in unread {
            if let ItemKey::Resource { group, plural, namespace, name } = key
                && let Some(kind) = self.discovery.find(group, plural)
            {
                wanted.entry((component, kind)).or_default().push((namespace.clone(), name.clone()));
            }
        }
        for ((component, kind), names) in wanted {
            let role = Role { component, class: Class::Config, extent: Extent::Whole };
            capture.take(self.read_named(kind, names, role).await, batch);
        }
    }

    /// Reads the CustomResourceDefinitions of the kinds in scope: a restore creates those that are gone.
    pub(super) async fn definitions(&self, batch: &mut Batch, capture: &mut Capture) {
        let Some(kind) = self.discovery.find("apiextensions.k8s.io", "customresourcedefinitions") else {
            return;
        };
        for component in &self.scope.components {
            let rows = catalog::rows(*component).filter(|row| !BUILT_IN_GROUPS.contains(&row.group));
            let extra = self.scope.extra.iter().filter(|e| e.component == *component);
            let served: BTreeSet<String> = rows
                .filter_map(|row| self.discovery.find(row.group, row.plural))
                .chain(extra.filter_map(|e| self.discovery.find_kind(&e.group, &e.kind)))
                .map(ApiKind::name)
                .collect();
            let role = Role { component: *component, class: Class::Config, extent: Extent::Whole };
            let names = served.into_iter().map(|name| (None, name)).collect();
            capture.take(self.read_named(kind, names, role).await, batch);
        }
    }
}

//! From an archive's entries to items: what capture does with a cluster, done with files.
//!
//! In: entries, twice. Out: items. Invariant: the first reading takes what the catalog names, the second what those
//! items and Helm's releases name; an entry whose content is another object than its path says is damaged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::archive::Entry;
use crate::{
    Error, Result, canonical,
    capture::Scope,
    catalog::{self, BUILT_IN_GROUPS, Kind, Select, references},
    helm,
    model::{Class, Component, Content, Extent, Item, ItemKey, Json},
};

/// Where its chart installs cert-manager, and so where a ClusterIssuer's Secrets are.
const ISSUERS: &str = "cert-manager";
const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

/// A kind and a place in it: group, plural, namespace, name.
type Place = (String, String, Option<String>, String);

pub(super) struct Gathering<'a> {
    scope: &'a Scope,
    pub(super) items: BTreeMap<(Component, ItemKey), Item>,
    pub(super) remarks: Vec<String>,
    /// The newest deployed revision of each release in scope, with its number.
    releases: BTreeMap<(String, String), (u64, Component, Value)>,
    /// What the second reading takes, and for which components.
    named: BTreeMap<Place, BTreeSet<Component>>,
}

impl<'a> Gathering<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        let (items, releases, named) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { scope, items, remarks: Vec::new(), releases, named }
    }

    /// What the catalog names, and the releases.
    pub(super) fn first(&mut self, entry: &Entry<'_>) -> Result<()> {
        let Some(key) = key(entry.path) else { return Ok(()) };
        let roles = self.roles(&key);
        let secret = key.is_kind("", "secrets");
        if roles.is_empty() && !secret {
            return Ok(());
        }
        let object = object(entry, &key)?;
        if secret {
            self.release(&object);
        }
        for (component, class, extent) in roles {
            let of_type =
                |row: &Kind| matches!(row.select, Select::SecretType(wanted) if object["type"] == wanted);
            if !secret || catalog::rows(component).any(of_type) {
                self.add(component, class, extent, &key, object.clone());
            }
        }
        Ok(())
    }

    /// Works out what the second reading takes.
    pub(super) fn follow(&mut self) {
        for ((namespace, name), (_, component, secret)) in std::mem::take(&mut self.releases) {
            let decoded =
                helm::decode(&secret).and_then(|content| Ok((helm::manifest_objects(&content)?, content)));
            let decoded =
                decoded.and_then(|(objects, content)| Ok((objects, helm::crds(&content)?, content)));
            let (objects, crds, content) = match decoded {
                Ok(decoded) => decoded,
                Err(error) => {
                    self.remarks.push(error.to_string());
                    continue;
                }
            };
            // RKE2 renders its own release anew.
            let class = if component == Component::Cni { Class::Evidence } else { Class::Config };
            let rendered = objects.into_iter().filter(|_| class == Class::Config);
            for object in rendered.chain(crds) {
                let group = group(&object);
                let plural = catalog::plural(object["kind"].as_str().unwrap_or_default());
                let own = object["metadata"]["namespace"].as_str().unwrap_or(&namespace).to_owned();
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                // Which of them it is, its manifest does not say.
                for namespace in [Some(own), None] {
                    self.name((group.clone(), plural.clone(), namespace, name.clone()), component);
                }
            }
            let key = ItemKey::Release { namespace, name };
            let content = Content::Release(Json::new(&content));
            let item = Item { key: key.clone(), component, class, extent: Extent::Whole, content };
            self.items.insert((component, key), item);
        }
        for component in &self.scope.components {
            for row in catalog::rows(*component).filter(|row| !BUILT_IN_GROUPS.contains(&row.group)) {
                self.define(&format!("{}.{}", row.plural, row.group), *component);
            }
        }
        for extra in self.scope.extra.iter().filter(|extra| self.scope.components.contains(&extra.component))
        {
            self.define(&format!("{}.{}", catalog::plural(&extra.kind), extra.group), extra.component);
        }
    }

    /// What the first reading led to.
    pub(super) fn second(&mut self, entry: &Entry<'_>) -> Result<()> {
        let Some(key) = key(entry.path) else { return Ok(()) };
        let mut components = match &key {
            ItemKey::Resource { group, plural, namespace, name } => {
                let place = (group.clone(), plural.clone(), namespace.clone(), name.clone());
                self.named.get(&place).cloned().unwrap_or_default()
            }
            _ => return Ok(()),
        };
        let home = key.is_kind("", "namespaces");
        if home {
            components.extend(
                self.scope.components.iter().filter(|component| self.lives_in(**component, key.name())),
            );
        }
        if components.is_empty() {
            return Ok(());
        }
        let object = object(entry, &key)?;
        for component in components {
            if self.items.get(&(component, key.clone())).is_none_or(|item| item.extent == Extent::Fields) {
                let extent = if home { Extent::Fields } else { Extent::Whole };
                self.add(component, Class::Config, extent, &key, object.clone());
            }
        }
        Ok(())
    }

    /// Whether a namespace is a component's business: every one is that of policies, which select by their labels.
    fn lives_in(&self, component: Component, namespace: &str) -> bool {
        let mut keys = self.items.keys();
        component == Component::Policies
            || keys.any(|(c, key)| *c == component && key.namespace() == Some(namespace))
    }

    /// As what the catalog names an object of a kind.
    fn roles(&self, key: &ItemKey) -> Vec<(Component, Class, Extent)> {
        let ItemKey::Resource { group, plural, namespace, name } = key else { return Vec::new() };
        let wanted = |row: &&Kind| {
            let named = match row.select {
                Select::Named(names) => {
                    names.contains(&(namespace.as_deref().unwrap_or_default(), name.as_str()))
                }
                Select::All | Select::SecretType(_) => true,
            };
            row.group == group && row.plural == plural && named
        };
        let rows =
            self.scope.components.iter().flat_map(|component| catalog::rows(*component)).filter(wanted);
        let extra = self.scope.extra.iter().filter(|extra| {
            self.scope.components.contains(&extra.component)
                && extra.group == *group
                && catalog::plural(&extra.kind) == *plural
        });
        let extra = extra.map(|extra| (extra.component, Class::Config, Extent::Whole));
        rows.map(|row| (row.component, row.class, row.extent())).chain(extra).collect()
    }

    fn release(&mut self, secret: &Value) {
        let Some(revision) = helm::Revision::of(secret).filter(|_| secret["type"] == "helm.sh/release.v1")
        else {
            return;
        };
        let component =
            helm::release_component(&revision.namespace, &revision.name, &self.scope.helm_releases);
        let Some(component) = component.filter(|c| self.scope.components.contains(c)) else { return };
        if revision.status != "deployed" {
            return; // brought back, a pending one makes Helm refuse
        }
        let held = self.releases.entry((revision.namespace, revision.name));
        let held = held.or_insert_with(|| (0, component, Value::Null));
        if revision.version >= held.0 {
            *held = (revision.version, component, secret.clone());
        }
    }

    fn add(&mut self, component: Component, class: Class, extent: Extent, key: &ItemKey, object: Value) {
        let excluded = |namespace: &str| self.scope.exclude_namespaces.contains(namespace);
        let class = catalog::classify(class, key, &object);
        if key.namespace().is_some_and(excluded) || (class == Class::Generated && key.is_kind("", "secrets"))
        {
            return;
        }
        if class == Class::Config {
            for named in references::references(key, &object, ISSUERS).into_keys() {
                if let ItemKey::Resource { group, plural, namespace, name } = named {
                    self.name((group, plural, namespace, name), component);
                }
            }
        }
        let Some(content) = canonical::content(key, extent, object) else { return };
        let content = Content::Resource(Json::new(&content));
        let item = Item { key: key.clone(), component, class, extent, content };
        self.items.insert((component, key.clone()), item);
    }

    fn name(&mut self, place: Place, component: Component) {
        self.named.entry(place).or_default().insert(component);
    }

    fn define(&mut self, definition: &str, component: Component) {
        let (group, plural) = DEFINITIONS;
        self.name((group.into(), plural.into(), None, definition.into()), component);
    }
}

/// `resources/PLURAL.GROUP/namespaces/NAMESPACE/NAME.json` or `resources/PLURAL.GROUP/cluster/NAME.json`. Velero writes
/// each object once more below the name of its version, which is passed over.
fn key(path: &[&str]) -> Option<ItemKey> {
    let (kind, namespace, file) = match path {
        ["resources", kind, "namespaces", namespace, file] => (kind, Some(*namespace), file),
        ["resources", kind, "cluster", file] => (kind, None, file),
        _ => return None,
    };
    let (plural, group) = kind.split_once('.').unwrap_or((kind, ""));
    Some(ItemKey::resource(group, plural, namespace, file.strip_suffix(".json")?))
}

/// The object in an entry, which must be the one that its path names.
fn object(entry: &Entry<'_>, key: &ItemKey) -> Result<Value> {
    let path = entry.path.join("/");
    let object: Value = serde_json::from_slice(&entry.read()?)
        .map_err(|_| Error::damaged(format!("its entry {path} is not JSON")))?; // the cause may quote a Secret
    let metadata = &object["metadata"];
    let ItemKey::Resource { group: wanted, .. } = key else { return Ok(object) };
    if metadata["name"] == key.name()
        && metadata["namespace"].as_str() == key.namespace()
        && group(&object) == *wanted
    {
        return Ok(object);
    }
    Err(Error::damaged(format!("its entry {path} holds another object than its path says")))
}

fn group(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

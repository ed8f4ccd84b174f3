//! What goes wrong in a drill of any snapshot: the operations guide's failures, chosen by what the snapshot has.
//!
//! In: the components that a plan restores, the items of a snapshot. Out: what to lose and to corrupt; and, done on the
//! drill's own cluster and files, a line each. Invariant: choosing is pure, and of what is chosen nothing but what the plan
//! restores is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    Error, Result,
    cluster::{Cluster, Discovery, ListOptions, Precondition, Refusal, Selector},
    model::{Class, Component, Extent, Item, ItemKey},
};

/// Where a policy slips in that no snapshot has.
const STRAY: &str = "netdr-drill-allow-all";
const POLICIES: (&str, &str) = ("networking.k8s.io", "networkpolicies");

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Damage {
    /// It is lost.
    Lost(ItemKey),
    /// It is corrupted.
    Corrupted {
        /// What.
        key: ItemKey,
        /// How, as a merge patch; of a file the new text.
        to: Value,
        /// In words.
        says: &'static str,
    },
    /// It was never there.
    Stray(ItemKey),
}

/// Chooses, in order of components and keys: the same snapshot fails in the same way each time.
pub(super) fn choose(components: &BTreeSet<Component>, items: &[Item]) -> Vec<Damage> {
    let whole = |item: &&Item| {
        item.class == Class::Config && item.extent == Extent::Whole && !is_definition(&item.key)
    };
    let of = |component: Component| -> BTreeMap<&ItemKey, &Item> {
        let items = items.iter().filter(|item| item.component == component).filter(whole);
        items.map(|item| (&item.key, item)).collect()
    };
    let mut chosen = Vec::new();
    for component in components {
        let found = of(*component);
        match component {
            Component::Host => chosen.extend(files(found.keys().copied())),
            Component::Cni => chosen.extend(found.keys().map(|key| match key {
                key if key.is_kind("helm.cattle.io", "helmchartconfigs") => Damage::Corrupted {
                    key: (*key).clone(),
                    to: json!({"spec": {"valuesContent": "flannel: {iface: lost}\n"}}),
                    says: "has other values",
                },
                key => Damage::Lost((*key).clone()),
            })),
            Component::Ingress | Component::Loadbalancer | Component::Certificates => {
                chosen.extend(found.keys().map(|key| Damage::Lost((*key).clone())));
            }
            Component::Policies => {
                chosen.extend(policies(found.keys().copied()));
                let namespaces = items.iter().filter(|item| item.component == Component::Policies);
                chosen.extend(namespaces.filter_map(unlabelled).next());
            }
        }
    }
    let mut seen = BTreeSet::new();
    chosen.retain(|damage| seen.insert(damage.key().clone())); // a Secret may be of two components
    chosen
}

impl Damage {
    fn key(&self) -> &ItemKey {
        match self {
            Self::Lost(key) | Self::Corrupted { key, .. } | Self::Stray(key) => key,
        }
    }
}

fn is_definition(key: &ItemKey) -> bool {
    key.is_kind("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The first file is corrupted, the second lost. RKE2's own configuration names the node, and so stays readable.
fn files<'a>(keys: impl Iterator<Item = &'a ItemKey>) -> Vec<Damage> {
    let mut nodes: BTreeMap<&str, Vec<&ItemKey>> = BTreeMap::new();
    for key in keys {
        if let ItemKey::File { node, .. } = key {
            nodes.entry(node).or_default().push(key);
        }
    }
    let of_node = |keys: Vec<&ItemKey>| {
        let lost = keys.get(1).map(|key| Damage::Lost((*key).clone()));
        let corrupted = keys.first().map(|key| Damage::Corrupted {
            key: (*key).clone(),
            to: "# lost in a drill\n".into(),
            says: "has another content",
        });
        corrupted.into_iter().chain(lost).collect::<Vec<_>>()
    };
    nodes.into_values().flat_map(of_node).collect()
}

/// Every other policy is lost; of those that stay, the first of Kubernetes' own lets everything out, and beside it one slips
/// in that lets everything in.
fn policies<'a>(keys: impl Iterator<Item = &'a ItemKey>) -> Vec<Damage> {
    let (lost, stay): (Vec<_>, Vec<_>) = keys.enumerate().partition(|(number, _)| number % 2 == 0);
    let mut chosen: Vec<Damage> = lost.into_iter().map(|(_, key)| Damage::Lost(key.clone())).collect();
    let first = stay.into_iter().map(|(_, key)| key).find(|key| key.is_kind(POLICIES.0, POLICIES.1));
    if let Some(key) = first {
        chosen.push(Damage::Corrupted {
            key: key.clone(),
            to: json!({"spec": {"egress": [{}], "policyTypes": ["Ingress", "Egress"]}}),
            says: "lets everything out",
        });
        chosen.push(Damage::Stray(ItemKey::resource(POLICIES.0, POLICIES.1, key.namespace(), STRAY)));
    }
    chosen
}

/// A namespace whose labels go: policies select by them.
fn unlabelled(item: &Item) -> Option<Damage> {
    if !item.key.is_kind("", "namespaces") || item.key.name().starts_with("kube-") {
        return None;
    }
    let object = item.json()?.value();
    let labels = object["metadata"]["labels"].as_object()?.keys();
    let labels: serde_json::Map<String, Value> = labels.map(|name| (name.clone(), Value::Null)).collect();
    (!labels.is_empty()).then(|| Damage::Corrupted {
        key: item.key.clone(),
        to: json!({"metadata": {"labels": labels}}),
        says: "lost its labels",
    })
}

/// Does it. `roots` has the folder of each node whose files there are. Of what is not there nothing is said: it could not be
/// loaded, and that has been said.
///
/// # Errors
/// When the API server refuses, or a file cannot be changed.
pub(super) async fn cause(
    cluster: &Cluster,
    roots: &BTreeMap<String, std::path::PathBuf>,
    chosen: &[Damage],
) -> Result<Vec<String>> {
    let discovery = cluster.discover().await?;
    let causing = Causing { cluster, discovery: &discovery };
    let mut said = Vec::new();
    for damage in chosen {
        let done = match damage.key() {
            ItemKey::File { node, path } => match roots.get(node) {
                Some(root) => file(&root.join(path.trim_start_matches('/')), damage)?,
                None => false,
            },
            key => causing
                .object(key, damage)
                .await
                .map_err(|r| r.about("cannot break", &key.to_string(), cluster.server()))?,
        };
        if done {
            said.push(match damage {
                Damage::Lost(key) => format!("{key} is lost"),
                Damage::Corrupted { key, says, .. } => format!("{key} {says}"),
                Damage::Stray(key) => format!("{key} slipped in"),
            });
        }
    }
    Ok(said)
}

fn file(path: &Path, damage: &Damage) -> Result<bool> {
    let failed = |e| Error::failed(format!("cannot break {}", path.display())).because(e);
    if !path.is_file() {
        return Ok(false);
    }
    match damage {
        Damage::Corrupted { to: Value::String(text), .. } => std::fs::write(path, text).map_err(failed)?,
        _ => std::fs::remove_file(path).map_err(failed)?,
    }
    Ok(true)
}

struct Causing<'a> {
    cluster: &'a Cluster,
    discovery: &'a Discovery,
}

impl Causing<'_> {
    async fn object(&self, key: &ItemKey, damage: &Damage) -> Result<bool, Refusal> {
        if let ItemKey::Release { namespace, name } = key {
            return self.release(namespace, name).await;
        }
        let ItemKey::Resource { group, plural, namespace, name } = key else { return Ok(false) };
        let Some(kind) = self.discovery.find(group, plural) else { return Ok(false) };
        let namespace = namespace.as_deref();
        match damage {
            Damage::Stray(_) => {
                let policy = json!({
                    "apiVersion": kind.api_version(), "kind": kind.kind,
                    "metadata": {"name": name, "namespace": namespace},
                    "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
                });
                self.cluster.create(kind, namespace, policy.to_string().as_bytes()).await?;
            }
            Damage::Lost(_) | Damage::Corrupted { .. } => {
                let Some(live) = self.cluster.get(kind, namespace, name).await? else { return Ok(false) };
                match damage {
                    Damage::Corrupted { to, .. } => self.cluster.merge(kind, namespace, name, to).await?,
                    _ => self.cluster.delete(kind, namespace, name, &Precondition::of(&live)).await?,
                }
            }
        }
        Ok(true)
    }

    /// Every revision of a release, as `helm uninstall` takes them away.
    async fn release(&self, namespace: &str, name: &str) -> Result<bool, Refusal> {
        let Some(secrets) = self.discovery.find("", "secrets") else { return Ok(false) };
        let options = ListOptions {
            namespace: Some(namespace.into()),
            selector: Selector { labels: Some(format!("owner=helm,name={name}")), fields: None },
            metadata_only: true,
        };
        let revisions = self.cluster.list_all(secrets, &options).await?;
        for revision in &revisions {
            let name = revision["metadata"]["name"].as_str().unwrap_or_default();
            self.cluster.delete(secrets, Some(namespace), name, &Precondition::of(revision)).await?;
        }
        Ok(!revisions.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Json};

    fn item(component: Component, key: &str, class: Class, extent: Extent, object: Value) -> Item {
        Item {
            key: key.parse().unwrap(),
            component,
            class,
            extent,
            content: Content::Resource(Json::new(&object)),
        }
    }

    fn items() -> Vec<Item> {
        let policy = |name: &str| {
            item(
                Component::Policies,
                &format!("resources/networking.k8s.io/networkpolicies/demo/{name}"),
                Class::Config,
                Extent::Whole,
                json!({}),
            )
        };
        let namespace = json!({"metadata": {"labels": {"team": "a"}}});
        vec![
            policy("a"),
            policy("b"),
            policy("c"),
            item(
                Component::Policies,
                "resources/core/namespaces/_cluster/demo",
                Class::Config,
                Extent::Fields,
                namespace,
            ),
            item(
                Component::Cni,
                "resources/apps/daemonsets/kube-system/rke2-canal",
                Class::Evidence,
                Extent::Whole,
                json!({}),
            ),
            item(
                Component::Cni,
                "resources/apiextensions.k8s.io/customresourcedefinitions/_cluster/ippools.crd.projectcalico.org",
                Class::Config,
                Extent::Whole,
                json!({}),
            ),
            item(
                Component::Cni,
                "resources/helm.cattle.io/helmchartconfigs/kube-system/rke2-canal",
                Class::Config,
                Extent::Whole,
                json!({}),
            ),
        ]
    }

    #[test]
    fn policies_are_lost_opened_and_slipped_in_and_a_namespace_loses_its_labels() {
        let chosen = choose(&[Component::Policies].into(), &items());
        let said: Vec<String> = chosen.iter().map(|damage| damage.key().to_path()).collect();
        let policy = |name: &str| format!("resources/networking.k8s.io/networkpolicies/demo/{name}");
        assert_eq!(
            said,
            [
                policy("a"),
                policy("c"),
                policy("b"),
                policy(STRAY),
                "resources/core/namespaces/_cluster/demo".into()
            ]
        );
        assert!(
            matches!(&chosen[4], Damage::Corrupted { to, .. } if to["metadata"]["labels"] == json!({"team": null}))
        );
    }

    #[test]
    fn neither_evidence_nor_definitions_are_touched_and_nothing_of_other_components() {
        let chosen = choose(&[Component::Cni].into(), &items());
        assert!(
            matches!(&chosen[..], [Damage::Corrupted { key, .. }] if key.name() == "rke2-canal"),
            "{chosen:?}"
        );
        assert_eq!(choose(&[Component::Ingress].into(), &items()), []);
    }

    #[test]
    fn of_every_node_one_file_is_corrupted_and_one_lost() {
        let file = |path: &str| item(Component::Host, path, Class::Config, Extent::Whole, json!({}));
        let files = [file("host/n1/a"), file("host/n1/b"), file("host/n1/c"), file("host/n2/a")];
        let chosen = choose(&[Component::Host].into(), &files);
        assert_eq!(chosen.len(), 3, "{chosen:?}");
        assert!(matches!(chosen[1], Damage::Lost(_)));
    }
}

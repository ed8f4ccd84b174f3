//! The identity of an item, independent of any cluster's uids and API versions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// What an item is called: by group and resource, never by kind, because kinds collide
/// (NetworkPolicy is Kubernetes' and Calico's, BGPPeer is Calico's and MetalLB's).
///
/// Its text form is the path it has inside a bundle, without the file extension and without shortening:
/// `resources/networking.k8s.io/networkpolicies/demo/default-deny`, `resources/core/nodes/_cluster/n1`,
/// `helm/traefik/traefik`, `host/n1/etc/rancher/rke2/config.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKey {
    /// A Kubernetes resource. `group` is empty for the core group.
    Resource {
        /// API group, empty for core.
        group: String,
        /// Plural resource name.
        plural: String,
        /// Namespace, none for cluster-scoped resources.
        namespace: Option<String>,
        /// Object name.
        name: String,
    },
    /// A Helm release.
    Release {
        /// Namespace of the release.
        namespace: String,
        /// Release name.
        name: String,
    },
    /// A file of a node.
    File {
        /// Node name.
        node: String,
        /// Absolute path on the node.
        path: String,
    },
}

impl ItemKey {
    /// A resource's key.
    pub fn resource(group: &str, plural: &str, namespace: Option<&str>, name: &str) -> Self {
        Self::Resource {
            group: group.into(),
            plural: plural.into(),
            namespace: namespace.map(Into::into),
            name: name.into(),
        }
    }

    /// The namespace the item lives in, if it lives in one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Resource { namespace, .. } => namespace.as_deref(),
            Self::Release { namespace, .. } => Some(namespace),
            Self::File { .. } => None,
        }
    }

    /// The object's name, or the file's path.
    pub fn name(&self) -> &str {
        match self {
            Self::Resource { name, .. } | Self::Release { name, .. } => name,
            Self::File { path, .. } => path,
        }
    }

    /// `plural.group` as kubectl writes it (`networkpolicies.networking.k8s.io`, `secrets`); `helm release`, `file`.
    pub fn kind_name(&self) -> String {
        match self {
            Self::Resource { group, plural, .. } if group.is_empty() => plural.clone(),
            Self::Resource { group, plural, .. } => format!("{plural}.{group}"),
            Self::Release { .. } => "helm release".into(),
            Self::File { .. } => "file".into(),
        }
    }

    /// Whether this is the resource kind given.
    pub fn is_kind(&self, group: &str, plural: &str) -> bool {
        matches!(self, Self::Resource { group: g, plural: p, .. } if g == group && p == plural)
    }

    /// The text form described on the type; [`fmt::Display`] is for people.
    pub fn to_path(&self) -> String {
        match self {
            Self::Resource { group, plural, namespace, name } => {
                let group = if group.is_empty() { "core" } else { group };
                let namespace = namespace.as_deref().unwrap_or("_cluster");
                format!("resources/{group}/{plural}/{namespace}/{name}")
            }
            Self::Release { namespace, name } => format!("helm/{namespace}/{name}"),
            Self::File { node, path } => format!("host/{node}{path}"),
        }
    }
}

/// As people and kubectl say it: `networkpolicies.networking.k8s.io demo/default-deny`.
impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { node, path } => write!(f, "file {node}:{path}"),
            _ => match self.namespace() {
                Some(namespace) => write!(f, "{} {namespace}/{}", self.kind_name(), self.name()),
                None => write!(f, "{} {}", self.kind_name(), self.name()),
            },
        }
    }
}

impl FromStr for ItemKey {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let wrong = || Error::damaged(format!("`{s}` is not the key of an item"));
        let (first, rest) = s.split_once('/').ok_or_else(wrong)?;
        match first {
            "resources" => {
                let parts: Vec<&str> = rest.split('/').collect();
                let [group, plural, namespace, name] = parts[..] else { return Err(wrong()) };
                let group = if group == "core" { "" } else { group };
                let namespace = (namespace != "_cluster").then_some(namespace);
                Ok(Self::resource(group, plural, namespace, name))
            }
            "helm" => {
                let (namespace, name) = rest.split_once('/').ok_or_else(wrong)?;
                if name.contains('/') {
                    return Err(wrong());
                }
                Ok(Self::Release { namespace: namespace.into(), name: name.into() })
            }
            "host" => {
                let slash = rest.find('/').ok_or_else(wrong)?;
                let (node, path) = rest.split_at(slash);
                Ok(Self::File { node: node.into(), path: path.into() })
            }
            _ => Err(wrong()),
        }
    }
}

impl Serialize for ItemKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_path())
    }
}

impl<'de> Deserialize<'de> for ItemKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

//! What the API server serves: one request for all groups, and which of them are dead.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join;
use http::{Method, header};
use kube::core::discovery::v2::{ACCEPT_AGGREGATED_DISCOVERY_V2, APIGroupDiscoveryList};

use super::Cluster;
use crate::Result;

/// A kind as the server serves it, in its preferred version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiKind {
    /// API group, empty for core.
    pub group: String,
    /// Preferred version.
    pub version: String,
    /// Kind, for `kind:` of objects.
    pub kind: String,
    /// Plural resource name, for paths.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// The kinds of a cluster, and the groups whose server does not answer.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    kinds: BTreeMap<(String, String), ApiKind>,
    /// Group, plural and version of everything served, preferred or not.
    versions: BTreeSet<(String, String, String)>,
    stale: BTreeSet<String>,
}

impl ApiKind {
    /// `apiVersion` of its objects.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `plural.group` as kubectl writes it.
    pub fn name(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The path of its collection, in a namespace or across all.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        match namespace {
            Some(namespace) => {
                format!("{root}/{}/namespaces/{namespace}/{}", self.api_version(), self.plural)
            }
            None => format!("{root}/{}/{}", self.api_version(), self.plural),
        }
    }

    /// The path of one object. Calico's names may hold characters a URL may not.
    pub fn object(&self, namespace: Option<&str>, name: &str) -> String {
        format!("{}/{}", self.collection(namespace), escape(name))
    }
}

/// Percent-encodes what RFC 3986 does not allow in a path segment.
fn escape(segment: &str) -> String {
    use std::fmt::Write as _;
    segment.bytes().fold(String::with_capacity(segment.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// What a plan is resolved against where the kinds are known without asking.
impl FromIterator<ApiKind> for Discovery {
    fn from_iter<I: IntoIterator<Item = ApiKind>>(kinds: I) -> Self {
        let mut discovery = Self::default();
        for kind in kinds {
            let (group, plural) = (kind.group.clone(), kind.plural.clone());
            discovery.versions.insert((group.clone(), plural.clone(), kind.version.clone()));
            discovery.kinds.insert((group, plural), kind);
        }
        discovery
    }
}

impl Discovery {
    /// Every kind, in order of group and resource.
    pub fn iter(&self) -> impl Iterator<Item = &ApiKind> {
        self.kinds.values()
    }

    /// The kind, if the server serves it.
    pub fn find(&self, group: &str, plural: &str) -> Option<&ApiKind> {
        self.kinds.get(&(group.to_owned(), plural.to_owned()))
    }

    /// The kind.
    ///
    /// # Errors
    /// If the server does not serve it: in words.
    pub fn served(&self, group: &str, plural: &str) -> Result<&ApiKind, String> {
        self.find(group, plural).ok_or_else(|| format!("{plural} are not served"))
    }

    /// The kind of an object by apiVersion's group and `kind`.
    pub fn find_kind(&self, group: &str, kind: &str) -> Option<&ApiKind> {
        self.kinds.values().find(|k| k.group == group && k.kind == kind)
    }

    /// Whether the kind is served in this version, which need not be the preferred one.
    pub fn serves(&self, group: &str, plural: &str, version: &str) -> bool {
        self.versions.contains(&(group.to_owned(), plural.to_owned(), version.to_owned()))
    }

    /// A kind in every version that is served, the preferred one first.
    pub fn versions(&self, kind: &ApiKind) -> Vec<ApiKind> {
        let same = |(group, plural, version): &&(String, String, String)| {
            *group == kind.group && *plural == kind.plural && *version != kind.version
        };
        let others = self.versions.iter().filter(same);
        let others = others.map(|(.., version)| ApiKind { version: version.clone(), ..kind.clone() });
        std::iter::once(kind.clone()).chain(others).collect()
    }

    /// Why a stored object of a kind that is served cannot be written, and the way out: netdr does not convert between
    /// versions.
    pub fn outdated(&self, kind: &ApiKind, api_version: &str) -> Option<String> {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        (!self.serves(&kind.group, &kind.plural, version)).then(|| {
            let (name, served) = (kind.name(), &kind.version);
            format!(
                "the cluster serves {name} in {served}, no longer in {version}; convert it by hand: netdr extract, then kubectl apply"
            )
        })
    }

    /// Whether the group is registered but its server does not answer: its kinds are unknown, not absent.
    pub fn is_stale(&self, group: &str) -> bool {
        self.stale.contains(group)
    }

    fn add(&mut self, list: APIGroupDiscoveryList) {
        for group in list.items {
            let name = group.metadata.and_then(|m| m.name).unwrap_or_default();
            // The first version is the preferred one; a later version only adds kinds the former lack.
            for version in group.versions {
                if version.freshness.as_deref() == Some("Stale") {
                    self.stale.insert(name.clone());
                }
                let number = version.version.unwrap_or_default();
                for resource in version.resources {
                    let Some(plural) = resource.resource else { continue };
                    self.versions.insert((name.clone(), plural.clone(), number.clone()));
                    self.kinds.entry((name.clone(), plural.clone())).or_insert_with(|| ApiKind {
                        group: name.clone(),
                        version: number.clone(),
                        kind: resource.response_kind.and_then(|k| k.kind).unwrap_or_default(),
                        plural,
                        namespaced: resource.scope.as_deref() == Some("Namespaced"),
                    });
                }
            }
        }
    }
}

impl Cluster {
    /// Asks what the server serves (aggregated discovery, Kubernetes 1.30 and newer).
    ///
    /// # Errors
    /// When the API server cannot be reached or refuses; a dead aggregated group is not an error, see
    /// [`Discovery::is_stale`].
    pub async fn discover(&self) -> Result<Discovery> {
        let ask = async |path| {
            let accept = [(header::ACCEPT, ACCEPT_AGGREGATED_DISCOVERY_V2)];
            let list = self.send::<APIGroupDiscoveryList>(Method::GET, path, &accept, None).await;
            list.map_err(|refusal| refusal.about("cannot ask what is served at", path, &self.server))
        };
        let (core, groups) = try_join(ask("/api"), ask("/apis")).await?;
        let mut discovery = Discovery::default();
        discovery.add(core);
        discovery.add(groups);
        Ok(discovery)
    }
}

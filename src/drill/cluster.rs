//! A believable cluster, as the operations guide describes it: Canal, Traefik by Helm, MetalLB, cert-manager, a
//! dozen namespaces under default-deny, wildcard certificates, and the host roots of three servers.
//!
//! In: an empty API server that serves the CRDs. Out: the objects on it.
//! Invariant: every secret value holds the caller's marker (private keys excepted, which hold themselves), so that
//! a search for it finds a leak; what netdr must not even read holds [`UNTOUCHED`] as well.

mod certificates;
mod host;
mod namespaces;
mod release;

pub use host::host_root;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::{
    Error, Result,
    cluster::{Cluster, Discovery},
    yaml,
};

/// Part of every value in Secrets that belong to applications: no snapshot may hold it.
pub const UNTOUCHED: &str = "application-secret";
/// The server nodes.
pub const NODES: [&str; 3] = ["proj-k8s01", "proj-k8s02", "proj-k8s03"];

/// What is written down as it is, in files beside this one.
const FILES: [(&str, &str); 5] = [
    ("nodes.yaml", include_str!("cluster/nodes.yaml")),
    ("canal.yaml", include_str!("cluster/canal.yaml")),
    ("metallb.yaml", include_str!("cluster/metallb.yaml")),
    ("cert-manager.yaml", include_str!("cluster/cert-manager.yaml")),
    ("routes.yaml", include_str!("cluster/routes.yaml")),
];
/// Requests in flight.
const CREATES: usize = 16;

/// Loads it into an empty API server whose CRDs are there. `now` dates the certificates and the release.
///
/// # Errors
/// When the API server refuses an object.
pub async fn load(cluster: &Cluster, marker: &str, now: DateTime<Utc>) -> Result<()> {
    let discovery = cluster.discover().await?;
    let mut objects = namespaces::objects(marker)?;
    objects.extend(release::objects(marker, now)?);
    objects.extend(certificates::objects(now)?);
    for (name, text) in FILES {
        objects.extend(documents(name, text, marker)?);
    }
    objects.push(release::canal(&objects, now)?);
    let (namespaces, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(|o| o["kind"] == "Namespace");
    create_all(cluster, &discovery, &namespaces).await?;
    create_all(cluster, &discovery, &rest).await
}

/// The objects of a file, the marker put in.
fn documents(name: &str, text: &str, marker: &str) -> Result<Vec<Value>> {
    yaml::documents(&text.replace("MARKER", marker)).map_err(|e| e.doing(name))
}

async fn create_all(cluster: &Cluster, discovery: &Discovery, objects: &[Value]) -> Result<()> {
    let creates = objects.iter().map(|object| create(cluster, discovery, object));
    stream::iter(creates).buffer_unordered(CREATES).try_collect().await
}

async fn create(cluster: &Cluster, discovery: &Discovery, object: &Value) -> Result<()> {
    let text = |field: &str| object.pointer(field).and_then(Value::as_str);
    let (kind_name, name) = (text("/kind").unwrap_or_default(), text("/metadata/name").unwrap_or_default());
    let group = text("/apiVersion").and_then(|v| v.split_once('/')).map_or("", |(group, _)| group);
    let kind = discovery
        .find_kind(group, kind_name)
        .ok_or_else(|| Error::failed(format!("the API server does not serve {kind_name} of {group}")))?;
    let namespace = text("/metadata/namespace").filter(|_| kind.namespaced);
    match cluster.create(kind, namespace, object.to_string().as_bytes()).await {
        // kube-system is there from the start: it gets what it lacks.
        Err(refusal) if refusal.is_conflict() && kind_name == "Namespace" => {
            cluster.merge(kind, None, name, object).await
        }
        answer => answer,
    }
    .map_err(|refusal| refusal.about("cannot create", &format!("{kind_name} {name}"), cluster.server()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_parse_and_every_secret_value_holds_the_marker() {
        let mut objects = namespaces::objects("m4rker").unwrap();
        for (name, text) in FILES {
            objects.extend(documents(name, text, "m4rker").unwrap());
        }
        let secrets: Vec<_> = objects.iter().filter(|o| o["kind"] == "Secret").collect();
        assert!(secrets.len() > 12);
        for secret in secrets {
            for value in secret["stringData"].as_object().unwrap().values() {
                assert!(value.as_str().unwrap().contains("m4rker"), "{}", secret["metadata"]["name"]);
            }
        }
    }

    #[test]
    fn a_dozen_namespaces_deny_by_default() {
        let objects = namespaces::objects("m").unwrap();
        let denying = objects.iter().filter(|o| o["metadata"]["name"] == "default-deny-all").count();
        assert!(denying >= 12, "{denying}");
    }
}

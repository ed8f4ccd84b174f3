//! Reading what cert-manager decides by: Certificates with their status, and the requests that led to them.
//!
//! In: a cluster. Out: [`Observed`]. Invariant: nothing is changed, and what the API server refuses is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    certificates::{GROUP, Observed},
    cluster::{Cluster, Discovery, ListOptions, Listed},
};

/// Reads both kinds; of the requests only those of a Certificate's current revision, for there may be many of others.
pub async fn observe(
    cluster: &Cluster,
    discovery: &Discovery,
    exclude_namespaces: &BTreeSet<String>,
) -> Observed {
    let mut unread = Vec::new();
    let mut certificates = Vec::new();
    list(cluster, discovery, "certificates", &mut unread, &mut certificates, |_| true).await;
    certificates.retain(|c| {
        c["metadata"]["namespace"].as_str().is_none_or(|namespace| !exclude_namespaces.contains(namespace))
    });
    let current: BTreeMap<&str, i64> = certificates
        .iter()
        .filter_map(|c| Some((c["metadata"]["uid"].as_str()?, c["status"]["revision"].as_i64()?)))
        .collect();
    let mut requests = Vec::new();
    let is_current = |request: &Value| {
        let metadata = &request["metadata"];
        let revision = metadata["annotations"]["cert-manager.io/certificate-revision"].as_str();
        let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
        let mut revisions = owners.filter_map(|owner| current.get(owner["uid"].as_str()?));
        revisions.any(|current| revision == Some(&current.to_string()))
    };
    list(cluster, discovery, "certificaterequests", &mut unread, &mut requests, is_current).await;
    let unread = (!unread.is_empty()).then(|| unread.join("; "));
    Observed::new(certificates, requests, unread)
}

/// A kind that is not served has no objects, unless its group's server is dead.
async fn list(
    cluster: &Cluster,
    discovery: &Discovery,
    plural: &str,
    unread: &mut Vec<String>,
    objects: &mut Vec<Value>,
    keep: impl Fn(&Value) -> bool + Send + Sync,
) {
    let Some(kind) = discovery.find(GROUP, plural) else {
        if discovery.is_stale(GROUP) {
            unread.push(format!("the server of API group {GROUP} does not answer"));
        }
        return;
    };
    let listed = cluster
        .list(kind, &ListOptions::default(), |listed| match listed {
            Listed::Object(mut object) if keep(&object) => {
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.remove("managedFields");
                }
                objects.push(object);
            }
            Listed::Object(_) => {}
            Listed::Restarted => objects.clear(),
        })
        .await;
    match listed {
        Err(refusal) if !refusal.is_not_found() => {
            let right = match refusal.code {
                403 => format!("; see: kubectl auth can-i list {plural}.{GROUP} -A"),
                _ => String::new(),
            };
            unread.push(format!("{plural}.{GROUP} could not be read: {refusal}{right}"));
        }
        _ => {}
    }
}

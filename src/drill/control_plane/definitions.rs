//! CustomResourceDefinitions: read from files, created in parallel, waited for until they are served.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    Error, Result,
    cluster::{ApiKind, Cluster},
    yaml,
};

/// Requests in flight.
const CREATES: usize = 16;
const SERVED: Duration = Duration::from_secs(60);

/// Reads every definition below a folder, by name. A name that comes twice (Traefik publishes its CRDs one by one
/// and all in one) is the same definition.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for path in files(folder)? {
        let unusable = || Error::usage(format!("{} cannot be used as CRDs", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|e| unusable().because(e))?;
        let documents = yaml::documents(&text).map_err(|e| unusable().because(e))?;
        for document in documents.into_iter().filter(|d| d["kind"] == "CustomResourceDefinition") {
            let name = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            found.insert(name, document);
        }
    }
    if found.is_empty() {
        return Err(Error::usage(format!("{} has no CRDs", folder.display())).hint("make control-plane"));
    }
    Ok(found)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e| Error::usage(format!("cannot read folder {}", folder.display())).because(e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            paths.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Creates them, by the name of each, and waits until discovery shows every one.
///
/// # Errors
/// When the API server refuses one, or does not serve it within a minute.
pub(in crate::drill) async fn apply(cluster: &Cluster, definitions: &BTreeMap<String, Value>) -> Result<()> {
    let kind = ApiKind {
        group: "apiextensions.k8s.io".into(),
        version: "v1".into(),
        kind: "CustomResourceDefinition".into(),
        plural: "customresourcedefinitions".into(),
        namespaced: false,
    };
    let kind = &kind;
    let creates = definitions.iter().map(|(name, definition)| async move {
        let body = definition.to_string();
        cluster
            .create(kind, None, body.as_bytes())
            .await
            .map_err(|refusal| refusal.about("cannot create CRD", name, cluster.server()))
    });
    stream::iter(creates).buffer_unordered(CREATES).try_collect::<()>().await?;

    let started = Instant::now();
    loop {
        let discovery = cluster.discover().await?;
        let waiting = definitions.values().find(|definition| {
            let text = |field: &str| definition.pointer(field).and_then(Value::as_str).unwrap_or_default();
            discovery.find(text("/spec/group"), text("/spec/names/plural")).is_none()
        });
        let Some(waiting) = waiting else { return Ok(()) };
        if started.elapsed() > SERVED {
            let name = waiting["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Error::failed(format!("CRD {name} is not served after {} s", SERVED.as_secs())));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

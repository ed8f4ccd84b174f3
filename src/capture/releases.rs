//! Helm releases: the newest deployed revision, and the live objects that it rendered.

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{
    Batch, Failure, Role,
    gather::{Gathering, Outcome, refused},
};
use crate::{
    Error, catalog,
    cluster::{ListOptions, Precondition, Selector},
    helm,
    model::{Class, Component, Content, Extent, Item, ItemKey, Json},
};

/// Components that may have a Helm release.
const RELEASED: [Component; 4] =
    [Component::Cni, Component::Ingress, Component::Loadbalancer, Component::Certificates];

/// Reads every release in scope.
///
/// Metadata comes first and alone: a release's Secret is up to 1 MiB, and there are up to ten revisions of each.
pub(super) async fn read(g: &Gathering<'_>) -> Vec<Outcome> {
    let in_scope = || RELEASED.into_iter().filter(|c| g.scope.components.contains(c));
    let Some(secrets) = g.discovery.find("", "secrets").filter(|_| in_scope().next().is_some()) else {
        return Vec::new();
    };
    let options =
        ListOptions { selector: Selector::releases(), metadata_only: true, ..ListOptions::default() };
    let listed = match g.cluster.list_all(secrets, &options).await {
        Ok(listed) => listed,
        Err(refusal) => return in_scope().map(|component| failed(component, refusal.to_string())).collect(),
    };
    let scoped = |r: &helm::Revision| {
        helm::release_component(&r.namespace, &r.name, &g.scope.helm_releases)
            .filter(|c| g.scope.components.contains(c))
    };
    let revisions: Vec<helm::Revision> =
        listed.iter().filter_map(helm::Revision::of).filter(|r| scoped(r).is_some()).collect();
    let (chosen, warnings) = helm::choose(&revisions);
    let mut outcomes = vec![Outcome::Read(Batch { warnings, revisions, ..Batch::default() })];
    for revision in chosen {
        let Some(component) = scoped(&revision) else { continue };
        match g.cluster.get(secrets, Some(&revision.namespace), &revision.secret_name).await {
            Ok(Some(secret)) => outcomes.extend(release(g, component, &secret).await),
            Ok(None) => {} // superseded between the two requests: the next capture has its successor
            Err(refusal) => outcomes.push(refused(component, secrets, &refusal)),
        }
    }
    outcomes
}

fn failed(component: Component, why: String) -> Outcome {
    Outcome::Failed(Failure { component, kind: "helm release".into(), why })
}

async fn release(g: &Gathering<'_>, component: Component, secret: &Value) -> Vec<Outcome> {
    let decoded = helm::decode(secret).and_then(|content| {
        let objects = helm::manifest_objects(&content)?;
        Ok::<_, Error>((content, objects))
    });
    let (content, objects) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return vec![failed(component, error.with_hints())],
    };
    let metadata = &secret["metadata"];
    let key =
        ItemKey::Release { namespace: text(&metadata["namespace"]), name: text(&content["release"]["name"]) };
    let seen =
        Precondition { uid: text(&metadata["uid"]), resource_version: text(&metadata["resourceVersion"]) };
    // RKE2 renders its own release anew from HelmChart and HelmChartConfig; here it is recorded.
    let class = if component == Component::Cni { Class::Evidence } else { Class::Config };
    let mut batch = Batch::default();
    // Helm installs a chart's crds/ folder once and never again: what of it is on the cluster is part of the release.
    let definitions = helm::crds(&content).unwrap_or_else(|error| {
        batch.warnings.push(error.to_string());
        Vec::new()
    });
    let content = Content::Release(Json::new(&content));
    let item = Item { key: key.clone(), component, class, extent: Extent::Whole, content };
    g.push(&mut batch, item, seen, catalog::managed_by(secret));
    let mut outcomes = vec![Outcome::Read(batch)];
    if class == Class::Config {
        let role = Role { component, class, extent: Extent::Whole };
        let reads = objects.into_iter().map(|object| rendered(g, &key, object, role));
        outcomes.extend(stream::iter(reads).buffer_unordered(8).collect::<Vec<_>>().await);
        if let Some(kind) = g.discovery.find("apiextensions.k8s.io", "customresourcedefinitions") {
            let names = definitions.iter().map(|object| (None, text(&object["metadata"]["name"]))).collect();
            outcomes.push(g.read_named(kind, names, role).await);
        }
    }
    outcomes
}

/// Reads the live object that a release rendered: what was running, defaults included, is what comes back.
async fn rendered(g: &Gathering<'_>, release: &ItemKey, object: Value, role: Role) -> Outcome {
    let (api_version, kind_name, name) =
        (text(&object["apiVersion"]), text(&object["kind"]), text(&object["metadata"]["name"]));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let mut batch = Batch::default();
    let Some(kind) = g.discovery.find_kind(group, &kind_name) else {
        if g.discovery.is_stale(group) {
            return g.not_served(role.component, group, &kind_name);
        }
        batch
            .warnings
            .push(format!("{release} renders {kind_name} {name}, a kind this cluster does not serve"));
        return Outcome::Read(batch);
    };
    let own = object["metadata"]["namespace"].as_str().or(release.namespace());
    let namespace = own.filter(|_| kind.namespaced);
    match g.cluster.get(kind, namespace, &name).await {
        Ok(Some(live)) => g.add(&mut batch, kind, live, role),
        Ok(None) => {
            batch.warnings.push(format!("{release} renders {} {name}, which does not exist", kind.name()))
        }
        Err(refusal) => return refused(role.component, kind, &refusal),
    }
    Outcome::Read(batch)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

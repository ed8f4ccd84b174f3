//! The objects of a plane, named as kubectl names them: `networkpolicies.networking.k8s.io`, `archive/allow-dns`.

use std::collections::BTreeMap;

use netdr::{
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Precondition},
    drill::ControlPlane,
    yaml,
};
use serde_json::{Value, json};

use super::eventually;

pub(crate) const POLICIES: &str = "networkpolicies.networking.k8s.io";

/// The nodes of the believable cluster.
pub(crate) const NODES: &str = include_str!("../../src/drill/cluster/nodes.yaml");

/// Kinds that change without anybody's doing.
const RESTLESS: [&str; 3] = ["leases.coordination.k8s.io", "events", "events.events.k8s.io"];

/// Reads and changes objects, as somebody with kubectl would.
pub(crate) struct Objects {
    cluster: Cluster,
    discovery: Discovery,
}

/// Every object of a plane by kind and name, as the API server gives it.
pub(crate) type Dump = BTreeMap<String, Value>;

impl Objects {
    pub(crate) async fn of(plane: &ControlPlane) -> Self {
        let cluster = plane.cluster().await.unwrap();
        let discovery = cluster.discover().await.unwrap();
        Self { cluster, discovery }
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let (namespace, name) = split(name);
        self.cluster.get(self.kind(kind), namespace, name).await.unwrap()
    }

    /// Creates every object of these YAML documents.
    pub(crate) async fn create(&self, documents: &str) {
        for object in yaml::documents(documents).unwrap() {
            let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let kind = self.discovery.find_kind(group, kind).unwrap_or_else(|| panic!("no kind {kind}"));
            let namespace = object["metadata"]["namespace"].as_str();
            let body = object.to_string();
            self.cluster
                .create(kind, namespace, body.as_bytes())
                .await
                .unwrap_or_else(|e| panic!("{e}: {body}"));
        }
    }

    /// Lets nobody do this to a network policy (`CREATE`, `DELETE`) unless the expression (CEL) is true: a policy of the
    /// cluster, `frozen`.
    pub(crate) async fn deny(&self, operation: &str, unless: &str) {
        let denial = format!(
            "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: frozen}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [{operation}], resources: [networkpolicies]}}]
  validations: [{{expression: \"{unless}\", message: ask the database team first}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: frozen}}
spec: {{policyName: frozen, validationActions: [Deny]}}
"
        );
        self.create(&denial).await;
    }

    /// Defines kinds that take any field, as (apiVersion, kind, plural, scope), and waits until they are served.
    pub(crate) async fn define(&mut self, kinds: &[(&str, &str, &str, &str)]) {
        for (api_version, kind, plural, scope) in kinds {
            let (group, version) = api_version.split_once('/').unwrap();
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}")},
                "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema":
                        {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]},
            });
            self.create(&serde_json::to_string(&definition).unwrap()).await;
            self.discovery = eventually("the kind to be served", async || {
                let discovery = self.cluster.discover().await.unwrap();
                discovery.find(group, plural).is_some().then_some(discovery)
            })
            .await;
        }
    }

    /// Merges a patch (RFC 7396) into an object.
    pub(crate) async fn merge(&self, kind: &str, name: &str, patch: Value) {
        let (namespace, name) = split(name);
        self.cluster.merge(self.kind(kind), namespace, name, &patch).await.unwrap();
    }

    /// Makes an object what it was, or not be there where it was not.
    pub(crate) async fn put_back(&self, kind: &str, name: &str, was: Option<Value>) {
        let Some(mut was) = was else { return self.delete(kind, name).await };
        let (kind, (namespace, bare)) = (self.kind(kind), split(name));
        for field in ["resourceVersion", "uid", "managedFields"] {
            was["metadata"].as_object_mut().unwrap().remove(field);
        }
        match self.cluster.get(kind, namespace, bare).await.unwrap() {
            Some(live) => {
                let seen = Precondition::of(&live);
                self.cluster.replace(kind, namespace, bare, was, &seen).await.unwrap();
            }
            None => self.cluster.create(kind, namespace, was.to_string().as_bytes()).await.unwrap(),
        }
    }

    /// Replaces an object's status, all of it.
    pub(crate) async fn status(&self, kind: &str, name: &str, status: Value) {
        let mut live = self.get(kind, name).await.unwrap_or_else(|| panic!("no {kind} {name}"));
        live["status"] = status;
        let seen = Precondition::of(&live);
        let (namespace, name) = split(name);
        self.cluster.replace_status(self.kind(kind), namespace, name, live, &seen).await.unwrap();
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        let live = self.get(kind, name).await.unwrap_or_else(|| panic!("no {kind} {name}"));
        let text = |field: &str| live["metadata"][field].as_str().unwrap().to_owned();
        let seen = Precondition { uid: text("uid"), resource_version: text("resourceVersion") };
        let (namespace, name) = split(name);
        self.cluster.delete(self.kind(kind), namespace, name, &seen).await.unwrap();
    }

    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        self.cluster.list_all(self.kind(kind), &ListOptions::default()).await.unwrap()
    }

    /// Everything there is, but for what never stands still.
    pub(crate) async fn dump(&self) -> Dump {
        let mut dump = Dump::new();
        for kind in self.discovery.iter().filter(|kind| !RESTLESS.contains(&kind.name().as_str())) {
            // What cannot be listed holds no objects: reviews, bindings.
            let listed = self.cluster.list_all(kind, &ListOptions::default()).await.unwrap_or_default();
            for object in listed {
                dump.insert(format!("{} {}", kind.name(), name(&object)), object);
            }
        }
        dump
    }

    fn kind(&self, name: &str) -> &ApiKind {
        let (plural, group) = name.split_once('.').unwrap_or((name, ""));
        self.discovery.find(group, plural).unwrap_or_else(|| panic!("no kind {name}"))
    }
}

/// What differs between two dumps: an object that came, went, or was written.
pub(crate) fn touched<'a>(before: &'a Dump, after: &'a Dump) -> Vec<&'a str> {
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    let changed = |key: &&String| before.get(*key).map(version) != after.get(*key).map(version);
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).filter(changed).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().map(String::as_str).collect()
}

/// `namespace/name`, or `name`.
fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    metadata["namespace"].as_str().map_or_else(|| name.into(), |namespace| format!("{namespace}/{name}"))
}

fn split(name: &str) -> (Option<&str>, &str) {
    name.split_once('/').map_or((None, name), |(namespace, name)| (Some(namespace), name))
}

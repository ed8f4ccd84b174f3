//! A cluster with a bit of everything that the plan restores, backed up; how it is broken, and what must be so after
//! it was restored.

use std::collections::BTreeSet;

use chrono::Utc;
use netdr::{cluster::Cluster, drill::failures::break_policies, model::Set, plan::ResolvedPlan};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    story::restore::{changed::through, undo},
    support::{
        Audit, Denying, Dump, Faults, Library, Objects, Operator, Plane, Write, audited, eventually, fresh,
    },
};

/// The group that goes, with all its kinds.
pub(super) const GROUP: &str = "policy.networking.k8s.io";
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const ADMIN_POLICIES: &str = "adminnetworkpolicies.policy.networking.k8s.io";
/// A policy that is made only in a dry run.
pub(super) const PROBE: &str = "archive/probe";
const SETS: &str = "networksets.crd.projectcalico.org";
/// More than the believable cluster has: a kind whose definition is lost, and the group that goes.
const MORE: &str = "
apiVersion: crd.projectcalico.org/v1
kind: NetworkSet
metadata: {name: telescopes, namespace: archive}
spec: {nets: [10.25.20.0/24]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: guard}
spec: {priority: 10, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {namespaceSelector: {}}}]}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: watch}
spec: {priority: 20, subject: {namespaces: {}}, ingress: [{action: Pass, from: [{namespaces: {namespaceSelector: {}}}]}]}
";

pub(super) struct World {
    pub(super) plane: Mutex<Plane>,
    pub(super) objects: Objects,
    pub(super) operator: Operator,
    pub(super) library: Library,
    /// Without faults.
    pub(super) cluster: Cluster,
    pub(super) denying: Denying,
    audit: Audit,
    healthy: Dump,
    /// The group's definitions and objects, while it is gone.
    lost: Mutex<Vec<Value>>,
}

impl World {
    /// A plane with a complete snapshot of what is on it.
    pub(super) async fn backed_up() -> Self {
        let plane = fresh(audited()).await.loaded().await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        objects.create(MORE).await;
        let cluster = plane.cluster().await.unwrap();
        let library = Library::of(operator.home.path());
        library.backup(&cluster, Set::Network, Utc::now()).await.unwrap();
        let (audit, healthy) = (Audit::of(&plane), objects.dump().await);
        let (plane, lost, denying) = (Mutex::new(plane), Mutex::default(), Denying::serve());
        Self { plane, objects, operator, library, cluster, denying, audit, healthy, lost }
    }

    /// The plane's API server behind these faults.
    pub(super) async fn behind(&self, faults: &Faults) -> Cluster {
        through(faults, &*self.plane.lock().await).await
    }

    /// Policies are lost, changed and slipped in; so is a definition, which has to be waited for when it is back.
    pub(super) async fn corrupt(&self) -> Dump {
        break_policies(&self.cluster).await.unwrap();
        self.objects.delete(ADMIN_POLICIES, "guard").await;
        self.objects.merge(ADMIN_POLICIES, "watch", json!({"spec": {"priority": 30}})).await;
        self.lose_definition(SETS).await;
        self.objects.dump().await
    }

    async fn lose_definition(&self, name: &str) {
        self.objects.delete(DEFINITIONS, name).await;
        let (plural, group) = name.split_once('.').unwrap();
        eventually("the kind to be gone", async || {
            let discovery = self.cluster.discover().await.unwrap();
            let gone = self.objects.get(DEFINITIONS, name).await.is_none();
            (gone && discovery.find(group, plural).is_none()).then_some(())
        })
        .await;
    }

    /// All definitions of the group go, and with them its objects.
    pub(super) async fn lose_group(&self) {
        let mut lost = self.lost.lock().await;
        let ours = |object: &Value| object["spec"]["group"] == GROUP;
        lost.extend(self.objects.list(DEFINITIONS).await.into_iter().filter(ours));
        lost.extend(self.objects.list(ADMIN_POLICIES).await);
        for definition in lost.iter().filter(|object| ours(object)) {
            self.lose_definition(definition["metadata"]["name"].as_str().unwrap()).await;
        }
    }

    /// Somebody brings back what went, unless a restore has.
    pub(super) async fn bring_group_back(&self) {
        for mut object in self.lost.lock().await.drain(..) {
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|field, _| ["name", "annotations", "labels"].contains(&field.as_str()));
            object.as_object_mut().unwrap().remove("status");
            let definition = object["kind"] == "CustomResourceDefinition";
            let kind = if definition { DEFINITIONS } else { ADMIN_POLICIES };
            let name = object["metadata"]["name"].as_str().unwrap();
            if self.objects.get(kind, name).await.is_some() {
                continue;
            }
            self.objects.create(&object.to_string()).await;
            if definition {
                let plural = object["spec"]["names"]["plural"].as_str().unwrap();
                eventually("the kind to be back", async || {
                    let discovery = self.cluster.discover().await.unwrap();
                    discovery.find(GROUP, plural).map(drop)
                })
                .await;
            }
        }
    }

    /// The end of the audit log.
    pub(super) fn mark(&self) -> usize {
        self.audit.mark()
    }

    /// What was written since with success, as "create kind name".
    pub(super) fn written(&self, mark: usize) -> Vec<String> {
        // Asking whether a webhook is asked writes nothing.
        let real = |write: &Write| write.succeeded() && !write.object.ends_with(PROBE);
        let writes = self.audit.writes_since(mark).into_iter().filter(real);
        writes.map(|write| format!("{} {}", write.verb, write.object)).collect()
    }

    /// All is as it was when it was backed up.
    #[track_caller]
    pub(super) fn is_healthy(&self, now: &Dump) {
        undo::same(&self.healthy, now);
    }
}

/// The objects that a plan means to change, named as in a dump.
pub(super) fn scope(plan: &ResolvedPlan) -> BTreeSet<String> {
    plan.acts().map(|act| act.key.to_string()).collect()
}

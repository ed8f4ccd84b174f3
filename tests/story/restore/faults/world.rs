//! A cluster with a bit of everything that the plan restores, backed up; how it is broken, and what must be so after
//! it was restored.

use std::{collections::BTreeSet, fs};

use netdr::{
    cluster::Cluster,
    drill::{Options, cluster::host_root},
    model::ItemKey,
    plan::ResolvedPlan,
};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    damage::{damage, damage_files},
    killed::still,
    played,
};
use crate::{
    story::restore::{changed::through, undo},
    support::{
        Audit, Denying, Dump, Faults, Library, MARKER, NODE, Objects, Operator, Plane, Write, audited,
        eventually, fresh,
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

/// A moment, to begin from later.
pub(super) struct Mark {
    audit: usize,
    restores: usize,
}

impl World {
    /// A plane with complete snapshots of what is on it, and of this server's files.
    pub(super) async fn backed_up() -> Self {
        let options = Options { controllers: true, nodes: true, ..audited() };
        let plane = fresh(options).await.loaded().await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        objects.create(MORE).await;
        played::settle(&objects, &operator).await;
        let home = &operator.home;
        host_root(&home.path().join("host"), NODE, MARKER).unwrap();
        home.shell("cp -a host whole && netdr backup --set all --host-root host").await.ok();
        home.stand_in("systemctl", "true");
        let mut library = Library::of(home.path());
        library.host_root = home.path().join("host");
        let (cluster, denying) = (plane.cluster().await.unwrap(), Denying::serve());
        let (audit, healthy) = (Audit::of(&plane), objects.dump().await);
        let (plane, lost) = (Mutex::new(plane), Mutex::default());
        Self { plane, objects, operator, library, cluster, denying, audit, healthy, lost }
    }

    /// The plane's API server behind these faults.
    pub(super) async fn behind(&self, faults: &Faults) -> Cluster {
        through(faults, &*self.plane.lock().await).await
    }

    /// Something of every component is lost or changed; so is a definition, which has to be waited for when it is back.
    pub(super) async fn corrupt(&self) -> Dump {
        tokio::join!(damage(&self.cluster, &self.objects), damage_files(&self.operator.home));
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

    /// Now.
    pub(super) fn mark(&self) -> Mark {
        Mark { audit: self.audit.mark(), restores: self.restores() }
    }

    /// How many restores were begun since; whoever resumes one, or undoes it, begins none.
    pub(super) fn restores_since(&self, mark: &Mark) -> usize {
        self.restores() - mark.restores
    }

    fn restores(&self) -> usize {
        let Ok(runs) = fs::read_dir(self.operator.home.path().join("repo/runs")) else { return 0 };
        let names = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains("-undo-")).count()
    }

    /// What was written since with success, as "create kind name".
    pub(super) fn written(&self, mark: &Mark) -> Vec<String> {
        // Asking whether a webhook is asked writes nothing.
        let real = |write: &Write| write.succeeded() && !write.object.ends_with(PROBE);
        let writes = self.audit.writes_since(mark.audit).into_iter().filter(real);
        writes.map(|write| format!("{} {}", write.verb, write.object)).collect()
    }

    /// All is as it was when it was backed up.
    pub(super) async fn is_healthy(&self, now: &Dump) {
        undo::same(&still(self.healthy.clone()), &still(now.clone()));
        self.operator.home.shell("diff -r whole host").await.ok();
    }
}

/// The objects that a plan means to change, named as in a dump.
pub(super) fn scope(plan: &ResolvedPlan) -> BTreeSet<String> {
    plan.acts().flat_map(|act| [Some(act.key.to_string()), holder(&act.key)]).flatten().collect()
}

/// The Secret that a release is in.
fn holder(key: &ItemKey) -> Option<String> {
    let ItemKey::Release { namespace, name } = key else { return None };
    Some(format!("secrets {namespace}/sh.helm.release.v1.{name}.v1"))
}

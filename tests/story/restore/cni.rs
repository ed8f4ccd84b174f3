//! Scenario cni: Canal's shapes on a plane, installed by the real helm-controller, whose Jobs' container the test plays
//! with the real Helm. Nodes and pods are kwok's.

mod contradiction;
mod pending;
mod recovered;
mod waiting;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::drill::{Options, cluster::host_root};
use serde_json::{Value, json};

use crate::support::{
    HelmController, MARKER, NODE, NODES, Objects, Operator, Plane, audited, eventually, fresh,
};

const SCENARIO: &str = "cni";
/// Where this server's files are.
pub(super) const HERE: [&str; 2] = ["--host-root", "host"];
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/charts/rke2-canal");
pub(super) const CONFIGS: &str = "helmchartconfigs.helm.cattle.io";
pub(super) const CANAL: &str = "kube-system/rke2-canal";
pub(super) const FELIX: &str = "felixconfigurations.crd.projectcalico.org";

/// What people wrote, and what Calico keeps of the running cluster.
const OBJECTS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: canal-values, namespace: kube-system}
stringData: {values.yaml: "registry: {user: puller, password: of-the-registry}"}
---
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-canal, namespace: kube-system}
spec:
  failurePolicy: abort
  valuesContent: "flannel: {iface: ens18}\ncalico: {vethMTU: 1450}"
  valuesSecrets: [{name: canal-values, keys: [values.yaml]}]
---
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata:
  name: default-ipv4-ippool
  annotations: {projectcalico.org/metadata: '{"labels":{"rack":"a"},"creationTimestamp":null}'}
spec: {cidr: 10.42.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: Never, natOutgoing: true, nodeSelector: all()}
---
apiVersion: crd.projectcalico.org/v1
kind: IPAMBlock
metadata: {name: 10-42-0-0-26}
spec: {cidr: 10.42.0.0/26, allocations: [], attributes: [], unallocated: [], strictAffinity: false, deleted: false}
---
apiVersion: crd.projectcalico.org/v1
kind: BlockAffinity
metadata: {name: proj-k8s01-10-42-0-0-26}
spec: {cidr: 10.42.0.0/26, node: proj-k8s01, state: confirmed, deleted: "false"}
---
apiVersion: crd.projectcalico.org/v1
kind: ClusterInformation
metadata: {name: default}
spec: {clusterGUID: 6e2f5b0c, clusterType: "k8s,rke2", datastoreReady: true}
"#;

/// A cluster whose Canal helm-controller installed.
pub(super) struct Canal {
    _controller: HelmController,
    pub(super) plane: Plane,
    pub(super) objects: Objects,
    pub(super) operator: Operator,
}

impl Canal {
    pub(super) async fn installed() -> Self {
        let plane = fresh(Options { controllers: true, nodes: true, ..audited() }).await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        objects.create(NODES).await;
        objects.create(OBJECTS).await;
        let home = &operator.home;
        home.run("helm", &["package", CHART]).await.ok();
        let archive = home.path().join("rke2-canal-v3.30.2-build2025081100.tgz");
        let content = BASE64_STANDARD.encode(std::fs::read(archive).unwrap());
        let chart = json!({
            "apiVersion": "helm.cattle.io/v1",
            "kind": "HelmChart",
            "metadata": {"name": "rke2-canal", "namespace": "kube-system"},
            "spec": {"bootstrap": true, "chartContent": content,
                "set": {"global.clusterCIDR": "10.42.0.0/16", "global.serviceCIDR": "10.43.0.0/16"}},
        });
        objects.create(&chart.to_string()).await;
        let canal = Self { _controller: HelmController::on(&plane).await, objects, operator, plane };
        canal.settled(0, "1450").await;
        canal
    }

    /// A snapshot of the network, and one of this server's files: it is in no need of them.
    pub(super) async fn backup(&self) {
        let home = &self.operator.home;
        host_root(&home.path().join("host"), NODE, MARKER).unwrap();
        self.operator.backup().await;
        home.run("netdr", &["backup", "--set", "host", "--host-root", "host"]).await.ok();
    }

    /// Waits until Helm has deployed a revision after this one, with this MTU, and its pods run; its number.
    pub(super) async fn settled(&self, after: u64, mtu: &str) -> u64 {
        eventually(&format!("Canal with MTU {mtu}"), async || {
            let newest = self.revisions().await.pop()?;
            let job = self.objects.get("jobs.batch", "kube-system/helm-install-rke2-canal").await?;
            let complete = job["status"]["conditions"].as_array()?.iter().any(|c| c["type"] == "Complete");
            let ready = self.daemon_set().await["status"]["numberAvailable"] == 3;
            let deployed = newest.0 > after && newest.1 == "deployed";
            (deployed && complete && ready && self.mtu().await == mtu).then_some(newest.0)
        })
        .await
    }

    /// The release's revisions with their status, oldest first.
    pub(super) async fn revisions(&self) -> Vec<(u64, String)> {
        let secrets = self.objects.list("secrets").await;
        let revision = |secret: &Value| {
            let labels = &secret["metadata"]["labels"];
            (labels["owner"] == "helm").then_some(())?;
            Some((labels["version"].as_str()?.parse().ok()?, labels["status"].as_str()?.to_owned()))
        };
        let mut revisions: Vec<(u64, String)> = secrets.iter().filter_map(revision).collect();
        revisions.sort();
        revisions
    }

    pub(super) fn kubeconfig(&self) -> &std::path::Path {
        self.plane.kubeconfig()
    }

    pub(super) async fn daemon_set(&self) -> Value {
        self.objects.get("daemonsets.apps", CANAL).await.unwrap_or_default()
    }

    /// The MTU that Canal was configured with.
    pub(super) async fn mtu(&self) -> String {
        let config =
            self.objects.get("configmaps", "kube-system/rke2-canal-config").await.unwrap_or_default();
        config["data"]["veth_mtu"].as_str().unwrap_or_default().into()
    }

    /// Somebody configures another MTU, and does away with the policy for failures.
    pub(super) async fn configure(&self, mtu: u32) {
        let values = format!("flannel: {{iface: ens18}}\ncalico: {{vethMTU: {mtu}}}");
        let spec = json!({"valuesContent": values, "failurePolicy": null});
        self.objects.merge(CONFIGS, CANAL, json!({"spec": spec})).await;
    }
}

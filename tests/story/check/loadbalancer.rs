//! `netdr check loadbalancer` on a real control plane: DaemonSet, taints and pods are Kubernetes' own. Played are kubelets
//! (kwok) and what MetalLB's programs would do: an address is given by hand, the speaker of the first node that has one
//! announces it, and a listener of ours takes connections as kube-proxy would.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use netdr::{
    cluster::{Cluster, Precondition},
    drill::Options,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{task::JoinHandle, time::sleep};

use super::named;
use crate::support::{Home, NODES, Objects, Plane, eventually, everything, fresh, send};

const STATUSES: &str = "servicel2statuses.metallb.io";
const SPEAKERS: &str = "metallb-system/speaker";
/// Of the loopback network, where any address can be listened at.
const ADDRESS: &str = "127.50.0.1";

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: metallb-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: controller, namespace: metallb-system, labels: {app: metallb, component: controller}}
spec:
  replicas: 0
  selector: {matchLabels: {app: metallb, component: controller}}
  template:
    metadata: {labels: {app: metallb, component: controller}}
    spec: {containers: [{name: controller, image: quay.io/metallb/controller:v0.16.2}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: speaker, namespace: metallb-system, labels: {app: metallb, component: speaker}}
spec:
  selector: {matchLabels: {app: metallb, component: speaker}}
  template:
    metadata: {labels: {app: metallb, component: speaker}}
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 2
      tolerations:
      - {effect: NoSchedule, key: node-role.kubernetes.io/master, operator: Exists}
      - {effect: NoSchedule, key: node-role.kubernetes.io/control-plane, operator: Exists}
      containers: [{name: speaker, image: quay.io/metallb/speaker:v0.16.2}]
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: default-pool, namespace: metallb-system}
spec: {addresses: [127.50.0.1-127.50.0.6]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: l2-advert, namespace: metallb-system}
spec: {ipAddressPools: [default-pool]}
---
apiVersion: v1
kind: Namespace
metadata: {name: ingest}
";

struct Story {
    plane: Plane,
    objects: Objects,
    home: Home,
}

/// What MetalLB's speakers would do, until it is dropped.
struct Speakers {
    /// None takes over from another.
    stuck: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Speakers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes connections until the test ends.
fn listener() -> SocketAddr {
    let listener = TcpListener::bind((ADDRESS, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().map(drop).count());
    address
}

impl Story {
    async fn check(&self, words: &[&str], code: i32) -> Value {
        self.home.netdr(&[&["check", "loadbalancer", "--json"], words].concat()).await.json(code)
    }

    /// The node that says it announces the Service.
    async fn announcing(&self) -> Option<String> {
        let statuses = self.objects.list(STATUSES).await;
        statuses.iter().find_map(|status| status["status"]["node"].as_str().map(Into::into))
    }

    /// Every node has its speaker, and none our taint.
    async fn is_whole(&self) -> bool {
        let nodes = self.objects.list("nodes").await;
        let speakers = self.objects.get("daemonsets.apps", SPEAKERS).await.unwrap();
        !nodes.iter().any(is_tainted) && speakers["status"]["numberAvailable"] == 3
    }

    /// A Service with an address, and speakers that announce it.
    async fn announced(&self, at: SocketAddr) -> Speakers {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "feed", "namespace": "ingest"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "receiver"}, "ports": [{"port": at.port()}]}});
        self.objects.create(&service.to_string()).await;
        let cluster = self.plane.cluster().await.unwrap();
        let kind = cluster.discover().await.unwrap().find("", "services").unwrap().clone();
        let mut live = self.objects.get("services", "ingest/feed").await.unwrap();
        let seen = Precondition::of(&live);
        live["status"]["loadBalancer"]["ingress"] = json!([{"ip": ADDRESS}]);
        cluster.replace_status(&kind, Some("ingest"), "feed", live, &seen).await.unwrap();
        let stuck = Arc::<AtomicBool>::default();
        let (objects, held) = (Objects::of(&self.plane).await, stuck.clone());
        let task = tokio::spawn(async move {
            loop {
                announce(&cluster, &objects, held.load(Ordering::Relaxed)).await;
                sleep(Duration::from_millis(100)).await;
            }
        });
        eventually("a node that announces", async || self.announcing().await).await;
        Speakers { stuck, task }
    }
}

fn is_tainted(node: &Value) -> bool {
    node["spec"]["taints"].to_string().contains("netdr/failover-test")
}

/// The first node with a speaker says that it announces, and takes back what others said (MetalLB,
/// internal/k8s/controllers/layer2_status_controller.go).
async fn announce(cluster: &Cluster, objects: &Objects, stuck: bool) {
    let pods = objects.list("pods").await;
    let speaks = |pod: &&Value| {
        pod["metadata"]["labels"]["component"] == "speaker"
            && pod["metadata"]["deletionTimestamp"].is_null()
            && pod["status"]["phase"] == "Running"
    };
    let nodes = pods.iter().filter(speaks).filter_map(|pod| pod["spec"]["nodeName"].as_str());
    let statuses = objects.list(STATUSES).await;
    let Some(node) = nodes.min() else { return };
    if statuses.iter().any(|status| status["status"]["node"] == *node) || (stuck && !statuses.is_empty()) {
        return;
    }
    for status in statuses {
        objects
            .delete(STATUSES, &format!("metallb-system/{}", status["metadata"]["name"].as_str().unwrap()))
            .await;
    }
    let name = format!("l2-{node}");
    let object = json!({"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
        "metadata": {"name": name, "namespace": "metallb-system"}});
    objects.create(&object.to_string()).await;
    let mut live = objects.get(STATUSES, &format!("metallb-system/{name}")).await.unwrap();
    let seen = Precondition::of(&live);
    live["status"] = json!({"node": node, "serviceName": "feed", "serviceNamespace": "ingest"});
    let kind = cluster.discover().await.unwrap().find("metallb.io", "servicel2statuses").unwrap().clone();
    cluster.replace_status(&kind, Some("metallb-system"), &name, live, &seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_takes_over_and_the_speaker_comes_back() {
    let plane = fresh(Options { controllers: true, nodes: true, ..everything() }).await;
    let objects = Objects::of(&plane).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig());
    let story = Story { plane, objects, home };
    story.objects.create(NODES).await;

    // Where MetalLB is absent, or in place but disabled, nothing is said to be ok.
    let absent = story.check(&[], 0).await;
    assert_eq!(named(&absent, "loadbalancer metallb")["status"], "not-applicable");
    story.objects.create(OBJECTS).await;
    for words in [&[][..], &["--failover", "--yes"]] {
        let disabled = story.check(words, 0).await;
        let statuses: Vec<&Value> =
            disabled["checks"].as_array().unwrap().iter().map(|check| &check["status"]).collect();
        assert!(statuses.iter().all(|status| *status == "not-applicable"), "{disabled:#}");
        assert!(disabled.to_string().contains("controller is scaled to 0"), "{disabled:#}");
    }

    story
        .objects
        .merge("deployments.apps", "metallb-system/controller", json!({"spec": {"replicas": 1}}))
        .await;
    let speakers = story.announced(listener()).await;
    eventually("MetalLB to be rolled out", async || {
        let controller = story.objects.get("deployments.apps", "metallb-system/controller").await?;
        (controller["status"]["availableReplicas"] == 1 && story.is_whole().await).then_some(())
    })
    .await;
    let sound = story.check(&[], 0).await;
    assert_eq!(
        named(&sound, "loadbalancer ipaddresspools.metallb.io metallb-system/default-pool")["value"],
        "1 of 6 addresses in use"
    );
    assert_eq!(named(&sound, "loadbalancer services ingest/feed")["value"], ADDRESS);

    // Nobody is there to ask, or somebody says no: nothing is done.
    let first = story.announcing().await.unwrap();
    let refused = story.home.netdr(&["check", "loadbalancer", "--failover"]).await.failed(2);
    assert!(refused.contains("--yes"), "{refused}");
    let ask = "printf 'no\\n' | script -qec 'netdr check loadbalancer --failover' /dev/null";
    let declined = story.home.shell(ask).await;
    assert_eq!(declined.code, Some(130), "{declined:?}");
    for word in
        ["announces services ingest/feed", "taint netdr/failover-test", "Remove the speaker of", "declined"]
    {
        assert!(declined.stdout.contains(word), "{word}: {declined:?}");
    }
    assert!(story.is_whole().await && story.announcing().await.as_ref() == Some(&first));

    // As the job of an installation, with the right that somebody gives it.
    let schedules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    let rights = schedules.join("rendered/failover-rights.yaml");
    story.home.run("kubectl", &["apply", "-k", schedules.to_str().unwrap()]).await.ok();
    let user = "system:serviceaccount:netdr:netdr-failover-test";
    let job = story.plane.kubeconfig_for(user, Some("system:serviceaccounts")).unwrap();
    let as_job = ["--failover", "--yes", "--kubeconfig", job.to_str().unwrap()];
    let without = story.check(&as_job, 8).await;
    assert!(
        named(&without, "loadbalancer failover")["why"].to_string().contains("cannot patch"),
        "{without:#}"
    );
    story.home.run("kubectl", &["apply", "-f", rights.to_str().unwrap()]).await.ok();
    let tested = story.check(&as_job, 0).await;
    let failover = named(&tested, "loadbalancer failover");
    assert!(
        failover["value"].as_str().unwrap().contains("services ingest/feed by proj-k8s02"),
        "{failover:#}"
    );
    assert_eq!(named(&tested, "loadbalancer put back")["value"], first);
    assert!(story.is_whole().await);
    eventually("the first node to announce again", async || {
        (story.announcing().await? == first).then_some(())
    })
    .await;

    // Nobody takes over: an alert, and the speaker is back all the same.
    speakers.stuck.store(true, Ordering::Relaxed);
    let stuck = story.check(&["--failover", "--yes", "--within", "2"], 8).await;
    let failover = named(&stuck, "loadbalancer failover");
    assert_eq!(failover["status"], "alert");
    assert!(
        failover["why"].to_string().contains("no other node than proj-k8s01 announces services ingest/feed"),
        "{failover:#}"
    );
    assert!(story.is_whole().await);

    // Ctrl-C in the middle, and no time even for that.
    for signal in [Signal::INT, Signal::KILL] {
        let words = ["check", "loadbalancer", "--failover", "--yes"];
        let child = story
            .home
            .command("netdr", &words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("a taint", async || {
            story.objects.list("nodes").await.iter().any(is_tainted).then_some(())
        })
        .await;
        send(&child, signal);
        let output = child.wait_with_output().await.unwrap();
        if signal == Signal::INT {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(130), "{said}");
            assert!(said.contains("the speaker is put back"), "{said}");
            assert!(story.is_whole().await);
        }
    }
    let found = story.check(&[], 8).await;
    let unfinished = named(&found, "loadbalancer failover test");
    assert_eq!(unfinished["next"], "netdr check loadbalancer --failover --undo");
    assert!(unfinished["why"].to_string().contains("from proj-k8s01"), "{unfinished:#}");
    let undone = story.check(&["--failover", "--undo"], 0).await;
    assert_eq!(named(&undone, "loadbalancer put back")["value"], "proj-k8s01");
    assert!(story.is_whole().await);
    let nothing = story.check(&["--failover", "--undo"], 0).await;
    assert_eq!(named(&nothing, "loadbalancer put back")["status"], "not-applicable");
}

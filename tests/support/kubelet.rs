//! Kubelets, played: nothing here starts containers, so what a probe pod's container runs is run as a process of its own,
//! at an address of its own on the loopback interface, and what it leaves as its last word is put where a kubelet puts it.
//!
//! Played with them: kube-proxy (a Service's address stands for another) and CoreDNS. Not played: a pod network and its
//! policies. Whatever is no pod of netdr's is said to run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{SocketAddr, TcpStream, UdpSocket},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use netdr::{
    cluster::{ApiKind, Cluster, Discovery, ListOptions, Precondition},
    drill::ControlPlane,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::sleep,
};

/// What the kubelet keeps of a container's last word (Kubernetes docs, "Determine the Reason for Pod Failure").
const LAST_WORD: usize = 4096;
/// A Service's address, which a process cannot reach without kube-proxy.
pub(crate) const DNS: &str = "10.43.0.10";

/// What is wrong with which node.
#[derive(Default)]
pub(crate) struct Trouble {
    /// Their kubelets do nothing.
    pub(crate) dead: BTreeSet<String>,
    /// What is sent to their pods does not arrive.
    pub(crate) cut: BTreeSet<String>,
}

pub(crate) struct Kubelets {
    pub(crate) trouble: Arc<Mutex<Trouble>>,
    task: JoinHandle<()>,
}

struct Playing {
    cluster: Cluster,
    discovery: Discovery,
    trouble: Arc<Mutex<Trouble>>,
    dns: SocketAddr,
    folder: TempDir,
    running: BTreeMap<String, Running>,
    /// Addresses that pods got so far.
    addresses: u8,
}

/// A pod's container.
struct Running {
    process: Option<Child>,
    address: String,
    last_word: PathBuf,
}

impl Kubelets {
    /// Of these nodes, which are made, too.
    pub(crate) async fn of(plane: &ControlPlane, nodes: &[&str]) -> Self {
        let cluster = plane.cluster().await.unwrap();
        let discovery = cluster.discover().await.unwrap();
        let trouble = Arc::<Mutex<Trouble>>::default();
        for (number, name) in nodes.iter().enumerate() {
            create(&cluster, &discovery, None, &node(name, number)).await;
            let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": name, "namespace": "kube-node-lease"},
                "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now()}});
            create(&cluster, &discovery, Some("kube-node-lease"), &lease).await;
        }
        let service = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}},
            "spec": {"clusterIP": DNS, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}});
        create(&cluster, &discovery, Some("kube-system"), &service).await;
        let folder = tempfile::tempdir().unwrap();
        let mut playing = Playing {
            cluster,
            discovery,
            trouble: trouble.clone(),
            dns: core_dns(),
            folder,
            running: BTreeMap::new(),
            addresses: 0,
        };
        let task = tokio::spawn(async move {
            for round in 0_u32.. {
                if round.is_multiple_of(50) {
                    playing.renew().await;
                }
                playing.play().await;
                sleep(Duration::from_millis(100)).await;
            }
        });
        Self { trouble, task }
    }
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.task.abort(); // its processes go with it
    }
}

impl Playing {
    /// Says that the nodes are alive, before anybody calls them unreachable.
    async fn renew(&self) {
        let kind = self.discovery.find("coordination.k8s.io", "leases").unwrap();
        let options = ListOptions { namespace: Some("kube-node-lease".into()), ..ListOptions::default() };
        for lease in self.cluster.list_all(kind, &options).await.unwrap_or_default() {
            let name = lease["metadata"]["name"].as_str().unwrap();
            let patch = json!({"spec": {"renewTime": now()}});
            let _ = self.cluster.merge(kind, Some("kube-node-lease"), name, &patch).await;
        }
    }

    async fn play(&mut self) {
        let pods = self.discovery.find("", "pods").unwrap().clone();
        let Ok(live) = self.cluster.list_all(&pods, &ListOptions::default()).await else { return };
        let uids: BTreeSet<&str> = live.iter().filter_map(|pod| pod["metadata"]["uid"].as_str()).collect();
        self.running.retain(|uid, _| uids.contains(uid.as_str())); // who is dropped is killed
        for pod in live {
            let node = pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
            if node.is_empty() || self.trouble.lock().unwrap().dead.contains(&node) {
                continue;
            }
            self.play_one(&pods, pod, &node).await;
        }
    }

    async fn play_one(&mut self, kind: &ApiKind, pod: Value, node: &str) {
        let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (uid, name, namespace) = (text("uid"), text("name"), text("namespace"));
        if !pod["metadata"]["deletionTimestamp"].is_null() {
            let _ = self.cluster.delete(kind, Some(&namespace), &name, &Precondition::of(&pod)).await;
            return;
        }
        if !self.running.contains_key(&uid) {
            self.start(&pod, node, &uid);
        }
        let cut = self.trouble.lock().unwrap().cut.contains(node);
        let running = self.running.get_mut(&uid).unwrap();
        let status = running.status(&pod, cut);
        if pod["status"]["phase"] != status["phase"]
            || pod["status"]["conditions"][0]["status"] != status["conditions"][0]["status"]
        {
            let seen = Precondition::of(&pod);
            let mut pod = pod;
            pod["status"] = status;
            // One that changed in between is played next time.
            let _ = self.cluster.replace_status(kind, Some(&namespace), &name, pod, &seen).await;
        }
    }

    fn start(&mut self, pod: &Value, node: &str, uid: &str) {
        self.addresses += 1;
        let address = format!("127.42.{}.{}", node.len(), self.addresses);
        let last_word = self.folder.path().join(uid);
        let container = &pod["spec"]["containers"][0];
        let ours = container["args"][0] == "probe";
        let process = ours.then(|| {
            let arg = |arg: &Value| {
                let arg = arg.as_str().unwrap().replace("$(POD_IP)", &address);
                let arg = arg.replace("/dev/termination-log", last_word.to_str().unwrap());
                arg.replace(&format!("{DNS}:53"), &self.dns.to_string())
            };
            let args = container["args"].as_array().unwrap().iter().map(arg);
            Command::new(env!("CARGO_BIN_EXE_netdr"))
                .args(args)
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap()
        });
        self.running.insert(uid.to_owned(), Running { process, address, last_word });
    }
}

impl Running {
    /// What a kubelet writes about it.
    fn status(&mut self, pod: &Value, cut: bool) -> Value {
        let container = &pod["spec"]["containers"][0];
        let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
        let probed = || TcpStream::connect((self.address.as_str(), netdr::probe::PORT)).is_ok();
        let ready = ended.is_none() && (container["readinessProbe"].is_null() || probed());
        let (phase, state) = match ended {
            None => ("Running", json!({"running": {"startedAt": now()}})),
            Some(status) => {
                let mut message = fs::read_to_string(&self.last_word).unwrap_or_default();
                message.truncate(LAST_WORD);
                let phase = if status.success() { "Succeeded" } else { "Failed" };
                (phase, json!({"terminated": {"exitCode": status.code().unwrap_or(137), "message": message}}))
            }
        };
        // Nobody listens there.
        let address = if cut { self.address.replace("127.42.", "127.43.") } else { self.address.clone() };
        json!({
            "phase": phase,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": container["name"], "image": container["image"], "imageID": "", "ready": ready,
                "restartCount": 0, "state": state}],
        })
    }
}

/// Ready, with a lease of its own.
fn node(name: &str, number: usize) -> Value {
    let conditions = [("Ready", "True"), ("NetworkUnavailable", "False")];
    let conditions =
        conditions.map(|(kind, status)| json!({"type": kind, "status": status, "reason": "Played"}));
    let resources = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": format!("10.42.{number}.0/24"), "podCIDRs": [format!("10.42.{number}.0/24")]},
        "status": {"conditions": conditions, "allocatable": resources, "capacity": resources},
    })
}

async fn create(cluster: &Cluster, discovery: &Discovery, namespace: Option<&str>, object: &Value) {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let kind = discovery.find_kind(group, kind).unwrap();
    cluster
        .create(kind, namespace, object.to_string().as_bytes())
        .await
        .unwrap_or_else(|e| panic!("{e}: {object}"));
}

/// As Kubernetes writes times of leases.
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// A DNS server that knows one address for every name, until the test ends.
fn core_dns() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut question) {
            let mut answer = question[..length].to_vec();
            // An answer without error, one record: the name of the question, type A, 10.43.0.1.
            (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 43, 0, 1]);
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

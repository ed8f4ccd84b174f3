//! `make bench`: netdr against bare loops on the same API server, as ratios in one run.
//!
//! In: the programs of the control plane and the release build of netdr. Out: a table on stdout; nothing is
//! asserted, because time on a shared machine proves nothing alone. Each ratio has both its sides in this run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench stops at what goes wrong, and prints")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use http::Request;
use kube::client::Body;
use netdr::{
    cluster::Cluster,
    drill::{ControlPlane, Options, Programs},
};
use serde_json::{Value, json};

/// Requests in flight: what netdr's restore uses too, so that the ratio compares like with like.
const PARALLEL: usize = 32;
const NETDR: &str = env!("CARGO_BIN_EXE_netdr");

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        start_to_first_request();
        for (namespaces, each) in [(100, 50), (100, 200)] {
            run(namespaces, each).await;
        }
    });
}

/// One size: `namespaces × each` policies on a plane of its own.
async fn run(namespaces: usize, each: usize) {
    let total = namespaces * each;
    println!("\n{total} NetworkPolicies in {namespaces} namespaces");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/control-plane/bin");
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let programs = Programs::find(&assets.into_iter().chain([target]).collect::<Vec<_>>()).unwrap();
    let plane = ControlPlane::start(&programs, &Options::default(), &|_| ()).await.unwrap();
    let bare = Bare { cluster: plane.cluster().await.unwrap(), namespaces, each };
    let shop = Shop::new(plane.kubeconfig());

    bare.namespaces().await;
    bare.create().await; // warms the API server up; not counted
    let list = best(5, async || bare.list().await).await;
    let nightly = ["backup", "--set", "network", "--component", "policies"];
    let restore = ["restore", "--scenario", "network-policies", "--identity", "keys/operator.txt", "--yes"];
    shop.run(&nightly);
    // With one snapshot: each older equal one costs the opening of its index, in search of one that differs.
    let (nothing, nothing_peak) = shop.best(3, &restore);
    let (backup, backup_peak) = shop.best(3, &nightly);

    // Alternating, so that a machine that grows slower or faster meets both.
    let (mut post, mut whole, mut apply, mut restore_peak) = (Duration::MAX, Duration::MAX, f64::MAX, 0);
    for _ in 0..2 {
        bare.delete().await;
        post = post.min(bare.create().await);
        bare.delete().await;
        let run = shop.run(&restore);
        assert_eq!(run.json["differences_left"], 0, "{}", run.json);
        let phases = run.json["phases"].as_array().into_iter().flatten();
        let seconds = phases.filter(|p| p["name"] == "apply").filter_map(|p| p["seconds"].as_f64()).sum();
        (whole, apply, restore_peak) =
            (whole.min(run.took), f64::min(apply, seconds), run.peak.max(restore_peak));
    }
    let rate = |seconds: f64| total as f64 / seconds;
    let post = post.as_secs_f64();
    row("bare paged LIST", list.as_secs_f64(), "", 0);
    row("backup, sealed, signed, synced", backup.as_secs_f64(), &times(backup, list, "LIST"), backup_peak);
    row("restore with nothing to do", nothing.as_secs_f64(), &times(nothing, list, "LIST"), nothing_peak);
    row("bare parallel POST loop", post, &format!("{:.0}/s", rate(post)), 0);
    row("restore, its apply phase", apply, &format!("{:.0}/s, {:.2} of bare", rate(apply), post / apply), 0);
    let whole = whole.as_secs_f64();
    let against = format!("{:.0}/s, {:.2} of bare", rate(whole), post / whole);
    row("restore, whole command", whole, &against, restore_peak);
    peers(&bare, plane.kubeconfig()).await;
}

/// The peers' call patterns on a tenth of the objects: their rate does not depend on how many there are.
async fn peers(bare: &Bare, kubeconfig: &Path) {
    let part = Bare { each: (bare.each / 10).max(1), ..bare.clone() };
    let total = (part.namespaces * part.each) as f64;
    bare.delete().await;
    let serial = Instant::now();
    for (namespace, name) in part.names() {
        part.post(&namespace, &name).await;
        // Velero reads before it creates and patches managedFields afterwards (pkg/restore/restore.go).
        part.get(&namespace, &name).await;
    }
    let serial = serial.elapsed().as_secs_f64();
    row("serial POST and GET (Velero's, BRO's pattern)", serial, &format!("{:.0}/s", total / serial), 0);
    let kubectl = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/control-plane/bin/kubectl");
    if !kubectl.exists() {
        println!("  kubectl apply --server-side: not measured, kubectl is not built (make control-plane)");
        return;
    }
    bare.delete().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let items: Vec<Value> = part.names().map(|(namespace, name)| policy(&namespace, &name)).collect();
    fs::write(file.path(), json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let started = Instant::now();
    let mut apply = Command::new(kubectl);
    apply.args(["apply", "--server-side", "-f"]).arg(file.path()).arg("--kubeconfig").arg(kubeconfig);
    assert!(apply.stdout(Stdio::null()).status().unwrap().success());
    let seconds = started.elapsed().as_secs_f64();
    row("kubectl apply --server-side", seconds, &format!("{:.0}/s", total / seconds), 0);
}

fn row(what: &str, seconds: f64, ratio: &str, peak_kib: u64) {
    let peak = if peak_kib == 0 { String::new() } else { format!("peak {} MiB", peak_kib.div_ceil(1024)) };
    println!("  {what:<46} {seconds:>7.3} s   {ratio:<24} {peak}");
}

fn times(one: Duration, other: Duration, name: &str) -> String {
    format!("{:.2} × {name}", one.as_secs_f64() / other.as_secs_f64())
}

async fn best(times: usize, mut once: impl AsyncFnMut() -> Duration) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..times {
        best = best.min(once().await);
    }
    best
}

/// Loops over the same client and nothing else.
#[derive(Clone)]
struct Bare {
    cluster: Cluster,
    namespaces: usize,
    each: usize,
}

impl Bare {
    fn names(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let each = self.each;
        (0..self.namespaces)
            .flat_map(move |n| (0..each).map(move |p| (format!("bench-{n}"), format!("allow-{p}"))))
    }

    async fn namespaces(&self) {
        for n in 0..self.namespaces {
            let namespace =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("bench-{n}")}});
            self.send("POST", "/api/v1/namespaces", Some(&namespace)).await;
        }
    }

    /// Creates all, in parallel; how long it took.
    async fn create(&self) -> Duration {
        let started = Instant::now();
        let posts = self.names().map(async |(namespace, name)| self.post(&namespace, &name).await);
        stream::iter(posts).buffer_unordered(PARALLEL).for_each(async |()| ()).await;
        started.elapsed()
    }

    async fn post(&self, namespace: &str, name: &str) {
        self.send("POST", &policies(namespace), Some(&policy(namespace, name))).await;
    }

    async fn get(&self, namespace: &str, name: &str) {
        self.send("GET", &format!("{}/{name}", policies(namespace)), None).await;
    }

    async fn delete(&self) {
        for n in 0..self.namespaces {
            self.send("DELETE", &policies(&format!("bench-{n}")), None).await;
        }
    }

    /// Lists all, 500 a page, and parses each page; how long it took.
    async fn list(&self) -> Duration {
        let started = Instant::now();
        let mut token = String::new();
        loop {
            let path = format!("/apis/networking.k8s.io/v1/networkpolicies?limit=500&continue={token}");
            let page = self.send("GET", &path, None).await;
            token = page["metadata"]["continue"].as_str().unwrap_or_default().into();
            if token.is_empty() {
                return started.elapsed();
            }
        }
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        use http_body_util::BodyExt as _;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
        let request = request.body(Body::from(body.into_bytes())).unwrap();
        let answer = self.cluster.client().send(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success(), "{method} {path}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).unwrap()
    }
}

fn policies(namespace: &str) -> String {
    format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies")
}

/// A policy as people write them: some 900 bytes.
fn policy(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": namespace,
            "app.kubernetes.io/managed-by": "platform-team"}},
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}},
                {"podSelector": {"matchLabels": {"role": "frontend"}}}], "ports": [{"protocol": "TCP", "port": 8080}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.25.20.0/24", "except": ["10.25.20.7/32"]}}],
                "ports": [{"protocol": "TCP", "port": 5432}]}],
        },
    })
}

/// A folder with a repository, keys and configuration, in which the release build of netdr runs.
struct Shop {
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
}

struct Run {
    took: Duration,
    /// Largest resident memory, in KiB.
    peak: u64,
    json: Value,
}

impl Shop {
    fn new(kubeconfig: &Path) -> Self {
        let shop = Self { folder: tempfile::tempdir().unwrap(), kubeconfig: kubeconfig.into() };
        shop.run(&["init", "--repo", "repository", "--generate-keys", "keys"]);
        shop
    }

    fn best(&self, times: usize, args: &[&str]) -> (Duration, u64) {
        let runs: Vec<Run> = (0..times).map(|_| self.run(args)).collect();
        let took = runs.iter().map(|r| r.took).min().unwrap_or_default();
        (took, runs.iter().map(|r| r.peak).max().unwrap_or_default())
    }

    fn run(&self, args: &[&str]) -> Run {
        let started = Instant::now();
        let mut netdr = Command::new(NETDR);
        netdr.args(args).arg("--json").current_dir(self.folder.path()).env("KUBECONFIG", &self.kubeconfig);
        let mut child = netdr.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let memory = watch_memory(child.id());
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || std::io::read_to_string(&mut stderr).unwrap());
        let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
        let status = child.wait().unwrap();
        let took = started.elapsed();
        let errors = errors.join().unwrap();
        assert!(matches!(status.code(), Some(0 | 6)), "netdr {args:?}: {status}\n{errors}\n{stdout}");
        Run { took, peak: memory.join().unwrap(), json: serde_json::from_str(&stdout).unwrap_or_default() }
    }
}

/// Reads VmHWM, which only grows, until the process is gone.
fn watch_memory(pid: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(file) = fs::File::open(format!("/proc/{pid}/status")) {
            let line = BufReader::new(file).lines().map_while(Result::ok).find(|l| l.starts_with("VmHWM:"));
            let Some(now) = line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()) else { break };
            peak = now;
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    })
}

/// From the start of the process to its first connection, against a server that accepts and says nothing.
fn start_to_first_request() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let address = server.local_addr().unwrap();
    let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": format!("http://{address}")}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}], "users": [{"name": "x", "user": {}}]});
    fs::write(&kubeconfig, text.to_string()).unwrap();
    let shop = Shop::new(&kubeconfig);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        let mut netdr = Command::new(NETDR);
        netdr
            .args(["backup", "--set", "network"])
            .current_dir(shop.folder.path())
            .env("KUBECONFIG", &kubeconfig);
        let mut child = netdr.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let accepted = server.accept().unwrap();
        best = best.min(started.elapsed());
        child.kill().unwrap();
        child.wait().unwrap();
        drop(accepted);
    }
    println!("start to first request: {:.1} ms", best.as_secs_f64() * 1000.0);
}

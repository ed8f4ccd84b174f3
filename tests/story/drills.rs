//! Drills: every plan proved on a control plane of its own, of which nothing is left; and on a marked cluster.

mod broken;
mod converted;
mod identities;
mod interrupted;
mod job;
mod left;
mod on_cluster;
mod outside;
mod page;
mod trap;
mod untested;

use std::{fs, path::Path, process::Stdio};

use netdr::drill::{cluster::host_root, drills, last};
use netdr::signature::TrustedSigners;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use crate::support::{Home, MARKER, NODE, Operator, Outcome, built, says, send, shared};
use trap::Trap;

/// The words of a drill that opens what there is.
const WORDS: [&str; 4] = ["drill", "--json", "--identity", "keys/operator.txt"];

/// A folder in memory that is this test's alone: what a drill leaves would be in it.
pub(super) fn memory() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("netdr-story-").tempdir_in("/dev/shm").unwrap()
}

/// A custody host with snapshots of every set, and no cluster within its reach.
pub(super) async fn custody() -> Home {
    let operator = Operator::of(shared().await).await;
    operator.configure("cluster: {name: proj-k8s}");
    let home = operator.home;
    host_root(&home.path().join("host"), NODE, MARKER).unwrap();
    home.netdr(&["backup", "--set", "all", "--host-root", "host"]).await.ok();
    home.with_kubeconfig(Path::new("/nowhere/kubeconfig"))
}

/// A drill with its control planes in that folder, not started yet.
pub(super) fn command(home: &Home, memory: &Path, words: &[&str]) -> Command {
    let bin = built().join("bin");
    let own = ["--memory", memory.to_str().unwrap(), "--assets", bin.to_str().unwrap()];
    home.command("netdr", &[&WORDS[..], &own, words].concat())
}

/// Runs a drill to its end, however long five control planes take on a busy machine.
pub(super) async fn drill(home: &Home, memory: &Path, words: &[&str]) -> Outcome {
    command(home, memory, words).output().await.unwrap().into()
}

/// A drill that has begun, and the lines that it says.
struct Begun {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Begun {
    /// Starts it, and reads until it says this.
    async fn until(mut command: Command, word: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        while !lines.next_line().await.unwrap().unwrap().contains(word) {}
        Self { child, lines }
    }

    fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Its end, and on standard error what it said from then on.
    async fn ended(self) -> Outcome {
        let (mut said, mut rest) = (String::new(), self.lines.into_inner());
        let (output, read) = tokio::join!(self.child.wait_with_output(), rest.read_to_string(&mut said));
        read.unwrap();
        Outcome { stderr: said, ..output.unwrap().into() }
    }
}

/// A drill whose control planes do not start.
async fn drill_without_room(home: &Home, memory: &Path, words: &[&str]) -> Outcome {
    for program in ["etcd", "kube-apiserver"] {
        home.stand_in(program, "echo no more room >&2\nexit 3");
    }
    let own = ["--memory", memory.to_str().unwrap(), "--assets", "bin"];
    home.netdr(&[&WORDS[..], &own, words].concat()).await
}

/// All three forms of a report are there, signed by `netdr`, and tell no secret.
async fn is_signed(home: &Home, folder: &str, id: &str) {
    for form in ["html", "md", "json"] {
        let file = format!("{folder}/{id}.{form}");
        let text = fs::read_to_string(home.path().join(&file)).unwrap();
        assert!(!text.contains(MARKER), "{file}");
        let verify = format!(
            "ssh-keygen -Y verify -f keys/trusted_signers -I netdr -n netdr-report -s {file}.sig < {file}"
        );
        says(&home.shell(&verify).await.ok(), &["Good \"netdr-report\" signature for netdr"]);
    }
}

/// What each scenario came to.
fn outcomes(document: &Value) -> Vec<&str> {
    let scenarios = document["scenarios"].as_array().unwrap();
    scenarios.iter().map(|scenario| scenario["outcome"].as_str().unwrap()).collect()
}

fn recovered(document: &Value) {
    for scenario in document["scenarios"].as_array().unwrap() {
        assert_eq!(
            (&scenario["outcome"], &scenario["why"]),
            (&json!("recovered"), &Value::Null),
            "{:#}",
            json!({"checks": scenario["checks"], "not_tested": scenario["not_tested"], "name": scenario["name"]})
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plan_is_proved_where_nothing_of_production_is_and_the_report_is_signed() {
    let (home, memory) = (custody().await, memory());
    let (kubeconfig, its_default) =
        (Trap::at(home.path().join("trap")), Trap::at(home.path().join(".kube/config")));
    let home = home.with_kubeconfig(kubeconfig.path());
    let outcome = drill(&home, memory.path(), &["--all", "--report", "out"]).await;
    assert!(!kubeconfig.is_sprung() && !its_default.is_sprung(), "a kubeconfig was read");
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(MARKER), "a secret is told");
    let said = outcome.stderr.clone();
    let document = outcome.json(0);
    recovered(&document);
    assert_eq!(
        (&document["good"], &document["complete"], &document["place"]),
        (&json!(true), &json!(true), &json!("sandbox"))
    );
    let scenarios = document["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 5);
    for scenario in scenarios {
        assert_eq!(scenario["rto_met"], Value::Null, "nobody can know it in a sandbox");
        assert!(
            scenario["own_time_s"].as_f64() > Some(0.0)
                && !scenario["simulated"].as_array().unwrap().is_empty()
        );
        assert!(scenario["caused"].as_array().unwrap().len() > 1, "{:#}", scenario["caused"]);
    }
    let whole = scenarios.iter().find(|one| one["name"] == "full-stack").unwrap();
    says(&whole["caused"].to_string(), &["file proj-k8s01:", "is lost", "slipped in", "lost its labels"]);
    assert_eq!(document["sources"].as_array().unwrap().len(), 3, "host, network, certificates");
    assert_eq!(document["certificates"].as_array().unwrap().len(), 3, "{:#}", document["certificates"]);
    says(&document["not_tested"].to_string(), &["systemctl restart rke2-server", "keys check"]);

    let id = document["report"].as_str().unwrap();
    for folder in ["repo/reports", "out"] {
        is_signed(&home, folder, id).await;
    }
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0, "something is left in memory");

    for scenario in scenarios {
        let name = scenario["name"].as_str().unwrap();
        says(&said, &[&format!("{name}: causing its failure")]);
    }
    says(&said, &["cni: step 1: ", "traefik: step 1: ", "helm-controller has installed it"]);
    let nobodys = said.lines().find(|line| line.starts_with("step ") || line.starts_with("between steps"));
    assert_eq!(nobodys, None, "of which scenario is it?");

    // The next one, of one plan, shows this one, and is none that counts.
    let next = drill(&home, memory.path(), &["--scenario", "network-policies"]).await.json(0);
    assert_eq!((&next["good"], &next["complete"]), (&json!(false), &json!(false)));
    assert_eq!(next["trend"][0]["report"], id);
    let trusted = TrustedSigners::read(&home.path().join("keys/trusted_signers")).unwrap();
    let found = drills(&home.path().join("repo/reports"), &trusted, chrono::Utc::now()).unwrap();
    assert_eq!((found.signed.len(), found.untrusted.len()), (2, 0));
    assert_eq!(last(&found.signed, None).unwrap().report.as_str(), id);
    // What the trap is worth: who asks a cluster springs it.
    home.netdr(&["backup", "--set", "network"]).await;
    assert!(kubeconfig.is_sprung());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drill_needs_is_said_before_anything_is_started() {
    let home = Home::new().with_repository().await;
    let memory = memory();
    let disk = home.netdr(&["drill", "--all", "--memory", env!("CARGO_MANIFEST_DIR")]).await.failed(2);
    says(&disk, &["is on a disk", "mount -t tmpfs"]);
    let memory_at = memory.path().to_str().unwrap();
    let programs =
        home.netdr(&["drill", "--all", "--memory", memory_at, "--assets", "nowhere"]).await.failed(2);
    says(&programs, &["a control plane needs etcd, kube-apiserver"]);
    let empty = drill(&home, memory.path(), &["--all"]).await.failed(1);
    says(&empty, &["there is no snapshot that can be relied on", "netdr backup"]);
    fs::remove_file(home.path().join("keys/signing")).unwrap();
    says(&drill(&home, memory.path(), &["--all"]).await.failed(2), &["signing key", "does not exist"]);
    assert_eq!(fs::read_dir(memory.path()).unwrap().count(), 0);
}

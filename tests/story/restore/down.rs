//! The API server does not answer, because the node's configuration is broken: this node first, then the rest.
//!
//! What systemd does on a server (it starts rke2-server again and again, until its configuration is right) is played by the
//! test, which starts the real API server again as soon as the file is whole.

use std::fs;

use netdr::drill::failures::break_policies;
use serde_json::Value;

use super::host::{CONFIG, PLAN, Server};
use crate::support::{MARKER, NODE, Outcome, Plane, eventually, everything, fresh, says};

const API_SERVER: &str = "kube-apiserver";

/// A server that was backed up, whose policies and configuration are broken, and whose API server is down.
async fn down() -> (Plane, Server) {
    let mut plane = fresh(everything()).await.loaded().await;
    let server = Server::of(&plane).await;
    server.backup("host").await;
    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    fs::write(server.file(CONFIG), format!("token: {MARKER}\nnode-name: {NODE}\ncni: [broken\n")).unwrap();
    plane.stop(API_SERVER).unwrap();
    (plane, server)
}

fn whole(server: &Server) -> bool {
    fs::read_to_string(server.file(CONFIG)).unwrap().contains("cluster-cidr")
}

/// Runs netdr, and starts the API server when the configuration is whole.
async fn beside(plane: &mut Plane, server: &Server, words: &str) -> Outcome {
    let (outcome, ()) = tokio::join!(server.netdr(words), async {
        eventually("the configuration to be whole", async || whole(server).then_some(())).await;
        plane.start_again(API_SERVER).await.unwrap();
    });
    outcome
}

fn steps(report: &Value) -> Vec<(&str, &str)> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| (step["id"].as_str().unwrap(), step["outcome"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_api_server_is_down_is_recovered_in_two_parts_of_one_run() {
    let (mut plane, server) = down().await;
    let shown = server.netdr("restore --plan plan.yaml --dry-run").await.ok();
    says(
        &shown,
        &["does not answer", "content: differs (secret)", "When the API server answers", "policies"],
    );
    assert!(!shown.contains(MARKER), "{shown}");
    let plan = server.netdr("restore --plan plan.yaml --dry-run --json").await.json(0);
    assert_eq!(plan["later"], serde_json::json!(["policies"]), "{plan:#}");

    let outcome = beside(&mut plane, &server, "restore --plan plan.yaml --yes --json").await;
    says(&outcome.stderr, &["/readyz"]);
    let report = outcome.json(0);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&"recovered".into(), &0.into()),
        "{report:#}"
    );
    let all = [("files", "done"), ("api-server", "done"), ("rest", "done"), ("policies", "done")];
    assert_eq!(steps(&report), all, "{report:#}");
    let waited = report["steps"][1]["waiting_s"].as_f64().unwrap();
    assert!(waited > 0.5 && report["recovery_time_s"].as_f64().unwrap() > waited, "{report:#}");
    let phases = report["phases"].as_array().unwrap();
    assert!(
        phases.iter().any(|phase| phase["name"] == "wait" && phase["seconds"].as_f64().unwrap() >= waited)
    );
    assert_ne!(report["cluster"]["uid"], "", "{report:#}");

    // One journal, in which an undo finds both parts.
    let run = report["run"].as_str().unwrap();
    server.netdr(&format!("undo {run} --yes")).await.ok();
    assert!(!whole(&server));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_parts_it_is_resumed_and_a_digest_that_was_expected_is_the_first_parts() {
    let (mut plane, server) = down().await;
    // Killed while it waits for the API server.
    fs::write(server.at("short.yaml"), PLAN.replace("hostFiles: {}", "timeout: 15s, hostFiles: {}")).unwrap();
    let mut command = server.operator.home.command("netdr", &RESTORE);
    let mut child = command.spawn().unwrap();
    eventually("the configuration to be whole", async || whole(&server).then_some(())).await;
    eventually("the first part to be over", async || {
        server.operator.journal().filter(|journal| journal.contains(r#""event":"step""#))
    })
    .await;
    child.kill().await.unwrap();
    let run = server.operator.last_run().await;
    // Still down: it goes on waiting, and ends by the deadline of its steps, with what was waited for.
    let waited = server.netdr(&format!("restore --resume {run} --yes --json")).await.json(1);
    says(
        &waited["steps"].to_string(),
        &["/readyz within 15 s", "Connection refused", "journalctl -u rke2-server"],
    );
    says(&waited["remarks"].to_string(), &["not begun: policies"]);
    assert_eq!((&waited["differences_left"], &waited["not_begun"]), (&0.into(), &["policies"][..].into()));
    let shown = server.netdr(&format!("runs show {run}")).await.ok();
    says(&shown, &["ended: failed, 1 step not begun"]);
    plane.start_again(API_SERVER).await.unwrap();
    // A run that failed goes on as one that was killed does.
    let report = server.netdr(&format!("restore --resume {run} --yes --json")).await.json(0);
    assert_eq!(
        (&report["run"], &report["outcome"], &report["differences_left"]),
        (&run.into(), &"recovered".into(), &0.into()),
        "{report:#}"
    );

    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    fs::write(server.file(CONFIG), format!("node-name: {NODE}\ncni: [broken\n")).unwrap();
    plane.stop(API_SERVER).unwrap();
    let plan = server.netdr("restore --plan plan.yaml --dry-run --json").await.json(0);
    let words =
        format!("restore --plan plan.yaml --yes --json --expect {}", plan["digest"].as_str().unwrap());
    let stopped = beside(&mut plane, &server, &words).await.json(130);
    let run = stopped["run"].as_str().unwrap();
    // As it must be typed: without these flags it would find neither the files nor what opens the snapshot.
    let go_on = format!("netdr restore --resume {run} --identity keys/operator.txt --host-root host");
    says(&stopped["steps"].to_string(), &["not agreed to", &format!("{go_on} --dry-run")]);
    assert_eq!(stopped["next"][0]["command"], go_on, "{stopped:#}");
    assert_ne!(stopped["differences_left"], 0, "{stopped:#}");
    let plan = server.netdr(&format!("restore --resume {run} --dry-run --json")).await.json(0);
    let digest = plan["digest"].as_str().unwrap();
    let report =
        server.netdr(&format!("restore --resume {run} --yes --json --expect {digest}")).await.json(0);
    assert_eq!((&report["run"], &report["differences_left"]), (&run.into(), &0.into()), "{report:#}");
}

const RESTORE: [&str; 8] =
    ["restore", "--plan", "short.yaml", "--yes", "--identity", "keys/operator.txt", "--host-root", "host"];

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_that_answers_in_its_place_is_not_touched() {
    let (plane, server) = down().await;
    let port = plane.server().rsplit(':').next().unwrap().to_owned();
    drop(plane);
    let mut other = fresh(everything()).await;
    other.stop(API_SERVER).unwrap();
    // The kubeconfig leads to the other one, which has the same name.
    let kubeconfig = other.kubeconfig().display().to_string();
    assert_ne!(other.server().rsplit(':').next().unwrap(), port);
    let words = format!("restore --plan plan.yaml --yes --kubeconfig {kubeconfig}");
    let stopped = beside(&mut other, &server, &words).await.failed(2);
    let run = server.operator.last_run().await;
    let hints = [format!("netdr restore --resume {run}"), format!("netdr undo {run}")];
    says(&stopped, &["is not that of", "kube-system has uid", &hints[0], &hints[1]]);
    let journal = server.operator.journal().unwrap();
    assert!(!journal.contains(r#""event":"reached""#) && !journal.contains("resources/"), "{journal}");
    // Its files go back although the API server that is down cannot hold a Lease.
    other.stop(API_SERVER).unwrap();
    let undone = server.netdr(&format!("undo {run} --yes --kubeconfig {kubeconfig}")).await;
    undone.ok();
    assert!(!whole(&server));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_come_first_is_said_where_it_is_not_at_hand() {
    let (_plane, server) = down().await;
    let words = ["restore", "--plan", "plan.yaml", "--dry-run", "--identity", "keys/operator.txt"];
    let said = server.operator.home.netdr(&words).await.failed(1);
    says(&said, &["is the API server up?", "a server node's files can come first", "--host-root DIR"]);
    server.operator.home.shell("rm -r repo/snapshots/*-host-*").await.ok();
    let said = server.netdr("restore --plan plan.yaml --dry-run").await.failed(1);
    says(&said, &["does not answer", "come first, from a snapshot of set host", "journalctl -u rke2-server"]);
    assert!(!said.contains("netdr backup"), "what it would capture is the damage: {said}");
}

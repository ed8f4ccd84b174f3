//! A drill on a cluster: which one may be broken, who else is kept out, and what it proves of what is not there.

use serde_json::{Value, json};

use super::{Begun, left, outcomes, recovered};
use crate::support::{Home, Objects, corrupted, says};
use rustix::process::Signal;

const WORDS: &str =
    "drill --context disposable --scenario network-policies --identity keys/operator.txt --json";
const LEASE: (&str, &str) = ("leases.coordination.k8s.io", "kube-system/netdr-restore");

/// The lines of a scenario.
fn lines(scenario: &Value, of: &str) -> Vec<String> {
    scenario[of].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// The snapshots are of the very cluster, so that nothing but its own flag lets it be broken.
async fn it_is_the_snapshots_own(home: &Home) {
    for words in [WORDS.to_owned(), format!("{WORDS} --yes")] {
        let said = home.shell(&format!("netdr {words}")).await.failed(2);
        assert!(!said.contains("create configmap"), "{said}");
    }
    let said = home.shell(&format!("netdr {WORDS} --yes")).await.failed(2);
    says(&said, &["is the very cluster that snapshots here are of", "leave --context out", "drill --help"]);
    let sandboxed = WORDS.replace("--context disposable ", "");
    let said = home.shell(&format!("netdr {sandboxed} --same-cluster")).await.failed(2);
    says(&said, &["--same-cluster is about a cluster that --context names"]);
}

/// While a drill is under way, nobody else gets in.
async fn others_are_kept_out(home: &Home, objects: &Objects, words: &str) -> Value {
    let all: Vec<&str> = words.split(' ').collect();
    let drill = Begun::until(home.command("netdr", &all), "making the cluster equal").await;
    drill.send(Signal::STOP); // for less than the Lease lasts
    let held = objects.get(LEASE.0, LEASE.1).await.unwrap();
    let holder = held["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    let (id, _) = holder.split_once(' ').unwrap();
    let refused = home.shell(&format!("netdr {words}")).await.failed(1);
    says(&refused, &["a drill is at work on this cluster", id, "let its Lease expire in"]);
    assert!(!refused.contains("--resume"), "a drill is not resumed: {refused}");
    let restore = "netdr restore --scenario network-policies --yes --identity keys/operator.txt";
    let refused = home.shell(restore).await.failed(1);
    says(&refused, &["a drill is at work on this cluster", id]);
    drill.send(Signal::CONT);
    let document = drill.ended().await.json(0);
    assert_eq!(document["report"], id);
    assert_eq!(objects.get(LEASE.0, LEASE.1).await, None, "it was given back");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_broken_only_if_it_is_marked_for_it_and_by_one_at_a_time() {
    let (plane, objects, operator) = corrupted().await;
    let home = &operator.home;
    let unasked = home.shell(&format!("netdr {WORDS}")).await.failed(2);
    says(&unasked, &["there is no terminal", "--yes"]);
    let untouched = objects.dump().await;
    it_is_the_snapshots_own(home).await;

    let words = format!("{WORDS} --same-cluster --yes");
    let unmarked = home.shell(&format!("netdr {words}")).await.failed(2);
    says(
        &unmarked,
        &[
            "is not marked as a cluster for drills",
            "it must not reach that network",
            "private keys too, stay on it",
            "kubectl --context disposable -n kube-system create configmap",
        ],
    );
    let mark = unmarked.split_once("mark it: ").unwrap().1.lines().next().unwrap();
    // The mark of another cluster, as a backup of it would bring it here, marks nothing.
    let another = mark.split("--from-literal").next().unwrap();
    home.shell(&format!("{another} --from-literal=cluster=another")).await.ok();
    says(&home.shell(&format!("netdr {words}")).await.failed(2), &["names another cluster"]);
    home.shell("kubectl -n kube-system delete configmap netdr-drill-cluster").await.ok();
    assert_eq!(objects.dump().await, untouched);

    home.shell(mark).await.ok();
    // As if the nodes were real; the plan's own probes would wait for pods on them.
    home.shell("kubectl annotate nodes --all kwok.x-k8s.io/node-").await.ok();
    let plan =
        "mkdir plans; netdr plan show network-policies | sed '/id: probe-connectivity/,$d' > plans/own.yaml";
    home.shell(plan).await.ok();
    operator.configure("plans: plans");
    let stopped = left::ctrl_c_leaves_the_cluster_as_it_is(home, &words).await;
    left::kill_minus_nine_leaves_no_journal(home, &words).await;
    // As that of a restore, it expires by itself.
    let held = objects.get(LEASE.0, LEASE.1).await.unwrap();
    assert_eq!(held["spec"]["leaseDurationSeconds"], 30);
    says(&home.shell(&format!("netdr {words}")).await.failed(1), &["if it was killed, let its Lease expire"]);
    objects.delete(LEASE.0, LEASE.1).await;

    let document = others_are_kept_out(home, &objects, &words).await;
    recovered(&document);
    let scenario = &document["scenarios"][0];
    assert_eq!((&document["place"], &scenario["rto_met"]), (&json!("drill-cluster"), &json!(true)));
    let caused = lines(scenario, "caused");
    assert!(caused.len() > 1);
    assert_eq!(lines(&stopped["scenarios"][0], "caused"), caused, "what the cluster was left without");
    assert_eq!(stopped["scenarios"][0]["broken"], scenario["broken"]);

    // Which cluster it was, whoever reads the report knows.
    let uid = objects.get("namespaces", "kube-system").await.unwrap()["metadata"]["uid"].clone();
    let target = &document["target"];
    assert_eq!(
        (&target["context"], &target["uid"], &target["same_cluster"]),
        (&json!("disposable"), &uid, &json!(true))
    );
    let page = home.shell("cat repo/reports/*-drill-*.md").await.ok();
    says(&page, &["Cluster, drilled", "it is that cluster, or a copy of it"]);

    what_is_not_there_is_not_waited_for(home, &objects).await;
    without_a_node_no_objective_of_time_is_met(home, &words).await;
    drop(plane);
}

/// Nobody installs Canal's chart here: that is seen before anything is changed.
async fn what_is_not_there_is_not_waited_for(home: &Home, objects: &Objects) {
    let before = objects.dump().await;
    let words = WORDS.replace("network-policies", "cni");
    let document = home.shell(&format!("netdr {words} --same-cluster --yes")).await.json(3);
    assert_eq!(outcomes(&document), ["not tested"]);
    let why = document["scenarios"][0]["why"].as_str().unwrap();
    says(why, &["the cluster lacks what its plan waits for", "step `installed`", "rke2-canal"]);
    assert_eq!(objects.dump().await, before);
}

async fn without_a_node_no_objective_of_time_is_met(home: &Home, words: &str) {
    home.shell("kubectl delete nodes --all").await.ok();
    let document = home.shell(&format!("netdr {words}")).await.json(0);
    recovered(&document);
    let scenario = &document["scenarios"][0];
    assert_eq!((&scenario["rto_met"], &scenario["runs"][0]["rto_met"]), (&Value::Null, &Value::Null));
    let no_node = "the cluster has no node: nothing runs there";
    assert_eq!(document["unseen"], json!([no_node]));
    let id = document["report"].as_str().unwrap();
    let page = home.shell(&format!("cat repo/reports/{id}.md")).await.ok();
    says(&page, &[no_node]);
    assert!(!page.contains("real workloads"), "{page}");
}

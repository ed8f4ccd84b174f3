//! What nobody plays, and what is not there to be broken: a drill says so before it waits for it.

use std::{fs, io::ErrorKind, net::TcpListener};

use serde_json::json;

use super::{drill, memory};
use crate::support::{Hook, Operator, everything, fresh, says};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tested_is_found_out_before_anything_is_broken() {
    let plane = fresh(everything()).await.loaded().await;
    let operator = Operator::of(&plane).await;
    let hook = Hook::start();
    operator.configure(&hook.configuration());
    operator.configure("metrics: {textfile: metrics/netdr.prom}\nplans: plans");
    let home = operator.home;
    fs::create_dir(home.path().join("metrics")).unwrap();
    // RKE2's own HelmChart is not in this cluster, and of certificates there is none.
    home.shell("kubectl -n kube-system delete helmcharts.helm.cattle.io rke2-canal").await.ok();
    home.netdr(&["backup", "--set", "network"]).await.ok();
    drop(plane);
    // What stands for production: a plan of one's own says what must be open there, and a drill must not ask it.
    let production = TcpListener::bind("127.0.0.1:0").unwrap();
    production.set_nonblocking(true).unwrap();
    let step = format!(
        "  - id: open\n    title: It is open\n    timeout: 1s\n    probe: {{tcp: {{allowed: ['{}']}}}}\n",
        production.local_addr().unwrap()
    );
    fs::create_dir(home.path().join("plans")).unwrap();
    let plan = home.netdr(&["plan", "show", "network-policies"]).await.ok();
    fs::write(home.path().join("plans/own.yaml"), plan + &step).unwrap();
    let memory = memory();
    let words = ["--scenario", "cni", "--scenario", "certificates", "--scenario", "network-policies"];
    let outcome = drill(&home, memory.path(), &words).await;
    let said = outcome.stderr.clone();
    let document = outcome.json(3);
    let scenario = |number: usize| &document["scenarios"][number];
    let outcomes = [0, 1, 2].map(|number| scenario(number)["outcome"].as_str().unwrap());
    assert_eq!(outcomes, ["not tested", "not tested", "recovered"], "{:#}", document["scenarios"]);
    says(
        scenario(0)["why"].as_str().unwrap(),
        &[
            "nobody plays",
            "step `installed`",
            "helmcharts.helm.cattle.io kube-system/rke2-canal does not exist",
        ],
    );
    says(scenario(1)["why"].as_str().unwrap(), &["nothing could be broken", "certificates"]);
    assert_eq!((&scenario(0)["caused"], &document["good"]), (&json!([]), &json!(false)));
    says(
        &document["not_tested"].to_string(),
        &["scenario cni: nobody plays", "scenario certificates: nothing could"],
    );
    says(&document["not_tested"].to_string(), &["is accepted: the nodes are played by kwok"]);
    let asked = production.accept().map(|_| ()).map_err(|e| e.kind());
    assert_eq!(asked, Err(ErrorKind::WouldBlock), "production was connected to");
    says(&said, &["cni: looking whether all that its plan waits for can be played"]);
    assert!(!said.contains("cni: causing its failure"), "{said}");

    // Somebody is told, and what was not tested is no drill of it.
    let task = "drill cni certificates network-policies";
    let messages = hook.taken();
    let [message] = &messages[..] else { panic!("{messages:#?}") };
    assert_eq!((&message["task"], &message["event"]), (&json!(task), &json!("partial")));
    says(
        &message["why"].to_string(),
        &["cni: not tested: nobody plays", "certificates: not tested: nothing"],
    );
    says(&message["next"].to_string(), &[document["report"].as_str().unwrap()]);
    let metrics = fs::read_to_string(home.path().join("metrics/netdr.prom")).unwrap();
    says(&metrics, &[&format!("task=\"{task}\"}} 3\n")]);
    let drilled = |line: &&str| line.starts_with("netdr_drill_last_success{");
    let drilled: Vec<&str> = metrics.lines().filter(drilled).collect();
    let [one] = drilled[..] else { panic!("{drilled:#?}") };
    says(one, &["scenario=\"network-policies\"} 1"]);
}

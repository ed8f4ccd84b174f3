//! What a plan does besides restoring: workloads scaled and restarted, programs run. Pods are kwok's.

use netdr::drill::Options;
use serde_json::{Value, json};

use super::resume::killed_at;
use crate::support::{NODES, Objects, Operator, POLICIES, Plane, fresh};

const DEPLOYMENTS: &str = "deployments.apps";

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: demo}
spec: {podSelector: {}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
";

/// A service is restarted for the time of a change.
const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: operations
title: Everything that restores nothing
rto: 1h
rpo: 24h
role: Anybody
runbook: none.md
steps:
  - {id: policies, title: Policies, apply: {component: policies, kinds: [networkpolicies.networking.k8s.io]}}
  - {id: up, title: One more, timeout: 60s, scale: {workload: deployments.apps/demo/web, replicas: 2}}
  - {id: restart, title: Anew, timeout: 60s, rolloutRestart: {workloads: [deployments.apps/demo/web]}}
  - {id: program, title: A program, run: {command: [/bin/sh, -c, 'echo my-token; echo x >> ran; read s < status; exit $s']}}
  - {id: back, title: As before, timeout: 60s, scale: {workload: deployments.apps/demo/web, replicas: before}}
";

const RESTORE: &str = "restore --plan plan.yaml --identity keys/operator.txt";

struct Place {
    _plane: Plane,
    objects: Objects,
    operator: Operator,
}

impl Place {
    async fn new() -> Self {
        let plane = fresh(Options { controllers: true, nodes: true, ..Options::default() }).await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        objects.create(NODES).await;
        objects.create(OBJECTS).await;
        operator.backup().await;
        let place = Self { _plane: plane, objects, operator };
        place.write("plan.yaml", PLAN);
        place.write("status", "0\n");
        place
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.operator.home.path().join(file), text).unwrap();
    }

    /// How often the program was run.
    fn ran(&self) -> usize {
        let lines = std::fs::read_to_string(self.operator.home.path().join("ran")).unwrap_or_default();
        lines.lines().count()
    }

    async fn restore(&self, options: &str, code: i32) -> Value {
        let words = format!("{RESTORE} --json {options}");
        let words: Vec<&str> = words.split_whitespace().collect();
        self.operator.home.netdr(&words).await.json(code)
    }

    /// Every change of its spec counts one up.
    async fn generation(&self) -> u64 {
        let web = self.objects.get(DEPLOYMENTS, "demo/web").await.unwrap();
        assert_eq!(web["spec"]["replicas"], 1, "as before");
        web["metadata"]["generation"].as_u64().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_shown_done_once_and_are_no_difference() {
    let place = Place::new().await;
    let shown = place.restore("--dry-run", 0).await;
    assert_eq!((&shown["operations"], &shown["replace"]), (&json!(3), &json!(0)), "{shown:#}");
    let preview = place.operator.home.shell(&format!("netdr {RESTORE} --dry-run")).await.ok();
    for line in [
        "  * scale deployments.apps demo/web  (from 1 to 2 replicas)\n",
        "  * restart deployments.apps demo/web\n",
        "  would run, with --allow-run: /bin/sh -c 'echo my-token;",
        "operations 3",
    ] {
        assert!(preview.contains(line), "{line}: {preview}");
    }

    // Nobody allowed the program: everything else is done, and that it was not run is said.
    let report = place.restore("--yes", 3).await;
    assert_eq!((&report["outcome"], &report["differences_left"]), (&json!("partial"), &json!(0)));
    let outcomes = |report: &Value| {
        let steps = report["steps"].as_array().unwrap().iter();
        steps.map(|step| step["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&report), ["nothing to do", "done", "done", "skipped", "done"]);
    assert!(report["steps"][3]["failures"][0].as_str().unwrap().contains("--allow-run"), "{report:#}");
    assert_eq!((place.generation().await, place.ran()), (4, 0));

    let report = place.restore("--yes --allow-run", 0).await;
    assert_eq!((&report["outcome"], &report["differences_left"]), (&json!("recovered"), &json!(0)));
    assert_eq!((place.generation().await, place.ran()), (7, 1));
    // What it wrote is sealed: stock tools open it, and it is nowhere in clear.
    let folder = report["run_folder"].as_str().unwrap();
    let open = format!("age -d -i keys/operator.txt {folder}/run-program.log.zst.age | zstd -dq");
    assert_eq!(place.operator.home.shell(&open).await.ok(), "my-token\n");
    place.operator.home.shell(&format!("! grep -r '^my-token' {folder} repo/reports")).await.ok();
    let journal = std::fs::read_to_string(format!("{folder}/journal.jsonl")).unwrap();
    assert!(journal.contains(r#""event":"exited","step":"program","status":0,"bytes":9"#), "{journal}");

    // A program that fails ends the run there, and what was scaled up is scaled back by an undo.
    place.write("status", "3\n");
    let report = place.restore("--yes --allow-run", 1).await;
    assert_eq!(outcomes(&report), ["nothing to do", "done", "done", "failed", "skipped"]);
    let why = report["steps"][3]["failures"][0].as_str().unwrap();
    assert!(why.contains("exit status 3") && why.contains("age -d -i IDENTITY"), "{why}");
    let undone = place.operator.undo(report["run"].as_str().unwrap(), 0).await;
    let remarks = undone["remarks"].to_string();
    for step in ["`restart` (rolloutRestart) is not undone", "`program` (run) is not undone"] {
        assert!(remarks.contains(step), "{remarks}");
    }
    assert!(!remarks.contains("`up`"), "{remarks}");
    assert_eq!(place.generation().await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_does_no_operation_twice_and_scales_back() {
    let place = Place::new().await;
    let home = &place.operator.home;
    let restore = format!("{RESTORE} --yes --allow-run");
    let run = async || {
        place.objects.delete(POLICIES, "demo/deny").await; // so that there is something to restore as well
        home.shell(&format!("netdr {restore}")).await.ok();
    };
    run().await;
    let journal = place.operator.journal().unwrap();
    let sealed = home.shell("stat -c %s repo/runs/*/*.age").await.ok();
    let sealed: usize = sealed.lines().map(|line| line.parse::<usize>().unwrap()).max().unwrap();
    let (mut generation, mut ran, mut at, mut tried) = (place.generation().await, place.ran(), 0, 0);
    let lines: Vec<&str> = journal.split_inclusive('\n').collect();
    for line in &lines[..lines.len() - 1] {
        at += line.len();
        if at <= sealed {
            continue;
        }
        place.objects.delete(POLICIES, "demo/deny").await;
        let bytes = at + (tried % 2) * 20;
        assert_eq!(home.shell(&killed_at(bytes, &restore)).await.ok(), "killed\n", "{bytes}");
        let run = place.operator.last_run().await;
        let journal =
            std::fs::read_to_string(home.path().join(format!("repo/runs/{run}/journal.jsonl"))).unwrap();
        let killed = &journal[..journal.rfind('\n').unwrap() + 1];
        let resume = ["restore", "--json", "--identity", "keys/operator.txt", "--resume", &run, "--yes"];
        let report = home.netdr(&resume).await.json(0);
        assert_eq!(report["differences_left"], 0, "{report:#}");
        assert_eq!(place.generation().await, generation + 3, "killed at {bytes}:\n{killed}");
        // Of a program that was killed with the run nobody knows how far it came. Which line that was is read
        // from the journal: its lines are not as long in every run.
        let says = |event: &str| killed.contains(&format!(r#""event":"{event}""#));
        let unknown = usize::from(says("run") && !says("exited"));
        assert_eq!(place.ran(), ran + 1 + unknown, "killed at {bytes}:\n{killed}");
        (generation, ran, tried) = (generation + 3, place.ran(), tried + 1);
    }
    assert!(tried > 8, "{tried}");
}

//! Somebody who runs netdr on a plane: a home with a repository, keys and a configuration, as `netdr init` leaves it.

use netdr::{
    drill::{ControlPlane, failures::break_policies},
    model::ItemKey,
};
use serde_json::{Value, json};

use super::{
    home::{Home, Outcome},
    objects::Objects,
    planes::{Plane, everything, fresh},
};

/// The identity that opens bundles, below the home.
const IDENTITY: &str = "keys/operator.txt";

/// The believable cluster, backed up, and its policies corrupted since.
pub(crate) async fn corrupted() -> (Plane, Objects, Operator) {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    break_policies(&plane.cluster().await.unwrap()).await.unwrap();
    (plane, objects, operator)
}

pub(crate) struct Operator {
    pub(crate) home: Home,
}

impl Operator {
    pub(crate) async fn of(plane: &ControlPlane) -> Self {
        Self { home: Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await }
    }

    /// Adds a line to the configuration.
    pub(crate) fn configure(&self, line: &str) {
        let file = self.home.path().join("netdr.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}{line}\n")).unwrap();
    }

    /// Takes a snapshot of the network; its id.
    pub(crate) async fn backup(&self) -> String {
        let taken = self.home.run("netdr", &["backup", "--set", "network", "--json"]).await.json(0);
        taken["snapshots"][0]["id"].as_str().unwrap().into()
    }

    /// `netdr restore --json …` with the operator's identity.
    pub(crate) async fn restore(&self, scenario: &str, arguments: &[&str]) -> Outcome {
        let mut all = vec!["restore", "--json", "--identity", IDENTITY, "--scenario", scenario];
        all.extend(arguments);
        self.home.run("netdr", &all).await
    }

    /// Goes on with an interrupted run until nothing is left to do.
    pub(crate) async fn resume(&self, run: &str) -> Value {
        let all = ["restore", "--json", "--identity", IDENTITY, "--resume", run, "--yes"];
        let outcome = self.home.run("netdr", &all).await;
        let code = if outcome.code == Some(0) { 0 } else { 6 };
        let report = outcome.json(code);
        assert_eq!(report["differences_left"], 0, "{report:#}");
        report
    }

    /// `netdr undo RUN`, which ends with this exit code.
    pub(crate) async fn undo(&self, run: &str, code: i32) -> Value {
        let all = ["undo", "--json", "--identity", IDENTITY, run, "--yes"];
        self.home.run("netdr", &all).await.json(code)
    }

    /// The run that began last.
    pub(crate) async fn last_run(&self) -> String {
        let listed = self.home.run("netdr", &["runs", "--json"]).await.json(0);
        let run = listed["runs"].as_array().unwrap().last().unwrap();
        run["run"].as_str().unwrap().into()
    }

    /// The journal of the only run.
    pub(crate) fn journal(&self) -> Option<String> {
        let run = std::fs::read_dir(self.home.path().join("repo/runs")).ok()?.next()?.ok()?.path();
        std::fs::read_to_string(run.join("journal.jsonl")).ok()
    }

    /// Whether the API server would make this network policy now, and does not take long to say so.
    pub(crate) async fn may_create_policy(&self, namespace: &str, name: &str) -> bool {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}}});
        std::fs::write(self.home.path().join("policy.json"), policy.to_string()).unwrap();
        let dry_run = ["create", "--dry-run=server", "--request-timeout=2s", "-f", "policy.json"];
        self.home.run("kubectl", &dry_run).await.code == Some(0)
    }

    /// What a restore would do.
    pub(crate) async fn plan(&self, scenario: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--dry-run"]].concat();
        self.restore(scenario, &arguments).await.json(0)
    }

    /// Restores until nothing is left to do. The shipped plans allow no loss at all, so whatever was captured a second
    /// ago is over its recovery point: exit 6.
    pub(crate) async fn recover(&self, scenario: &str, arguments: &[&str]) -> Value {
        let outcome = self.restore(scenario, &[arguments, &["--yes"]].concat()).await;
        let code = if outcome.code == Some(0) { 0 } else { 6 };
        let report = outcome.json(code);
        assert_eq!(report["outcome"], "recovered", "{report:#}");
        assert_eq!(report["differences_left"], 0, "{report:#}");
        report
    }
}

/// The acts of a plan, in order: verb, and object as in `networkpolicies.networking.k8s.io archive/allow-dns`.
pub(crate) fn acts(plan: &Value) -> Vec<(String, String)> {
    let acts = plan["steps"].as_array().unwrap().iter().flat_map(|step| step["acts"].as_array().unwrap());
    let key = |act: &Value| act["key"].as_str().unwrap().parse::<ItemKey>().unwrap().to_string();
    acts.map(|act| (act["verb"].as_str().unwrap().to_owned(), key(act))).collect()
}

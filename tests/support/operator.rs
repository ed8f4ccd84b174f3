//! Somebody who runs netdr on a plane: a home with a repository, keys and a configuration, as `netdr init` leaves it.

use netdr::{drill::ControlPlane, model::ItemKey};
use serde_json::{Value, json};

use super::home::{Home, Outcome};

/// The identity that opens bundles, below the home.
const IDENTITY: &str = "keys/operator.txt";

pub(crate) struct Operator {
    pub(crate) home: Home,
}

impl Operator {
    pub(crate) async fn of(plane: &ControlPlane) -> Self {
        Self { home: Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await }
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

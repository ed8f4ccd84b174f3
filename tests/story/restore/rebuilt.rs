//! The cluster is gone: a new one of the same name gets what the old one had.

use netdr::drill::Options;
use serde_json::json;

use crate::support::{MARKER, NODES, Objects, Operator, everything, fresh, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_cluster_gets_its_policies_and_its_ingress() {
    let operator = Operator::of(shared().await).await;
    operator.backup().await;
    let plane = fresh(Options { controllers: true, nodes: true, ..everything() }).await;
    let home = &operator.home;
    std::fs::write(home.path().join("nodes.yaml"), NODES).unwrap();
    let new = ["--kubeconfig", plane.kubeconfig().to_str().unwrap()];
    let kubectl = async |arguments: &str| {
        let arguments: Vec<&str> = arguments.split_whitespace().chain(new).collect();
        home.run("kubectl", &arguments).await.ok()
    };
    kubectl("create -f nodes.yaml").await;

    let report = operator.recover("network-policies", &new).await;
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("kube-system has another uid"), "{remarks}");
    let names = "-A -o custom-columns=N:.metadata.namespace,M:.metadata.name --no-headers";
    let policies = format!("get networkpolicies.networking.k8s.io {names}");
    let old: Vec<&str> = policies.split_whitespace().collect();
    assert_eq!(kubectl(&policies).await, home.run("kubectl", &old).await.ok());

    operator.recover("traefik", &new).await;
    kubectl("rollout status deployment/traefik -n traefik --timeout=1s").await;
    let routes = format!("get ingressroutes.traefik.io {names}");
    let old: Vec<&str> = routes.split_whitespace().collect();
    assert_eq!(kubectl(&routes).await, home.run("kubectl", &old).await.ok());
    let release = home.run("helm", &["list", "-n", "traefik", "-o", "json", new[0], new[1]]).await.json(0);
    assert_eq!((&release[0]["name"], &release[0]["status"]), (&"traefik".into(), &"deployed".into()));

    // Secrets that differ are shown as that, and are nowhere in clear: not in a plan, a journal or a report.
    let objects = Objects::of(&plane).await;
    let password = format!("{MARKER}-leaked");
    objects.merge("secrets", "traefik/dashboard-users", json!({"stringData": {"password": password}})).await;
    let header = json!({"spec": {"headers": {"customRequestHeaders": {"X-Origin-Token": password}}}});
    objects.merge("middlewares.traefik.io", "traefik/secure-headers", header).await;
    let dry_run = ["restore", "--scenario", "traefik", "--identity", "keys/operator.txt", "--dry-run", "-v"];
    let shown = home.netdr(&[&dry_run[..], &new].concat()).await.ok();
    assert_eq!(shown.matches("differs (secret)").count(), 2, "{shown}");
    let report = operator.recover("traefik", &new).await;
    for text in [&shown, &report.to_string()] {
        assert!(!text.contains(MARKER), "{text}");
    }
    home.run("grep", &["-rla", MARKER, "repo"]).await.failed(1);
}

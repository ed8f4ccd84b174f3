//! A kubeconfig that leads nowhere: one error, what to do, and nothing half-written.

use std::{path::Path, time::Instant};

use futures::future::join_all;
use netdr::drill::Options;

use crate::support::{Home, Store, fresh, says};

#[tokio::test(flavor = "multi_thread")]
async fn a_kubeconfig_that_leads_nowhere_is_one_error_with_the_way_out() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_repository().await;
    let text = |path: &Path| path.display().to_string();
    let good = text(plane.kubeconfig());
    home.netdr(&["backup", "--kubeconfig", &good]).await.ok();
    let snapshots = || std::fs::read_dir(home.path().join("repo/snapshots")).unwrap().count();
    let before = snapshots();

    let nowhere = home.path().join("nowhere.yaml");
    let config = std::fs::read_to_string(&good).unwrap();
    // Port 1 of this machine: nobody listens there.
    std::fs::write(&nowhere, config.replace(plane.server(), "https://127.0.0.1:1")).unwrap();
    let torn = home.path().join("torn.yaml");
    std::fs::write(&torn, &config[..config.len() / 2]).unwrap();
    let (missing, expired) =
        (home.path().join("no-such-file"), plane.expired_kubeconfig("operator").unwrap());
    let restore = "restore --scenario network-policies --dry-run --identity keys/operator.txt";
    let cases = [
        (&missing, 2, "no-such-file does not exist", "pass --kubeconfig FILE"),
        (&torn, 2, "torn.yaml cannot be used", "config view"),
        (&nowhere, 1, "onnection refused", "curl -k https://127.0.0.1:1/readyz"),
        (&expired, 1, "Unauthorized (401)", "get a new kubeconfig"),
    ];
    let cases = cases.iter().flat_map(|case| ["backup", "drift", restore].map(|verb| (case, verb)));
    join_all(cases.map(async |((kubeconfig, code, what, way_out), verb)| {
        let began = Instant::now();
        let kubeconfig = text(kubeconfig);
        let arguments: Vec<&str> = verb.split(' ').chain(["--kubeconfig", &kubeconfig]).collect();
        let said = home.netdr(&arguments).await.failed(*code);
        assert!(began.elapsed().as_secs() < 20, "{verb} took {:?}", began.elapsed());
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert!(errors == 1 && said.contains(what) && said.contains(way_out), "{verb}: {said}");
    }))
    .await;
    assert_eq!(snapshots(), before);
}

#[tokio::test]
async fn host_files_are_saved_where_the_api_server_is_down() {
    let store = Store::new().await;
    let config = "{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}],\
        users: [{name: u, user: {}}], contexts: [{name: c, context: {cluster: c, user: u}}], current-context: c}";
    std::fs::write(store.path("down.yaml"), config).unwrap();
    let began = Instant::now();
    let said = store.netdr("backup --set all --host-root host --kubeconfig down.yaml").await.failed(1);
    assert!(began.elapsed().as_secs() < 8, "took {:?}", began.elapsed());
    says(&said, &["error: ", "onnection refused", "snapshot ", "-host-", " was taken, and is complete"]);
    let listed = store.json("snapshots").await;
    let [only] = &listed["snapshots"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!([&only["set"], &only["state"]], ["host", "complete"]);
    let said = store.netdr(&format!("show {}", only["id"].as_str().unwrap())).await.ok();
    says(&said, &["cluster proj-k8s (uid not known), Kubernetes not known"]);
    // What is asked for alone is done.
    store.netdr("backup --set host --host-root host --kubeconfig down.yaml").await.ok();
}

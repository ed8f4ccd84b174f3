//! A kubeconfig that leads nowhere: one error, what to do, and nothing half-written.

use std::{path::Path, time::Instant};

use futures::future::join_all;
use netdr::drill::Options;

use crate::support::{Home, Mail, Store, fresh, kubeconfig_of, says, shared};

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
    std::fs::write(store.path("down.yaml"), kubeconfig_of("https://127.0.0.1:1")).unwrap();
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

/// An empty snapshot that calls itself complete would be found out in the disaster; and a job's mount may be what is wrong.
#[tokio::test]
async fn a_machine_that_is_no_server_has_no_files_of_one_and_somebody_is_told() {
    let (store, mail) = (Store::new().await, Mail::start(None, &[]).await);
    store.configure(&mail.configuration());
    std::fs::create_dir_all(store.path("laptop/etc/rancher/rke2")).unwrap();
    std::fs::create_dir_all(store.path("laptop/etc/sysctl.d")).unwrap();
    std::fs::write(store.path("laptop/etc/sysctl.d/10-network.conf"), "a=1\n").unwrap();
    let said = store.netdr("backup --set host --host-root laptop").await.failed(1);
    says(
        &said,
        &["laptop is no RKE2 server's", "etc/rancher/rke2 is not there, or empty", "--host-root DIR"],
    );
    says(
        &store.netdr("backup --set all --host-root mistyped").await.failed(1),
        &["host root mistyped", "--host-root DIR"],
    );
    assert!(store.json("snapshots").await["snapshots"].as_array().unwrap().is_empty());
    let told = mail.taken();
    assert!(told[0].contains("Subject: [netdr] proj-k8s: backup host "), "{told:#?}");
    says(&told[0], &["is no RKE2 server's", "What to do:"]);
}

/// /etc/sysctl.d/99-sysctl.conf of Debian, and a server that configures nothing but a token.
#[tokio::test]
async fn what_is_not_there_and_links_to_what_is_saved_are_no_news() {
    let store = Store::new().await;
    std::fs::write(store.path("host/etc/sysctl.conf"), "net.ipv4.ip_forward=1\n").unwrap();
    std::os::unix::fs::symlink("../sysctl.conf", store.path("host/etc/sysctl.d/99-sysctl.conf")).unwrap();
    let kubeconfig = shared().await.kubeconfig().to_str().unwrap();
    let backup = format!("backup --set host --host-root host --kubeconfig {kubeconfig}");
    let done = store.netdr(&backup).await;
    assert!(!done.stderr.contains("sysctl"), "{}", done.stderr);
    let taken = done.ok();
    let id = taken.lines().nth(1).unwrap().split(' ').next().unwrap();
    let extracted = store.netdr(&format!("extract {id} --to out --identity keys/operator.txt")).await;
    extracted.ok();
    says(&store.shell("grep -rl ip_forward=1 out").await.ok(), &["/etc/sysctl.conf"]);

    store.shell("cd host && rm -r etc/cni etc/NetworkManager etc/nftables.conf etc/sysctl* var etc/rancher/rke2/config.yaml.d").await.ok();
    let left = store.netdr(&format!("{backup} --accept-shrunk")).await;
    left.ok();
}

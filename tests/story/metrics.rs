//! Metrics: written for node_exporter, pushed to a Pushgateway, the same whoever asks.

use std::{
    collections::BTreeMap,
    sync::mpsc::{Receiver, channel},
};

use netdr::drill::cluster::host_root;

use crate::support::{Home, Hook, MARKER, NODE, Pushgateway, S3, Server, Store, says};

/// The value of a sample.
#[track_caller]
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{sample} ")));
    line.unwrap_or_else(|| panic!("{sample} is not in\n{text}")).parse().unwrap()
}

fn written(store: &Store) -> String {
    std::fs::read_to_string(store.path("metrics/netdr.prom")).unwrap()
}

const HOST: &str = "{cluster=\"proj-k8s\",set=\"host\",node=\"proj-k8s01\",place=\"local\"}";
const TASK: &str = "{cluster=\"proj-k8s\",task=\"backup host proj-k8s01\"}";

/// In place of a Pushgateway, where what is asked of it counts, or that it refuses: every request, head and body.
fn gateway(answer: &'static str) -> (String, Receiver<(String, String)>) {
    let (said, heard) = channel();
    let server = Server::plain("127.0.0.1", move |head, body| {
        let _ = said.send((head.to_owned(), String::from_utf8(body.to_vec()).unwrap()));
        format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    });
    (format!("http://{}", server.address), heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_failed_shows_and_the_next_that_did_not_too() {
    let store = Store::new().await;
    store.configure("metrics: {textfile: metrics/netdr.prom}");
    std::fs::create_dir(store.path("metrics")).unwrap();
    store.backup().await;
    let first = written(&store);
    let complete = format!("netdr_snapshot_last_complete_timestamp_seconds{HOST}");
    assert!(value(&first, &complete) > 1_700_000_000.0);
    let failed = format!("netdr_task_last_failure_timestamp_seconds{TASK}");
    let done = format!("netdr_task_last_success_timestamp_seconds{TASK}");
    assert!(value(&first, &failed) == 0.0 && value(&first, &done) > 0.0, "{first}");

    // The key is gone: nothing is backed up, and that is what is measured.
    store.shell("mv keys/signing away").await.ok();
    store.netdr("backup --set host --host-root host").await.failed(2);
    let second = written(&store);
    assert!(value(&second, &failed) >= value(&second, &done), "{second}");
    assert_eq!(value(&second, &done), value(&first, &done), "what was done stays known");
    assert_eq!(value(&second, &format!("netdr_task_last_exit_code{TASK}")), 2.0);
    assert_eq!(value(&second, &complete), value(&first, &complete));

    store.shell("mv away keys/signing").await.ok();
    store.backup().await;
    store.netdr("prune").await.ok();
    let third = written(&store);
    assert_eq!(value(&third, &format!("netdr_task_last_exit_code{TASK}")), 0.0);
    let prune = "netdr_task_last_exit_code{cluster=\"proj-k8s\",task=\"prune local\"}";
    assert_eq!(value(&third, prune), 0.0);
    // Whoever asks later is told the same, but for the time.
    let asked = store.netdr("metrics").await.ok();
    let but_time = |text: &str| {
        text.lines()
            .filter(|line| !line.starts_with("netdr_metrics_timestamp"))
            .map(|line| line.to_owned() + "\n")
            .collect::<String>()
    };
    assert_eq!(but_time(&asked), but_time(&third));
    for text in [&first, &second, &third] {
        assert!(!text.contains(MARKER));
    }
}

/// A Pushgateway may be back a minute later. A path that is wrong stays so, and what would tell of it are the metrics: so the job
/// of the night does its work, and fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_away_is_a_warning_and_a_folder_that_is_not_there_fails_the_nights_job() {
    let (store, hook) = (Store::new().await, Hook::start());
    store.configure(&hook.configuration());
    store.configure("metrics: {pushgateway: 'http://127.0.0.1:1'}");
    let taken = store.netdr("backup --set host --host-root host").await;
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    says(&taken.stderr, &["pushgateway http://127.0.0.1:1: ", "cannot be reached"]);
    assert!(hook.taken().is_empty());

    store
        .shell("sed -i 's|pushgateway: .http://127.0.0.1:1.|textfile: absent/netdr.prom|' netdr.yaml")
        .await
        .ok();
    let taken = store.netdr("backup --set host --host-root host --json").await;
    says(&taken.stderr, &["no metrics: metrics cannot be written to", "absent/netdr.prom", "ls -ld"]);
    let document = taken.json(3);
    assert_eq!(document["snapshots"][0]["state"], "complete");
    let messages = hook.taken();
    assert_eq!(messages[0]["event"], "partial", "{messages:#?}");
    says(&messages[0]["why"].to_string(), &["metrics cannot be written to"]);
}

/// What is pushed is one text for a cluster, beside which each task without a repository has its part.
#[tokio::test(flavor = "multi_thread")]
async fn a_pushgateway_has_the_newest_of_the_whole_and_of_each_part() {
    let (store, home) = (Store::new().await, Home::new());
    let gateway = Pushgateway::start().await;
    store.configure(&format!("metrics: {{pushgateway: '{}'}}", gateway.address()));
    let part = format!("cluster: {{name: proj-k8s}}\nmetrics: {{pushgateway: '{}'}}\n", gateway.address());
    std::fs::write(home.path().join("netdr.yaml"), part).unwrap();
    let group = |sample: &str, rest: &str| {
        format!("{sample}{{cluster=\"proj-k8s\",instance=\"\",job=\"netdr\"{rest}}}")
    };
    let exit = group("netdr_task_last_exit_code", ",task=\"backup host proj-k8s01\"");
    let written = group("netdr_metrics_timestamp_seconds", "");

    store.backup().await;
    let first = gateway.scraped();
    assert!(value(&first, &exit) == 0.0 && value(&first, &written) > 1_700_000_000.0, "{first}");
    home.netdr(&["check", "cni", "--kubeconfig", "nowhere"]).await.failed(2);
    store.shell("mv keys/signing away").await.ok();
    store.netdr("backup --set host --host-root host").await.failed(2);
    let second = gateway.scraped();
    assert_eq!(value(&second, &exit), 2.0);
    let check = group("netdr_task_last_exit_code", ",part=\"check-cni\",task=\"check cni\"");
    assert_eq!(value(&second, &check), 2.0, "the backup replaced it");
    // A check is not the sign of life of the nightly jobs.
    assert_eq!(second.matches("\nnetdr_metrics_timestamp_seconds{").count(), 1, "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushgateway_gets_them_by_put_and_with_the_token() {
    let store = Store::new().await;
    let (address, heard) = gateway("200 OK");
    std::fs::write(store.path("token"), "s3cr3t-t0k3n\n").unwrap();
    store.configure(&format!("metrics: {{pushgateway: '{address}', token_file: token}}"));
    store.backup().await;
    let (head, body) = heard.recv().unwrap();
    assert!(head.starts_with("PUT /metrics/job/netdr/cluster/proj-k8s HTTP/1.1\r\n"), "{head}");
    assert!(head.to_ascii_lowercase().contains("\r\nauthorization: bearer s3cr3t-t0k3n\r\n"), "{head}");
    assert!(body.contains("netdr_info{cluster=\"proj-k8s\",version=") && body.ends_with('\n'), "{body}");
    let taken = format!(
        "netdr_notification_last_success_timestamp_seconds{{cluster=\"proj-k8s\",channel=\"pushgateway {address}\"}}"
    );
    assert!(value(&store.netdr("metrics").await.ok(), &taken) > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushgateway_that_refuses_is_named_and_remembered() {
    let store = Store::new().await;
    let (address, _heard) = gateway("400 Bad Request");
    store.configure(&format!("metrics: {{pushgateway: '{address}'}}"));
    let taken = store.netdr("backup --set host --host-root host").await;
    assert_eq!(taken.code, Some(0));
    for said in [format!("{address} refused it: HTTP status 400"), format!("curl -v {address}/-/ready")] {
        assert!(taken.stderr.contains(&said), "{said}: {}", taken.stderr);
    }
    let refused = format!(
        "netdr_notification_last_failure_timestamp_seconds{{cluster=\"proj-k8s\",channel=\"pushgateway {address}\"}}"
    );
    assert!(value(&store.netdr("metrics").await.ok(), &refused) > 0.0);
}

/// As the jobs of checks do: what one pushes takes the place of nothing that another did, and one that could not be made
/// is known, too.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_repository_each_check_is_published_in_a_part_of_its_own() {
    let home = Home::new();
    let (address, heard) = gateway("200 OK");
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write(
        "netdr.yaml",
        &format!(
            "cluster: {{name: proj-k8s}}\nrepository: absent\ntrusted_signers: trusted_signers\n\
             metrics: {{textfile: metrics/netdr.prom, pushgateway: '{address}'}}\n"
        ),
    );
    std::fs::create_dir(home.path().join("metrics")).unwrap();
    home.netdr(&["check", "--kubeconfig", "nowhere"]).await.failed(8);
    home.netdr(&["check", "cni", "--kubeconfig", "nowhere"]).await.failed(2);
    home.netdr(&["check", "policies", "--kubeconfig", "nowhere"]).await.failed(2);
    // Who tries something out says nothing of how things stand.
    home.netdr(&["check", "ingress", "--through", "n1", "--kubeconfig", "nowhere"]).await.failed(2);
    let group = |head: &str| {
        let group = head.strip_prefix("PUT /metrics/job/netdr/cluster/proj-k8s/part/");
        group.unwrap_or_else(|| panic!("{head}")).split(' ').next().unwrap().to_owned()
    };
    let pushed: BTreeMap<String, String> =
        heard.try_iter().map(|(head, body)| (group(&head), body)).collect();
    let parts: Vec<&str> = pushed.keys().map(String::as_str).collect();
    assert_eq!(parts, ["check-cluster", "check-cni", "check-policies", "check-recoverability"]);
    for (part, code) in [("cluster", 8.0), ("cni", 2.0), ("policies", 2.0), ("recoverability", 8.0)] {
        let text = &pushed[&format!("check-{part}")];
        let task = format!("{{cluster=\"proj-k8s\",task=\"check {part}\"}}");
        assert_eq!(value(text, &format!("netdr_task_last_exit_code{task}")), code);
        assert_eq!(text.matches("netdr_task_last_exit_code{").count(), 1, "{text}");
        let file = home.path().join(format!("metrics/netdr.check-{part}.prom"));
        assert_eq!(&std::fs::read_to_string(file).unwrap(), text);
    }
    let failed = "netdr_task_last_failure_timestamp_seconds{cluster=\"proj-k8s\",task=\"check cni\"}";
    assert!(value(&pushed["check-cni"], failed) > 0.0);
    let status = |check: &str| {
        format!("netdr_check_status{{cluster=\"proj-k8s\",subject=\"{check}\",check=\"{check}\"}}")
    };
    assert_eq!(value(&pushed["check-cluster"], &status("cluster")), 3.0);
    assert!(!pushed["check-cluster"].contains("recoverability"), "{}", pushed["check-cluster"]);
    assert!(!pushed["check-recoverability"].contains("\"cluster\""), "{}", pushed["check-recoverability"]);
}

/// A place outside has what was copied there; where it does not answer, that is said and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_outside_is_asked_what_it_has() {
    let store = Store::new().await;
    let s3 = S3::start().await;
    s3.bucket("offsite").await;
    store.backup().await;
    store.configure(&format!("replicas: [{}]", s3.replica(&store, "offsite", "")));
    let there = format!("netdr_snapshot_last_complete_timestamp_seconds{}", HOST.replace("local", "s3"));
    let up = "netdr_place_up{cluster=\"proj-k8s\",place=\"s3\"}";
    let before = store.netdr("metrics").await.ok();
    assert_eq!((value(&before, up), value(&before, &there)), (1.0, 0.0));
    store.netdr("replicate").await.ok();
    let after = store.netdr("metrics").await.ok();
    let here = format!("netdr_snapshot_last_complete_timestamp_seconds{HOST}");
    assert_eq!(value(&after, &there), value(&after, &here));
    drop(s3);
    let silent = store.netdr("metrics").await.ok();
    assert_eq!(value(&silent, up), 0.0);
    assert!(!silent.contains(&there), "{silent}");
}

/// Names of certificates come from a sealed index, so that whoever holds no key learns none.
#[tokio::test(flavor = "multi_thread")]
async fn until_when_certificates_are_valid_needs_the_index_key() {
    let store = Store::beside_the_plane().await;
    host_root(&store.path("host"), NODE, MARKER).unwrap();
    store.netdr("backup --set certificates").await.ok();
    let name = "netdr_certificate_not_after_timestamp_seconds{cluster=\"proj-k8s\",namespace=";
    let with = store.netdr("metrics").await.ok();
    assert!(with.lines().any(|line| line.starts_with(name)), "{with}");
    store.shell("mv keys/index.txt away").await.ok();
    let without = store.netdr("metrics").await;
    assert!(
        !without.stdout.contains(name) && without.stderr.contains("no metrics of certificates"),
        "{}",
        without.stderr
    );
    let clear = store
        .shell("grep -rc wildcard repo/status repo/snapshots --include=*.json | grep -v ':0' || true")
        .await
        .ok();
    assert_eq!(clear, "", "no object is named in clear");
}

//! Metrics: written for node_exporter, pushed to a Pushgateway, the same whoever asks.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
};

use netdr::drill::cluster::host_root;

use crate::support::{MARKER, NODE, S3, Store};

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

/// Where a Pushgateway would be: every request, head and body.
fn gateway(answer: &'static str) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (said, heard) = channel();
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(socket.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                reader.read_line(&mut head).unwrap();
                if let Some(value) = head[start..].to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = said.send((head, String::from_utf8(body).unwrap()));
            socket.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
        }
    });
    (address, heard)
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

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_a_warning_and_no_failure() {
    let store = Store::new().await;
    store.configure("metrics: {textfile: absent/netdr.prom, pushgateway: 'http://127.0.0.1:1'}");
    let taken = store.netdr("backup --set host --host-root host").await;
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    for said in
        ["metrics cannot be written to", "ls -ld", "pushgateway http://127.0.0.1:1: ", "cannot be reached"]
    {
        assert!(taken.stderr.contains(said), "{said}: {}", taken.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushgateway_gets_them_in_place_of_those_before() {
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
    assert!(taken.stderr.contains(&format!("{address} refused it: HTTP status 400")), "{}", taken.stderr);
    let refused = format!(
        "netdr_notification_last_failure_timestamp_seconds{{cluster=\"proj-k8s\",channel=\"pushgateway {address}\"}}"
    );
    assert!(value(&store.netdr("metrics").await.ok(), &refused) > 0.0);
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

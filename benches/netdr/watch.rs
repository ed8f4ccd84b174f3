//! Subject `watch`: what `netdr watch` holds of a cluster with many objects, while it follows it and while it takes snapshots.
//!
//! In: how many. Out: lines of the table. Invariant: a plane of its own for each size.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Stdio},
    time::Instant,
};

use netdr::drill::Options;
use serde_json::Value;

use crate::{
    bare::{Bare, Item},
    plane, policies,
    shop::Shop,
    table::{mib, row},
};

/// Changes that are waited for one by one.
const CHANGES: usize = 20;

/// One size: `namespaces × each` policies, then changes, each until it is in a snapshot.
pub(crate) async fn measure(namespaces: usize, each: usize) {
    let items: Vec<Item> = (0..namespaces)
        .flat_map(|n| (0..each).map(move |p| (format!("bench-{n}"), format!("allow-{p}"))))
        .map(|(namespace, name)| policies::policy(&namespace, &name))
        .collect();
    println!("\nwatching {} NetworkPolicies in {namespaces} namespaces", items.len());
    let plane = plane(&Options::default()).await;
    let bare = Bare { cluster: plane.cluster().await.unwrap() };
    let shop = Shop::new(plane.kubeconfig());
    bare.namespaces(namespaces).await;
    bare.create(&items).await;

    let words = ["watch", "--json", "--settle", "1s", "--at-most", "5s"];
    let mut child = shop.netdr(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..2 {
        wait_for(&mut lines, &["snapshot", "unchanged"]);
    }
    let began = memory(&child, "VmRSS");
    let mut worst: f64 = 0.0;
    for number in 0..CHANGES {
        let change = policies::policy("bench-0", &format!("changed-{number}"));
        let started = Instant::now();
        bare.post(&change).await;
        wait_for(&mut lines, &["snapshot"]);
        worst = worst.max(started.elapsed().as_secs_f64());
    }
    let (resident, peak) = (memory(&child, "VmRSS"), memory(&child, "VmHWM"));
    child.kill().unwrap();
    child.wait().unwrap();
    row("watch, after its first look", 0.0, &format!("resident {}", mib(began)), 0);
    row("watch, a change until its snapshot, worst", worst, &format!("of {CHANGES}, settling 1 s"), 0);
    row("watch, after these", 0.0, &format!("resident {}", mib(resident)), peak);
}

fn wait_for(lines: &mut BufReader<ChildStdout>, events: &[&str]) {
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "watch ended");
        let line: Value = serde_json::from_str(&line).unwrap();
        if events.contains(&line["event"].as_str().unwrap()) {
            return;
        }
    }
}

/// A line of the process' status, in KiB.
fn memory(child: &Child, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

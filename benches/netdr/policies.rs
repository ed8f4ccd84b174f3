//! Subject `policies`: one kind, many objects: capture, nothing to do, everything to do.
//!
//! In: how many. Out: lines of the table. Invariant: a plane of its own for each size.

use std::time::{Duration, Instant};

use netdr::{drill::Options, model::Component};
use serde_json::{Value, json};

use crate::{
    bare::{Bare, Item},
    peers, plane,
    shop::Shop,
    table::{best, row, times},
};

/// One size: `namespaces × each` policies.
pub(crate) async fn measure(namespaces: usize, each: usize) {
    let items: Vec<Item> = (0..namespaces)
        .flat_map(|n| (0..each).map(move |p| (format!("bench-{n}"), format!("allow-{p}"))))
        .map(|(namespace, name)| policy(&namespace, &name))
        .collect();
    println!("\n{} NetworkPolicies in {namespaces} namespaces", items.len());
    let plane = plane(&Options::default()).await;
    let bare = Bare { cluster: plane.cluster().await.unwrap() };
    let shop = Shop::new(plane.kubeconfig());

    bare.namespaces(namespaces).await;
    bare.create(&items).await; // warms the API server up; not counted
    let list = best(5, async || {
        let started = Instant::now();
        bare.list("/apis/networking.k8s.io/v1/networkpolicies").await;
        started.elapsed()
    })
    .await;
    let nightly = ["backup", "--set", "network", "--component", "policies"];
    let restore = ["restore", "--scenario", "network-policies", "--identity", "keys/operator.txt", "--yes"];
    shop.run(&nightly);
    // With one snapshot: each older equal one costs the opening of its index, in search of one that differs.
    let (nothing, nothing_peak) = shop.best(3, &restore);
    let (backup, backup_peak) = shop.best(3, &nightly);

    // Alternating, so that a machine that grows slower or faster meets both.
    let (mut post, mut whole, mut apply, mut restore_peak) = (Duration::MAX, Duration::MAX, f64::MAX, 0);
    for _ in 0..2 {
        bare.delete(&items).await;
        post = post.min(bare.create(&items).await);
        bare.delete(&items).await;
        let run = shop.restore("network-policies");
        (whole, apply, restore_peak) =
            (whole.min(run.took), apply.min(run.phase("apply")), run.peak.max(restore_peak));
    }
    let rate = |seconds: f64| items.len() as f64 / seconds;
    let post = post.as_secs_f64();
    row("bare paged LIST", list.as_secs_f64(), "", 0);
    row("backup, sealed, signed, synced", backup.as_secs_f64(), &times(backup, list, "LIST"), backup_peak);
    row("restore with nothing to do", nothing.as_secs_f64(), &times(nothing, list, "LIST"), nothing_peak);
    row("bare parallel POST loop", post, &format!("{:.0}/s", rate(post)), 0);
    row("restore, its apply phase", apply, &format!("{:.0}/s, {:.2} of bare", rate(apply), post / apply), 0);
    let whole = whole.as_secs_f64();
    let against = format!("{:.0}/s, {:.2} of bare", rate(whole), post / whole);
    row("restore, whole command", whole, &against, restore_peak);

    bare.delete(&items).await;
    let tenth: Vec<Item> = items.iter().step_by(10).cloned().collect();
    peers::post_and_get(&bare, &tenth).await;
    bare.delete(&items).await;
    peers::kubectl(&tenth, plane.kubeconfig());
}

/// A policy as people write them: some 900 bytes.
pub(crate) fn policy(namespace: &str, name: &str) -> Item {
    Item::new(Component::Policies, "networkpolicies", object(namespace, name))
}

fn object(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": namespace}},
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}},
                {"podSelector": {"matchLabels": {"role": "frontend"}}}], "ports": [{"protocol": "TCP", "port": 8080}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.25.20.0/24", "except": ["10.25.20.7/32"]}}],
                "ports": [{"protocol": "TCP", "port": 5432}]}],
        },
    })
}

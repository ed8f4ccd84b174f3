//! No secret leaves its bundle: a marker in every secret turns up nowhere else.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use netdr::drill::{Options, cluster::host_root, failures};
use serde_json::{Value, json};

use crate::support::{Home, MARKER, eventually, everything, fresh};

/// The marker as it may be seen: plain, and in base64 at each of three places among the bytes before it.
fn forms() -> Vec<String> {
    let shifted = |before: usize| {
        let bytes = [&vec![0; before], MARKER.as_bytes()].concat();
        let encoded = BASE64_STANDARD.encode(&bytes);
        // Only characters whose six bits are all the marker's.
        encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
    };
    [MARKER.to_owned(), shifted(0), shifted(1), shifted(2)].into()
}

fn holds_marker(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    forms().iter().any(|form| text.contains(form))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs netdr and looks at all it says.
async fn netdr(home: &Home, code: i32, command: &str) -> String {
    let outcome = home.netdr(&command.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(outcome.code, Some(code), "{command}: {}{}", outcome.stdout, outcome.stderr);
    for said in [&outcome.stdout, &outcome.stderr] {
        assert!(!holds_marker(said.as_bytes()), "{command} shows a secret: {said}");
    }
    outcome.stdout
}

/// Another value in every kind of secret, so that there is a difference to be shown.
async fn change_every_secret(home: &Home) {
    let new = format!("{MARKER}-new");
    for (kind, name, patch) in [
        ("secret", "traefik/dashboard-users", json!({"stringData": {"password": new}})),
        ("secret", "cert-manager/cloudflare-api-token", json!({"stringData": {"api-token": new}})),
        ("bgppeers.metallb.io", "metallb-system/rack-router", json!({"spec": {"password": new}})),
        (
            "middleware",
            "traefik/secure-headers",
            json!({"spec": {"headers": {"customRequestHeaders": {"X-Origin-Token": new}}}}),
        ),
        (
            "helmchartconfig",
            "kube-system/rke2-canal",
            json!({"spec": {"valuesContent": format!("token: {new}")}}),
        ),
        (
            "deployment",
            "traefik/traefik",
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": new}]),
        ),
    ] {
        let (namespace, name) = name.split_once('/').unwrap();
        let (how, patch) = (if patch.is_array() { "json" } else { "merge" }, patch.to_string());
        home.run("kubectl", &["patch", kind, name, "-n", namespace, "--type", how, "-p", &patch]).await.ok();
    }
    for name in ["config.yaml", "registries.yaml"] {
        let path = home.path().join("root/etc/rancher/rke2").join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace(MARKER, &new)).unwrap();
    }
}

/// `backup` of all three sets; their ids.
async fn back_up(home: &Home) -> Vec<String> {
    let made = netdr(home, 0, "backup --set all --host-root root --json -v").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = |snapshot: &Value| snapshot["id"].as_str().unwrap().to_owned();
    made["snapshots"].as_array().unwrap().iter().map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marker_in_every_secret_is_seen_nowhere_outside_sealed_bundles() {
    let options = Options { controllers: true, nodes: true, ..everything() };
    let plane = fresh(options).await.loaded().await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig());
    host_root(&home.path().join("root"), "proj-k8s01", MARKER).unwrap();
    netdr(&home, 0, "init --repo repo --generate-keys keys -v").await;
    home.shell("git init -q --bare seen.git; echo 'git: {history: {url: seen.git}}' >> netdr.yaml")
        .await
        .ok();
    netdr(&home, 0, "backup --set all --host-root root -v").await;
    let before = back_up(&home).await;
    change_every_secret(&home).await;
    for identity in ["", " --identity keys/operator.txt"] {
        netdr(&home, 4, &format!("drift --host-root root -v{identity}")).await;
        netdr(&home, 4, &format!("drift --host-root root --json{identity}")).await;
    }
    for check in ["check -v", "check --json", "doctor --host-root root -v", "doctor --host-root root --json"]
    {
        netdr(&home, 8, check).await;
    }
    let after = back_up(&home).await;
    for (before, after) in before.iter().zip(&after) {
        for after in [after, "live"] {
            netdr(&home, 4, &format!("diff {before} {after} --host-root root -v")).await;
            let identity = "--host-root root --identity keys/operator.txt";
            let said = netdr(&home, 4, &format!("diff {before} {after} {identity}")).await;
            assert!(said.contains("differs"), "{said}");
            netdr(&home, 4, &format!("diff {before} {after} {identity} --json")).await;
        }
        netdr(&home, 0, &format!("show {before} --items -v")).await;
        netdr(&home, 0, &format!("show {before} --items --json")).await;
    }
    netdr(&home, 0, "snapshots -v").await;
    netdr(&home, 0, "verify --read-data --identity keys/operator.txt -v").await;

    let cluster = plane.cluster().await.unwrap();
    failures::break_policies(&cluster).await.unwrap();
    failures::break_traefik(&cluster).await.unwrap();
    // The secrets of what is left differ from those in the oldest snapshot.
    for scenario in ["network-policies", "traefik"] {
        let restore = format!(
            "restore --scenario {scenario} --snapshot {} --identity keys/operator.txt --report out",
            before[0]
        );
        netdr(&home, 0, &format!("{restore} --dry-run -v")).await;
        netdr(&home, 0, &format!("{restore} --dry-run --json")).await;
        // Recovered, with the loss that the objective of none does not allow.
        netdr(&home, 6, &format!("{restore} --yes -v")).await;
    }
    a_server_that_quotes_a_secret_is_not_repeated(&home, &before[0]).await;
    netdr(&home, 0, "runs -v").await;

    let written: Vec<PathBuf> =
        ["repo", "out"].into_iter().flat_map(|f| files(&home.path().join(f))).collect();
    for ending in ["snapshot.json", "journal.jsonl", ".html", ".md", ".age"] {
        assert!(
            written.iter().any(|path| path.to_str().unwrap().ends_with(ending)),
            "no {ending}: {written:?}"
        );
    }
    for path in &written {
        let header = path.ends_with("snapshot.json");
        let names = header && fs::read_to_string(path).unwrap().contains("dashboard");
        assert!(!names, "{} names an object in clear", path.display());
        assert!(!holds_marker(&fs::read(path).unwrap()), "{} holds a secret in clear", path.display());
    }
    let git = home.shell("git -C seen.git cat-file --batch-all-objects --batch --buffer").await.ok();
    assert!(git.contains("(filtered by netdr)") && !holds_marker(git.as_bytes()), "Git holds a secret");
    the_bundles_hold_them(&home, &before).await;
}

/// A definition whose pattern the stored header does not match: the API server's refusal quotes the value.
async fn a_server_that_quotes_a_secret_is_not_repeated(home: &Home, snapshot: &str) {
    let headers = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/headers/properties";
    let path = format!("{headers}/customRequestHeaders/additionalProperties/pattern");
    let strict = json!([{"op": "add", "path": path, "value": "^short$"}]).to_string();
    let kubectl =
        async |arguments: &str| home.run("kubectl", &arguments.split(' ').collect::<Vec<_>>()).await;
    let stored =
        format!("clear/{snapshot}/ingress/resources/traefik.io/middlewares/traefik/secure-headers.yaml");
    extract(home, snapshot).await;
    kubectl("delete middleware secure-headers -n traefik").await.ok();
    home.run("kubectl", &["patch", "crd", "middlewares.traefik.io", "--type", "json", "-p", &strict])
        .await
        .ok();
    eventually("the stricter definition", async || {
        let outcome = kubectl(&format!("create --dry-run=server -f {stored}")).await;
        (outcome.code == Some(1) && holds_marker(outcome.stderr.as_bytes())).then_some(())
    })
    .await;
    let restore =
        format!("restore --scenario traefik --snapshot {snapshot} --identity keys/operator.txt --yes");
    let said = netdr(home, 3, &format!("{restore} --report out --json")).await;
    assert!(
        said.contains("customRequestHeaders") && said.contains("the words hold a secret value"),
        "{said}"
    );
    let report: Value = serde_json::from_str(&said).unwrap();
    netdr(home, 0, &format!("runs show {}", report["run"].as_str().unwrap())).await;
}

/// The content of a snapshot, below `clear/`.
async fn extract(home: &Home, id: &str) {
    let to = format!("clear/{id}");
    home.netdr(&["extract", id, "--identity", "keys/operator.txt", "--to", &to]).await.ok();
}

/// The search above finds a secret where there is one.
async fn the_bundles_hold_them(home: &Home, snapshots: &[String]) {
    // The first is unpacked already.
    for id in &snapshots[1..] {
        extract(home, id).await;
    }
    let clear: Vec<PathBuf> = files(&home.path().join("clear"));
    for place in [
        "ingress/resources/core/secrets/traefik/dashboard-users.yaml",
        "certificates/resources/core/secrets/cert-manager/cloudflare-api-token.yaml",
        "loadbalancer/resources/metallb.io/bgppeers/metallb-system/rack-router.yaml",
        "ingress/resources/traefik.io/middlewares/traefik/secure-headers.yaml",
        "cni/resources/helm.cattle.io/helmchartconfigs/kube-system/rke2-canal.yaml",
        "ingress/helm/traefik/traefik/values.yaml",
        "host/host/proj-k8s01/etc/rancher/rke2/config.yaml",
        "host/host/proj-k8s01/etc/rancher/rke2/registries.yaml",
    ] {
        let found = clear.iter().find(|path| path.ends_with(place));
        let found = found.unwrap_or_else(|| panic!("no {place} among {clear:?}"));
        assert!(holds_marker(&fs::read(found).unwrap()), "{place}");
    }
}

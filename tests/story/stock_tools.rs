//! A snapshot without netdr: age, tar, ssh-keygen, kubectl and helm open, prove and use it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use netdr::{
    drill::{Options, cluster::host_root},
    yaml,
};
use serde_json::{Value, json};

use crate::support::{Home, MARKER, everything, fresh, shared};

/// The folders of the snapshots in the home's repository, oldest first.
fn snapshots(home: &Home) -> Vec<PathBuf> {
    let folder = fs::read_dir(home.path().join("repo/snapshots")).unwrap();
    let mut folders: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// Opens every bundle of a snapshot into `out/<component>`, as the documentation says.
async fn unpack(home: &Home, snapshot: &Path) {
    for entry in fs::read_dir(snapshot).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let Some(component) = name.strip_suffix(".tar.zst.age") else { continue };
        let bundle = entry.path().display().to_string();
        let folder = format!("out/{component}");
        fs::create_dir_all(home.path().join(&folder)).unwrap();
        home.run("age", &["-d", "-i", "keys/operator.txt", "-o", "bundle.tar.zst", &bundle]).await.ok();
        home.run("tar", &["--zstd", "-xf", "bundle.tar.zst", "-C", &folder]).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_proved_opened_and_used_without_netdr() {
    let home = Home::new().with_kubeconfig(shared().await.kubeconfig()).with_repository().await;
    host_root(&home.path().join("root"), "proj-k8s01", MARKER).unwrap();
    home.netdr(&["backup", "--host-root", "root"]).await.ok();
    let taken = snapshots(&home);
    assert_eq!(taken.len(), 3);
    for snapshot in &taken {
        let verify = format!(
            "ssh-keygen -Y verify -f keys/trusted_signers -I netdr -n netdr-snapshot -s {0}/snapshot.json.sig \
             < {0}/snapshot.json",
            snapshot.display()
        );
        assert!(home.run("sh", &["-c", &verify]).await.ok().contains("Good \"netdr-snapshot\" signature"));
        unpack(&home, snapshot).await;
    }
    host_files_are_at_their_paths(&home.path().join("out/host/host/proj-k8s01"));
    helm_takes_the_release(&home).await;
    for component in ["policies", "ingress", "certificates", "loadbalancer"] {
        let resources = format!("out/{component}/resources");
        home.run("kubectl", &["apply", "--dry-run=server", "-R", "-f", &resources]).await.ok();
    }
    kubectl_rebuilds(&home).await;
}

fn host_files_are_at_their_paths(root: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let config = root.join("etc/rancher/rke2/config.yaml");
    assert!(fs::read_to_string(&config).unwrap().contains(&format!("{MARKER}-token")));
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(!root.join("etc/lab").exists(), "an application's file stays where it is");
}

async fn helm_takes_the_release(home: &Home) {
    let folder = "out/ingress/helm/traefik/traefik";
    let (chart, values) = (format!("{folder}/chart.tgz"), format!("{folder}/values.yaml"));
    let shown = home.run("helm", &["show", "chart", &chart]).await.ok();
    assert!(shown.contains("name: traefik") && shown.contains("version: 37.4.0"), "{shown}");
    let stored = fs::read_to_string(home.path().join(&values)).unwrap();
    let live = home.run("helm", &["get", "values", "traefik", "-n", "traefik", "-o", "json"]).await.ok();
    let live: Value = serde_json::from_str(&live).unwrap();
    assert_eq!(yaml::documents(&stored).unwrap(), [live]);
    let manifest = fs::read_to_string(home.path().join(folder).join("manifest.yaml")).unwrap();
    let rendered =
        home.run("helm", &["template", "traefik", &chart, "-n", "traefik", "-f", &values]).await.ok();
    assert_eq!(manifest.trim(), rendered.trim());
}

/// On an empty cluster, kubectl alone makes of the files what netdr finds to be the same.
async fn kubectl_rebuilds(home: &Home) {
    let empty = fresh(everything()).await;
    let kubeconfig = empty.kubeconfig().display().to_string();
    let apply = async |path: &str| {
        let apply = ["apply", "-R", "-f", path, "--kubeconfig", &kubeconfig];
        home.run("kubectl", &apply).await.ok()
    };
    for component in ["policies", "certificates"] {
        apply(&format!("out/{component}/resources/core/namespaces")).await;
        apply(&format!("out/{component}/resources")).await;
    }
    for arguments in [["--component", "policies"], ["--set", "certificates"]] {
        let made = home.netdr(&[&["backup", "--json"][..], &arguments].concat()).await.json(0);
        let id = made["snapshots"][0]["id"].as_str().unwrap();
        let same = home.netdr(&["diff", id, "live", "--kubeconfig", &kubeconfig]).await;
        assert_eq!(same.ok(), "no differences\n");
    }
}

/// Kubernetes takes names of 253 characters and namespaces of 63; no file system takes 253 and an extension.
#[tokio::test(flavor = "multi_thread")]
async fn names_at_their_limits_unpack_with_stock_tar() {
    let plane = fresh(Options::default()).await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig()).with_repository().await;
    let namespace = "n".repeat(63);
    let names = ["x", "y"].map(|end| format!("{}.{}", "p".repeat(251), end));
    let policy = |name: &String| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": {}}})
    };
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        policy(&names[0]), policy(&names[1]),
    ]});
    fs::write(home.path().join("limits.json"), list.to_string()).unwrap();
    home.run("kubectl", &["create", "-f", "limits.json"]).await.ok();

    let made = home.netdr(&["backup", "--component", "policies", "--json"]).await.json(0);
    unpack(&home, &snapshots(&home)[0]).await;
    let folder =
        home.path().join("out/policies/resources/networking.k8s.io/networkpolicies").join(&namespace);
    let mut unpacked: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .flat_map(|entry| yaml::documents(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap())
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    unpacked.sort();
    assert_eq!(unpacked, names);
    home.run("kubectl", &["apply", "--dry-run=server", "-R", "-f", "out/policies/resources"]).await.ok();
    let id = made["snapshots"][0]["id"].as_str().unwrap();
    assert_eq!(home.netdr(&["diff", id, "live"]).await.ok(), "no differences\n");
}

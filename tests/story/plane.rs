//! A disposable control plane is real while it lives, and gone without a trace however its owner ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use netdr::{
    cluster::{Access, Cluster, ListOptions},
    drill::{ControlPlane, Options, Programs},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Home, eventually, everything, fresh, programs, shared};

/// Where the test that is started to be killed writes its plane's folder.
const HOLD: &str = "NETDR_TEST_HOLD";

/// Not a story of its own: what [`a_plane_ends_with_its_owner`] starts and kills. By itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn owner_to_be_killed() {
    let Some(file) = std::env::var_os(HOLD).map(PathBuf::from) else { return };
    let plane = ControlPlane::start(&programs(), &Options::default(), &|_| {}).await.unwrap();
    let new = file.with_extension("new");
    fs::write(&new, plane.folder().as_os_str().as_encoded_bytes()).unwrap();
    fs::rename(new, file).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_ends_with_its_owner() {
    for signal in [Signal::KILL, Signal::INT] {
        let home = Home::new();
        let file = home.path().join("folder");
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "story::plane::owner_to_be_killed"])
            .env(HOLD, &file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let folder = eventually("the owner's plane", async || fs::read_to_string(&file).ok()).await;
        let folder = Path::new(&folder);
        assert!(processes_in(folder) >= 2, "etcd and kube-apiserver run");
        kill_process(Pid::from_child(&owner), signal).unwrap();
        owner.wait().unwrap();
        eventually("the end of its processes", async || (processes_in(folder) == 0).then_some(())).await;
        assert!(!folder.exists(), "its folder is gone after {signal:?}");
    }
}

/// Processes whose working directory is the folder, whether or not it is still there.
fn processes_in(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let folders = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    folders.filter(|cwd| cwd.to_str().is_some_and(|cwd| cwd.starts_with(folder))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_and_simulated_nodes_bring_workloads_up() {
    let options = Options { controllers: true, nodes: true, ..everything() };
    let plane = fresh(options).await.loaded().await;
    let cluster = plane.cluster().await.unwrap();
    for (path, field, wanted) in [
        ("/apis/apps/v1/namespaces/traefik/deployments/traefik", "readyReplicas", 2),
        ("/apis/apps/v1/namespaces/kube-system/daemonsets/rke2-canal", "numberReady", 3),
    ] {
        eventually(path, async || {
            let object = cluster.get_path(path).await.unwrap().unwrap();
            (object["status"][field] == wanted).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_may_do_what_rbac_says_and_the_audit_log_tells() {
    let home = Home::new();
    let log = home.path().join("audit.jsonl");
    let plane = fresh(Options { audit_log: Some(log.clone()), ..Options::default() }).await;
    let path = plane.kubeconfig_for("jane", Some("astronomers")).unwrap();
    let jane = Cluster::connect(&Access::Kubeconfig { path, context: None }).await.unwrap();
    let discovery = jane.discover().await.unwrap();
    let secrets = discovery.find("", "secrets").unwrap();
    let refusal = jane.list_all(secrets, &ListOptions::default()).await.unwrap_err();
    assert_eq!(refusal.code, 403);
    let told = fs::read_to_string(log).unwrap();
    let line = told.lines().find(|l| l.contains("/api/v1/secrets") && l.contains("jane")).unwrap();
    assert!(line.contains("astronomers") && line.contains("403"), "{line}");
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_an_error_with_its_words() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    for name in ["etcd", "kube-apiserver"] {
        let path = home.path().join(name);
        fs::write(&path, "#!/bin/sh\necho 'Error: no space left' >&2\nexit 7\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let programs = Programs::find(&[home.path().into()]).unwrap();
    let error = ControlPlane::start(&programs, &Options::default(), &|_| {}).await.err().unwrap().to_string();
    assert!(error.contains("ended at once") && error.contains("no space left"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_tools_talk_to_it() {
    let home = Home::new().with_kubeconfig(shared().await.kubeconfig());
    let nodes = home.run("kubectl", &["get", "nodes", "-o", "name"]).await.ok();
    assert_eq!(nodes.lines().count(), 3);
    let releases = home.run("helm", &["list", "--all-namespaces", "--output", "json"]).await.ok();
    assert!(releases.contains("traefik-37.4.0"), "{releases}");
    assert!(home.run("helm", &["status", "nothing"]).await.failed(1).contains("not found"));
}

#[tokio::test]
async fn the_release_is_what_the_real_helm_makes_of_its_chart() {
    let home = Home::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/drill/cluster");
    let path = |name: &str| folder.join(name).display().to_string();
    let rendered = home
        .run(
            "helm",
            &["template", "traefik", &path("traefik"), "-n", "traefik", "-f", &path("traefik-values.yaml")],
        )
        .await
        .ok();
    assert_eq!(rendered, fs::read_to_string(path("traefik-manifest.yaml")).unwrap());
}

//! The files of the node that netdr runs on: put back, undone, and those of the other servers named.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use netdr::{drill::cluster::host_root, model::ItemKey};
use serde_json::Value;

use crate::support::{MARKER, NODE, Operator, Plane, acts, content, everything, fresh, says};

pub(super) const PLAN: &str = "
apiVersion: netdr/v1
kind: RestorePlan
name: node
title: The node's files, then policies
rto: 30m
rpo: 24h
role: Infrastructure Admin
runbook: runbooks/cni.md
steps:
  - {id: files, title: The node's files, hostFiles: {}}
  - {id: policies, title: Policies, apply: {component: policies, kinds: [networkpolicies.networking.k8s.io], extras: delete}}
";

pub(super) const CONFIG: &str = "etc/rancher/rke2/config.yaml";
const DROP_IN: &str = "etc/rancher/rke2/config.yaml.d/50-agent.yaml";
const REGISTRIES: &str = "etc/rancher/rke2/registries.yaml";
const MANIFEST: &str = "var/lib/rancher/rke2/server/manifests/rke2-canal-config.yaml";
const PACKAGED: &str = "var/lib/rancher/rke2/server/manifests/rke2-coredns.yaml";
const EXTRA: &str = "var/lib/rancher/rke2/server/manifests/extra.yaml";
const CONFLIST: &str = "etc/cni/net.d/10-canal.conflist";

/// A node that is backed up, below `host` in the operator's home.
pub(super) struct Server {
    pub(super) operator: Operator,
}

impl Server {
    pub(super) async fn of(plane: &Plane) -> Self {
        let server = Self { operator: Operator::of(plane).await };
        fs::write(server.at("plan.yaml"), PLAN).unwrap();
        host_root(&server.at("host"), NODE, MARKER).unwrap();
        server.operator.backup().await;
        server
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.operator.home.path().join(path)
    }

    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.at("host").join(path)
    }

    /// A snapshot of the files below a root; its id.
    pub(super) async fn backup(&self, root: &str) -> String {
        let words = ["backup", "--json", "--set", "host", "--host-root", root];
        let taken = self.operator.home.run("netdr", &words).await.json(0);
        taken["snapshots"][0]["id"].as_str().unwrap().into()
    }

    /// `netdr …` with the operator's identity and the node's root.
    pub(super) async fn netdr(&self, words: &str) -> crate::support::Outcome {
        let always = ["--identity", "keys/operator.txt", "--host-root", "host"];
        let words: Vec<&str> = words.split_whitespace().chain(always).collect();
        self.operator.home.run("netdr", &words).await
    }

    /// Paths, modes and contents of everything below the root.
    pub(super) fn state(&self) -> Vec<(PathBuf, u32, Option<Vec<u8>>)> {
        let files = content(&self.at("host")).into_iter();
        files
            .map(|(path, bytes)| (path.clone(), fs::metadata(path).unwrap().permissions().mode(), bytes))
            .collect()
    }

    fn break_files(&self) {
        fs::write(self.file(CONFIG), format!("token: other-{MARKER}\nnode-name: {NODE}\ncni: [broken\n"))
            .unwrap();
        fs::remove_dir_all(self.file(DROP_IN).parent().unwrap()).unwrap();
        fs::set_permissions(self.file(REGISTRIES), fs::Permissions::from_mode(0o644)).unwrap();
        fs::remove_file(self.file(MANIFEST)).unwrap();
        for path in [EXTRA, PACKAGED, CONFLIST] {
            fs::write(self.file(path), "# somebody's\n").unwrap();
        }
    }
}

/// `verb path` of every file of a plan.
fn files(plan: &Value) -> Vec<String> {
    let file = |(verb, key): (String, String)| Some(format!("{verb} {}", key.strip_prefix("file ")?));
    acts(plan).into_iter().filter_map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_files_come_back_as_they_were_and_an_undo_takes_them_back() {
    let plane = fresh(everything()).await.loaded().await;
    let server = Server::of(&plane).await;
    let snapshot = server.backup("host").await;
    host_root(&server.at("other"), "proj-k8s02", MARKER).unwrap();
    let other = server.backup("other").await;
    let whole = server.state();
    server.break_files();
    let broken = server.state();

    let shown = server.netdr("restore --plan plan.yaml --dry-run").await.ok();
    says(
        &shown,
        &[
            "content: differs (secret)",
            "mode: \"0644\" → \"0600\"",
            "folder /etc/rancher/rke2/config.yaml.d is made",
        ],
    );
    let (_, commands) = shown.split_once("To see what differs in files of the node: ").unwrap();
    let seen = server.operator.home.shell(commands.lines().next().unwrap()).await;
    says(&format!("{} {seen:?}", seen.code.unwrap()), &["1 ", "cni: [broken"]); // diff's word for what differs
    fs::remove_dir_all(server.at("extracted")).unwrap();
    let plan = server.netdr("restore --plan plan.yaml --dry-run --json").await.json(0);
    assert_eq!(
        files(&plan),
        [
            format!("replace {NODE}:/{CONFIG}"),
            format!("create {NODE}:/{DROP_IN}"),
            format!("replace {NODE}:/{REGISTRIES}"),
            format!("create {NODE}:/{MANIFEST}"),
        ]
    );
    assert!(!format!("{shown}{plan}").contains(MARKER), "a secret is shown");
    let kept: Vec<&Value> = plan["kept"].as_array().unwrap().iter().map(|kept| &kept["key"]).collect();
    assert_eq!(
        kept,
        [&Value::from(ItemKey::File { node: NODE.into(), path: format!("/{EXTRA}") }.to_path())]
    );
    assert!(plan["warnings"].to_string().contains("this node is taken for proj-k8s01"), "{plan:#}");
    let command = format!("netdr restore --plan plan.yaml --snapshot {other} --identity keys/operator.txt");
    assert_eq!(
        (&plan["not_done"][0]["node"], &plan["not_done"][0]["command"]),
        (&"proj-k8s02".into(), &command.clone().into())
    );
    assert_eq!(server.state(), broken, "nothing was changed");

    let digest = plan["digest"].as_str().unwrap();
    let report =
        server.netdr(&format!("restore --plan plan.yaml --yes --json --expect {digest}")).await.json(3);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&"partial".into(), &0.into()),
        "{report:#}"
    );
    assert!(report["source"].as_array().unwrap().contains(&snapshot.into()), "{report:#}");
    assert!(!report["source"].to_string().contains(&other), "{report:#}");
    assert!(report["remarks"].to_string().contains(&command), "{report:#}");
    let mut expected = whole;
    expected.push((server.file(EXTRA), 0o100_644, Some(b"# somebody's\n".to_vec())));
    let made = server.file(DROP_IN).parent().unwrap().to_owned();
    for (path, mode, bytes) in &mut expected {
        if *path == made {
            *mode = 0o40_700; // no snapshot has the modes of folders: as RKE2 makes its own
        }
        if path.ends_with(PACKAGED) || path.ends_with(CONFLIST) {
            *bytes = Some(b"# somebody's\n".to_vec());
        }
    }
    expected.sort();
    assert_eq!(server.state(), expected, "only configuration came back, and nothing is left beside it");

    // Undone, it is as broken as before; only folders that were made stay.
    let run = report["run"].as_str().unwrap();
    let sealed = server.at("repo/runs").join(run).join("safety-host.tar.zst.age");
    assert!(sealed.exists(), "what was overwritten is saved");
    let told = server.netdr(&format!("undo {run} --yes --json")).await.json(0);
    says(&told["remarks"].to_string(), &["rmdir /etc/rancher/rke2/config.yaml.d"]);
    let mut undone = server.state();
    undone.retain(|(path, ..)| *path != server.file(DROP_IN).parent().unwrap());
    assert_eq!(undone, broken);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_since_is_left_alone_by_an_undo() {
    let plane = fresh(everything()).await.loaded().await;
    let server = Server::of(&plane).await;
    server.backup("host").await;
    server.break_files();
    let report = server.netdr("restore --plan plan.yaml --yes --json").await.json(0);
    fs::write(server.file(MANIFEST), "# better\n").unwrap();
    let run = report["run"].as_str().unwrap();
    let undone = server.netdr(&format!("undo {run} --yes --json")).await.json(3);
    says(&undone["remarks"].to_string(), &[MANIFEST, "changed since the run"]);
    assert_eq!(fs::read_to_string(server.file(MANIFEST)).unwrap(), "# better\n");
    assert!(!server.file(DROP_IN).exists(), "what the run made and nobody touched is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_snapshot_is_refused_and_a_machine_that_is_no_node_is_passed_over() {
    let plane = fresh(everything()).await.loaded().await;
    let server = Server::of(&plane).await;
    host_root(&server.at("other"), "proj-k8s02", MARKER).unwrap();
    let other = server.backup("other").await;
    let refused = server.netdr("restore --plan plan.yaml --yes").await.failed(1);
    says(&refused, &["no snapshot of set host of node proj-k8s01", "proj-k8s02", "netdr extract"]);
    // With the configuration gone, the host's name may not be the node's: a snapshot that is named decides.
    fs::remove_file(server.file(CONFIG)).unwrap();
    let plan =
        server.netdr(&format!("restore --plan plan.yaml --dry-run --json --snapshot {other}")).await.json(0);
    assert!(
        plan["warnings"].to_string().contains(
            "taken for proj-k8s02, as the snapshot that was named, although by its files it may be"
        )
    );
    assert!(files(&plan).contains(&format!("create proj-k8s02:/{CONFIG}")), "{plan:#}");

    fs::create_dir(server.at("pod")).unwrap();
    let words = "restore --plan plan.yaml --yes --json --identity keys/operator.txt --host-root pod";
    let words: Vec<&str> = words.split(' ').collect();
    let report = server.operator.home.run("netdr", &words).await.json(3);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&"partial".into(), &0.into()),
        "{report:#}"
    );
    says(&report["not_done"].to_string(), &[&other, "pod is no RKE2 server's", "--host-root DIR"]);
}

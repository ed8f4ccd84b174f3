//! What the runbooks say under "Without netdr", followed word by word: on the cluster that was damaged, and on one that
//! was rebuilt and is empty.

use std::{collections::BTreeSet, path::Path};

use netdr::drill::{
    Options,
    failures::{break_policies, break_traefik},
};

use crate::support::{Home, Plane, block, everything, fresh};

/// The pages in the order in which the whole network comes back, and whose bundle each opens.
const PARTS: [(&str, &str, &str); 5] = [
    ("cni.md", "network", "cni"),
    ("certificates.md", "certificates", "certificates"),
    ("traefik.md", "network", "ingress"),
    ("full-stack.md", "network", "loadbalancer"),
    ("network-policies.md", "network", "policies"),
];
/// What the pages call fine, what kubectl warns of, and what waits for cert-manager, which does not run here.
const FINE: [&str; 5] = [
    "(AlreadyExists)",
    "(NotFound)",
    "Warning: ",
    "timed out waiting for the condition on clusterissuers/",
    "does not exist. Installing",
];

/// Steps 4 and 5 of "By hand": a bundle in a folder of its own, without what is not for restoring.
fn opened(set: &str, component: &str) -> String {
    let all = block("docs/snapshot-format.md", "By hand");
    let steps = &all[all.find("# 4. ").unwrap()..all.find("# 6. ").unwrap()];
    assert_eq!(steps.matches("policies").count(), 4, "{steps}");
    let steps = steps.replace("policies", component);
    let steps = steps.replace("/dev/shm", "$HOME/opened");
    let names = format!("identity=$HOME/keys/operator.txt\nsnapshot=$(echo $HOME/repo/snapshots/*-{set}-*)");
    format!("mkdir -p $HOME/opened\n{names}\n{steps}")
}

/// Follows every page; what kubectl said against it, without what the page calls fine.
async fn followed(home: &Home, kubeconfig: &Path) -> BTreeSet<String> {
    let mut refused = BTreeSet::new();
    for (name, set, component) in PARTS {
        let commands = block(&format!("docs/runbooks/{name}"), "Without netdr");
        // helm-controller does not run here, and watching has no end.
        let commands: Vec<&str> = commands.lines().filter(|line| !line.contains("get job ")).collect();
        let script = format!(
            "export KUBECONFIG={}\ncmctl() {{ :; }}\n{}\n{}",
            kubeconfig.display(),
            opened(set, component),
            commands.join("\n")
        );
        // Not the home's shell: it ends with the first command that fails, and some may.
        let outcome = home.run("bash", &["-c", &script]).await;
        let lines = outcome.stderr.lines().filter(|line| !FINE.iter().any(|fine| line.contains(fine)));
        refused.extend(lines.map(|line| format!("{name}: {line}")));
    }
    home.shell("rm -r opened").await.ok();
    refused
}

/// What the snapshots have and the cluster lacks or has otherwise.
async fn lost(home: &Home, kubeconfig: &Path) -> Vec<String> {
    let mut lost = Vec::new();
    for set in ["network", "certificates"] {
        let id = home.shell(&format!("cd repo/snapshots; echo *-{set}-*")).await.ok();
        let kubeconfig = kubeconfig.display().to_string();
        let said = home
            .netdr(&[
                "diff",
                id.trim(),
                "live",
                "--identity",
                "keys/operator.txt",
                "--kubeconfig",
                &kubeconfig,
            ])
            .await;
        lost.extend(said.stdout.lines().filter(|line| line.starts_with(['-', '~'])).map(str::to_owned));
    }
    lost
}

async fn damaged(home: &Home, plane: &Plane) {
    let cluster = plane.cluster().await.unwrap();
    break_policies(&cluster).await.unwrap();
    break_traefik(&cluster).await.unwrap();
    let script = "kubectl delete -A --all globalnetworkpolicies.crd.projectcalico.org,globalnetworksets.crd.projectcalico.org,\
                  ippools.crd.projectcalico.org,ipaddresspools.metallb.io,certificates.cert-manager.io,\
                  helmchartconfigs.helm.cattle.io";
    home.shell(script).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_comes_back_on_a_damaged_cluster_and_on_an_empty_one() {
    let live = fresh(everything()).await.loaded().await;
    let home = Home::new().with_kubeconfig(live.kubeconfig()).with_repository().await;
    for set in ["network", "certificates"] {
        home.netdr(&["backup", "--set", set]).await.ok();
    }
    damaged(&home, &live).await;
    assert!(lost(&home, live.kubeconfig()).await.len() > 20);
    assert_eq!(followed(&home, live.kubeconfig()).await, BTreeSet::new());
    // Helm itself counts on.
    let left: Vec<String> = lost(&home, live.kubeconfig()).await;
    assert_eq!(left, ["~ helm release traefik/traefik"]);
    drop(live);

    let empty = fresh(Options::default()).await;
    // RKE2 itself brings Canal's DaemonSet.
    let script = format!(
        "export KUBECONFIG={}\nnetdr extract $(cd repo/snapshots; echo *-network-*) --component cni \
         --identity keys/operator.txt --to rke2\nkubectl apply -R -f rke2/cni/resources/apps",
        empty.kubeconfig().display()
    );
    home.shell(&script).await.ok();
    let refused = followed(&home, empty.kubeconfig()).await;
    let service = "full-stack.md: The Service \"telescope-feed\" is invalid: spec.ports: Required value";
    assert_eq!(refused, BTreeSet::from([service.to_owned()]));
    // Nodes join by themselves, a Service comes with its application, and Helm itself counts on.
    let left = lost(&home, empty.kubeconfig()).await;
    let own = ["- nodes proj-k8s01", "~ helm release traefik/traefik", "- services ingest/telescope-feed"];
    assert_eq!(left, own);
}

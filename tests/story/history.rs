//! `git.history`: what a backup saw, in Git: for whoever reviews it, and for kubectl; and never a secret.

mod drift;
mod forge;

use netdr::drill::cluster::host_root;
use serde_json::{Value, json};

use crate::support::{Home, MARKER, NODE, Objects, Operator, POLICIES, everything, fresh};

/// A bare repository that the configuration names as the history, and who may have signed what is in it.
const BARE: &str = "git init -q --bare -b main seen.git; echo \"netdr $(cat keys/signing.pub)\" > allowed; \
    git -C seen.git config gpg.ssh.allowedSignersFile $PWD/allowed";

async fn back_up(home: &Home, code: i32, set: &str) -> Value {
    home.netdr(&["backup", "--set", set, "--host-root", "root", "--json"]).await.json(code)
}

/// What stock git prints, in the bare repository.
async fn git(home: &Home, command: &str) -> String {
    home.shell(&format!("git -C seen.git {command}")).await.ok().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_has_is_committed_once_a_change_and_applied_by_kubectl_and_holds_no_secret() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let home = &operator.home;
    host_root(&home.path().join("root"), NODE, MARKER).unwrap();
    home.shell(BARE).await.ok();
    operator.configure("cluster: {name: lab}\ngit: {history: {url: seen.git}}");

    let first = back_up(home, 0, "all").await;
    let commits = first["history"]["commits"].as_array().unwrap();
    assert_eq!(commits.len(), 3, "one a set: {first:#}");
    let again = back_up(home, 0, "all").await;
    assert_eq!(
        (&again["history"]["commits"], &again["history"]["commit"]),
        (&json!([]), &first["history"]["commit"])
    );
    for commit in ["netdr", "netdr~", "netdr~2"] {
        git(home, &format!("verify-commit {commit}")).await;
    }

    // Nothing secret in any object, not even packed.
    let all = git(home, "cat-file --batch-all-objects --batch --buffer").await;
    assert!(all.contains("netdr.io/filtered") && !all.contains(MARKER), "a secret is in Git");
    assert!(!all.contains("\nkind: Secret\n"), "a Secret is in Git");
    // As stock kubectl has it: all of it is what the cluster has already.
    home.shell("git clone -q -b netdr seen.git checkout").await.ok();
    let apply =
        "kubectl apply --server-side --force-conflicts --dry-run=server -k checkout/clusters/lab/networking";
    let applied = home.shell(&format!("{apply} -o name")).await.ok();
    assert!(
        applied.contains("networkpolicy.networking.k8s.io/") && applied.contains("ipaddresspool.metallb.io/"),
        "{applied}"
    );
    home.shell("kubectl kustomize checkout/clusters/lab/networking/policies").await.ok();

    objects.delete(POLICIES, "mail/default-deny-all").await;
    let changed = back_up(home, 0, "network").await;
    assert_eq!(
        (&changed["history"]["commits"][0]["removed"], &changed["history"]["warnings"]),
        (&json!(1), &json!([]))
    );
    let message = git(home, "log -1 --format=%B netdr").await;
    assert!(
        message.contains("removed:\n  networkpolicies.networking.k8s.io mail/default-deny-all (policies)"),
        "{message}"
    );
    let snapshot = changed["snapshots"][0]["id"].as_str().unwrap();
    assert!(message.contains(&format!("Netdr-Snapshot: {snapshot}")), "{message}");
}

//! `netdr check cni` on a real control plane. Kubelets are played ([`Kubelets`]): the pods are real objects, what runs in
//! them are real processes of netdr, and what connects them is this machine, so that no policy is in force between them.

use std::process::Stdio;

use netdr::drill::Options;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Child;

use super::named;
use crate::support::{Home, Kubelets, Objects, Plane, eventually, everything, fresh, send};

const CANAL: &str = include_str!("../../../src/drill/cluster/canal.yaml");
const NODES: [&str; 3] = ["n1", "n2", "n3"];

struct Cluster {
    plane: Plane,
    objects: Objects,
    kubelets: Kubelets,
    home: Home,
}

/// Canal on three nodes, rolled out.
async fn cluster() -> Cluster {
    let plane = fresh(Options { controllers: true, ..everything() }).await;
    let objects = Objects::of(&plane).await;
    let kubelets = Kubelets::of(&plane, &NODES).await;
    objects.create(CANAL).await;
    eventually("Canal and nodes without taints", async || {
        let canal = objects.get("daemonsets.apps", "kube-system/rke2-canal").await?;
        let tainted = objects.list("nodes").await.iter().any(|node| !node["spec"]["taints"].is_null());
        (canal["status"]["numberAvailable"] == 3 && !tainted).then_some(())
    })
    .await;
    let home = Home::new().with_kubeconfig(plane.kubeconfig());
    Cluster { plane, objects, kubelets, home }
}

fn status<'a>(answer: &'a Value, name: &str) -> &'a str {
    named(answer, name)["status"].as_str().unwrap()
}

impl Cluster {
    async fn check(&self, words: &[&str], code: i32) -> Value {
        self.home.netdr(&[&["check", "cni", "--json"], words].concat()).await.json(code)
    }

    /// The names of what probes made, and is still there.
    async fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for kind in ["namespaces", "pods", "networkpolicies.networking.k8s.io", "serviceaccounts"] {
            for object in self.objects.list(kind).await {
                if object["metadata"]["labels"]["netdr/probe"] == "temporary" {
                    left.push(format!("{kind} {}", object["metadata"]["name"]));
                }
            }
        }
        left
    }

    async fn nothing_is_left(&self) {
        eventually("nothing of the probe to be left", async || self.left().await.is_empty().then_some(()))
            .await;
    }

    /// A check whose pods have been started.
    async fn started(&self) -> Child {
        let words = ["check", "cni", "--timeout", "60"];
        let child =
            self.home.command("netdr", &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("probe pods", async || {
            self.left().await.iter().any(|name| name.starts_with("pods")).then_some(())
        })
        .await;
        child
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_every_node_reach_each_other_or_it_is_said_who_does_not() {
    let cluster = cluster().await;
    let sound = cluster.check(&[], 0).await;
    for name in
        ["cni canal", "cni nodes", "cni pod networks", "cni pod connectivity", "cni dns", "cni tls handshake"]
    {
        assert_eq!(status(&sound, name), "ok", "{sound:#}");
    }
    assert_eq!(named(&sound, "cni pod connectivity")["value"], 100.0);
    assert!(named(&sound, "cni dns")["value"].as_f64().unwrap() < 500.0);
    assert!(named(&sound, "cni tls handshake")["value"].as_f64().unwrap() > 0.0);
    cluster.nothing_is_left().await;

    cluster.kubelets.trouble.lock().unwrap().cut.insert("n3".into());
    let cut = cluster.check(&[], 8).await;
    let connectivity = named(&cut, "cni pod connectivity");
    assert_eq!((&connectivity["status"], &connectivity["value"]), (&json!("alert"), &json!(66.6)));
    assert!(
        connectivity["why"].to_string().contains("n1 reached n3 0 of 5 times: it is refused"),
        "{connectivity:#}"
    );
    cluster.kubelets.trouble.lock().unwrap().cut.clear();

    // Whose kubelet starts nothing has not been asked: that is not the same as reached, nor as not reached.
    cluster.kubelets.trouble.lock().unwrap().dead.insert("n2".into());
    let silent = cluster.check(&["--timeout", "3"], 8).await;
    assert_eq!(status(&silent, "cni pod connectivity"), "unknown", "{silent:#}");
    assert!(
        named(&silent, "cni pod connectivity")["why"].to_string().contains("the pod on n2"),
        "{silent:#}"
    );
    cluster.kubelets.trouble.lock().unwrap().dead.extend(NODES.map(ToOwned::to_owned));
    let nobody = cluster.check(&["--timeout", "1"], 8).await;
    for name in ["cni pod connectivity", "cni dns", "cni tls handshake"] {
        assert_eq!(status(&nobody, name), "unknown", "{nobody:#}");
    }
    cluster.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_started_is_removed_however_the_check_ended() {
    let cluster = cluster().await;
    // So that it lasts: the pods wait for a kubelet.
    cluster.kubelets.trouble.lock().unwrap().dead.extend(NODES.map(ToOwned::to_owned));

    let child = cluster.started().await;
    send(&child, Signal::INT);
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted") && said.contains("removed"), "{said}");
    cluster.nothing_is_left().await;

    let mut child = cluster.started().await;
    child.kill().await.unwrap();
    let left = cluster.left().await;
    assert!(left.iter().any(|name| name.starts_with("namespaces")), "{left:?}");
    cluster.kubelets.trouble.lock().unwrap().dead.clear();
    let outcome = cluster.home.netdr(&["check", "cni", "--json"]).await;
    assert!(outcome.stderr.contains("an earlier check was killed"), "{}", outcome.stderr);
    assert_eq!(status(&outcome.json(0), "cni pod connectivity"), "ok");
    cluster.nothing_is_left().await;

    // The namespace of an installation is used, and stays; its job has rights enough.
    let schedules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schedules");
    cluster.home.run("kubectl", &["apply", "-k", schedules.to_str().unwrap()]).await.ok();
    let user = "system:serviceaccount:netdr:netdr-cni-check";
    let job = cluster.plane.kubeconfig_for(user, Some("system:serviceaccounts")).unwrap();
    let answer = cluster.check(&["--kubeconfig", job.to_str().unwrap()], 0).await;
    assert_eq!(status(&answer, "cni pod connectivity"), "ok", "{answer:#}");
    cluster.nothing_is_left().await;

    // A run that was killed there left pods and their policy, which the next removes; what is somebody else's stays.
    let theirs = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "theirs", "namespace": "netdr-probe"}, "spec": {"podSelector": {}}});
    cluster.objects.create(&theirs.to_string()).await;
    cluster.kubelets.trouble.lock().unwrap().dead.extend(NODES.map(ToOwned::to_owned));
    let mut child = cluster.started().await;
    child.kill().await.unwrap();
    let left = cluster.left().await;
    assert!(!left.iter().any(|name| name.starts_with("namespaces")), "it needed none of its own: {left:?}");
    cluster.kubelets.trouble.lock().unwrap().dead.clear();
    let outcome =
        cluster.home.netdr(&["check", "cni", "--json", "--kubeconfig", job.to_str().unwrap()]).await;
    assert!(outcome.stderr.contains("an earlier check was killed"), "{}", outcome.stderr);
    for kind in ["pods serve-", "networkpolicies probe-"] {
        assert!(outcome.stderr.contains(kind), "{kind}: {}", outcome.stderr);
    }
    assert_eq!(status(&outcome.json(0), "cni pod connectivity"), "ok");
    cluster.nothing_is_left().await;
    assert!(cluster.objects.get("networkpolicies.networking.k8s.io", "netdr-probe/theirs").await.is_some());
    let namespace = cluster.objects.get("namespaces", "netdr-probe").await.unwrap();
    assert!(namespace["metadata"]["deletionTimestamp"].is_null());

    // Who may read but not start pods does not know.
    let reader = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "reads"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reads"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}]});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reads"},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]});
    cluster.objects.create(&role.to_string()).await;
    cluster.objects.create(&reader.to_string()).await;
    let kubeconfig = cluster.plane.kubeconfig_for("reader", None).unwrap();
    let answer = cluster.check(&["--kubeconfig", kubeconfig.to_str().unwrap()], 8).await;
    assert_eq!(status(&answer, "cni pod connectivity"), "unknown");
    assert!(named(&answer, "cni pod connectivity")["why"].to_string().contains("was refused"), "{answer:#}");
}

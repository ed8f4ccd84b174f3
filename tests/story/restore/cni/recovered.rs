//! Canal misconfigured and Calico's settings lost: helm-controller is had to install what the snapshot has.

use serde_json::{Value, json};

use super::{Canal, FELIX, HERE, SCENARIO};
use crate::support::{acts, touched};

const POOLS: &str = "ippools.crd.projectcalico.org";
const BLOCKS: &str = "ipamblocks.crd.projectcalico.org";

#[tokio::test(flavor = "multi_thread")]
async fn canal_is_installed_again_as_it_was_and_nothing_else_is_touched() {
    let canal = Canal::installed().await;
    let Canal { objects, operator, .. } = &canal;
    canal.backup().await;
    let felix = objects.get(FELIX, "default").await.unwrap();

    // Somebody's change is installed and rolled out; more is lost; and IPAM goes on.
    let secret = json!({"stringData": {"values.yaml": "registry: {user: nobody}"}});
    objects.merge("secrets", "kube-system/canal-values", secret).await;
    let second = canal.settled(1, "1450").await;
    canal.configure(9000).await;
    let broken = canal.settled(second, "9000").await;
    objects.delete(POOLS, "default-ipv4-ippool").await;
    objects.merge(FELIX, "default", json!({"spec": {"vxlanVNI": 1}})).await;
    objects.merge(BLOCKS, "10-42-0-0-26", json!({"spec": {"strictAffinity": true}})).await;
    objects.delete("blockaffinities.crd.projectcalico.org", "proj-k8s01-10-42-0-0-26").await;

    let plan = operator.plan(SCENARIO, &HERE).await;
    assert_eq!(
        acts(&plan),
        [
            ("replace", "secrets kube-system/canal-values"),
            ("replace", "helmchartconfigs.helm.cattle.io kube-system/rke2-canal"),
            ("replace", "felixconfigurations.crd.projectcalico.org default"),
            ("create", "ippools.crd.projectcalico.org default-ipv4-ippool"),
            ("restart", "daemonsets.apps kube-system/rke2-canal"),
        ]
        .map(|(verb, object)| (verb.to_owned(), object.to_owned()))
    );
    let said = plan.to_string();
    assert!(said.contains("MTU is 1450 in the source and 9000 on the cluster"), "{plan:#}");
    assert!(!said.contains("of-the-registry") && !said.contains("nobody"), "a value of a Secret is shown");

    let before = objects.dump().await;
    let report = operator.recover(SCENARIO, &HERE).await;
    assert_eq!((&report["rto_s"], &report["rpo_s"]), (&json!(1800), &json!(86400)));
    assert_eq!((&report["rto_met"], &report["rpo_met"]), (&json!(null), &json!(true)));
    // The gate held for the new Job alone: what it installed is there, and the pods were restarted after that.
    assert_eq!(canal.mtu().await, "1450");
    let newest = canal.revisions().await.pop().unwrap();
    assert!(newest.0 > broken && newest.1 == "deployed", "{newest:?} after {broken:?}");
    let template = &canal.daemon_set().await["spec"]["template"];
    let restarted = &template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    assert!(restarted.is_string(), "{template:#}");
    // Helm still owns what it made, and libcalico finds its labels.
    let now = objects.get(FELIX, "default").await.unwrap();
    assert_eq!(now["spec"], felix["spec"]);
    for map in ["labels", "annotations"] {
        assert_eq!(now["metadata"][map], felix["metadata"][map], "{map}");
    }
    let pool = objects.get(POOLS, "default-ipv4-ippool").await.unwrap();
    assert!(pool["metadata"]["annotations"]["projectcalico.org/metadata"].as_str().unwrap().contains("rack"));
    // IPAM is what the running cluster says.
    assert_eq!(objects.get(BLOCKS, "10-42-0-0-26").await.unwrap()["spec"]["strictAffinity"], true);

    let after = objects.dump().await;
    let foreign: Vec<&str> = touched(&before, &after).into_iter().filter(|key| !ours(key)).collect();
    assert_eq!(foreign, Vec::<&str>::new());
    assert!(after.keys().any(|key| key.contains("helmcharts.helm.cattle.io kube-system/rke2-canal")));

    // Once more there is nothing to do, and the gate passes at once: helm-controller is not waited for.
    let again = operator.plan(SCENARIO, &HERE).await;
    let changes: Vec<_> = acts(&again).into_iter().filter(|(verb, _)| verb != "restart").collect();
    assert_eq!(changes, []);
}

/// What netdr restores, and what helm-controller, Helm, the Job's pods and kwok do because of it.
fn ours(key: &str) -> bool {
    let (kind, name) = key.split_once(' ').unwrap();
    let canal = name.contains("rke2-canal") || name.contains("canal-values");
    let settings = (kind == FELIX && name == "default") || (kind == POOLS && name == "default-ipv4-ippool");
    let nodes = kind == "nodes"; // heartbeats
    canal || settings || nodes
}

/// The API server on 127.0.0.1, no DNS, no proxy that works: a control-plane node whose pod network is dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_node_without_a_network_is_enough() {
    let canal = Canal::installed().await;
    let Canal { objects, operator, .. } = &canal;
    canal.backup().await;
    objects.delete(POOLS, "default-ipv4-ippool").await;
    let kubeconfig = std::fs::read_to_string(canal.kubeconfig()).unwrap();
    assert!(kubeconfig.contains("server: https://127.0.0.1:") || kubeconfig.contains("\"https://127.0.0.1:"));
    let restore = "netdr restore --json --yes --identity keys/operator.txt --scenario cni --host-root host";
    // No name resolves any more, and whoever asked a proxy would get nothing.
    let cut = format!(
        "export HTTPS_PROXY=http://192.0.2.1:9 HTTP_PROXY=http://192.0.2.1:9; \
         unshare --map-root-user --mount sh -c 'mount --bind /dev/null /etc/resolv.conf; \
         mount --bind /dev/null /etc/hosts; ! getent hosts localhost.example >&2 && exec {restore}'"
    );
    let report = operator.home.shell(&cut).await.json(0);
    assert_eq!((&report["outcome"], &report["differences_left"]), (&json!("recovered"), &json!(0)));
    assert_ne!(objects.get(POOLS, "default-ipv4-ippool").await, None::<Value>);
}

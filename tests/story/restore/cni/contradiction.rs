//! A snapshot of another network than the cluster's: refused, whatever else could be restored.

use serde_json::json;

use super::{CANAL, CONFIGS, SCENARIO};
use crate::support::{Objects, Operator, everything, fresh, touched};

const CONFIG: &str = "kube-system/rke2-canal-config";

#[tokio::test(flavor = "multi_thread")]
async fn another_network_than_the_source_s_is_refused_before_any_change() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    operator.backup().await;
    objects.merge(CONFIGS, CANAL, json!({"spec": {"valuesContent": "flannel: {backend: host-gw}"}})).await;
    let net_conf = r#"{"Network": "10.52.0.0/16", "Backend": {"Type": "host-gw"}}"#;
    objects.merge("configmaps", CONFIG, json!({"data": {"net-conf.json": net_conf}})).await;

    let before = objects.dump().await;
    for flag in ["--dry-run", "--yes"] {
        let refused = operator.restore(SCENARIO, &[flag]).await.failed(2);
        for part in [
            "vxlan in the source and host-gw on the cluster",
            "10.42.0.0/16 in the source and 10.52.0.0/16 on the cluster",
            "RKE2 does not support changing",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
    }
    assert_eq!(touched(&before, &objects.dump().await), Vec::<&str>::new());
    assert_eq!(operator.journal(), None, "no run began");

    // What the cluster does not show is said, and not taken as equal; a node that was built anew has another range.
    objects.delete("configmaps", CONFIG).await;
    objects.delete("helmcharts.helm.cattle.io", CANAL).await;
    let spec = json!({"spec": {"podCIDR": "10.42.77.0/24", "podCIDRs": ["10.42.77.0/24"]}});
    let node = |name: &str, spec: &serde_json::Value| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec["spec"]})
            .to_string()
    };
    objects.create(&node("anew", &spec)).await;
    let plan = operator.plan(SCENARIO, &[]).await;
    let said = plan["warnings"].to_string();
    assert!(
        said.contains("CNI backend could not be compared: vxlan in the source, unknown of the cluster"),
        "{said}"
    );
    assert!(!said.contains("anew"), "{said}");

    let outside = json!({"spec": {"podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}});
    objects.create(&node("outside", &outside)).await;
    let refused = operator.restore(SCENARIO, &["--yes"]).await.failed(2);
    assert!(refused.contains("node outside of the cluster has pod CIDR 10.99.0.0/24"), "{refused}");
}

//! What nobody plays, and what is not there to be broken: a drill says so before it waits for it.

use serde_json::json;

use super::{drill, memory};
use crate::support::{Operator, everything, fresh, says};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tested_is_found_out_before_anything_is_broken() {
    let plane = fresh(everything()).await.loaded().await;
    let home = Operator::of(&plane).await.home;
    // RKE2's own HelmChart is not in this cluster, and of certificates there is none.
    home.shell("kubectl -n kube-system delete helmcharts.helm.cattle.io rke2-canal").await.ok();
    home.netdr(&["backup", "--set", "network"]).await.ok();
    drop(plane);
    let memory = memory();
    let words = ["--scenario", "cni", "--scenario", "certificates", "--scenario", "network-policies"];
    let outcome = drill(&home, memory.path(), &words).await;
    let said = outcome.stderr.clone();
    let document = outcome.json(3);
    let scenario = |number: usize| &document["scenarios"][number];
    let outcomes = [0, 1, 2].map(|number| scenario(number)["outcome"].as_str().unwrap());
    assert_eq!(outcomes, ["not tested", "not tested", "recovered"], "{:#}", document["scenarios"]);
    says(
        scenario(0)["why"].as_str().unwrap(),
        &[
            "nobody plays",
            "step `installed`",
            "helmcharts.helm.cattle.io kube-system/rke2-canal does not exist",
        ],
    );
    says(scenario(1)["why"].as_str().unwrap(), &["nothing could be broken", "certificates"]);
    assert_eq!((&scenario(0)["caused"], &document["good"]), (&json!([]), &json!(false)));
    says(
        &document["not_tested"].to_string(),
        &["scenario cni: nobody plays", "scenario certificates: nothing could"],
    );
    says(&said, &["cni: looking whether all that its plan waits for can be played"]);
    assert!(!said.contains("cni: causing its failure"), "{said}");
}

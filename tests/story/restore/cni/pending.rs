//! An upgrade that was interrupted: Helm refuses to begin another one until its pending revision is gone.

use serde_json::json;

use super::{Canal, HERE, SCENARIO};
use crate::support::{acts, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_revision_goes_and_no_other() {
    let canal = Canal::installed().await;
    let Canal { objects, operator, .. } = &canal;
    canal.backup().await;
    let deployed = "kube-system/sh.helm.release.v1.rke2-canal.v1";
    let mut stuck = objects.get("secrets", deployed).await.unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        stuck["metadata"].as_object_mut().unwrap().remove(field);
    }
    stuck["metadata"]["name"] = "sh.helm.release.v1.rke2-canal.v2".into();
    stuck["metadata"]["labels"]["version"] = "2".into();
    stuck["metadata"]["labels"]["status"] = "pending-upgrade".into();
    objects.create(&stuck.to_string()).await;
    canal.configure(9000).await;
    eventually("a Job that cannot get through", async || {
        let job = objects.get("jobs.batch", "kube-system/helm-install-rke2-canal").await?;
        (job["status"]["failed"].as_u64()? > 0).then_some(())
    })
    .await;

    let plan = operator.plan(SCENARIO, &HERE).await;
    let gone = ("delete".to_owned(), "secrets kube-system/sh.helm.release.v1.rke2-canal.v2".to_owned());
    assert_eq!(acts(&plan)[0], gone);
    assert_eq!(plan["delete"], 1);
    assert!(plan.to_string().contains("revision 2 of the release, pending-upgrade"), "{plan:#}");

    let report = operator.recover(SCENARIO, &HERE).await;
    assert_eq!(canal.mtu().await, "1450");
    assert_eq!(canal.revisions().await.last().unwrap().1, "deployed");
    assert!(
        objects.get("secrets", deployed).await.is_some(),
        "a deployed revision is history, not in the way"
    );
    assert!(objects.get("helmcharts.helm.cattle.io", "kube-system/rke2-canal").await.is_some());

    // It was captured first.
    let run = report["run"].as_str().unwrap();
    let folder = operator.home.path().join("repo/runs").join(run);
    let kept =
        format!("age -d -i keys/operator.txt {}/safety-cni.tar.zst.age | tar --zstd -t", folder.display());
    assert!(operator.home.shell(&kept).await.ok().contains("sh.helm.release.v1.rke2-canal.v2"));
    let journal = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let deletes = journal.lines().filter(|line| line.contains("\"delete\"") && line.contains("intent"));
    assert_eq!(deletes.count(), 1);
    assert_eq!(report["steps"][2]["deleted"], json!(1));
}

//! `--from velero:FILE`: a cluster that has Velero's backup and no snapshot.

use std::fs;

use netdr::drill::failures::{break_policies, break_traefik};
use serde_json::{Value, json};

use super::resume::killed_at;
use crate::support::{Dump, MARKER, Objects, Operator, POLICIES, acts, everything, fresh, says};

/// Where the archive is, below the home.
const ARCHIVE: &str = "velero/nightly.tar.gz";
const FROM: [&str; 2] = ["--from", "velero:velero/nightly.tar.gz"];

/// Writes what is on a plane as Velero would: each object twice, and beside the archive the record of the backup.
async fn back_up(operator: &Operator, dump: &Dump, phase: &str) {
    let folder = operator.home.path().join("velero/backup");
    fs::create_dir_all(folder.join("metadata")).unwrap();
    fs::write(folder.join("metadata/version"), "1.1.0\n").unwrap();
    for (key, object) in dump {
        let kind = key.split(' ').next().unwrap();
        let metadata = &object["metadata"];
        let place = metadata["namespace"].as_str().map_or("cluster".into(), |n| format!("namespaces/{n}"));
        let version = object["apiVersion"].as_str().unwrap().rsplit('/').next().unwrap();
        for version in ["".to_owned(), format!("{version}-preferredversion")] {
            let folder = folder.join("resources").join(kind).join(version).join(&place);
            fs::create_dir_all(&folder).unwrap();
            fs::write(
                folder.join(format!("{}.json", metadata["name"].as_str().unwrap())),
                object.to_string(),
            )
            .unwrap();
        }
    }
    let record = json!({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "nightly"},
        "spec": {"includedNamespaces": ["*"]}, "status": {"phase": phase, "startTimestamp": chrono::Utc::now().to_rfc3339()}});
    fs::write(operator.home.path().join("velero/velero-backup.json"), record.to_string()).unwrap();
    operator.home.shell(&format!("tar -C velero/backup -czf {ARCHIVE} .")).await.ok();
}

/// The same wishes; addresses and ports that the API server allots may be others.
#[track_caller]
fn same(before: &Dump, after: &Dump) {
    for (key, object) in before.iter().filter(|(key, _)| !key.starts_with("ipaddresses.")) {
        let now = after.get(key).unwrap_or_else(|| panic!("{key} is gone"));
        let spec = if key.starts_with("services ") { "/spec/selector" } else { "/spec" };
        for part in [spec, "/data", "/rules", "/roleRef", "/metadata/labels"] {
            assert_eq!(object.pointer(part), now.pointer(part), "{part} of {key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_their_release_and_policies_come_back_from_a_velero_archive() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let healthy = objects.dump().await;
    back_up(&operator, &healthy, "Completed").await;
    let cluster = plane.cluster().await.unwrap();
    for scenario in ["network-policies", "traefik"] {
        assert_eq!(acts(&operator.plan(scenario, &FROM).await), [], "{scenario}: nothing differs yet");
    }
    break_policies(&cluster).await.unwrap();
    break_traefik(&cluster).await.unwrap();

    let report = operator.recover("network-policies", &FROM).await;
    assert!(
        objects.get(POLICIES, "objectstore/temporary-allow-all").await.is_none(),
        "the backup held everything"
    );
    let source = report["source"][0].as_str().unwrap();
    assert!(
        source.contains("/velero/nightly.tar.gz@sha256:")
            && report["signed_by"].as_str().unwrap().starts_with("nobody"),
        "{report:#}"
    );
    // Nothing on this plane rolls out a Deployment, so the step that waits for it is left out.
    let plan = include_str!("../../../restore-plans/traefik.yaml");
    fs::write(operator.home.path().join("plan.yaml"), without_waits(plan)).unwrap();
    let words = ["restore", "--json", "--plan", "plan.yaml", FROM[0], FROM[1], "--yes"];
    let outcome = operator.home.run("netdr", &words).await;
    assert!(!format!("{outcome:?}").contains(MARKER), "no secret of the archive is shown");
    operator.home.run("grep", &["-rla", MARKER, "repo"]).await.failed(1);
    let report = outcome.json(6);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("recovered"), &json!(0)),
        "{report:#}"
    );
    same(&healthy, &objects.dump().await);
}

/// A CustomResourceDefinition of another version than the backup's: what it drops is no silent loss.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_cluster_does_not_know_is_a_difference_that_is_left_and_named() {
    let plane = fresh(everything()).await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    let began = chrono::Utc::now().to_rfc3339();
    let policy = "{apiVersion: crd.projectcalico.org/v1, kind: GlobalNetworkPolicy, metadata: {name: edge}, \
        spec: {order: 10, selector: all(), types: [Ingress]}}";
    objects.create(policy).await;
    let mut dump = objects.dump().await;
    let stored = dump.iter_mut().find(|(key, _)| key.ends_with(" edge")).unwrap().1;
    (stored["spec"]["order"], stored["spec"]["ofAnotherVersion"]) = (20.into(), true.into());
    back_up(&operator, &dump, "Completed").await;
    // Called otherwise than its backup, and written while that was made.
    let record = json!({"metadata": {"name": "nightly"}, "status": {"phase": "Completed", "startTimestamp": began,
        "completionTimestamp": chrono::Utc::now().to_rfc3339()}});
    fs::write(operator.home.path().join("velero/velero-backup.json"), record.to_string()).unwrap();
    operator.home.shell(&format!("mv {ARCHIVE} velero/backup.tar.gz")).await.ok();
    let from = ["--from", "velero:velero/backup.tar.gz"];
    let extra =
        "{apiVersion: crd.projectcalico.org/v1, kind: GlobalNetworkPolicy, metadata: {name: more}, spec: {}}";
    objects.create(extra).await;

    let plan = operator.plan("network-policies", &from).await;
    says(&plan["warnings"].to_string(), &["backup is taken for backup nightly"]);
    assert_eq!(plan["delete"], 1, "the record says that it is complete: {plan:#}");
    let report = operator.restore("network-policies", &[from[0], from[1], "--yes"]).await.json(3);
    assert_eq!(
        (&report["outcome"], &report["differences_left"]),
        (&json!("partial"), &json!(1)),
        "{report:#}"
    );
    says(&report["remarks"].to_string(), &["edge: this cluster does not know all", "spec.ofAnotherVersion"]);
    let live = objects.get("globalnetworkpolicies.crd.projectcalico.org", "edge").await.unwrap();
    assert_eq!(live["spec"]["order"], 20, "the rest of it is as the backup has it");
    fs::write(operator.home.path().join("velero/velero-backup.json"), "{broken").unwrap();
    let plan = operator.plan("network-policies", &from).await;
    says(&plan["warnings"].to_string(), &["velero-backup.json beside the archive is not JSON"]);
}

/// A plan without its steps that wait.
fn without_waits(plan: &str) -> String {
    let (head, steps) = plan.split_once("steps:\n").unwrap();
    let steps = steps.split("  - id:").skip(1).filter(|step| !step.contains("\n    wait:"));
    format!("{head}steps:\n{}", steps.map(|step| format!("  - id:{step}")).collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_changed_or_not_whole_restores_no_more_than_it_proves() {
    let plane = fresh(everything()).await.loaded().await;
    let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
    back_up(&operator, &objects.dump().await, "PartiallyFailed").await;
    break_policies(&plane.cluster().await.unwrap()).await.unwrap();

    let plan = operator.plan("network-policies", &FROM).await;
    assert_eq!(plan["delete"], 0, "what it lacks it may only not hold: {plan:#}");
    assert!(plan["warnings"].to_string().contains("phase is PartiallyFailed"), "{plan:#}");

    let restore = format!("restore --scenario network-policies --from {} --yes", FROM[1]);
    operator.home.shell(&killed_at(4500, &restore)).await.ok();
    let run = operator.last_run().await;
    operator.home.shell(&format!("cp {ARCHIVE} whole; truncate -s -20 {ARCHIVE}")).await.ok();
    let cut = operator.restore("network-policies", &[FROM[0], FROM[1], "--yes"]).await.failed(5);
    assert!(cut.contains("nightly.tar.gz") && cut.contains("cut off or damaged"), "{cut}");
    // Another archive of the same name is not what the run began with.
    operator
        .home
        .shell(&format!("touch velero/backup/more; tar -C velero/backup -czf {ARCHIVE} ."))
        .await
        .ok();
    let resume = ["restore", "--resume", &run, "--yes"];
    let changed = operator.home.run("netdr", &resume).await.failed(5);
    assert!(changed.contains("is not the archive that the run began with"), "{changed}");
    operator.home.shell(&format!("cp whole {ARCHIVE}")).await.ok();
    let report: Value =
        operator.home.run("netdr", &["restore", "--json", "--resume", &run, "--yes"]).await.json(6);
    assert_eq!(report["differences_left"], 0, "{report:#}");
}

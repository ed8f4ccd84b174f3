//! Two restores at once on one cluster: the second is told who is at work, and nothing is done twice.

use chrono::Utc;
use netdr::restore::{Event, Prepared, Running, run};
use serde_json::{Value, json};

use super::{changed::through, safety::TarPit};
use crate::support::{Fault, Faults, Library, corrupted, eventually, says};

const SCENARIO: &str = "network-policies";
const LEASES: &str = "leases.coordination.k8s.io";
const LEASE: &str = "kube-system/netdr-restore";

/// Somebody else's Lease, renewed this many seconds ago.
fn lease(run: &str, seconds: i64) -> Value {
    let renewed = (Utc::now() - chrono::TimeDelta::seconds(seconds)).format("%FT%T%.6fZ").to_string();
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "netdr-restore", "namespace": "kube-system"},
        "spec": {"holderIdentity": format!("{run} jane@n2"), "leaseDurationSeconds": 30, "acquireTime": renewed,
            "renewTime": renewed},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_restore_is_refused_by_name_and_changes_nothing() {
    let (_plane, objects, operator) = corrupted().await;
    let run = "20261124T031500Z-traefik-5b21d0";
    objects.create(&lease(run, 3).to_string()).await;
    let broken = objects.dump().await;
    let refused = operator.restore(SCENARIO, &["--yes"]).await.failed(1);
    for part in [run, "jane@n2", "since 20", "renewed 20", "netdr runs show", "netdr restore --resume"] {
        assert!(refused.contains(part), "`{part}` is not in: {refused}");
    }
    assert_eq!(objects.dump().await, broken);
    assert!(!operator.home.path().join("repo/runs").exists(), "a run that never began left nothing");
    operator.plan(SCENARIO, &[]).await; // who only looks waits for nobody

    // The dead give way by themselves, and who is done leaves nothing.
    objects.delete(LEASES, LEASE).await;
    objects.create(&lease(run, 31).to_string()).await;
    operator.recover(SCENARIO, &[]).await;
    assert_eq!(objects.get(LEASES, LEASE).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_restores_at_once_one_is_done() {
    let (plane, _, operator) = corrupted().await;
    let cluster = plane.cluster().await.unwrap();
    let library = Library::of(operator.home.path());
    let (first, second) = (
        library.prepare(&cluster, "network-policies").await,
        library.prepare(&cluster, "network-policies").await,
    );
    let (first, second) = tokio::join!(tried(&library, first), tried(&library, second));
    let mut outcomes = [first, second];
    outcomes.sort();
    assert_eq!(outcomes, ["another restore is at work on this cluster", "recovered"]);
}

async fn tried(library: &Library, prepared: Prepared<'_>) -> String {
    let folder = library.repository.run_folder(prepared.run());
    match run(prepared, &library.running(&folder)).await {
        Ok(report) => report.outcome.into(),
        Err(error) => error.to_string().split(':').next().unwrap().into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_lease_stops_before_the_next_act() {
    let (_plane, objects, operator) = corrupted().await;
    let tarpit = TarPit::dug(&objects, &operator).await;
    let (refused, ()) = tokio::join!(operator.restore(SCENARIO, &["--yes"]), async {
        eventually("the restore to wait for the tar pit", async || {
            let journal = operator.journal()?;
            journal.contains("jupyter/default-deny-all").then_some(())
        })
        .await;
        let theirs = lease("20261124T031500Z-traefik-5b21d0", 0);
        objects.merge(LEASES, LEASE, json!({"spec": theirs["spec"]})).await;
        tarpit.filled(&objects).await;
    });
    let refused = refused.failed(1);
    assert!(refused.contains("another restore took over") && refused.contains("jane@n2"), "{refused}");
    let journal = operator.journal().unwrap();
    assert!(!journal.contains("temporary-allow-all"), "extras would have come next: {journal}");
    assert!(objects.get(LEASES, LEASE).await.is_some(), "it is not ours to give back");
    let run = operator.last_run().await;
    objects.delete(LEASES, LEASE).await;
    operator.resume(&run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_away_while_the_lease_is_renewed_ends_no_run() {
    let (plane, _, operator) = corrupted().await;
    let faults = Faults::default();
    let cluster = through(&faults, &plane).await;
    let library = Library::of(operator.home.path());
    let prepared = library.prepare(&cluster, "network-policies").await;
    let folder = library.repository.run_folder(prepared.run());
    // About a quarter of a minute.
    let away = |event: Event<'_>| {
        if let Event::Step { number: 0, .. } = event {
            faults.inject("*", "netdr-restore", 10, Fault::Reset);
        }
    };
    let report = run(prepared, &Running { event: &away, ..library.running(&folder) }).await.unwrap();
    assert_eq!((report.outcome, report.differences_left, faults.hit().len()), ("recovered", 0, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_given_back_is_said_with_its_end() {
    let (plane, _, operator) = corrupted().await;
    let faults = Faults::default();
    let cluster = through(&faults, &plane).await;
    let library = Library::of(operator.home.path());
    let prepared = library.prepare(&cluster, "network-policies").await;
    faults.inject("DELETE", "netdr-restore", 1, Fault::Status(401, "Unauthorized"));
    let report = library.run(prepared).await;
    assert_eq!((report.outcome, report.differences_left), ("recovered", 0));
    says(&report.remarks.join("\n"), &["could not be given back", "(401)", "--resume"]);
}

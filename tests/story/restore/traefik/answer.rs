//! The release is written and the answer is lost.

use super::{Edge, SCENARIO};
use crate::{
    story::restore::changed::through,
    support::{Fault, Faults, Library},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_answer_is_lost_is_there_once_and_helm_goes_on() {
    let edge = Edge::installed().await;
    edge.operator.backup().await;
    let release = edge.release().await;
    edge.objects.delete("secrets", "traefik/sh.helm.release.v1.traefik.v1").await;

    let faults = Faults::default();
    let cluster = through(&faults, &edge.plane).await;
    let library = Library::of(edge.operator.home.path());
    let prepared = library.prepare(&cluster, SCENARIO).await;
    faults.inject("POST", "/namespaces/traefik/secrets", 1, Fault::ResetAfter);
    let report = library.run(prepared).await;
    assert_eq!((report.outcome, report.differences_left), ("recovered", 0), "{:?}", report.remarks);
    assert_eq!(faults.hit().len(), 1, "{:?}", faults.hit());

    assert_eq!(edge.release().await, release);
    assert_eq!(edge.history().await, [(1, "deployed".into())]);
    edge.assert_upgrade_works().await;
}

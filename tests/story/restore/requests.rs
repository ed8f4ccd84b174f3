//! What a restore asks the API server before its question: lists, not one object after the other.

use std::sync::{Arc, Mutex};

use super::changed::through;
use crate::support::{Fault, Faults, Library, corrupted};

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_come_in_one_list_however_many_there_are() {
    let (plane, objects, operator) = corrupted().await;
    let library = Library::of(operator.home.path());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (faults, seen) = (Faults::default(), Arc::clone(&asked));
    faults.strike(usize::MAX, Fault::Reset, move |method, path| {
        seen.lock().unwrap().push((method.to_owned(), path.to_owned()));
        false
    });
    let cluster = through(&faults, &plane).await;
    let plan = library.prepare(&cluster, "network-policies").await.plan;
    assert!(plan.changes().count() > 2);

    let asked = std::mem::take(&mut *asked.lock().unwrap());
    assert!(asked.iter().all(|(method, _)| method == "GET"), "{asked:?}");
    let namespaces: Vec<&str> = asked
        .iter()
        .filter_map(|(_, path)| path.split_once("/api/v1/namespaces").map(|(_, rest)| rest))
        .filter(|rest| !rest.trim_start_matches('/').contains('/')) // what is in one is another matter
        .filter(|rest| *rest != "/kube-system") // its uid is the cluster's
        .collect();
    let there = objects.list("namespaces").await.len();
    assert!(there > 5, "{there}");
    assert_eq!(namespaces.len(), 1, "{namespaces:?}");
    assert!(namespaces[0].contains("limit="), "{namespaces:?}");
}

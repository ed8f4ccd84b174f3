//! Drift as a change detector: silent for a week of normal life, and loud about every change that somebody makes, of
//! every kind.

mod kinds;
mod over;
mod planted;
mod upgrade;
mod week;

use netdr::drill::cluster::host_root;
use serde_json::Value;

use crate::support::{MARKER, NODE, Objects, Operator, Outcome, Plane, everything, fresh};

/// A believable cluster and a node's files, backed up in all sets, as the night leaves them.
struct Watched {
    _plane: Plane,
    objects: Objects,
    operator: Operator,
}

impl Watched {
    async fn new() -> Self {
        let plane = fresh(everything()).await.loaded().await;
        let (objects, operator) = (Objects::of(&plane).await, Operator::of(&plane).await);
        host_root(&operator.home.path().join("host"), NODE, MARKER).unwrap();
        operator.home.netdr(&["backup", "--set", "all", "--host-root", "host"]).await.ok();
        Self { _plane: plane, objects, operator }
    }

    /// As the scheduled job looks: with no identity, so that no snapshot is opened.
    async fn drift(&self) -> Outcome {
        self.operator.home.netdr(&["drift", "--json", "--host-root", "host"]).await
    }

    async fn kubectl(&self, words: &str) -> String {
        self.operator.home.run("kubectl", &words.split_whitespace().collect::<Vec<_>>()).await.ok()
    }
}

/// An item's key as people say it.
fn said(item: &Value) -> String {
    item["key"].as_str().unwrap().parse::<netdr::model::ItemKey>().unwrap().to_string()
}

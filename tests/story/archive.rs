//! Snapshots in S3 Glacier Deep Archive: kept, found again, thawed, brought back, whatever goes wrong on the way.

mod faults;
mod killed;
mod listing;
mod objective;
mod prune;
mod rights;
mod thaw;
mod verify;

use serde_json::Value;

use crate::support::{Glacier, Store};

/// The class that bundles are put in, where a story does not care.
const DEEP: &str = "";

/// A store with one snapshot, which is in an archive too.
struct Ground {
    store: Store,
    glacier: Glacier,
    id: String,
}

impl Ground {
    /// `more` goes into the place's configuration.
    async fn of(more: &str) -> Self {
        let (store, glacier) = (Store::new().await, Glacier::start().await);
        glacier.replicates(&store, more);
        let id = store.backup().await;
        glacier.calls();
        Self { store, glacier, id }
    }

    /// What `netdr thaw` says of the snapshot, if it ends with this exit code.
    async fn thaw(&self, more: &str, code: i32) -> Value {
        self.store.netdr(&format!("thaw {} --json {more}", self.id)).await.json(code)
    }

    /// The calls of this operation since somebody last asked.
    fn calls(&self, operation: &str) -> Vec<String> {
        self.glacier.calls().into_iter().filter(|call| call.starts_with(operation)).collect()
    }
}

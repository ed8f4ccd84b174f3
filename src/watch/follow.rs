//! Following one target for as long as the cluster serves it.
//!
//! In: a target. Out: lines on the board. Invariant: what changed while nobody could look is found by listing anew, and
//! told as a change.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use super::{board::Board, fingerprint, targets::Target};
use crate::cluster::{Change, Cluster, Listed, Refusal};

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A connection that breaks, or a server that is busy for a moment, is no news.
const SAID_AFTER: u32 = 5;
/// A watch that ends sooner is not begun again at once.
const SHORT: Duration = Duration::from_secs(1);

/// Fingerprints of a target's objects.
type Objects = HashMap<u64, u64>;

/// Follows until the kind is served no longer.
pub(super) async fn follow(cluster: Cluster, target: Target, board: Arc<Board>, lists: Arc<Semaphore>) {
    let mut known: Option<Objects> = None;
    let mut from: Option<String> = None;
    let (mut failures, mut delay) = (0, FIRST_DELAY);
    loop {
        let began = Instant::now();
        let done = match &from {
            None => list(&cluster, &target, &board, &lists, &mut known).await,
            Some(at) => watch(&cluster, &target, &board, at, &mut known).await,
        };
        match done {
            Ok(at) => {
                let hasty = from.is_some() && began.elapsed() < SHORT;
                from = Some(at);
                board.heard(&target);
                (failures, delay) = (0, FIRST_DELAY);
                if hasty {
                    sleep(SHORT).await;
                }
            }
            Err(refusal) if refusal.is_not_found() => return board.went(&target.name),
            // The past is forgotten: what is there now says what was missed.
            Err(refusal) if refusal.code == 410 && from.is_some() => from = None,
            Err(refusal) => {
                failures += 1;
                let no = (400..500).contains(&refusal.code) && refusal.code != 429;
                if no || failures >= SAID_AFTER {
                    board.lost(&target, &refusal);
                }
                // A server that answered no may have another past when it answers yes.
                if no {
                    from = None;
                }
                sleep(delay).await;
                delay = (delay * 2).min(LONGEST_DELAY);
            }
        }
    }
}

/// Reads what there is; from where to follow it.
async fn list(
    cluster: &Cluster,
    target: &Target,
    board: &Board,
    lists: &Semaphore,
    known: &mut Option<Objects>,
) -> Result<String, Refusal> {
    let _turn = lists.acquire().await; // never closed
    let mut fresh = Objects::new();
    let each = |listed| match listed {
        Listed::Object(object) => {
            let (object, like) = fingerprint::of(&target.kind, &object["metadata"]);
            fresh.insert(object, like);
        }
        Listed::Restarted => fresh.clear(),
    };
    let at = cluster.list_metadata(&target.kind, &target.options, each).await?;
    if known.as_ref().is_some_and(|known| *known != fresh) {
        board.changed(target, "unseen".into());
    }
    fresh.shrink_to_fit();
    *known = Some(fresh);
    Ok(at)
}

/// Follows until the server ends it; from where to go on.
async fn watch(
    cluster: &Cluster,
    target: &Target,
    board: &Board,
    from: &str,
    known: &mut Option<Objects>,
) -> Result<String, Refusal> {
    let known = known.get_or_insert_default();
    let each = |change| {
        let (metadata, changed) = match change {
            Change::Is(metadata) => {
                let (object, like) = fingerprint::of(&target.kind, &metadata);
                let changed = known.insert(object, like) != Some(like);
                (metadata, changed)
            }
            Change::Gone(metadata) => {
                let (object, _) = fingerprint::of(&target.kind, &metadata);
                let changed = known.remove(&object).is_some();
                (metadata, changed)
            }
        };
        if changed {
            board.changed(target, name(&metadata));
        }
    };
    cluster.watch(&target.kind, &target.options, from, each).await
}

fn name(metadata: &Value) -> String {
    let name = metadata["name"].as_str().unwrap_or_default();
    metadata["namespace"].as_str().map_or_else(|| name.into(), |namespace| format!("{namespace}/{name}"))
}

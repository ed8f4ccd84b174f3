//! Following a cluster's networking state, so that a change is in a snapshot within seconds.
//!
//! In: a cluster and a scope. Out: news of what changed, what cannot be followed, and what came or went as a kind.
//! Invariant: nothing grows with time: of each object a fingerprint of its metadata is held, of each kind one line of news,
//! and a kind that is refused stops no other.

mod board;
pub mod debounce;
mod fingerprint;
mod follow;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until},
};

use crate::{Result, capture::Scope, cluster::Cluster, model::Set};
use board::Board;
pub use board::{Changed, News};
use follow::follow;
use targets::targets;

/// Lists in flight while it begins: few enough for the API server's fairness queues.
const LISTS: usize = 6;
/// How often what the cluster serves is asked for where nothing says that it changed: a group's server may have died.
const DISCOVER: Duration = Duration::from_secs(300);
/// When it is asked for after a definition changed: it is served some time after it is there.
const SERVED_AFTER: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10)];

/// What follows a cluster; dropped, it stops.
pub struct Watch {
    cluster: Cluster,
    scope: Scope,
    sets: BTreeSet<Set>,
    board: Arc<Board>,
    lists: Arc<Semaphore>,
    tasks: JoinSet<()>,
    /// By target, those that are followed.
    followed: BTreeMap<String, AbortHandle>,
    /// When to ask what the cluster serves, soonest first.
    discoveries: Vec<Instant>,
}

impl Watch {
    /// Begins to follow what `scope` captures of these sets.
    ///
    /// # Errors
    /// When the cluster cannot be asked what it serves.
    pub async fn start(cluster: Cluster, scope: Scope, sets: BTreeSet<Set>) -> Result<Self> {
        let mut watch = Self {
            cluster,
            scope,
            sets,
            board: Arc::default(),
            lists: Arc::new(Semaphore::new(LISTS)),
            tasks: JoinSet::new(),
            followed: BTreeMap::new(),
            discoveries: vec![Instant::now() + DISCOVER],
        };
        watch.discover().await?;
        Ok(watch)
    }

    /// How many targets are followed: a kind, or one named object.
    pub fn followed(&self) -> usize {
        self.followed.len()
    }

    /// Waits for news. It may be cancelled: what was not taken is told the next time.
    pub async fn news(&mut self) -> News {
        loop {
            while self.tasks.try_join_next().is_some() {} // of those that have ended nothing is kept
            let next = self.discoveries.first().copied().unwrap_or_else(|| Instant::now() + DISCOVER);
            tokio::select! {
                () = self.board.posted() => {
                    let news = self.board.take();
                    if news.definitions {
                        let now = Instant::now();
                        self.discoveries.extend(SERVED_AFTER.map(|after| now + after));
                        self.discoveries.sort();
                        self.discoveries.truncate(2 * SERVED_AFTER.len());
                    }
                    return news;
                }
                () = sleep_until(next) => {
                    self.discoveries.retain(|at| *at > next);
                    if self.discoveries.is_empty() {
                        self.discoveries.push(Instant::now() + DISCOVER);
                    }
                    // Where it does not answer, those who follow say so.
                    let _ = self.discover().await;
                }
            }
        }
    }

    /// Follows what is served and was not; whoever follows what is gone finds out by itself, or is stopped here.
    async fn discover(&mut self) -> Result<()> {
        let discovery = self.cluster.discover().await?;
        let targets = targets(&discovery, &self.scope, &self.sets);
        self.followed.retain(|name, task| {
            if task.is_finished() {
                return false;
            }
            let gone = !targets.iter().any(|target| target.name == *name);
            if gone {
                task.abort();
                self.board.went(name);
            }
            !gone
        });
        let first = self.followed.is_empty();
        for target in targets {
            if self.followed.contains_key(&target.name) {
                continue;
            }
            if !first {
                self.board.came(&target);
            }
            let name = target.name.clone();
            let (cluster, board, lists) =
                (self.cluster.clone(), Arc::clone(&self.board), Arc::clone(&self.lists));
            let task = self.tasks.spawn(follow(cluster, target, board, lists));
            self.followed.insert(name, task);
        }
        Ok(())
    }
}

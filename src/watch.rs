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
/// Where it could not be asked for.
const DISCOVER_AGAIN: Duration = Duration::from_secs(10);
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
                    // Cancelled here, it is asked anew. Where it does not answer, those who follow say so.
                    let again = self.discover().await.map_or(DISCOVER_AGAIN, |()| DISCOVER);
                    self.discoveries.retain(|at| *at > next);
                    if self.discoveries.is_empty() {
                        self.discoveries.push(Instant::now() + again);
                    }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use kube::client::{Body, Client};
    use tokio::{sync::mpsc, time::timeout};

    use super::*;

    const NOTHING: &str =
        r#"{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","metadata":{},"items":[]}"#;

    #[tokio::test]
    async fn what_is_served_is_asked_for_anew_where_a_look_came_between() {
        let (ask, mut asked) = mpsc::unbounded_channel();
        let times = AtomicUsize::new(0);
        // It answers once, and then never.
        let server = tower::service_fn(move |request: Request<Body>| {
            let groups = request.uri().path() == "/apis";
            let hangs = groups && times.fetch_add(1, Ordering::SeqCst) > 0;
            if groups {
                let _ = ask.send(());
            }
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Response::builder().status(200).body(Full::new(Bytes::from(NOTHING)))
            }
        });
        let cluster = Cluster::from_client(Client::new(server, "default"), "fake", "fake");
        let mut watch = Watch::start(cluster, Scope::default(), [Set::Network].into()).await.unwrap();
        asked.recv().await.unwrap();
        watch.discoveries = vec![Instant::now()];
        for time in ["the first", "the second"] {
            tokio::select! {
                news = watch.news() => panic!("{news:?}"),
                asked = timeout(Duration::from_secs(60), asked.recv()) => assert_eq!(asked, Ok(Some(())), "{time}"),
            }
        }
    }
}

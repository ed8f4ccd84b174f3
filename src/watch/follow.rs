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

/// What is said of objects that went while nobody could look.
const GONE: &str = "gone meanwhile";

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
                // Who may list may not be allowed to watch: only a watch that ended well is one that works.
                if from.replace(at).is_some() {
                    board.heard(&target);
                    (failures, delay) = (0, FIRST_DELAY);
                    if began.elapsed() < SHORT {
                        sleep(SHORT).await;
                    }
                }
                continue;
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
            }
        }
        sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
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
    let mut missed = Vec::new();
    let each = |listed| match listed {
        Listed::Object(object) => {
            let metadata = &object["metadata"];
            let (object, like) = fingerprint::of(&target.kind, metadata);
            if known.as_ref().is_some_and(|known| known.get(&object) != Some(&like)) {
                missed.push(name(metadata));
            }
            fresh.insert(object, like);
        }
        Listed::Restarted => {
            fresh.clear();
            missed.clear();
        }
    };
    let at = cluster.list_metadata(&target.kind, &target.options, each).await?;
    let gone = known.iter().flat_map(Objects::keys).filter(|object| !fresh.contains_key(*object));
    missed.extend(gone.map(|_| GONE.to_owned())); // of which only a number is known
    missed.into_iter().for_each(|object| board.changed(target, object));
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

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use kube::client::{Body, Client};
    use tokio::{sync::mpsc, time::timeout};

    use super::*;
    use crate::watch::{board::News, targets::any_target};

    const LIST: &str = r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#;

    /// A server that gives these answers one by one, and then hangs; what it was asked.
    fn scripted(answers: &[&str]) -> (Cluster, mpsc::UnboundedReceiver<String>) {
        let (ask, asked) = mpsc::unbounded_channel();
        let answers = Mutex::new(answers.iter().map(|&answer| answer.to_owned()).collect::<VecDeque<_>>());
        let server = tower::service_fn(move |request: Request<Body>| {
            let _ = ask.send(request.uri().to_string());
            let answer = answers.lock().unwrap().pop_front();
            async move {
                let Some(answer) = answer else { return std::future::pending().await };
                Response::builder().status(200).body(Full::new(Bytes::from(answer)))
            }
        });
        (Cluster::from_client(Client::new(server, "default"), "fake", "fake"), asked)
    }

    #[tokio::test]
    async fn it_goes_on_from_a_bookmark_and_lists_anew_where_the_stream_says_that_the_past_is_gone() {
        let object = |name: &str| format!(r#"{{"metadata":{{"name":"{name}","generation":1}}}}"#);
        let list = |version: u32, names: [&str; 2]| {
            let items = names.map(object).join(",");
            format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"items":[{items}]}}"#)
        };
        let bookmark = r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"#;
        let expired = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#;
        let (cluster, mut asked) = scripted(&[
            &list(1, ["a", "b"]),
            &format!("{bookmark}\n"),
            &format!("{expired}\n"),
            &list(9, ["b", "c"]),
        ]);
        let board = Arc::<Board>::default();
        let following =
            follow(cluster, any_target("policies"), Arc::clone(&board), Arc::new(Semaphore::new(1)));
        let following = tokio::spawn(following);
        let mut from = Vec::new();
        while from.len() < 5 {
            let uri = timeout(Duration::from_secs(60), asked.recv()).await.unwrap().unwrap();
            let at = uri.split_once("&resourceVersion=").filter(|_| uri.contains("watch=true"));
            from.push(at.map_or("list", |(_, at)| at.split('&').next().unwrap_or_default()).to_owned());
        }
        following.abort();
        assert_eq!(from, ["list", "1", "7", "list", "9"]);
        let news = board.take();
        let changed = &news.changed["policies"];
        assert_eq!((changed.times, news.lost.len(), news.silent), (2, 0, None));
        assert_eq!(changed.objects, [GONE.to_owned(), "c".into()].into());
    }

    /// A hundred thousand objects come and go: what is kept of them is what is there.
    #[tokio::test]
    async fn of_what_is_gone_nothing_is_kept_however_much_came_and_went() {
        let event = |what: &str, n: u32| {
            format!(
                r#"{{"type":"{what}","object":{{"metadata":{{"name":"x{n}","resourceVersion":"{n}"}}}}}}"#
            ) + "\n"
        };
        let stream: String = (1..=100_000).flat_map(|n| [event("ADDED", n), event("DELETED", n)]).collect();
        let (cluster, _asked) = scripted(&[&stream]);
        let (board, target, mut known) = (Board::default(), any_target("policies"), None);
        let at = watch(&cluster, &target, &board, "0", &mut known).await.unwrap();
        let known = known.unwrap();
        assert_eq!((at.as_str(), known.len()), ("100000", 0));
        assert!(known.capacity() < 100, "{}", known.capacity());
        let changed = &board.take().changed["policies"];
        assert_eq!((changed.times, changed.objects.len()), (200_000, 3));
    }

    /// Follows a kind that is listed, and whose watches are refused, until it was listed four times: how long that took, and
    /// what was told.
    async fn listed_four_times(refused: u16) -> (Duration, News) {
        let (list, mut lists) = mpsc::unbounded_channel();
        let server = tower::service_fn(move |request: Request<Body>| {
            let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let (status, body) = match watches {
                true => (refused, format!(r#"{{"kind":"Status","code":{refused},"message":"no"}}"#)),
                false => (200, LIST.to_owned()),
            };
            if !watches {
                let _ = list.send(Instant::now());
            }
            let answer = Response::builder().status(status).body(Full::new(Bytes::from(body)));
            async move { answer }
        });
        let cluster = Cluster::from_client(Client::new(server, "default"), "fake", "fake");
        let board = Arc::<Board>::default();
        let following =
            follow(cluster, any_target("policies"), Arc::clone(&board), Arc::new(Semaphore::new(1)));
        let following = tokio::spawn(following);
        let mut at = Vec::new();
        while at.len() < 4 {
            at.extend(timeout(Duration::from_secs(60), lists.recv()).await.unwrap());
        }
        following.abort();
        (at[3] - at[0], board.take())
    }

    #[tokio::test]
    async fn who_may_list_and_not_watch_is_asked_ever_more_seldom_and_it_is_said_once() {
        for (refused, lost) in [(403, 1), (405, 1), (410, 0)] {
            let (took, news) = listed_four_times(refused).await;
            assert!(took >= FIRST_DELAY * (1 + 2 + 4), "{refused}: {took:?}");
            assert_eq!((news.lost.len(), news.back.len()), (lost, 0), "{refused}");
        }
    }
}

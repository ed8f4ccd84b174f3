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
/// A kind that is refused is asked for no more often than this in the end.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A server that is not there, and one that is there and not ready: what changes meanwhile is seen late.
const ABSENT_DELAY: Duration = Duration::from_secs(5);
const UNREADY_DELAY: Duration = Duration::from_secs(2);
/// A server that begins refuses this long what it serves later: it answers 429 "storage is (re)initializing" until its
/// caches are filled (k8s.io/apiserver, pkg/storage/cacher), 503 until all paths are there, and 401 and 403 until it has
/// read who may do what.
const BEGINS: Duration = Duration::from_secs(60);
/// For longer than this no answer comes of one kind, while others are followed, only where it is the kind's own doing: a
/// connection that hangs is found out after a minute (`cluster::access`), and passes for one that is followed until then.
const APART: Duration = Duration::from_secs(120);
/// A connection that breaks, or a server that is busy for a moment, is no news.
const SAID_AFTER: u32 = 5;
/// A watch that ends sooner is not begun again at once.
const SHORT: Duration = Duration::from_secs(1);

/// What is said of objects that went while nobody could look.
const GONE: &str = "gone meanwhile";

/// Fingerprints of a target's objects.
type Objects = HashMap<u64, u64>;

/// How a target fares since it was followed last.
struct Course {
    failures: u32,
    delay: Duration,
    /// Whether the connection broke.
    cut: bool,
    /// Since when the server answers, and not with what was asked for.
    unready: Option<Instant>,
    /// Since when no answer comes, while others are followed.
    apart: Option<Instant>,
}

impl Course {
    const fn new() -> Self {
        Self { failures: 0, delay: FIRST_DELAY, cut: false, unready: None, apart: None }
    }

    /// Takes note of a failure; whether the server fails, and not this kind. `is_deaf`: no other is followed either.
    fn failed(&mut self, refusal: &Refusal, is_deaf: bool, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if is_deaf {
            self.apart = None;
        }
        if refusal.code == 0 {
            (self.cut, self.unready) = (true, None);
            return is_deaf || now - *self.apart.get_or_insert(now) < APART;
        }
        let begins = refusal.is_temporary() || (self.cut && matches!(refusal.code, 401 | 403));
        let is_beginning = begins && now - *self.unready.get_or_insert(now) < BEGINS;
        is_beginning || (is_deaf && refusal.is_temporary())
    }

    /// How long to wait before the next try, each time longer.
    fn pause(&mut self, refusal: &Refusal, of_server: bool) -> Duration {
        let longest = match refusal.code {
            0 if of_server => ABSENT_DELAY,
            _ if of_server => UNREADY_DELAY,
            _ => LONGEST_DELAY,
        };
        let pause = self.delay.min(longest).max(refusal.retry_after.min(LONGEST_DELAY));
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        pause
    }
}

/// Follows until the kind is served no longer.
pub(super) async fn follow(cluster: Cluster, target: Target, board: Arc<Board>, lists: Arc<Semaphore>) {
    let mut known: Option<Objects> = None;
    let mut from: Option<String> = None;
    let mut course = Course::new();
    loop {
        let (began, mut followed) = (Instant::now(), false);
        let done = match &from {
            None => list(&cluster, &target, &board, &lists, &mut known).await,
            Some(at) => watch(&cluster, &target, &board, at, &mut known, &mut followed).await,
        };
        if followed {
            course = Course { delay: course.delay, ..Course::new() };
        }
        let refusal = match done {
            Ok(at) => {
                // Who may list may not be allowed to watch: only a watch that ended well is one that works.
                if from.replace(at).is_some() {
                    course = Course::new();
                    if began.elapsed() < SHORT {
                        sleep(SHORT).await;
                    }
                }
                continue;
            }
            Err(refusal) if refusal.is_not_found() => return board.went(&target.name),
            Err(refusal) => refusal,
        };
        let mut of_server = false;
        if refusal.code == 410 && from.is_some() {
            // The past is forgotten: what is there now says what was missed.
            from = None;
        } else {
            of_server = course.failed(&refusal, board.is_deaf(), Instant::now());
            match of_server {
                true => board.away(&target, &refusal, course.failures >= SAID_AFTER),
                false => board.lost(&target, &refusal),
            }
            // A server that answered no may have another past when it answers yes.
            if !refusal.is_temporary() {
                from = None;
            }
        }
        sleep(course.pause(&refusal, of_server)).await;
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

/// Follows until the server ends it; from where to go on. `followed` is whether the server ever did.
async fn watch(
    cluster: &Cluster,
    target: &Target,
    board: &Board,
    from: &str,
    known: &mut Option<Objects>,
    followed: &mut bool,
) -> Result<String, Refusal> {
    let known = known.get_or_insert_default();
    let each = |change| {
        let (metadata, changed) = match change {
            Change::Begun => {
                *followed = true;
                return board.heard(target);
            }
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

    fn refusal(code: u16, retry_after: u64) -> Refusal {
        let (reason, message) = (String::new(), "no".into());
        Refusal { code, reason, message, fields: vec![], retry_after: Duration::from_secs(retry_after) }
    }

    /// Beside others that are followed.
    fn failed(course: &mut Course, code: u16, now: Instant) -> bool {
        course.failed(&refusal(code, 0), false, now)
    }

    #[test]
    fn what_a_server_refuses_while_it_begins_is_its_own_fault_for_a_minute() {
        let now = Instant::now();
        let mut course = Course::new();
        assert!(!failed(&mut course, 403, now), "nothing broke: it is a matter of rights");
        assert!(failed(&mut course, 0, now));
        let up = now + 10 * BEGINS;
        for code in [403, 429, 503] {
            assert!(failed(&mut course, code, up) && failed(&mut course, code, up + BEGINS / 2), "{code}");
        }
        assert!(!failed(&mut course, 429, up + BEGINS), "it lasts");
        assert!(course.failed(&refusal(429, 0), true, up + BEGINS), "for all");
        assert!(!failed(&mut course, 405, up));
    }

    #[test]
    fn no_answer_is_the_servers_doing_where_no_other_kind_has_one() {
        let (now, mut course) = (Instant::now(), Course::new());
        let down = now + 10 * APART;
        assert!(failed(&mut course, 0, now) && failed(&mut course, 0, now + APART / 2));
        assert!(course.failed(&refusal(0, 0), true, down), "it is down, however long");
        assert!(failed(&mut course, 0, down), "it is up, and others were asked first");
        assert!(!failed(&mut course, 0, down + APART), "this one alone");
        assert_eq!(course.pause(&refusal(0, 0), false), FIRST_DELAY);
    }

    #[test]
    fn one_that_begins_is_asked_soon_and_when_it_says_so() {
        let mut course = Course { delay: LONGEST_DELAY, ..Course::new() };
        let paused = [
            (course.pause(&refusal(0, 0), true), ABSENT_DELAY),
            (course.pause(&refusal(429, 0), true), UNREADY_DELAY),
            (course.pause(&refusal(429, 7), true), Duration::from_secs(7)),
            (course.pause(&refusal(503, 86_400), true), LONGEST_DELAY),
            (course.pause(&refusal(403, 0), false), LONGEST_DELAY),
            (Course::new().pause(&refusal(429, 0), true), FIRST_DELAY),
        ];
        paused.iter().for_each(|(pause, wanted)| assert_eq!(pause, wanted));
    }

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
        let at = watch(&cluster, &target, &board, "0", &mut known, &mut false).await.unwrap();
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

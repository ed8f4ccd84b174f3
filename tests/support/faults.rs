//! Faults in front of the real API server: a layer on the client that answers some requests itself.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use kube::{
    Config,
    client::{Body, ClientBuilder},
};
use netdr::cluster::Cluster;
use tokio::sync::watch;
use tower::{BoxError, Layer, Service};

/// What happens to a request instead of reaching the server.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status, with this `Status.reason`.
    Status(u16, &'static str),
    /// 429 with Retry-After, in seconds.
    RetryAfter(u64),
    /// The connection breaks before an answer.
    Reset,
    /// The answer takes this long.
    Slow(Duration),
    /// The request goes through, then the connection breaks before the answer is read.
    ResetAfter,
    /// The request goes through, then the connection breaks in the midst of the answer.
    ResetMidBody,
    /// The request waits until this turns true, then goes through.
    Hold(watch::Receiver<bool>),
}

/// Whether a request, by method and by path with query, is meant.
type Meets = Box<dyn Fn(&str, &str) -> bool + Send>;

struct Rule {
    meets: Meets,
    left: usize,
    fault: Fault,
}

/// A request that met a fault.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) at: Instant,
    /// "GET /path".
    pub(crate) request: String,
}

/// Rules in force; cheap to clone, and changed while the client is in use.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    rules: Arc<Mutex<VecDeque<Rule>>>,
    hits: Arc<Mutex<Vec<Hit>>>,
    /// Whether the server itself failed to answer, or answered 5xx.
    failed: Arc<AtomicBool>,
}

impl Faults {
    /// The next `times` requests with this method ("*" for any) whose path and query contain `path` get `fault`.
    pub(crate) fn inject(&self, method: &'static str, path: &str, times: usize, fault: Fault) {
        let path = path.to_owned();
        self.strike(times, fault, move |m, p| (method == "*" || method == m) && p.contains(&path));
    }

    /// The next `times` requests that are meant get `fault`.
    pub(crate) fn strike(
        &self,
        times: usize,
        fault: Fault,
        meets: impl Fn(&str, &str) -> bool + Send + 'static,
    ) {
        self.rules.lock().unwrap().push_back(Rule { meets: Box::new(meets), left: times, fault });
    }

    /// No faults any more.
    pub(crate) fn clear(&self) {
        self.rules.lock().unwrap().clear();
    }

    /// The requests that met a fault, as "GET /path".
    pub(crate) fn hit(&self) -> Vec<String> {
        self.hits().into_iter().map(|hit| hit.request).collect()
    }

    /// As [`Faults::hit`], with when.
    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// Whether the server itself failed to answer a request, or answered 5xx.
    pub(crate) fn server_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    fn next(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && (rule.meets)(method, path))?;
        rule.left -= 1;
        let hit = Hit { at: Instant::now(), request: format!("{method} {path}") };
        self.hits.lock().unwrap().push(hit);
        Some(rule.fault.clone())
    }

    /// A cluster whose requests pass through these faults.
    pub(crate) fn cluster(&self, config: Config) -> Cluster {
        let mut config = config;
        config.default_retry = false; // netdr's own retries are what is tested
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = ClientBuilder::try_from(config).unwrap().with_layer(self).build();
        Cluster::from_client(client, server, "disposable") // as a plane's kubeconfig calls it
    }
}

impl<S> Layer<S> for Faults {
    type Service = Faulty<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Faulty { inner, faults: self.clone() }
    }
}

/// The service with faults before it.
#[derive(Clone)]
pub(crate) struct Faulty<S> {
    inner: S,
    faults: Faults,
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

impl<S, B> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: BodyExt<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fault = self.faults.next(request.method().as_str(), &request.uri().to_string());
        match fault {
            Some(Fault::Status(code, reason)) => {
                return Box::pin(async move { Ok(status(code, reason, None)) });
            }
            Some(Fault::RetryAfter(seconds)) => {
                return Box::pin(async move { Ok(status(429, "TooManyRequests", Some(seconds))) });
            }
            Some(Fault::Reset) => return Box::pin(async { Err(reset()) }),
            _ => {}
        }
        let (answer, failed) = (self.inner.call(request), Arc::clone(&self.faults.failed));
        Box::pin(async move {
            match &fault {
                Some(Fault::Slow(time)) => tokio::time::sleep(*time).await,
                Some(Fault::Hold(open)) => drop(open.clone().wait_for(|open| *open).await),
                _ => {}
            }
            let answer = answer.await;
            let bad = answer.as_ref().map_or(true, |answer| answer.status().is_server_error());
            failed.fetch_or(bad, Ordering::SeqCst);
            let (head, body) = answer?.into_parts();
            let body = match fault {
                Some(Fault::ResetAfter) => return Err(reset()),
                Some(Fault::ResetMidBody) => {
                    let whole = body.collect().await.map_err(Into::into)?.to_bytes();
                    let half = Full::from(whole.slice(..whole.len() / 2)).map_err(|never| match never {});
                    half.with_trailers(async { Some(Err(reset())) }).boxed_unsync()
                }
                _ => body.map_err(Into::into).boxed_unsync(),
            };
            Ok(Response::from_parts(head, body))
        })
    }
}

fn status(code: u16, reason: &str, retry: Option<u64>) -> Answer {
    let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": format!("injected {reason}"), "reason": reason, "code": code});
    let mut response = Response::builder().status(code);
    if let Some(seconds) = retry {
        response = response.header("Retry-After", seconds);
    }
    let body = Full::from(body.to_string()).map_err(|never| match never {});
    response.body(body.boxed_unsync()).unwrap()
}

fn reset() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "injected: connection reset by peer").into()
}

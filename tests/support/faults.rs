//! Faults in front of the real API server: a layer on the client that answers some requests itself.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use kube::{
    Config,
    client::{Body, ClientBuilder},
};
use netdr::cluster::Cluster;
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
}

struct Rule {
    method: &'static str,
    path: String,
    left: usize,
    fault: Fault,
}

/// Rules in force; cheap to clone, and changed while the client is in use.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
    hit: Arc<Mutex<Vec<String>>>,
}

impl Faults {
    /// The next `times` requests with this method ("*" for any) whose path and query contain `path` get `fault`.
    pub(crate) fn inject(&self, method: &'static str, path: &str, times: usize, fault: Fault) {
        self.rules.lock().unwrap().push(Rule { method, path: path.into(), left: times, fault });
    }

    /// The requests that met a fault, as "GET /path".
    pub(crate) fn hit(&self) -> Vec<String> {
        self.hit.lock().unwrap().clone()
    }

    fn next(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules
            .iter_mut()
            .find(|r| r.left > 0 && (r.method == "*" || r.method == method) && path.contains(&r.path))?;
        rule.left -= 1;
        self.hit.lock().unwrap().push(format!("{method} {path}"));
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

impl<S, B> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: 'static,
{
    type Response = Response<Either<B, Full<Bytes>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fault = self.faults.next(request.method().as_str(), &request.uri().to_string());
        let status = |code: u16, reason: &str, retry: Option<u64>| {
            let message = format!("injected {reason}");
            let body = serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
                "message": message, "reason": reason, "code": code});
            let mut response = Response::builder().status(code);
            if let Some(seconds) = retry {
                response = response.header("Retry-After", seconds);
            }
            Ok(response.body(Either::Right(Full::from(body.to_string()))).unwrap())
        };
        match fault {
            None => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await?.map(Either::Left)) })
            }
            Some(Fault::Status(code, reason)) => Box::pin(async move { status(code, reason, None) }),
            Some(Fault::RetryAfter(seconds)) => {
                Box::pin(async move { status(429, "TooManyRequests", Some(seconds)) })
            }
            Some(Fault::Slow(time)) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    tokio::time::sleep(time).await;
                    Ok(answer.await?.map(Either::Left))
                })
            }
            Some(Fault::Reset) => Box::pin(async { Err(reset()) }),
            Some(Fault::ResetAfter) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let _ = answer.await;
                    Err(reset())
                })
            }
        }
    }
}

fn reset() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "injected: connection reset by peer").into()
}

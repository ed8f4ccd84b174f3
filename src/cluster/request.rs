//! Sending one request: retries, and turning every failure into words.

use std::{collections::BTreeMap, sync::PoisonError, time::Duration};

use http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Cluster, access::CONNECT};
use crate::{Error, Result, error::plainly};

/// How long one request is tried again before its failure counts.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an API server that answered before may not be there: it restarts. RKE2 takes a minute or more on its servers:
/// etcd comes first, then the kubelet finds the static pods.
const RESTART: Duration = Duration::from_secs(120);
/// How long one may not that never did: more likely the kubeconfig leads nowhere.
const ABSENT: Duration = Duration::from_secs(3);
/// The reason of a refusal that no answer was.
const UNREACHABLE: &str = "Unreachable";
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// What is known of whether the API server is there.
#[derive(Default)]
pub(super) struct Presence {
    /// It answered once: then it is worth waiting for when it does not.
    answered: bool,
    /// Since when it has not answered any request. Whoever asks after it was waited for does not wait as long again.
    silent: Option<Instant>,
    /// Likewise of admission webhooks, by name.
    webhooks: BTreeMap<String, Instant>,
}

impl Presence {
    /// Until when a request that began then, and has just got no answer, is tried again.
    fn wait_until(&mut self, began: Instant) -> Instant {
        let silent = *self.silent.get_or_insert_with(Instant::now);
        if self.answered { silent.min(began) + RESTART } else { began + ABSENT }
    }

    /// Until when a request is tried again that this webhook had to let through and did not answer for.
    fn wait_for(&mut self, webhook: &str) -> Instant {
        *self.webhooks.entry(webhook.into()).or_insert_with(Instant::now) + PATIENCE
    }

    fn heard(&mut self) {
        (self.answered, self.silent) = (true, None);
    }
}

/// What the API server said no to, for callers that decide by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status; 0 when no answer came.
    pub code: u16,
    /// `Status.reason`, for example `Forbidden`, `Conflict`, `Expired`.
    pub reason: String,
    /// The server's words, or the connection's.
    pub message: String,
    /// Fields that `Status.details.causes` names.
    pub fields: Vec<String>,
    /// How long the server asks to be left alone (`Retry-After`, or `Status.details`); nothing where it does not say.
    pub retry_after: Duration,
}

/// An answer, or the refusal that is one.
pub type Answer<T> = std::result::Result<T, Refusal>;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) message: String,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Details {
    causes: Vec<Cause>,
    retry_after_seconds: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cause {
    field: String,
}

impl Refusal {
    /// No such object, or no such resource.
    pub fn is_not_found(&self) -> bool {
        self.code == 404
    }

    /// Whether the same request may be answered in a moment: no answer came, the server is busy, or something that it asks
    /// itself is.
    pub fn is_temporary(&self) -> bool {
        matches!(self.code, 0 | 429 | 500 | 502..=504)
    }

    /// The object exists already, or changed since it was read.
    pub fn is_conflict(&self) -> bool {
        self.code == 409
    }

    /// What strict decoding found, where that is why: `unknown field "spec.podSelectr", …` (k8s.io/apimachinery,
    /// pkg/runtime, strictDecodingError).
    pub fn unknown_fields(&self) -> Option<&str> {
        self.message.split_once("strict decoding error: ").map(|(_, fields)| fields)
    }

    /// The admission webhook that did not answer, where that is why: `failed calling webhook "NAME": …`
    /// (k8s.io/apiserver, pkg/admission/plugin/webhook/errors).
    pub fn webhook(&self) -> Option<&str> {
        let (_, rest) = self.message.split_once("failed calling webhook \"")?;
        rest.split_once('"').map(|(name, _)| name)
    }

    /// Turns it into an error about `object`, with what to do about this kind of refusal.
    pub fn about(self, doing: &str, object: &str, server: &str) -> Error {
        // Who is told of it elsewhere does not see which kubeconfig it was.
        let of = if self.code == 0 { format!(" of {server}") } else { String::new() };
        let error = Error::failed(format!("{doing} {object}{of}")).why(self.to_string());
        match self.code {
            0 => error.hint(format!(
                "is the API server up? try: curl -k {server}/readyz; on a server node with the pod network down use --kubeconfig /etc/rancher/rke2/rke2.yaml"
            )),
            401 => error.hint("the credential is wrong or has expired: get a new kubeconfig, on RKE2 from /etc/rancher/rke2/rke2.yaml"),
            403 => error.hint(format!("ask what is allowed with: kubectl auth can-i --list; {object} is needed")),
            429 | 500..=599 => error.hint("the API server is overloaded or a webhook does not answer; run the same command again"),
            _ => error,
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            0 => f.write_str(&self.message),
            code => write!(f, "{} ({code})", self.message),
        }
    }
}

impl Cluster {
    /// Sends a request and parses the answer; tries again on 429, 5xx and a connection that breaks.
    ///
    /// Every verb netdr sends may be repeated: a create that had gone through answers 409, a replace or delete
    /// carries a resourceVersion.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &'static str)],
        body: Option<&Value>,
    ) -> Answer<T> {
        let bytes = self.send_bytes(method, path, headers, body.map(|b| b.to_string().into_bytes())).await?;
        serde_json::from_slice(&bytes).map_err(|error| bad_answer(path, &error))
    }

    /// As [`Cluster::send`], the answer's bytes as they are.
    pub(super) async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &'static str)],
        body: Option<Vec<u8>>,
    ) -> Answer<Vec<u8>> {
        let uri: Uri = path.parse().map_err(|e| lost(format!("bad path {path}: {e}")))?;
        let body = body.unwrap_or_default();
        let started = Instant::now();
        let mut delay = FIRST_DELAY;
        let mut silent: Option<String> = None;
        loop {
            let refusal = match self.send_once(&method, &uri, headers, body.clone()).await {
                Ok(bytes) => {
                    if let Some(webhook) = silent {
                        self.presence(|presence| presence.webhooks.remove(&webhook));
                    }
                    return Ok(bytes);
                }
                Err(refusal) => refusal,
            };
            if !refusal.is_temporary() {
                return Err(refusal);
            }
            silent = refusal.webhook().map(ToOwned::to_owned);
            let until = match (refusal.code, &silent) {
                (0, _) => self.presence(|presence| presence.wait_until(started)),
                (_, Some(webhook)) => self.presence(|presence| presence.wait_for(webhook)),
                _ => started + PATIENCE,
            };
            let wait = refusal.retry_after.max(delay);
            if Instant::now() + wait > until {
                return Err(refusal);
            }
            sleep(wait).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    /// Forgets which webhooks did not answer: something was done since that may have brought them back.
    pub fn forget_webhooks(&self) {
        self.presence(|presence| presence.webhooks.clear());
    }

    fn presence<T>(&self, of: impl FnOnce(&mut Presence) -> T) -> T {
        of(&mut self.presence.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn send_once(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &[(header::HeaderName, &'static str)],
        body: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        use http_body_util::BodyExt as _;
        let mut request = Request::new(body);
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        for (name, value) in headers {
            request.headers_mut().insert(name.clone(), http::HeaderValue::from_static(value));
        }
        let lost_connection = |e: kube::Error| {
            let reason = if untrusted(&e) { "Untrusted" } else { UNREACHABLE };
            Refusal { reason: reason.into(), ..lost(connection_words(&e)) }
        };
        let response =
            self.client.send(request.map(kube::client::Body::from)).await.map_err(lost_connection)?;
        self.presence(Presence::heard);
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map_err(|e| lost(format!("the connection broke while reading the answer: {e}")))?
            .to_bytes();
        if parts.status.is_success() {
            return Ok(bytes.into());
        }
        Err(refused(parts.status, &parts.headers, &bytes))
    }

    /// Whether an API server answers at all, if only with a refusal; where nobody does (refused, timed out, reset), why. A
    /// certificate that is not trusted is no silence: what it means is for the request that follows to say.
    pub async fn answers(&self) -> std::result::Result<(), String> {
        match self.send_bytes(Method::GET, "/version", &[], None).await {
            Err(refusal) if refusal.reason == UNREACHABLE => Err(refusal.message),
            _ => Ok(()),
        }
    }

    /// Asks once whether the API server is ready (`/readyz`); why not, where it is not.
    pub async fn ready(&self) -> std::result::Result<(), String> {
        match self.send_once(&Method::GET, &Uri::from_static("/readyz"), &[], Vec::new()).await {
            Err(refusal) if refusal.code == 0 || refusal.code >= 500 => Err(refusal.to_string()),
            _ => Ok(()),
        }
    }

    /// GETs one object by path: none where it does not exist.
    ///
    /// # Errors
    /// When the API server cannot be reached or refuses.
    pub async fn get_path(&self, path: &str) -> Result<Option<Value>> {
        match self.send(Method::GET, path, &[], None).await {
            Ok(value) => Ok(Some(value)),
            Err(refusal) if refusal.is_not_found() => Ok(None),
            Err(refusal) => Err(refusal.about("cannot read", path, &self.server)),
        }
    }
}

/// An answer about `what` that does not parse.
pub(super) fn bad_answer(what: &str, error: &serde_json::Error) -> Refusal {
    Refusal {
        code: 0,
        reason: "BadAnswer".into(),
        message: format!("the API server's answer to {what} is not what it should be: {error}"),
        fields: Vec::new(),
        retry_after: Duration::ZERO,
    }
}

pub(super) fn lost(message: String) -> Refusal {
    Refusal { code: 0, reason: UNREACHABLE.into(), message, fields: Vec::new(), retry_after: Duration::ZERO }
}

pub(super) fn refused(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Refusal {
    let code = status.as_u16();
    let said: Status = serde_json::from_slice(bytes).unwrap_or_default();
    let details = said.details.unwrap_or_default();
    let message = if said.message.is_empty() {
        status.canonical_reason().unwrap_or("refused").to_owned()
    } else {
        said.message
    };
    let asked = headers
        .get(header::RETRY_AFTER)
        .and_then(|v| v.to_str().ok()?.parse().ok())
        .unwrap_or(details.retry_after_seconds);
    Refusal {
        code,
        reason: said.reason,
        message,
        fields: details.causes.into_iter().map(|c| c.field).filter(|f| !f.is_empty()).collect(),
        retry_after: Duration::from_secs(asked),
    }
}

/// Whether TLS failed: somebody is there.
fn untrusted(error: &kube::Error) -> bool {
    let causes = std::iter::successors(std::error::Error::source(error), |inner| inner.source());
    let mut kinds =
        causes.filter_map(|inner| inner.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    kinds.any(|kind| kind == std::io::ErrorKind::InvalidData)
}

/// kube's own texts print the cause twice and Debug at people; the innermost cause is what says something.
pub(super) fn connection_words(error: &kube::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = source {
        words.push(inner.to_string());
        source = inner.source();
    }
    match words.pop() {
        // tokio's words for the time to connect being over.
        Some(over) if over == "deadline has elapsed" => format!("no answer within {} s", CONNECT.as_secs()),
        Some(words) => plainly(words),
        None => plainly(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_restarts_is_waited_for_once_and_one_that_never_was_there_hardly() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let mut presence = Presence::default();
        assert_eq!(presence.wait_until(began), began + ABSENT);
        presence.heard();
        assert_eq!(presence.wait_until(began), began + RESTART);
        // Who asks for the first time after all that does not wait as long again.
        let silent = presence.silent.unwrap();
        assert_eq!(presence.wait_until(silent + RESTART), silent + RESTART);
        presence.heard();
        assert!(presence.wait_until(began + second) > began + second);
    }

    #[test]
    fn a_field_that_nobody_knows_is_told_from_any_other_refusal() {
        let message = "NetworkPolicy in version \"v1\" cannot be handled as a NetworkPolicy: strict decoding error: \
            unknown field \"spec.podSelectr\"";
        assert_eq!(lost(message.into()).unknown_fields(), Some("unknown field \"spec.podSelectr\""));
        assert_eq!(lost("json: cannot unmarshal number".into()).unknown_fields(), None);
    }

    #[test]
    fn a_webhook_that_does_not_answer_is_waited_for_once_whatever_it_is_asked() {
        let message =
            "Internal error occurred: failed calling webhook \"a.b\": failed to call webhook: Post …";
        let refusal = Refusal { code: 500, ..lost(message.into()) };
        assert_eq!(refusal.webhook(), Some("a.b"));
        assert_eq!(lost("admission webhook \"a.b\" denied the request".into()).webhook(), None);
        let mut presence = Presence::default();
        let until = presence.wait_for("a.b");
        assert_eq!(presence.wait_for("a.b"), until);
        assert!(presence.wait_for("another") > until);
    }
}

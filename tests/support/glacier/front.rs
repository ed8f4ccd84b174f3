//! What stands in front of the bucket: who may do what, and what goes wrong on the way.
//!
//! In: HTTP requests. Out: the bucket's answers, or a fault's. The faults are here and not in the service because a
//! connection that breaks, or a body that ends early, is nothing a service can answer.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use s3s::service::S3Service;
use tokio::sync::Notify;
use tower::BoxError;

use super::State;

type Out = UnsyncBoxBody<Bytes, BoxError>;

/// What goes wrong. Statuses and codes are those of <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// 403 AccessDenied: rights that are missing, or a bucket of another account.
    Forbidden,
    /// 404 NoSuchBucket.
    NoBucket,
    /// 301 PermanentRedirect, with the region in `x-amz-bucket-region`.
    OtherRegion,
    /// 403 RequestTimeTooSkewed: the two clocks are more than 15 minutes apart.
    Skewed,
    /// 409 ConditionalRequestConflict: another writes the same key at this moment.
    Conflict,
    /// 412 PreconditionFailed: there is something at this key.
    Exists,
    /// 429, of S3-compatible servers.
    TooMany,
    /// 503 SlowDown.
    SlowDown,
    /// 500 InternalError.
    Internal,
    /// The connection breaks before anything is done.
    Reset,
    /// It is done, then the connection breaks.
    ResetAfter,
    /// The answer ends in the midst of its body.
    Short,
    /// The answer names a checksum of other bytes.
    OtherChecksum,
    /// The answer takes this long.
    Slow(Duration),
}

/// A write that is never answered: whoever sent it can be killed in peace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    /// It has arrived, and nothing is done.
    Before,
    /// It is done, and nobody is told.
    After,
}

/// The next `left` calls of this operation, with this in their key, meet it.
pub(super) struct Rule {
    pub(super) operation: &'static str,
    pub(super) key: String,
    pub(super) left: usize,
    pub(super) trouble: Trouble,
    pub(super) met: bool,
}

/// What a request wants.
struct Call {
    operation: &'static str,
    key: String,
    /// What its sender must be allowed to do.
    actions: Vec<&'static str>,
}

pub(super) struct Front {
    pub(super) service: S3Service,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) held: Arc<Notify>,
}

impl Front {
    /// Answers; an error breaks the connection.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<Out>, BoxError> {
        let call = Call::of(&request);
        let head = *request.method() == Method::HEAD;
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let trouble = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(format!("{} {}", call.operation, call.key));
            if !call.actions.iter().all(|action| state.allows(action)) {
                return Ok(Trouble::Forbidden.answer(head));
            }
            state.meets(call.operation, &call.key)
        };
        match trouble {
            Some(Trouble::Reset) => return Err("reset".into()),
            Some(Trouble::Slow(time)) => tokio::time::sleep(time).await,
            Some(trouble) if trouble.status().is_some() => return Ok(trouble.answer(head)),
            _ => {}
        }
        let stop = call.writes().then(|| self.state.lock().unwrap().stops()).flatten();
        if stop == Some(Moment::Before) {
            self.hold().await;
        }
        let answer = self.service.call(Request::from_parts(parts, s3s::Body::from(body))).await?;
        if stop == Some(Moment::After) {
            self.hold().await;
        }
        // userguide/security_iam_troubleshoot: without s3:ListBucket a key that is not there answers 403, not 404.
        if answer.status() == 404
            && call.operation != "ListObjectsV2"
            && !self.state.lock().unwrap().allows("s3:ListBucket")
        {
            return Ok(Trouble::Forbidden.answer(head));
        }
        after(trouble, answer).await
    }

    async fn hold(&self) {
        self.held.notify_one();
        std::future::pending::<()>().await;
    }
}

/// What is done to the answer.
async fn after(trouble: Option<Trouble>, answer: Response<s3s::Body>) -> Result<Response<Out>, BoxError> {
    let (mut parts, body) = answer.into_parts();
    match trouble {
        Some(Trouble::ResetAfter) => Err("reset".into()),
        Some(Trouble::Short) => {
            let whole = body.collect().await?.to_bytes();
            let half = Frame::data(whole.slice(..whole.len() / 2));
            let frames = stream::iter([Ok(half), Err(BoxError::from("short"))]);
            Ok(Response::from_parts(parts, StreamBody::new(frames).boxed_unsync()))
        }
        Some(Trouble::OtherChecksum) => {
            let other = HeaderValue::from_static("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="); // of nothing
            if let Some(checksum) = parts.headers.get_mut("x-amz-checksum-sha256") {
                *checksum = other;
            }
            Ok(Response::from_parts(parts, body.boxed_unsync()))
        }
        _ => Ok(Response::from_parts(parts, body.boxed_unsync())),
    }
}

impl Trouble {
    /// Status, code and message, where it is an answer of S3.
    fn status(self) -> Option<(u16, &'static str, &'static str)> {
        Some(match self {
            Self::Forbidden => (403, "AccessDenied", "Access Denied"),
            Self::NoBucket => (404, "NoSuchBucket", "The specified bucket does not exist"),
            Self::OtherRegion => (
                301,
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint.",
            ),
            Self::Skewed => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::Conflict => (
                409,
                "ConditionalRequestConflict",
                "A conflicting operation occurred during the request. Please retry.",
            ),
            Self::Exists => {
                (412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            }
            Self::TooMany => (429, "TooManyRequests", "Please reduce your request rate."),
            Self::SlowDown => (503, "SlowDown", "Please reduce your request rate."),
            Self::Internal => (500, "InternalError", "We encountered an internal error. Please try again."),
            _ => return None,
        })
    }

    fn answer(self, head: bool) -> Response<Out> {
        let (status, code, message) = self.status().unwrap();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>GLACIER0000TEST</RequestId></Error>"
        );
        let text = if head { String::new() } else { text };
        let body = Full::from(text).map_err(|never| match never {}).boxed_unsync();
        let answer = Response::builder().status(status).header("content-type", "application/xml").header(
            "x-amz-bucket-region",
            if self == Self::OtherRegion { "ap-southeast-2" } else { super::REGION },
        );
        answer.body(body).unwrap()
    }
}

impl Call {
    /// Which action each needs: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>.
    fn of<B>(request: &Request<B>) -> Self {
        let (query, headers) = (request.uri().query().unwrap_or_default(), request.headers());
        let asks = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
        let (_, key) = request.uri().path()[1..].split_once('/').unwrap_or_default();
        let version = asks("versionId");
        let of = |operation, action| (operation, vec![action]);
        let (operation, mut actions) = match *request.method() {
            Method::PUT => of("PutObject", "s3:PutObject"),
            Method::POST if asks("restore") => of("RestoreObject", "s3:RestoreObject"),
            Method::DELETE if version => of("DeleteObject", "s3:DeleteObjectVersion"),
            Method::DELETE => of("DeleteObject", "s3:DeleteObject"),
            Method::HEAD if key.is_empty() => of("HeadBucket", "s3:ListBucket"),
            Method::HEAD if version => of("HeadObject", "s3:GetObjectVersion"),
            Method::HEAD => of("HeadObject", "s3:GetObject"),
            Method::GET if asks("versions") => of("ListObjectVersions", "s3:ListBucketVersions"),
            Method::GET if key.is_empty() => of("ListObjectsV2", "s3:ListBucket"),
            Method::GET if version => of("GetObject", "s3:GetObjectVersion"),
            Method::GET => of("GetObject", "s3:GetObject"),
            _ => of("?", "?"),
        };
        if headers.contains_key("x-amz-object-lock-mode") {
            actions.push("s3:PutObjectRetention");
        }
        if headers.contains_key("x-amz-bypass-governance-retention") {
            actions.push("s3:BypassGovernanceRetention");
        }
        Self { operation, key: key.into(), actions }
    }

    fn writes(&self) -> bool {
        matches!(self.operation, "PutObject" | "RestoreObject" | "DeleteObject")
    }
}

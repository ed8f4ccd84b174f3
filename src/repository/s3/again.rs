//! Answers after which a request is made again, besides those that the SDK knows.
//!
//! In: an answer. Out: whether it is worth another attempt. Invariant: only what passes by itself is.

use aws_sdk_s3::config::{
    interceptors::InterceptorContext,
    retry::{ClassifyRetry, RetryAction},
};

/// Two that the SDK takes for final.
#[derive(Debug)]
pub(super) struct Again;

impl ClassifyRetry for Again {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(answer) = context.response() else { return RetryAction::NoActionIndicated };
        let code = |code: &str| {
            let body = answer.body().bytes().unwrap_or_default();
            body.windows(code.len()).any(|part| part == code.as_bytes())
        };
        match answer.status().as_u16() {
            // Of servers that are not AWS, which says 503 SlowDown.
            429 => RetryAction::throttling_error(),
            // Another writes the same key at this moment; what comes of it says the next attempt.
            // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
            409 if code("ConditionalRequestConflict") => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "too many requests, and writes at once"
    }
}

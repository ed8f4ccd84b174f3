//! Copies outside, on a real S3 server.

mod back;
mod copy;
mod killed;
mod least;
mod refused;
mod tls;

use serde_json::Value;

use crate::support::{S3, SECRET, Store};

const BUCKET: &str = "netdr-copies";

/// A store whose snapshots go to one bucket.
async fn replicated() -> (S3, Store) {
    let (s3, store) = (S3::start().await, Store::new().await);
    s3.bucket(BUCKET).await;
    let replica = s3.replica(&store, BUCKET, ", prefix: proj-k8s");
    store.configure(&format!("replicas: [{replica}]"));
    (s3, store)
}

/// What the first place of an answer says.
fn place(answer: &Value) -> &Value {
    &answer["places"][0]
}

/// Runs netdr and looks for the secret key in all that it says.
async fn netdr(store: &Store, code: i32, words: &str) -> (String, String) {
    let outcome = store.netdr(words).await;
    assert_eq!(outcome.code, Some(code), "{words}: {}{}", outcome.stdout, outcome.stderr);
    assert!(
        !format!("{}{}", outcome.stdout, outcome.stderr).contains(SECRET),
        "{words} shows the secret key"
    );
    (outcome.stdout, outcome.stderr)
}

/// The same with `--json`: the answer.
async fn json(store: &Store, code: i32, words: &str) -> Value {
    let (stdout, _) = netdr(store, code, &format!("--json {words}")).await;
    serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{words}: {e}: {stdout}"))
}

//! An admission webhook on this machine: a real HTTPS server that the API server asks.

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::tls::{Pair, Server};

/// Denies the object that it is asked about first, for ever, and allows every other.
pub(crate) struct Denying {
    url: String,
    authority: String,
    denied: Arc<Mutex<Option<String>>>,
}

/// What it says of the object that it denies.
pub(crate) const DENIAL: &str = "frozen: ask the network team first";

impl Denying {
    /// Serves until the test binary ends.
    pub(crate) fn serve() -> Self {
        let pair = Pair::of("127.0.0.1");
        let denied: Arc<Mutex<Option<String>>> = Arc::default();
        let shared = Arc::clone(&denied);
        let answer = move |asked: &str| review(&serde_json::from_str(asked).unwrap(), &shared).to_string();
        let server = Server::start("127.0.0.1", &pair, answer);
        let url = format!("https://{}/", server.address);
        Self { url, authority: STANDARD.encode(pair.certificate), denied }
    }

    /// How a webhook configuration reaches it.
    pub(crate) fn client_config(&self) -> Value {
        json!({"url": self.url, "caBundle": self.authority})
    }

    /// What it is asked about next is what it denies.
    pub(crate) fn forget(&self) {
        *self.denied.lock().unwrap() = None;
    }

    /// `namespace/name` of what it denies.
    pub(crate) fn denied(&self) -> Option<String> {
        self.denied.lock().unwrap().clone()
    }
}

/// The answer to an AdmissionReview (admission.k8s.io/v1).
fn review(asked: &Value, denied: &Mutex<Option<String>>) -> Value {
    let request = &asked["request"];
    let text = |field: &str| request[field].as_str().unwrap_or_default();
    let object = format!("{}/{}", text("namespace"), text("name"));
    let allowed = *denied.lock().unwrap().get_or_insert_with(|| object.clone()) != object;
    let status = json!({"code": 403, "message": DENIAL});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": text("uid"), "allowed": allowed, "status": status}})
}

//! A webhook that is told by netdr: what it gets it keeps.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Server;

/// Listens until the test binary ends.
pub(crate) struct Hook {
    server: Server,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    pub(crate) fn start() -> Self {
        let taken = Arc::<Mutex<Vec<Value>>>::default();
        let keeps = taken.clone();
        let server = Server::plain("127.0.0.1", move |_, body| {
            keeps.lock().unwrap().push(serde_json::from_slice(body).unwrap());
            b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()
        });
        Self { server, taken }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}/", self.server.address)
    }

    /// What a configuration names it by.
    pub(crate) fn configuration(&self) -> String {
        format!("notify: [{{webhook: '{}'}}]", self.address())
    }

    /// What it was told, the first one first.
    pub(crate) fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }
}

//! What a look proves; and what is asked over the network, and when it may be: with an API server that answers list after list of nodes.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use kube::{Client, client::Body};
use serde_json::json;

use super::*;
use crate::{cluster::ApiKind, plan::HttpLook};

/// What the API server answers that is asked for the nodes: their addresses, or that nobody may list them.
#[derive(Clone)]
enum Listed {
    Real(&'static [&'static str]),
    Played,
    Forbidden,
}

use Listed::{Forbidden, Played, Real};

impl Listed {
    fn answer(&self) -> (u16, Value) {
        let node = |address: &&str| {
            json!({"metadata": {"name": address},
                "status": {"addresses": [{"type": "InternalIP", "address": address}]}})
        };
        match self {
            Real(addresses) => {
                (200, json!({"metadata": {}, "items": addresses.iter().map(node).collect::<Vec<_>>()}))
            }
            Played => {
                let annotations = json!({"kwok.x-k8s.io/node": "fake"});
                (
                    200,
                    json!({"metadata": {}, "items": [{"metadata": {"name": "n1", "annotations": annotations}}]}),
                )
            }
            Forbidden => (
                403,
                json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "nodes is forbidden"}),
            ),
        }
    }
}

/// Listens as a node's Traefik would, and counts who connects.
struct Traefik {
    address: SocketAddr,
    connected: Arc<Mutex<usize>>,
}

impl Traefik {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connected = Arc::new(Mutex::new(0));
        let count = Arc::clone(&connected);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                *count.lock().unwrap() += 1;
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            }
        });
        Self { address, connected }
    }

    fn http(&self, through: Option<&str>) -> Look {
        Look::Http(HttpLook {
            host: "portal.lab".into(),
            path: "/".into(),
            status: Some(200),
            port: self.address.port(),
            tls: false,
            through: through.map(Into::into),
            secret: None,
            serial: None,
        })
    }

    fn tcp(&self, allowed: bool) -> Look {
        Look::Tcp { target: self.address.to_string(), allowed }
    }

    fn connected(&self) -> usize {
        *self.connected.lock().unwrap()
    }
}

/// What comes of a look where the nodes are listed so, one list after the other, of which the last is answered again and again;
/// and how many lists are left.
async fn probed(look: &Look, lists: &[Listed], timeout: Duration) -> (Probed, usize) {
    let lists = Arc::new(Mutex::new(VecDeque::from(lists.to_vec())));
    let left = Arc::clone(&lists);
    let server = tower::service_fn(move |request: http::Request<Body>| {
        assert_eq!(request.uri().path(), "/api/v1/nodes");
        let mut lists = lists.lock().unwrap();
        let (code, body) =
            if lists.len() > 1 { lists.pop_front() } else { lists.front().cloned() }.unwrap().answer();
        async move { Response::builder().status(code).body(Full::new(Bytes::from(body.to_string()))) }
    });
    let waiting = Waiting {
        cluster: &Cluster::from_client(Client::new(server, "default"), "fake", "fake"),
        timeout,
        poll: Duration::from_millis(1),
        event: &|_| {},
    };
    let (version, kind, plural) = ("v1".into(), "Node".into(), "nodes".into());
    let node = ApiKind { group: String::new(), version, kind, plural, namespaced: false };
    let probed = probe(&waiting, &mut Discovery::from_iter([node]), look).await;
    (probed, left.lock().unwrap().len())
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn nodes_are_listed_once_for_each_look() {
    let traefik = Traefik::start();
    // Nothing listens at the other address; the node that serves it joins while it is being asked for.
    let lists = [Real(&["127.0.0.2"]), Real(&["127.0.0.2"]), Real(&["127.0.0.2", "127.0.0.1"]), Forbidden];
    let (seen, left) = probed(&traefik.http(None), &lists, LONG).await;
    assert_eq!((seen.result, left), ("passed", 1), "{}", seen.detail);
}

#[tokio::test]
async fn where_nodes_cannot_be_read_a_look_fails_at_its_deadline_and_nothing_was_connected_to() {
    let traefik = Traefik::start();
    for look in [traefik.http(Some("127.0.0.1")), traefik.http(None), traefik.tcp(true), traefik.tcp(false)] {
        let (seen, _) = probed(&look, &[Forbidden], SHORT).await;
        assert_eq!(seen.result, "failed", "{look}");
        assert!(seen.detail.starts_with("nodes could not be read: nodes is forbidden"), "{}", seen.detail);
    }
    assert_eq!(traefik.connected(), 0);
    // Rights that come in time.
    for look in [traefik.http(Some("127.0.0.1")), traefik.tcp(true)] {
        let (seen, _) = probed(&look, &[Forbidden, Forbidden, Real(&["10.0.0.1"])], LONG).await;
        assert_eq!(seen.result, "passed", "{look}: {}", seen.detail);
    }
    assert!(traefik.connected() > 0, "what a look may connect to answers");
}

#[tokio::test]
async fn where_nodes_are_played_or_there_is_none_nothing_is_asked_and_nobody_waits() {
    let traefik = Traefik::start();
    for (lists, why) in [(Played, PLAYED), (Real(&[]), "the cluster has no node")] {
        for look in
            [traefik.http(Some("127.0.0.1")), traefik.http(None), traefik.tcp(true), traefik.tcp(false)]
        {
            let (seen, left) = probed(&look, &[lists.clone(), Forbidden], LONG).await;
            assert_eq!((seen.result, seen.detail.as_str(), left), ("not probed", why, 1), "{look}");
        }
    }
    assert_eq!(traefik.connected(), 0);
}

fn result(seen: Seen) -> &'static str {
    seen.named(&Look::Tcp { target: "x:1".into(), allowed: true }).result
}

#[test]
fn a_cluster_without_nodes_is_none_that_kwok_plays() {
    let node = |annotations: Value| json!({"metadata": {"annotations": annotations}});
    let (real, played) = (node(Value::Null), node(json!({"kwok.x-k8s.io/node": "fake"})));
    assert_eq!(unreal(&[]), Some("the cluster has no node"));
    assert_eq!(unreal(std::slice::from_ref(&played)), Some(PLAYED));
    assert_eq!(unreal(&[played, real]), None);
}

#[test]
fn a_connection_passes_only_if_it_is_as_it_must_be() {
    for (connection, allowed, denied) in [
        (Ok(Connection::Open), "passed", "failed"),
        (Ok(Connection::Refused), "failed", "passed"),
        (Ok(Connection::Silent), "failed", "passed"),
        (Err("no such name".to_owned()), "failed", "not probed"),
    ] {
        assert_eq!(result(tcp(connection.clone(), true)), allowed, "{connection:?}");
        assert_eq!(result(tcp(connection.clone(), false)), denied, "{connection:?}");
    }
}

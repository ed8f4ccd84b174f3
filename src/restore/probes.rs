//! Probes: whether what was restored works, as its users see it.
//!
//! In: looks, a cluster, a deadline. Out: of each whether it passed, failed, or could not be done, and why. Invariant: what
//! was not looked at, or was looked at where nodes are only played, never counts as passed.

mod connectivity;
mod held;
mod https;

pub(crate) use https::{answers as asked_through_nodes, through as nodes_to_ask};

use std::{net::SocketAddr, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::gates::Waiting;
use crate::{
    cluster::{Cluster, Discovery, ListOptions, Selector},
    plan::Look,
    probe::{self, Connection},
};

/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one look came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probed {
    /// What was looked at.
    pub name: String,
    /// `passed`, `failed`, `not probed`.
    pub result: &'static str,
    /// What was seen, or why nothing was looked at.
    pub detail: String,
}

/// A verdict, before it has a name.
enum Seen {
    Passed(String),
    Failed(String),
    NotProbed(String),
}

use Seen::{Failed, NotProbed, Passed};

impl Probed {
    /// Of a look that nobody took.
    pub(super) fn not(look: &Look, why: &str) -> Self {
        NotProbed(why.into()).named(look)
    }
}

impl Seen {
    fn named(self, look: &Look) -> Probed {
        let (result, detail) = match self {
            Passed(detail) => ("passed", detail),
            Failed(detail) => ("failed", detail),
            NotProbed(detail) => ("not probed", detail),
        };
        Probed { name: look.to_string(), result, detail }
    }
}

/// Looks until it passes or the deadline is over: what was just restored may need a moment.
pub(super) async fn probe(waiting: &Waiting<'_>, discovery: &mut Discovery, look: &Look) -> Probed {
    let deadline = Instant::now() + waiting.timeout;
    // A denied connection that comes about proves at once that it is not denied.
    let once = matches!(look, Look::Tcp { allowed: false, .. } | Look::Connectivity { .. });
    loop {
        let (seen, over) = match answerable(waiting.cluster, discovery, look).await {
            Ok(nodes) => (self::look(waiting, discovery, look, &nodes).await, once),
            Err(seen) => (seen, false),
        };
        if !matches!(seen, Failed(_)) || over || Instant::now() >= deadline {
            return seen.named(look);
        }
        sleep(waiting.poll.min(deadline - Instant::now())).await;
    }
}

/// The nodes, where what is asked over the network can be this cluster's answer. Where its nodes are only played, as in a drill,
/// the address that a plan names is another cluster's, perhaps the one that is in production: it is not even connected to. Nor is
/// it where that cannot be told; but then a restore has not passed either.
async fn answerable(cluster: &Cluster, discovery: &Discovery, look: &Look) -> Result<Vec<Value>, Seen> {
    match look {
        Look::Http(_) | Look::Tcp { .. } | Look::Dns { .. } => {
            let nodes = nodes(cluster, discovery).await.map_err(Failed)?;
            match unreal(&nodes) {
                Some(why) => Err(NotProbed(why.into())),
                None => Ok(nodes),
            }
        }
        Look::Holds(_) | Look::Connectivity { .. } | Look::Nothing { .. } => Ok(Vec::new()),
    }
}

/// One look; `nodes` are those of a look over the network.
async fn look(waiting: &Waiting<'_>, discovery: &mut Discovery, look: &Look, nodes: &[Value]) -> Seen {
    match look {
        Look::Holds(gate) => match waiting.wait(vec![gate], discovery).await.pop() {
            None => Passed(held::evidence(waiting.cluster, discovery, gate).await),
            Some((_, why)) => Failed(why),
        },
        Look::Http(asked) => https::look(waiting.cluster, discovery, asked, nodes).await,
        Look::Tcp { target, allowed } => {
            let to = target.clone();
            tcp(blocking(move || probe::connect(&to, PATIENCE)).await, *allowed)
        }
        Look::Dns { name, server } => dns(waiting, discovery, name, *server).await,
        Look::Connectivity { threshold, image } => {
            connectivity::look(waiting, discovery, *threshold, image).await
        }
        Look::Nothing { why, .. } => NotProbed(why.clone()),
    }
}

fn tcp(connection: Result<Connection, String>, allowed: bool) -> Seen {
    match (connection, allowed) {
        (Err(why), true) => Failed(why),
        (Err(why), false) => NotProbed(why),
        (Ok(Connection::Open), true) => Passed("it is accepted".into()),
        (Ok(Connection::Open), false) => Failed("it is accepted".into()),
        (Ok(Connection::Refused), allowed) => verdict(!allowed, "it is refused"),
        (Ok(Connection::Silent), allowed) => verdict(!allowed, "nobody answers"),
    }
}

fn verdict(passed: bool, detail: &str) -> Seen {
    if passed { Passed(detail.into()) } else { Failed(detail.into()) }
}

async fn dns(waiting: &Waiting<'_>, discovery: &Discovery, name: &str, server: Option<SocketAddr>) -> Seen {
    let server = match server {
        Some(server) => server,
        None => match cluster_dns(waiting, discovery).await {
            Ok(server) => server,
            Err(why) => return NotProbed(why),
        },
    };
    let name = name.to_owned();
    match blocking(move || probe::addresses(server, &name, PATIENCE)).await {
        Ok(addresses) => Passed(format!("{server} gives {addresses}")),
        Err(why) => Failed(why),
    }
}

/// Where the cluster's own DNS is: the Service of CoreDNS keeps the label of kube-dns.
async fn cluster_dns(waiting: &Waiting<'_>, discovery: &Discovery) -> Result<SocketAddr, String> {
    let kind = discovery.served("", "services")?;
    let options = ListOptions {
        namespace: Some("kube-system".into()),
        selector: Selector { labels: Some("k8s-app=kube-dns".into()), fields: None },
        metadata_only: false,
    };
    let services = waiting.cluster.list_all(kind, &options).await.map_err(|refusal| refusal.to_string())?;
    let address = services.first().and_then(|service| service["spec"]["clusterIP"].as_str()?.parse().ok());
    Ok(SocketAddr::new(address.ok_or("the cluster has no Service of its DNS (k8s-app=kube-dns)")?, 53))
}

/// Why nothing is asked of such nodes.
pub(crate) const PLAYED: &str = "the nodes are played by kwok: nothing answers at their addresses";

/// The cluster's nodes.
async fn nodes(cluster: &Cluster, discovery: &Discovery) -> Result<Vec<Value>, String> {
    let unread = |why: String| format!("nodes could not be read: {why}");
    let kind = discovery.served("", "nodes").map_err(unread)?;
    let listed = cluster.list_all(kind, &ListOptions::default()).await;
    listed.map_err(|refusal| unread(refusal.to_string()))
}

/// Why nothing answers at the addresses of these nodes, where that is known before.
fn unreal(nodes: &[Value]) -> Option<&'static str> {
    if nodes.is_empty() {
        Some("the cluster has no node")
    } else {
        nodes.iter().all(is_played).then_some(PLAYED)
    }
}

/// Whether kwok plays a node (its own annotation says so): what it calls ready was never started.
pub(crate) fn is_played(node: &Value) -> bool {
    node["metadata"]["annotations"].get("kwok.x-k8s.io/node").is_some()
}

/// Looks that block get a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    spawn_blocking(look).await.map_err(|e| format!("the look broke off: {e}"))?
}

#[cfg(test)]
mod tests;

//! What a `probe` step looks at.
//!
//! In: YAML. Out: a [`Probe`]. Invariant: a probe changes nothing that a plan restores.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use super::node::Node;
use crate::{Result, model::Component};

/// What a `probe` step looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Probe {
    /// The workloads of a component's releases are rolled out.
    Workloads {
        /// Whose.
        component: Component,
    },
    /// Every node takes pods and has a network.
    Nodes,
    /// Hosts answer through a node, and over HTTPS with the certificate of the source.
    Http(Http),
    /// New TCP connections, from the machine where netdr runs.
    Tcp {
        /// `host:port` that must be accepted.
        allowed: Vec<String>,
        /// `host:port` that must not.
        denied: Vec<String>,
    },
    /// Names have an address.
    Dns {
        /// Which.
        names: Vec<String>,
        /// Who is asked; the cluster's own DNS where none.
        server: Option<SocketAddr>,
    },
    /// Pods on different nodes reach each other.
    Connectivity {
        /// How many of a hundred connections must come about.
        threshold: u32,
        /// What the pods run: `sh` and `nc` must be in it.
        image: String,
    },
}

/// What is asked over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Http {
    /// Which hosts; those of the source's Ingresses and IngressRoutes that have a TLS Secret where none is named.
    pub hosts: Vec<String>,
    /// What is asked for.
    pub path: String,
    /// The status that must come; any where none is named.
    pub status: Option<u16>,
    /// On which port.
    pub port: u16,
    /// HTTPS.
    pub tls: bool,
    /// Through which node, by name or address; through every one that answers where none is named.
    pub through: Option<String>,
}

/// The cluster's pods must reach each other at this rate (the seed's threshold, in percent).
const THRESHOLD: u32 = 95;
const IMAGE: &str = "busybox:1.37";
const PROBES: &[&str] = &["workloads", "nodes", "http", "tcp", "dns", "connectivity"];

pub(super) fn read(node: Node) -> Result<Probe> {
    let (name, node) = node.one_of(PROBES)?;
    Ok(match name {
        "workloads" => Probe::Workloads { component: super::read::of_component(node)? },
        "nodes" => node.fields(&[]).map(|_| Probe::Nodes)?,
        "http" => Probe::Http(http(node)?),
        "tcp" => {
            let mut fields = node.fields(&["allowed", "denied"])?;
            let mut targets = |name: &str| fields.take(name).map_or(Ok(Vec::new()), targets);
            Probe::Tcp { allowed: targets("allowed")?, denied: targets("denied")? }
        }
        "dns" => {
            let mut fields = node.fields(&["names", "server"])?;
            let names = fields.need("names")?.list()?;
            if names.is_empty() {
                return Err(fields.error("no name is named"));
            }
            Probe::Dns {
                names: names.into_iter().map(host).collect::<Result<_>>()?,
                server: fields.take("server").map(server).transpose()?,
            }
        }
        _ => {
            let mut fields = node.fields(&["threshold", "image"])?;
            let percent = |node: Node| node.number_to("a number from 1 to 100", 100);
            Probe::Connectivity {
                threshold: fields.take("threshold").map_or(Ok(THRESHOLD), percent)?,
                image: fields.take("image").map_or(Ok(IMAGE.into()), Node::text)?,
            }
        }
    })
}

fn http(node: Node) -> Result<Http> {
    let mut fields = node.fields(&["hosts", "path", "status", "port", "tls", "through"])?;
    let tls = fields.take("tls").map_or(Ok(true), Node::flag)?;
    let port = |node: Node| node.number_to("a port", u16::MAX.into());
    let port = fields.take("port").map_or(Ok(if tls { 443 } else { 80 }), port)?;
    let status = fields.take("status").map(|node| node.number_to("an HTTP status", 599)).transpose()?;
    let narrow = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    Ok(Http {
        hosts: match fields.take("hosts") {
            Some(hosts) => hosts.list()?.into_iter().map(host).collect::<Result<_>>()?,
            None => Vec::new(),
        },
        path: fields.take("path").map_or(Ok("/".into()), path)?,
        status: status.map(narrow),
        port: narrow(port),
        tls,
        through: fields.take("through").map(Node::text).transpose()?,
    })
}

fn path(node: Node) -> Result<String> {
    let wrong = node.error("a path begins with /");
    let text = node.text()?;
    if text.starts_with('/') { Ok(text) } else { Err(wrong) }
}

/// A name alone, as DNS has it: with a scheme, a port or a path it has no address anywhere.
fn host(node: Node) -> Result<String> {
    let wrong = node.error("a host is a name without scheme, port and path: portal.example.org");
    let text = node.text()?;
    if is_host(&text) { Ok(text) } else { Err(wrong) }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn targets(node: Node) -> Result<Vec<String>> {
    let target = |node: Node| {
        let wrong = node.error("a target is written host:port, of IPv6 [ADDRESS]:port, and without a scheme");
        let text = node.text()?;
        let v6 = |host: &str| {
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        };
        let whole = text.rsplit_once(':').is_some_and(|(host, port)| {
            (is_host(host) || v6(host)) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if whole { Ok(text) } else { Err(wrong) }
    };
    node.list()?.into_iter().map(target).collect()
}

/// `10.43.0.10`, or with a port.
fn server(node: Node) -> Result<SocketAddr> {
    let wrong = node.error("a DNS server is an address, with or without a port: 10.43.0.10");
    let text = node.text()?;
    let address = text.parse().or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, 53)));
    address.map_err(|_| wrong)
}

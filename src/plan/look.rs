//! A probe as it will be done: one look, with all that it needs.
//!
//! In: nothing. Out: the words of resolved plans. Invariant: data; the serial number of a certificate is all of a Secret
//! that is ever in it.

use std::{fmt, net::SocketAddr};

use serde::Serialize;

use super::Gate;
use crate::model::ItemKey;

/// One look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Look {
    /// A condition holds.
    Holds(Gate),
    /// A host answers through a node.
    Http(HttpLook),
    /// A new TCP connection comes about, or does not.
    Tcp {
        /// `host:port`.
        target: String,
        /// Whether it must.
        allowed: bool,
    },
    /// A name has an address.
    Dns {
        /// Which.
        name: String,
        /// Who is asked; the cluster's own DNS where none.
        server: Option<SocketAddr>,
    },
    /// Pods on different nodes reach each other.
    Connectivity {
        /// How many of a hundred connections must come about.
        threshold: u32,
        /// What the pods run.
        image: String,
    },
    /// There is nothing to look at, and why.
    Nothing {
        /// What was to be looked at.
        what: String,
        /// Why there is nothing.
        why: String,
    },
}

/// One host, as it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpLook {
    /// Its name.
    pub host: String,
    /// What is asked for.
    pub path: String,
    /// The status that must come; any where none.
    pub status: Option<u16>,
    /// On which port.
    pub port: u16,
    /// HTTPS.
    pub tls: bool,
    /// Through which node, by name or address; through every one that answers where none.
    pub through: Option<String>,
    /// The Secret whose certificate must be served.
    pub secret: Option<ItemKey>,
    /// Serial number of its certificate in the source; none where the live one was kept or is issued anew.
    pub serial: Option<String>,
}

/// As people say it.
impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds(Gate::RolledOut(key)) => write!(f, "{key} is rolled out"),
            Self::Holds(Gate::Nodes) => f.write_str("every node is ready"),
            Self::Holds(_) => f.write_str("what was waited for holds"),
            Self::Http(look) => write!(f, "{look}"),
            Self::Tcp { target, allowed: true } => write!(f, "a new connection to {target} is accepted"),
            Self::Tcp { target, allowed: false } => write!(f, "a new connection to {target} is denied"),
            Self::Dns { name, server: None } => write!(f, "the cluster's DNS knows {name}"),
            Self::Dns { name, server: Some(server) } => write!(f, "{server} knows {name}"),
            Self::Connectivity { threshold, .. } => {
                write!(f, "{threshold} % of connections between pods of different nodes come about")
            }
            Self::Nothing { what, .. } => f.write_str(what),
        }
    }
}

impl fmt::Display for HttpLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path, port, through, .. } = self;
        let scheme = if self.tls { "https" } else { "http" };
        let through = through.as_ref().map_or_else(|| "a node".into(), |node| format!("node {node}"));
        write!(f, "{scheme}://{host}:{port}{path} answers through {through}")?;
        match &self.secret {
            Some(secret) => write!(f, " with the certificate of {secret}"),
            None => Ok(()),
        }
    }
}

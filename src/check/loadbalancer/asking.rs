//! Connecting to the addresses of Services.
//!
//! In: addresses. Out: of each whether somebody took the connection. Invariant: each is asked once, for a few seconds.
//!
//! Asked from a node of the cluster kube-proxy takes the connection itself, whoever announces the address: only from
//! outside does an answer show that it is announced.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures::{StreamExt as _, stream};

use crate::{
    probe::{self, Connection},
    restore::blocking,
};

/// Of each address whether it answers, and if not why.
pub type Asked = BTreeMap<SocketAddr, Result<(), String>>;

const PATIENCE: Duration = Duration::from_secs(3);
const AT_ONCE: usize = 16;

/// Connects to all of them.
pub async fn ask(addresses: Vec<SocketAddr>) -> Asked {
    let connections = addresses.into_iter().map(|address| async move {
        let answer = match blocking(move || probe::connect(&address.to_string(), PATIENCE)).await {
            Ok(Connection::Open) => Ok(()),
            Ok(Connection::Refused) => Err("it is refused".to_owned()),
            Ok(Connection::Silent) => Err("nobody answers".into()),
            Err(why) => Err(why),
        };
        (address, answer)
    });
    stream::iter(connections).buffer_unordered(AT_ONCE).collect().await
}

//! A host through the cluster's nodes.
//!
//! In: a host, as it is asked. Out: whether the right certificate and status came. Invariant: one node that serves another
//! certificate fails it, whatever the others do.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::{Failed, NotProbed, PATIENCE, PLAYED, Passed, Seen, blocking, is_played, nodes};
use crate::{
    certificates::Leaf,
    cluster::{Cluster, Discovery},
    model::ItemKey,
    plan::HttpLook,
    probe::{self, Request, Served, Unanswered},
};

pub(super) async fn look(
    cluster: &Cluster,
    discovery: &Discovery,
    asked: &HttpLook,
    nodes: &[Value],
) -> Seen {
    let through = match among(nodes, asked.through.as_deref(), asked.port) {
        Ok(through) => through,
        Err(why) => return NotProbed(why),
    };
    let answers = answers(&through, asked).await;
    let wanted = match expected(cluster, discovery, asked).await {
        Ok(wanted) => wanted,
        Err(why) => return Failed(why),
    };
    let (mut served, mut silent) = (Vec::new(), Vec::new());
    for (node, answer) in answers {
        match answer {
            Ok(answer) => match wrong(&answer, wanted.as_deref(), asked.status) {
                None => served.push(format!("{node} answers {}", answer.status)),
                Some(why) => return Failed(format!("{node}: {why}")),
            },
            Err(Unanswered { why, .. }) => silent.push(format!("{node} does not serve it ({why})")),
        }
    }
    match served.is_empty() {
        true => Failed(silent.join(", ")),
        false => {
            let serial = wanted.map(|serial| format!(", certificate {serial}")).unwrap_or_default();
            Passed([served, silent].concat().join(", ") + &serial)
        }
    }
}

/// What each of these nodes answers for a host, or why it does not.
pub(crate) async fn answers(
    through: &[(String, SocketAddr)],
    asked: &HttpLook,
) -> Vec<(String, Result<Served, Unanswered>)> {
    let mut answers = Vec::new();
    for (node, address) in through {
        let (host, path, tls) = (asked.host.clone(), asked.path.clone(), asked.tls);
        let request = Request { address: *address, host, path, tls };
        let answer = blocking(move || Ok(probe::get(&request, PATIENCE))).await;
        answers.push((node.clone(), answer.unwrap_or_else(|why| Err(why.into()))));
    }
    answers
}

/// What is wrong with an answer.
fn wrong(answer: &Served, serial: Option<&str>, status: Option<u16>) -> Option<String> {
    if let (Some(wanted), Some(served)) = (serial, &answer.serial)
        && wanted != served
    {
        return Some(format!("it serves certificate {served}, not {wanted}"));
    }
    let status = status.filter(|status| *status != answer.status);
    status.map(|wanted| format!("it answers {}, not {wanted}", answer.status))
}

/// The nodes and the addresses at which they are asked on a port: one by its name or address, or every one.
///
/// # Errors
/// Where there is no node to be asked: in words.
pub(crate) async fn through(
    cluster: &Cluster,
    discovery: &Discovery,
    through: Option<&str>,
    port: u16,
) -> Result<Vec<(String, SocketAddr)>, String> {
    let nodes = match through.map(str::parse::<IpAddr>) {
        Some(Ok(_)) => Vec::new(), // an address needs none
        _ => nodes(cluster, discovery).await?,
    };
    among(&nodes, through, port)
}

/// The same, of nodes that were listed.
fn among(nodes: &[Value], through: Option<&str>, port: u16) -> Result<Vec<(String, SocketAddr)>, String> {
    if let Some(Ok(address)) = through.map(str::parse::<IpAddr>) {
        return Ok(vec![(address.to_string(), SocketAddr::new(address, port))]);
    }
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let found: Vec<&Value> =
        nodes.iter().filter(|node| through.is_none_or(|wanted| name(node) == wanted)).collect();
    if found.is_empty() {
        return Err(match through {
            Some(wanted) => {
                let names: Vec<String> = nodes.iter().map(name).collect();
                format!("there is no node {wanted}; there are: {}", names.join(", "))
            }
            None => "there is no node at all".into(),
        });
    }
    if found.iter().all(|node| is_played(node)) {
        return Err(PLAYED.into());
    }
    let real = found.into_iter().filter(|node| !is_played(node));
    let reached: Vec<_> =
        real.filter_map(|node| Some((name(node), SocketAddr::new(address(node)?, port)))).collect();
    if reached.is_empty() {
        return Err(match through {
            Some(node) => format!("node {node} says no InternalIP: name an address at which it answers"),
            None => "no node says an InternalIP: name an address at which one answers".into(),
        });
    }
    Ok(reached)
}

/// A node's address in its own network.
fn address(node: &Value) -> Option<IpAddr> {
    let addresses = node["status"]["addresses"].as_array()?;
    addresses.iter().find(|address| address["type"] == "InternalIP")?["address"].as_str()?.parse().ok()
}

/// The serial number that must be served: the source's; the live one's where that was kept or is issued anew.
async fn expected(
    cluster: &Cluster,
    discovery: &Discovery,
    asked: &HttpLook,
) -> Result<Option<String>, String> {
    if asked.serial.is_some() {
        return Ok(asked.serial.clone());
    }
    let Some(ItemKey::Resource { group, plural, namespace, name }) = &asked.secret else { return Ok(None) };
    let kind = discovery.served(group, plural)?;
    let live = cluster.get(kind, namespace.as_deref(), name).await.map_err(|refusal| refusal.to_string())?;
    let live = live.ok_or("its Secret does not exist")?;
    Leaf::of(&live).map(|leaf| Some(leaf.serial)).map_err(|why| format!("its Secret {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_certificate_or_status_is_wrong() {
        let served = |status, serial: &str| Served { status, serial: Some(serial.into()) };
        assert_eq!(wrong(&served(404, "0a"), Some("0a"), None), None);
        assert!(wrong(&served(200, "0b"), Some("0a"), None).unwrap().contains("certificate 0b, not 0a"));
        assert!(wrong(&served(404, "0a"), Some("0a"), Some(200)).unwrap().contains("404, not 200"));
        assert_eq!(wrong(&Served { status: 200, serial: None }, Some("0a"), Some(200)), None);
    }
}

//! Is the certificate that a host shows that of its Secret?
//!
//! In: routes with their Secrets, a cluster whose nodes are asked. Out: a check for each host. Invariant: a node that serves
//! another certificate is an alert, whatever the others do; where no node can be reached from here, nothing is said of it.

use std::collections::BTreeMap;

use super::{INGRESS_ROUTES, INGRESSES};
use crate::{
    certificates::Leaf,
    check::{Check, Reading, Source, Status::Alert},
    cluster::{Cluster, Discovery},
    model::ItemKey,
    plan::{HttpLook, secured_hosts},
    probe::Served,
    restore::asked_through_nodes,
};

/// How hosts are asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Through which node, by name or address; through every one where none.
    pub through: Option<String>,
    /// On which port.
    pub port: u16,
}

/// By node: what it answers.
type Answers = Vec<(String, Result<Served, String>)>;

/// Asks for every host whose route names a TLS Secret that is there, and judges.
pub async fn served(
    cluster: &Cluster,
    discovery: &Discovery,
    reading: &Reading,
    asked: &Asked,
) -> Vec<Check> {
    let routes = [INGRESSES, INGRESS_ROUTES].into_iter().flat_map(|source| reading.items(source));
    let hosts: BTreeMap<String, ItemKey> =
        routes.flat_map(|(key, route)| secured_hosts(&key, route)).collect();
    let mut checks = Vec::new();
    for (host, secret) in hosts {
        let known = reading.all(Source::TLS_SECRETS).find(|(key, _)| *key == secret);
        let Some(leaf) = known.and_then(|(_, object)| Leaf::of(object).ok()) else { continue }; // said of its route, or by `certificates`
        let look = HttpLook {
            host,
            path: "/".into(),
            status: None,
            port: asked.port,
            tls: true,
            through: asked.through.clone(),
            secret: Some(secret.clone()),
            serial: Some(leaf.serial.clone()),
        };
        match asked_through_nodes(cluster, discovery, &look).await {
            Ok(answers) if answers.iter().any(|(_, answer)| answer.is_ok()) => {
                checks.push(judge(&look, &secret, &leaf.serial, &answers));
            }
            // The others would be as silent, and each silence takes its time.
            Ok(answers) => return vec![unreached(&silence(&answers))],
            Err(why) => return vec![unreached(&why)],
        }
    }
    checks
}

fn unreached(why: &str) -> Check {
    Check::not_applicable("ingress https", format!("no node can be asked from here: {why}"))
}

fn silence(answers: &Answers) -> String {
    let words =
        answers.iter().filter_map(|(node, answer)| Some(format!("{node}: {}", answer.as_ref().err()?)));
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn judge(look: &HttpLook, secret: &ItemKey, serial: &str, answers: &Answers) -> Check {
    let HttpLook { host, port, .. } = look;
    let served =
        |answer: &Result<Served, String>| answer.as_ref().ok().and_then(|served| served.serial.clone());
    let wrong: Vec<(&str, String)> = answers
        .iter()
        .filter_map(|(node, answer)| Some((node.as_str(), served(answer)?)))
        .filter(|(_, served)| served != serial)
        .collect();
    let value = wrong.first().map_or(serial, |(_, served)| served.as_str());
    let check = Check::ok(format!("ingress https://{host}"), value, format!("certificate {serial}"));
    wrong.iter().fold(check, |check, (node, served)| {
        let why = format!(
            "{node} serves certificate {served}, and {secret} holds {serial}: Traefik does not use it, or has not \
             noticed the new one"
        );
        let next = format!(
            "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -subject -serial"
        );
        check.found(Alert, why, next)
    })
}

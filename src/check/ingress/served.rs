//! Is the certificate that a host shows that of its Secret?
//!
//! In: routes with their Secrets, a cluster whose nodes are asked. Out: a check for each host. Invariant: a node that serves
//! another certificate is an alert, whatever the others do, and so is a host that nodes can be asked for and none serves;
//! only where every node is silent is it unknown, and no further host is asked.

use std::{collections::BTreeMap, ops::ControlFlow};

use serde_json::Value;

use super::{INGRESS_ROUTES, INGRESSES};
use crate::{
    certificates::Leaf,
    check::{Check, Reading, Source, Status::Alert},
    cluster::{Cluster, Discovery},
    model::ItemKey,
    plan::{HttpLook, secured_hosts},
    probe::{Served, Unanswered},
    restore::{PLAYED, asked_through_nodes, nodes_to_ask},
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
type Answers = Vec<(String, Result<Served, Unanswered>)>;

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
    if hosts.is_empty() {
        return Vec::new();
    }
    let secrets: BTreeMap<ItemKey, &Value> = reading.all(Source::TLS_SECRETS).collect();
    let through = nodes_to_ask(cluster, discovery, asked.through.as_deref(), asked.port).await;
    let mut checks = Vec::new();
    for (host, secret) in hosts {
        let leaf = secrets.get(&secret).and_then(|object| Leaf::of(object).ok());
        let Some(leaf) = leaf else { continue }; // said of its route, or by `certificates`
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
        let answers = match &through {
            Ok(through) => Ok(asked_through_nodes(through, &look).await),
            Err(why) => Err(why.clone()),
        };
        match heard(&look, &secret, &leaf.serial, answers) {
            ControlFlow::Continue(check) => checks.push(check),
            ControlFlow::Break(check) => {
                checks.push(check);
                break;
            }
        }
    }
    checks
}

/// What came of asking for a host; the last one, where the others would be asked in vain.
pub(super) fn heard(
    look: &HttpLook,
    secret: &ItemKey,
    serial: &str,
    answers: Result<Answers, String>,
) -> ControlFlow<Check, Check> {
    const NAME: &str = "ingress https";
    // Who named a node in vain is shown which there are, and where; for who cannot reach any, one is asked on itself.
    let which = || "kubectl get nodes -o wide".to_owned();
    let there = || format!("ssh NODE netdr check ingress --through 127.0.0.1 --port {}", look.port);
    let unasked = |why: &str| format!("no node can be asked from here: {why}");
    let answers = match answers {
        Ok(answers) => answers,
        Err(why) if why == PLAYED => {
            return ControlFlow::Break(Check::not_applicable(NAME, unasked(&why)));
        }
        Err(why) => return ControlFlow::Break(Check::unknown(NAME, unasked(&why), which())),
    };
    let failed: Vec<(&str, &Unanswered)> =
        answers.iter().filter_map(|(node, answer)| Some((node.as_str(), answer.as_ref().err()?))).collect();
    let words = || failed.iter().map(|(node, failed)| format!("{node}: {}", failed.why)).collect::<Vec<_>>();
    if failed.len() < answers.len() {
        ControlFlow::Continue(judge(look, secret, serial, &answers))
    } else if failed.iter().all(|(_, failed)| failed.silent) {
        // The others would be as silent, and each silence takes its time.
        ControlFlow::Break(Check::unknown(NAME, unasked(&words().join(", ")), there()))
    } else {
        let check = of_host(look, Value::Null, serial);
        let why = format!("no node serves it on port {}: {}", look.port, words().join(", "));
        ControlFlow::Continue(check.found(Alert, why, shown(look)))
    }
}

fn of_host(look: &HttpLook, value: impl Into<Value>, serial: &str) -> Check {
    Check::ok(format!("ingress https://{}", look.host), value, format!("certificate {serial}"))
}

fn shown(HttpLook { host, port, .. }: &HttpLook) -> String {
    format!(
        "openssl s_client -connect {host}:{port} -servername {host} </dev/null | openssl x509 -noout -subject -serial"
    )
}

fn judge(look: &HttpLook, secret: &ItemKey, serial: &str, answers: &Answers) -> Check {
    let served =
        |answer: &Result<Served, Unanswered>| answer.as_ref().ok().and_then(|served| served.serial.clone());
    let wrong: Vec<(&str, String)> = answers
        .iter()
        .filter_map(|(node, answer)| Some((node.as_str(), served(answer)?)))
        .filter(|(_, served)| served != serial)
        .collect();
    let value = wrong.first().map_or(serial, |(_, served)| served.as_str());
    let check = of_host(look, value, serial);
    wrong.iter().fold(check, |check, (node, served)| {
        let why = format!(
            "{node} serves certificate {served}, and {secret} holds {serial}: Traefik does not use it, or has not \
             noticed the new one"
        );
        check.found(Alert, why, shown(look))
    })
}

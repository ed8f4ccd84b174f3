//! `netdr check`: the routine checks of the operations guide, on real API servers.

mod certificates;
mod cni;
mod doctor;
mod hints;
mod ingress;
mod loadbalancer;
mod policies;
mod recoverability;

use serde_json::Value;

use crate::support::{Home, shared};

/// `netdr check WHICH --json` on the shared plane, which ends with this exit code.
async fn of_shared(which: &str, code: i32) -> Value {
    let home = Home::new().with_kubeconfig(shared().await.kubeconfig());
    home.netdr(&["check", which, "--json"]).await.json(code)
}

/// The check of this name.
#[track_caller]
fn named<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {document:#}"))
}

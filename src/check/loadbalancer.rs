//! MetalLB: is it rolled out, have its pools addresses left, has each Service one, and does that answer?
//!
//! In: what was read of a cluster, and what answered. Out: a check of each. Invariant: judging is pure; where MetalLB is
//! absent or disabled nothing is ok, for nothing was looked at.

mod announced;
mod asking;
mod failing;
mod failover;
mod pools;
mod services;

pub use asking::{Asked, ask};
pub use failing::{fail_over, put_back};
pub use failover::{Planned, plan};
pub use services::{Service, addresses};

use serde_json::Value;

use super::{Check, Reading, Source, Status::Alert, describe, pods_of};
use crate::{model::ItemKey, restore::rolled_out};

const GROUP: &str = "metallb.io";
const DEPLOYMENTS: Source = Source::all("apps", "deployments");
const DAEMON_SETS: Source = Source::all("apps", "daemonsets");
const NODES: Source = Source::all("", "nodes");
const SERVICES: Source = Source::all("", "services");
const POOLS: Source = Source::all(GROUP, "ipaddresspools");
const L2_ADVERTISEMENTS: Source = Source::all(GROUP, "l2advertisements");
const BGP_ADVERTISEMENTS: Source = Source::all(GROUP, "bgpadvertisements");
/// Which node announces a Service, from MetalLB 0.14.9 on.
const L2_STATUSES: Source = Source::all(GROUP, "servicel2statuses");
/// The same of older ones, for as long as events last.
const ASSIGNED: Source = Source::all("", "events").fields("reason=nodeAssigned");
/// What is read.
pub const SOURCES: [Source; 9] = [
    DEPLOYMENTS,
    DAEMON_SETS,
    NODES,
    SERVICES,
    POOLS,
    L2_ADVERTISEMENTS,
    BGP_ADVERTISEMENTS,
    L2_STATUSES,
    ASSIGNED,
];

/// MetalLB is part of no other plan.
const RESTORE: &str = "netdr restore --scenario full-stack --dry-run";

/// On a node whose speaker a failover test has removed, and keeps away by it.
pub const TAINT: &str = "netdr/failover-test";

/// Judges what was read; `asked` is what came of connecting to [`addresses`].
pub fn judge(reading: &Reading, asked: &Asked) -> Vec<Check> {
    let mut checks = reading.unread("loadbalancer", &SOURCES);
    checks.extend(unfinished(reading));
    match MetalLb::find(reading) {
        Err(Off::Unread(_)) => {} // said above
        Err(Off::Disabled(why)) => checks.push(disabled(reading, why)),
        Ok(metal_lb) => {
            checks.extend(metal_lb.rolled_out());
            checks.extend(pools::judge(reading));
            checks.extend(services::judge(reading, asked));
        }
    }
    checks
}

/// MetalLB's two workloads, of which one may be gone.
struct MetalLb<'a> {
    controller: Option<(ItemKey, &'a Value)>,
    speakers: Option<(ItemKey, &'a Value)>,
}

impl<'a> MetalLb<'a> {
    /// Where it is meant to run; else why there is nothing to check. With one of the two gone it is not disabled but broken.
    fn find(reading: &'a Reading) -> Result<Self, Off> {
        if let Some(unread) = reading.unread("loadbalancer", &[DEPLOYMENTS, DAEMON_SETS]).into_iter().next() {
            return Err(Off::Unread(Box::new(unread)));
        }
        let of = |source: Source, component: &str| {
            reading.items(source).find(|(_, workload)| is_metal_lb(workload, component))
        };
        let all = Self { controller: of(DEPLOYMENTS, "controller"), speakers: of(DAEMON_SETS, "speaker") };
        match &all {
            Self { controller: Some((key, live)), .. } if live["spec"]["replicas"] == 0 => {
                Err(Off::Disabled(format!("{key} is scaled to 0")))
            }
            Self { speakers: Some((key, live)), .. } if live["status"]["desiredNumberScheduled"] == 0 => {
                Err(Off::Disabled(format!("{key} runs on no node")))
            }
            Self { controller: None, speakers: None } => {
                Err(Off::Disabled("there is neither a controller of MetalLB's nor a speaker".into()))
            }
            _ => Ok(all),
        }
    }

    fn rolled_out(&self) -> [Check; 2] {
        let one = |name: &str, of: &Option<(ItemKey, &Value)>, plural: &str, so: &str| {
            let Some((key, live)) = of else {
                let why = format!("MetalLB has no {name} ({plural}), though the rest of it is there: {so}");
                let check = Check::ok(format!("loadbalancer {name}"), "absent", "rolled out");
                return check.found(Alert, why, RESTORE);
            };
            let available = |fields: [&str; 2]| {
                let [available, wanted] = fields.map(|field| live["status"][field].as_u64().unwrap_or(0));
                format!("{available} of {wanted} pods available")
            };
            let value = match plural {
                "daemonsets" => available(["numberAvailable", "desiredNumberScheduled"]),
                _ => available(["availableReplicas", "replicas"]),
            };
            let check = Check::ok(format!("loadbalancer {name}"), value, "rolled out");
            match rolled_out(plural, live) {
                Ok(()) => check,
                Err(why) => check.found(Alert, format!("{why}: {so}"), pods_of(key, live)),
            }
        };
        [
            one("controller", &self.controller, "deployments", "no Service gets an address"),
            one("speakers", &self.speakers, "daemonsets", "addresses are not announced"),
        ]
    }
}

/// Why there is nothing to check.
enum Off {
    /// Nobody knows whether it is there.
    Unread(Box<Check>),
    /// It is in place but not to run, or not there at all.
    Disabled(String),
}

/// By the labels of its manifests or of its chart.
fn is_metal_lb(workload: &Value, component: &str) -> bool {
    let label = |name: &str| workload["metadata"]["labels"][name].as_str();
    (label("app") == Some("metallb") && label("component") == Some(component))
        || (label("app.kubernetes.io/name") == Some("metallb")
            && label("app.kubernetes.io/component") == Some(component))
}

/// It is in place but not to run, or it is not there at all: no fault, unless somebody relies on it.
fn disabled(reading: &Reading, why: String) -> Check {
    const NAME: &str = "loadbalancer metallb";
    let (with, without): (Vec<Service>, Vec<Service>) =
        services::of_metal_lb(reading).partition(|service| !service.addresses.is_empty());
    let in_use =
        with.iter().filter(|service| pools::holds(reading, service)).map(|service| service.key.to_string());
    let in_use: Vec<String> = in_use.collect();
    if !in_use.is_empty() {
        let check = Check::ok(NAME, Value::Null, "it runs where Services have addresses of its pools");
        return check.found(
            Alert,
            format!("{why}, and these have addresses of its pools: {}", in_use.join(", ")),
            RESTORE,
        );
    }
    let mut check = Check::not_applicable(NAME, why);
    check.why.extend(without.iter().map(|service| format!("{} has no address, and gets none", service.key)));
    check
}

/// What a failover test that was killed has left.
fn unfinished(reading: &Reading) -> Option<Check> {
    let nodes: Vec<&str> = failover::tainted(reading.objects(NODES)).collect();
    let why = format!(
        "a failover test was not finished: {TAINT} keeps MetalLB's speaker from {}",
        nodes.join(", ")
    );
    let check = Check::ok("loadbalancer failover test", nodes.len(), "none is left unfinished");
    (!nodes.is_empty()).then(|| check.found(Alert, why, "netdr check loadbalancer --failover --undo"))
}

#[cfg(test)]
mod tests;

//! Services of type LoadBalancer: has each an address of a pool, does somebody announce it, does it answer?
//!
//! In: what was read, and what answered. Out: a check of each Service. Invariant: pure; a Service of another class is
//! another load balancer's, and left out.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;

use super::{Asked, BGP_ADVERTISEMENTS, L2_STATUSES, POOLS, SERVICES, announced, describe, pools};
use crate::{
    check::{
        Check, Reading,
        Status::{Alert, Warn},
    },
    model::ItemKey,
};

/// A Service that MetalLB is to give an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which.
    pub key: ItemKey,
    /// Those it has.
    pub addresses: Vec<IpAddr>,
    /// Where it takes TCP.
    pub ports: Vec<u16>,
    /// Only nodes with a pod of its own announce it (`externalTrafficPolicy: Local`).
    pub local: bool,
}

pub(super) fn of_metal_lb(reading: &Reading) -> impl Iterator<Item = Service> {
    reading.items(SERVICES).filter_map(|(key, service)| {
        let spec = &service["spec"];
        let ours = spec["loadBalancerClass"].as_str().is_none_or(|class| class.contains("metallb"));
        (spec["type"] == "LoadBalancer" && ours).then(|| Service {
            key,
            addresses: list(&service["status"]["loadBalancer"]["ingress"])
                .filter_map(|ingress| ingress["ip"].as_str()?.parse().ok())
                .collect(),
            ports: list(&spec["ports"])
                .filter(|port| port["protocol"].as_str().is_none_or(|protocol| protocol == "TCP"))
                .filter_map(|port| u16::try_from(port["port"].as_u64()?).ok())
                .collect(),
            local: spec["externalTrafficPolicy"] == "Local",
        })
    })
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

impl Service {
    /// Where it should answer.
    pub fn sockets(&self) -> Vec<SocketAddr> {
        let of = |address: &IpAddr| {
            self.ports.iter().map(|port| SocketAddr::new(*address, *port)).collect::<Vec<_>>()
        };
        self.addresses.iter().flat_map(of).collect()
    }
}

/// Where somebody should answer; nowhere, where MetalLB does not run.
pub fn addresses(reading: &Reading) -> Vec<SocketAddr> {
    if super::MetalLb::find(reading).is_err() {
        return Vec::new();
    }
    of_metal_lb(reading).flat_map(|service| service.sockets()).collect()
}

pub(super) fn judge(reading: &Reading, asked: &Asked) -> Vec<Check> {
    let mut checks: Vec<Check> = of_metal_lb(reading).map(|service| one(reading, &service, asked)).collect();
    if checks.is_empty() && reading.has(SERVICES) {
        checks.push(Check::not_applicable("loadbalancer services", "no Service asks for an address"));
    }
    checks
}

fn one(reading: &Reading, service: &Service, asked: &Asked) -> Check {
    let words: Vec<String> = service.addresses.iter().map(ToString::to_string).collect();
    let name = format!("loadbalancer {}", service.key);
    let value = if words.is_empty() { Value::Null } else { words.join(", ").into() };
    let mut check = Check::ok(name, value, "it has an address of a pool, which is announced and answers");
    if service.addresses.is_empty() {
        return check.found(Alert, "it has no address", describe(&service.key));
    }
    // Where pools could not be read nobody knows of which it is; of a kind that is not served there is none.
    let known = reading.unread("loadbalancer", &[POOLS]).is_empty();
    if known && !pools::holds(reading, service) {
        check = check.found(Alert, "its address is of no pool: nobody announces it", describe(&service.key));
    }
    // By BGP every node announces it, and says so nowhere.
    let l2 = reading.has(L2_STATUSES) && reading.objects(BGP_ADVERTISEMENTS).is_empty();
    if l2 && announced::nodes(reading, &service.key).is_empty() {
        check = check.found(Warn, "no node announces it (ServiceL2Status)", describe(&service.key));
    }
    for socket in service.sockets() {
        if let Some(why) = asked.get(&socket).and_then(|answer| answer.as_ref().err()) {
            let next = format!(
                "kubectl get endpointslices -n {} -l kubernetes.io/service-name={}",
                service.key.namespace().unwrap_or_default(),
                service.key.name()
            );
            check = check.found(Alert, format!("{socket}: {why}"), next);
        }
    }
    check
}

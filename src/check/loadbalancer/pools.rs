//! Pools of addresses: has each some left, and is each address in one pool only?
//!
//! In: pools, and the addresses that Services have. Out: a check of each pool. Invariant: pure.

use serde_json::Value;

use super::{BGP_ADVERTISEMENTS, L2_ADVERTISEMENTS, POOLS, RESTORE, Service, describe, services};
use crate::{
    check::{
        Check, Reading,
        Status::{Alert, Warn},
        addresses::Range,
    },
    model::ItemKey,
};

/// Whether an address of a Service is in a pool.
pub(super) fn holds(reading: &Reading, service: &Service) -> bool {
    let ranges: Vec<Range> =
        reading.objects(POOLS).iter().flat_map(ranges).filter_map(|(_, range)| range).collect();
    let addresses = service.addresses.iter().map(|address| Range::one(*address));
    addresses.filter(|address| ranges.iter().any(|range| range.contains(address))).count() > 0
}

pub(super) fn judge(reading: &Reading) -> Vec<Check> {
    let pools: Vec<(ItemKey, &Value)> = reading.items(POOLS).collect();
    if pools.is_empty() && reading.has(POOLS) {
        let check = Check::ok("loadbalancer pools", 0, "there is one");
        return vec![check.found(Alert, "there is no IPAddressPool: no Service gets an address", RESTORE)];
    }
    let waiting = services::of_metal_lb(reading).any(|service| service.addresses.is_empty());
    let one = |(number, (key, pool)): (usize, &(ItemKey, &Value))| {
        one(reading, key, pool, &pools[..number], waiting)
    };
    pools.iter().enumerate().map(one).collect()
}

fn one(reading: &Reading, key: &ItemKey, pool: &Value, before: &[(ItemKey, &Value)], waiting: bool) -> Check {
    let own: Vec<(&str, Option<Range>)> = ranges(pool).collect();
    let ranges_of =
        |own: &[(&str, Option<Range>)]| own.iter().filter_map(|(_, range)| *range).collect::<Vec<_>>();
    let size = ranges_of(&own).iter().map(Range::count).fold(0, u128::saturating_add);
    // A shared address is one, however many share it.
    let mut used: Vec<_> = services::of_metal_lb(reading).flat_map(|service| service.addresses).collect();
    used.sort_unstable();
    used.dedup();
    used.retain(|address| ranges_of(&own).iter().any(|range| range.contains(&Range::one(*address))));
    let threshold = "warn: none is free; alert: and a Service waits, or an address is in two pools";
    let value = format!("{} of {size} addresses in use", used.len());
    let mut check = Check::ok(format!("loadbalancer {key}"), value, threshold);
    for (text, _) in own.iter().filter(|(_, range)| range.is_none()) {
        check = check.found(Alert, format!("`{text}` is no range of addresses"), describe(key));
    }
    if own.is_empty() {
        check = check.found(Alert, "it has no range of addresses", describe(key));
    } else if used.len() as u128 >= size {
        let (status, why) = match waiting {
            true => (Alert, "no address is free, and a Service waits for one"),
            false => (Warn, "no address is free for another Service"),
        };
        check = check.found(status, why, describe(key));
    }
    for (other, theirs) in before {
        for (text, range) in &own {
            let met = ranges(theirs)
                .find(|(_, other)| range.zip(*other).is_some_and(|(one, other)| one.meets(&other)));
            if let Some((theirs, _)) = met {
                let why = format!("its {text} overlaps {theirs} of {}", other.name());
                check = check.found(Alert, why, describe(key));
            }
        }
    }
    let unread = [L2_ADVERTISEMENTS, BGP_ADVERTISEMENTS].iter().any(|source| !reading.has(*source));
    if !unread && !advertised(reading, key.name()) {
        check = check.found(
            Warn,
            "no L2Advertisement or BGPAdvertisement is about it: its addresses are not announced",
            "kubectl get l2advertisements.metallb.io,bgpadvertisements.metallb.io -A",
        );
    }
    check
}

fn ranges(pool: &Value) -> impl Iterator<Item = (&str, Option<Range>)> {
    let texts = pool["spec"]["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| (text, Range::parse(text)))
}

/// One that names no pool is about all of them; whom a selector means is left to MetalLB.
fn advertised(reading: &Reading, pool: &str) -> bool {
    let mut all =
        [L2_ADVERTISEMENTS, BGP_ADVERTISEMENTS].into_iter().flat_map(|source| reading.objects(source));
    all.any(|advertisement| {
        let list =
            |field: &str| advertisement["spec"][field].as_array().map(Vec::as_slice).unwrap_or_default();
        let (named, selected) = (list("ipAddressPools"), list("ipAddressPoolSelectors"));
        named.iter().any(|name| name == pool) || !selected.is_empty() || named.is_empty()
    })
}

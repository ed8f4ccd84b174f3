//! Ranges of addresses, as Kubernetes, flannel and MetalLB write them.
//!
//! In: `10.42.0.0/16` or `10.25.10.30-10.25.10.35`. Out: ranges that can be compared and counted. Invariant: the two
//! families never meet.

use std::net::IpAddr;

/// From the first to the last, both of them in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    v4: bool,
    first: u128,
    last: u128,
}

impl Range {
    /// A range with a prefix, in which bits of the host do not count, or two addresses with a dash; none where it is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (Self::one(first.trim().parse().ok()?), Self::one(last.trim().parse().ok()?));
            let in_order = first.v4 == last.v4 && first.first <= last.first;
            return in_order.then_some(Self { last: last.first, ..first });
        }
        let (address, prefix) = text.trim().split_once('/')?;
        let (address, prefix) = (Self::one(address.parse().ok()?), prefix.parse::<u32>().ok()?);
        let width: u32 = if address.v4 { 32 } else { 128 };
        // All bits of the host: of a prefix of 0 in IPv6 these are all there are.
        let host = 1_u128.checked_shl(width.checked_sub(prefix)?).map_or(u128::MAX, |size| size - 1);
        Some(Self { first: address.first & !host, last: address.first | host, ..address })
    }

    /// One address.
    pub(super) fn one(address: IpAddr) -> Self {
        let bits = match address {
            IpAddr::V4(address) => u128::from(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        };
        Self { v4: address.is_ipv4(), first: bits, last: bits }
    }

    pub(super) fn is_v4(&self) -> bool {
        self.v4
    }

    /// How many addresses are in it, as far as that can be counted.
    pub(super) fn count(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// Whether every address of the other is in this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.v4 == other.v4 && self.first <= other.first && other.last <= self.last
    }

    /// Whether an address is in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.v4 == other.v4 && self.first <= other.last && other.first <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Range {
        Range::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_range_holds_what_lies_between_its_ends() {
        let pool = range("10.25.10.30-10.25.10.35");
        assert_eq!(pool.count(), 6);
        assert!(pool.contains(&Range::one("10.25.10.35".parse().unwrap())));
        assert!(!pool.contains(&Range::one("10.25.10.36".parse().unwrap())));
        assert!(range("10.42.0.0/16").contains(&range("10.42.255.0/24")));
        assert!(!range("10.42.0.0/24").contains(&range("10.42.0.0/16")));
        assert!(range("0.0.0.0/0").contains(&pool) && !range("::/0").contains(&pool));
        assert_eq!(range("10.42.9.9/16"), range("10.42.0.0-10.42.255.255"), "bits of the host do not count");
        assert_eq!((range("::/0").count(), range("fd00::/120").count()), (u128::MAX, 256));
    }

    #[test]
    fn ranges_meet_at_their_ends() {
        let meets = |a: &str, b: &str| range(a).meets(&range(b)) && range(b).meets(&range(a));
        assert!(meets("10.25.10.30-10.25.10.35", "10.25.10.35-10.25.10.40"));
        assert!(!meets("10.25.10.30-10.25.10.35", "10.25.10.36-10.25.10.40"));
        assert!(meets("10.25.10.0/24", "10.25.10.30-10.25.10.35"));
        assert!(!meets("::/0", "0.0.0.0/0"));
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in
            ["", "10.42.0.0", "10.42.0.0/33", "::/129", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "a/16", "1-2"]
        {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }
}

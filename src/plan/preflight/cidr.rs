//! Address ranges, as Kubernetes and flannel write them.
//!
//! In: text such as `10.42.0.0/16` or `10.42.0.0/16,fd00:42::/56`. Out: ranges that can be compared. Invariant: bits of
//! the host do not count.

use std::net::IpAddr;

/// A range of addresses. Equal ranges hold the same addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    v4: bool,
    /// The first `prefix` bits, the rest zero.
    bits: u128,
    prefix: u32,
}

/// The ranges of a comma-separated list; none where one of them is no range.
pub(super) fn networks(text: &str) -> Option<Vec<Cidr>> {
    text.split(',').map(|range| Cidr::parse(range.trim())).collect()
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok()?;
        // Both families at the upper end of 128 bits, so that a prefix counts from the same side.
        let (v4, bits, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (true, u128::from(address.to_bits()) << 96, 32),
            IpAddr::V6(address) => (false, address.to_bits(), 128),
        };
        (prefix <= width).then(|| Self { v4, bits: masked(bits, prefix), prefix })
    }

    pub(super) fn is_v4(&self) -> bool {
        self.v4
    }

    /// Whether every address of the other is in this one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        self.v4 == other.v4 && self.prefix <= other.prefix && masked(other.bits, self.prefix) == self.bits
    }
}

fn masked(bits: u128, prefix: u32) -> u128 {
    bits & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Cidr {
        networks(text).unwrap()[0]
    }

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        assert!(one("10.42.0.0/16").contains(&one("10.42.255.0/24")));
        assert!(one("10.42.0.0/16").contains(&one("10.42.0.0/16")));
        assert!(!one("10.42.0.0/16").contains(&one("10.43.0.0/24")));
        assert!(!one("10.42.0.0/16").contains(&one("10.42.0.0/15")));
        assert!(one("0.0.0.0/0").contains(&one("192.0.2.1/32")));
        assert!(!one("::/0").contains(&one("192.0.2.1/32")));
        assert!(one("fd00:42::/56").contains(&one("fd00:42:0:1::/64")));
        assert_eq!(one("10.42.9.9/16"), one("10.42.0.0/16"));
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["", "10.42.0.0", "10.42.0.0/33", "::/129", "10.42.0.0/16,x", "a/16"] {
            assert_eq!(networks(text), None, "{text}");
        }
        assert_eq!(networks("10.42.0.0/16, fd00::/48").unwrap().len(), 2);
    }
}

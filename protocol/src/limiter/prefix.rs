//! What counts as one address, and as one network.

use core::net::IpAddr;

/// A network prefix. Those of hosts and those of sites are never in one table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Prefix {
    V4(u32),
    V6(u64),
}

impl Prefix {
    /// What one host has: an IPv4 address, the /64 of an IPv6 address.
    pub(super) fn of_host(address: IpAddr) -> Self {
        Self::of(address, u32::MAX, u64::MAX)
    }

    /// What one site has: /24 and /48.
    pub(super) fn of_site(address: IpAddr) -> Self {
        Self::of(address, u32::MAX << 8, u64::MAX << 16)
    }

    /// An IPv4 address that comes as an IPv6 one, as on a socket for both, is what it is: all of them share a /64.
    fn of(address: IpAddr, mask4: u32, mask6: u64) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits() & mask4),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64 & mask6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_sites_are_cut_where_networks_are() {
        let same = |of: fn(IpAddr) -> Prefix, a: &str, b: &str| {
            of(a.parse().unwrap()) == of(b.parse().unwrap())
        };
        assert!(!same(Prefix::of_host, "192.0.2.1", "192.0.2.2"));
        assert!(same(Prefix::of_site, "192.0.2.1", "192.0.2.255"));
        assert!(!same(Prefix::of_site, "192.0.2.1", "192.0.3.1"));
        assert!(same(Prefix::of_host, "2001:db8::1", "2001:db8::ffff:0:0:2"));
        assert!(!same(Prefix::of_host, "2001:db8::1", "2001:db8:0:1::1"));
        assert!(same(Prefix::of_site, "2001:db8::1", "2001:db8:0:ffff::1"));
        assert!(!same(Prefix::of_site, "2001:db8::1", "2001:db8:1::1"));
        assert!(same(Prefix::of_host, "::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same(Prefix::of_host, "::ffff:192.0.2.1", "::ffff:192.0.2.2"));
        assert!(!same(Prefix::of_site, "0.0.0.0", "::"));
    }
}

//! How much at a time.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use super::{Limited, prefix::Prefix};

/// The limits of an [`Occupancy`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OccupancyLimits {
    /// Of one address ([`Limited::Host`]).
    pub host: u32,
    /// Of one network ([`Limited::Site`]).
    pub site: u32,
    /// Of all together ([`Limited::Global`]); it bounds the memory too.
    pub global: u32,
}

impl OccupancyLimits {
    /// For half-open handshakes, which take up to 2 KiB for up to 10 s. A network may have a quarter of all, and so may an
    /// address: behind one translator there may be as many people as in a network.
    pub const HALF_OPEN: Self = Self { host: 256, site: 256, global: 1_024 };

    /// For those of clients that did not prove their address: so many may be under way before it counts as a flood.
    pub const UNPROVEN: Self = Self { host: 16, site: 64, global: 256 };
}

/// Counts what is there at a time for each address, each network, and all together.
#[derive(Clone, Debug)]
pub struct Occupancy {
    limits: OccupancyLimits,
    total: u32,
    hosts: BTreeMap<Prefix, u32>,
    sites: BTreeMap<Prefix, u32>,
}

impl Occupancy {
    /// Nothing is there.
    #[must_use]
    pub const fn new(limits: OccupancyLimits) -> Self {
        Self { limits, total: 0, hosts: BTreeMap::new(), sites: BTreeMap::new() }
    }

    /// Counts one more, or does nothing.
    ///
    /// # Errors
    /// The widest limit that is reached.
    pub fn enter(&mut self, address: IpAddr) -> Result<(), Limited> {
        let (host, site) = (Prefix::of_host(address), Prefix::of_site(address));
        let count = |map: &BTreeMap<_, u32>, prefix| map.get(&prefix).copied().unwrap_or(0);
        if self.is_full() {
            return Err(Limited::Global);
        }
        if count(&self.sites, site) >= self.limits.site {
            return Err(Limited::Site);
        }
        if count(&self.hosts, host) >= self.limits.host {
            return Err(Limited::Host);
        }
        self.total = self.total.saturating_add(1);
        for (map, prefix) in [(&mut self.hosts, host), (&mut self.sites, site)] {
            let count = map.entry(prefix).or_default();
            *count = count.saturating_add(1);
        }
        Ok(())
    }

    /// Counts one less; give the address that entered. One that did not changes nothing.
    pub fn leave(&mut self, address: IpAddr) {
        let (host, site) = (Prefix::of_host(address), Prefix::of_site(address));
        if !self.hosts.contains_key(&host) {
            return;
        }
        self.total = self.total.saturating_sub(1);
        for (map, prefix) in [(&mut self.hosts, host), (&mut self.sites, site)] {
            if let Some(count) = map.get_mut(&prefix) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    map.remove(&prefix);
                }
            }
        }
    }

    /// Whether there is no room for anybody.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.total >= self.limits.global
    }

    /// How many are there.
    #[must_use]
    pub const fn total(&self) -> u32 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv4Addr;
    use proptest::prelude::*;

    fn address(site: u8, host: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, site, host).into()
    }

    #[test]
    fn each_limit_holds_until_someone_leaves() {
        let mut occupancy = Occupancy::new(OccupancyLimits { host: 2, site: 3, global: 4 });
        let mut enter = |site, host| occupancy.enter(address(site, host));
        assert_eq!([enter(0, 1), enter(0, 1), enter(0, 1)], [Ok(()), Ok(()), Err(Limited::Host)]);
        assert_eq!([enter(0, 2), enter(0, 3)], [Ok(()), Err(Limited::Site)]);
        assert_eq!([enter(1, 1), enter(2, 1)], [Ok(()), Err(Limited::Global)]);
        occupancy.leave(address(9, 9));
        assert_eq!(occupancy.total(), 4, "nobody left who had not entered");
        occupancy.leave(address(0, 1));
        assert_eq!(occupancy.enter(address(0, 1)), Ok(()));
    }

    proptest! {
        /// The counts are those of a list of who is there, and nothing stays behind.
        #[test]
        fn counts_are_right(moves in prop::collection::vec((any::<bool>(), 0..3_u8, 0..3_u8), 0..200)) {
            let limits = OccupancyLimits { host: 3, site: 5, global: 9 };
            let mut occupancy = Occupancy::new(limits);
            let mut there: Vec<(u8, u8)> = Vec::new();
            for (enters, site, host) in moves {
                let who = (site, host);
                if enters {
                    let host = there.iter().filter(|other| **other == who).count() < 3;
                    let site = there.iter().filter(|other| other.0 == site).count() < 5;
                    let expected = host && site && there.len() < 9;
                    prop_assert_eq!(occupancy.enter(address(who.0, who.1)).is_ok(), expected);
                    there.extend(expected.then_some(who));
                } else {
                    occupancy.leave(address(site, host));
                    if let Some(at) = there.iter().position(|other| *other == who) {
                        there.remove(at);
                    }
                }
                prop_assert_eq!(occupancy.total() as usize, there.len());
            }
            for (site, host) in there {
                occupancy.leave(address(site, host));
            }
            prop_assert!(occupancy.hosts.is_empty() && occupancy.sites.is_empty());
            prop_assert_eq!(occupancy.total(), 0);
        }
    }
}

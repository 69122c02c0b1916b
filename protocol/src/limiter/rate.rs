//! How often.

use alloc::collections::BTreeMap;
use core::{net::IpAddr, time::Duration};

use super::{Limited, prefix::Prefix};
use crate::Instant;

const SECOND: u64 = 1_000_000_000;

/// So many at once, and so many a second from then on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Nanoseconds from one to the next.
    interval: u64,
    burst: u32,
}

impl Rate {
    /// At most `burst` at once and `per_second` a second; 0 counts as 1.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        let per_second = if per_second == 0 { 1 } else { per_second as u64 };
        Self { interval: SECOND.div_ceil(per_second), burst: if burst == 0 { 1 } else { burst } }
    }

    /// How far ahead of the time a bucket may be that still lets one through.
    const fn tolerance(self) -> u64 {
        self.interval.saturating_mul(self.burst as u64 - 1)
    }

    /// Longest time after its last use until a bucket is as if it had never been used.
    const fn refill(self) -> u64 {
        self.interval.saturating_mul(self.burst as u64)
    }

    /// Most that it lets through within `nanos`.
    const fn most_within(self, nanos: u64) -> u64 {
        (self.burst as u64).saturating_add(nanos / self.interval)
    }
}

/// The rates of a [`RateLimiter`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RateLimits {
    /// Of one address ([`Limited::Host`]).
    pub host: Rate,
    /// Of one network ([`Limited::Site`]).
    pub site: Rate,
    /// Of all together ([`Limited::Global`]); memory is bounded by what it lets through in the time that the other two
    /// take to refill.
    pub global: Rate,
}

impl RateLimits {
    /// For handshakes. A thousand clients at one address, as behind a translator, all get in within the ten seconds that each
    /// tries; a network gets no more, so that it takes five to use up all. 1,000 a second keep about a tenth of a core busy with
    /// public-key operations.
    pub const HANDSHAKES: Self = Self {
        host: Rate::new(200, 500),
        site: Rate::new(200, 500),
        global: Rate::new(1_000, 500),
    };

    /// For those of clients that did not prove their address: a quarter, for whoever gets none can prove it.
    pub const UNPROVEN: Self =
        Self { host: Rate::new(50, 50), site: Rate::new(200, 100), global: Rate::new(250, 250) };

    /// For handshakes that failed at their last step and are tried again: no honest one is, so one address gets few.
    pub const RETRIED: Self =
        Self { host: Rate::new(50, 50), site: Rate::new(200, 100), global: Rate::new(1_000, 250) };
}

/// Token buckets (as GCRA, ITU-T I.371) for every address and network that lately used some, and for all together.
///
/// Only what is let through costs memory, so that the global rate bounds it: no flood pushes anyone's bucket out.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    global: Bucket,
    global_rate: Rate,
    hosts: Buckets,
    sites: Buckets,
}

impl RateLimiter {
    /// Full buckets.
    #[must_use]
    pub const fn new(limits: RateLimits) -> Self {
        Self {
            global: Bucket::FULL,
            global_rate: limits.global,
            hosts: Buckets::new(limits.host, limits.global),
            sites: Buckets::new(limits.site, limits.global),
        }
    }

    /// Lets one through and counts it, or does neither.
    ///
    /// # Errors
    /// The widest limit that is reached.
    pub fn allow(&mut self, now: Instant, address: IpAddr) -> Result<(), Limited> {
        let (host, site) = (Prefix::of_host(address), Prefix::of_site(address));
        if !self.global.has_token(now, self.global_rate) {
            return Err(Limited::Global);
        }
        if !self.sites.has_token(now, site) {
            return Err(Limited::Site);
        }
        if !self.hosts.has_token(now, host) {
            return Err(Limited::Host);
        }
        self.global.take(now, self.global_rate);
        self.sites.take(now, site);
        self.hosts.take(now, host);
        Ok(())
    }

    /// Whether more than half of what all together may have at once is used up: the time to ask strangers for a proof of
    /// their address.
    #[must_use]
    pub fn is_busy(&self, now: Instant) -> bool {
        self.global.ahead(now) > self.global_rate.refill() / 2
    }

    /// Addresses and networks that it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hosts.buckets.len() + self.sites.buckets.len()
    }

    /// Whether it remembers none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most addresses and networks that it ever remembers.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.hosts.most + self.sites.most
    }
}

/// Buckets of one rate.
#[derive(Clone, Debug)]
struct Buckets {
    rate: Rate,
    /// Most to keep: twice as many as can be less than full at a time, so that a sweep, which leaves those only, is due no
    /// more often than once for each half.
    most: usize,
    buckets: BTreeMap<Prefix, Bucket>,
}

impl Buckets {
    const fn new(rate: Rate, global: Rate) -> Self {
        let used = global.most_within(rate.refill());
        // What does not fit the address space is not reached either.
        let most = if used > (usize::MAX / 4) as u64 { usize::MAX / 2 } else { used as usize * 2 };
        Self { rate, most, buckets: BTreeMap::new() }
    }

    fn has_token(&self, now: Instant, prefix: Prefix) -> bool {
        self.buckets.get(&prefix).is_none_or(|bucket| bucket.has_token(now, self.rate))
    }

    fn take(&mut self, now: Instant, prefix: Prefix) {
        if self.buckets.len() >= self.most && !self.buckets.contains_key(&prefix) {
            self.buckets.retain(|_, bucket| bucket.ahead(now) > 0);
        }
        self.buckets.entry(prefix).or_insert(Bucket::FULL).take(now, self.rate);
    }
}

/// When the next would come if all came at the rate ("theoretical arrival time"): the further in the future, the less is
/// left. Up to the present, it is full.
#[derive(Clone, Copy, Debug)]
struct Bucket(Instant);

impl Bucket {
    const FULL: Self = Self(Instant::ZERO);

    fn ahead(self, now: Instant) -> u64 {
        self.0.as_nanos().saturating_sub(now.as_nanos())
    }

    fn has_token(self, now: Instant, rate: Rate) -> bool {
        self.ahead(now) <= rate.tolerance()
    }

    fn take(&mut self, now: Instant, rate: Rate) {
        self.0 = self.0.max(now) + Duration::from_nanos(rate.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    const WIDE: Rate = Rate::new(1_000_000, 1_000_000);

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    fn host(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn a_host_gets_its_burst_and_then_its_rate() {
        let mut limiter =
            RateLimiter::new(RateLimits { host: Rate::new(20, 5), site: WIDE, global: WIDE });
        let mut passed = |millis| limiter.allow(at(millis), host(1));
        assert_eq!(
            [0; 6].map(&mut passed),
            [Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Err(Limited::Host)]
        );
        assert_eq!(
            [49, 50, 51, 99, 100].map(&mut passed).map(|p| p.is_ok()),
            [false, true, false, false, true]
        );
        assert_eq!(
            (0..10).filter(|_| passed(10_000).is_ok()).count(),
            5,
            "no more than a burst is saved up"
        );
    }

    #[test]
    fn who_is_turned_away_pays_nothing() {
        let mut limiter = RateLimiter::new(RateLimits {
            host: Rate::new(1, 1),
            site: Rate::new(1, 3),
            global: Rate::new(1, 4),
        });
        assert_eq!(limiter.allow(at(0), host(1)), Ok(()));
        for _ in 0..100 {
            assert_eq!(limiter.allow(at(1), host(1)), Err(Limited::Host));
        }
        assert_eq!(limiter.allow(at(1), host(2)), Ok(()));
        assert_eq!(limiter.allow(at(1), host(3)), Ok(()));
        assert_eq!(limiter.allow(at(1), host(4)), Err(Limited::Site));
        assert_eq!(limiter.allow(at(1), host(256)), Ok(()));
        assert_eq!(limiter.allow(at(1), host(512)), Err(Limited::Global));
        assert_eq!(limiter.len(), 4 + 2);
    }

    #[test]
    fn it_is_busy_from_the_middle_on() {
        let mut limiter =
            RateLimiter::new(RateLimits { host: WIDE, site: WIDE, global: Rate::new(10, 10) });
        for _ in 0..5 {
            assert!(!limiter.is_busy(at(0)));
            limiter.allow(at(0), host(1)).unwrap();
        }
        assert!(!limiter.is_busy(at(0)));
        limiter.allow(at(0), host(1)).unwrap();
        assert!(limiter.is_busy(at(0)) && !limiter.is_busy(at(100)));
    }

    /// `docs/hostile-input.md`, row 12.
    #[test]
    fn a_million_addresses_cost_no_more_than_the_bound() {
        let mut limiter = RateLimiter::new(RateLimits::HANDSHAKES);
        let capacity = limiter.capacity();
        assert!(capacity <= 12_000, "{capacity}");
        let mut passed = 0;
        for n in 0..1_000_000_u64 {
            let address = if n % 2 == 0 {
                host(n as u32 * 256)
            } else {
                Ipv6Addr::from_bits(u128::from(n) << 80).into()
            };
            // A million in ten seconds.
            passed += u64::from(limiter.allow(Instant::from_nanos(n * 10_000), address).is_ok());
            assert!(limiter.len() <= capacity);
        }
        assert_eq!(passed, 500 + 9_999, "what the global rate lets through");
    }

    /// `docs/hostile-input.md`, row 35.
    #[test]
    fn times_at_their_ends_do_no_harm() {
        let mut limiter = RateLimiter::new(RateLimits::HANDSHAKES);
        for nanos in [u64::MAX, 0, u64::MAX, u64::MAX - 1, 1 << 63] {
            let _ = limiter.allow(Instant::from_nanos(nanos), host(1));
        }
        let slow = Rate::new(0, u32::MAX);
        let mut limiter = RateLimiter::new(RateLimits { host: slow, site: slow, global: slow });
        assert_eq!(limiter.allow(Instant::from_nanos(u64::MAX), host(1)), Ok(()));
        assert!(limiter.capacity() > 0 && !limiter.is_empty());
    }

    #[derive(Clone, Debug)]
    struct Arrival {
        gap: u64,
        host: u8,
    }

    fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
        let gap = prop_oneof![4 => Just(0), 4 => 0..200_u64, 1 => 0..5_000_u64];
        prop::collection::vec((gap, 0..6_u8).prop_map(|(gap, host)| Arrival { gap, host }), 0..400)
    }

    fn rates() -> impl Strategy<Value = Rate> {
        (1..50_u32, 1..20_u32).prop_map(|(per_second, burst)| Rate::new(per_second, burst))
    }

    /// A bucket as it is usually told: nanoseconds' worth of tokens that fill up to a burst.
    struct Plain {
        rate: Rate,
        saved: u64,
        last: u64,
    }

    impl Plain {
        fn new(rate: Rate) -> Self {
            Self { rate, saved: rate.refill(), last: 0 }
        }

        fn has_token(&mut self, now: u64) -> bool {
            self.saved = (self.saved + (now - self.last)).min(self.rate.refill());
            self.last = now;
            self.saved >= self.rate.interval
        }
    }

    proptest! {
        /// Whatever comes, the decisions are those of plain token buckets that are never forgotten.
        #[test]
        fn it_decides_as_buckets_do(
            arrivals in arrivals(), host_rate in rates(), site_rate in rates(), global_rate in rates(),
        ) {
            let limits = RateLimits { host: host_rate, site: site_rate, global: global_rate };
            let mut limiter = RateLimiter::new(limits);
            // Forgets as soon as it may.
            limiter.hosts.most = 1;
            limiter.sites.most = 1;
            let mut hosts: Vec<_> = (0..6).map(|_| Plain::new(host_rate)).collect();
            let mut sites: Vec<_> = (0..2).map(|_| Plain::new(site_rate)).collect();
            let mut global = Plain::new(global_rate);
            let mut millis = 0;
            for Arrival { gap, host: n } in arrivals {
                millis += gap;
                let now = at(millis);
                let mine = [&mut global, &mut sites[usize::from(n % 2)], &mut hosts[usize::from(n)]];
                let expected = mine.map(|bucket| {
                    bucket.has_token(now.as_nanos()).then_some(bucket)
                });
                let address = host(u32::from(n % 2) << 8 | u32::from(n));
                let allowed = limiter.allow(now, address);
                match expected {
                    [None, ..] => prop_assert_eq!(allowed, Err(Limited::Global)),
                    [_, None, _] => prop_assert_eq!(allowed, Err(Limited::Site)),
                    [_, _, None] => prop_assert_eq!(allowed, Err(Limited::Host)),
                    [Some(a), Some(b), Some(c)] => {
                        prop_assert_eq!(allowed, Ok(()));
                        for bucket in [a, b, c] {
                            bucket.saved -= bucket.rate.interval;
                        }
                    }
                }
            }
        }

        /// What it keeps is bounded without ever pushing out a bucket that is not full.
        #[test]
        fn memory_is_bounded(seed: u64, host_rate in rates(), global_rate in rates(), gap in 0..50_u64) {
            let limits = RateLimits { host: host_rate, site: WIDE, global: global_rate };
            let mut limiter = RateLimiter::new(limits);
            for n in 0..2_000_u64 {
                let address = (seed ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let _ = limiter.allow(at(n * gap), host(address as u32));
                prop_assert!(limiter.len() <= limiter.capacity());
            }
        }
    }
}

//! How much strangers may cost: so often, and so much at a time, for one address, for one network, for all together.
//!
//! Both limiters are asked before any costly step, in constant memory: [`RateLimiter`] before a public-key operation or a
//! guess, [`Occupancy`] before state that lasts. Addresses that are not validated can be forged, so that a flood would use
//! up what belongs to others: have limiters of their own for those, ask them only as long as [`RateLimiter::is_busy`] says no, and
//! for a cookie from then on.

mod occupancy;
mod prefix;
mod rate;

pub use occupancy::{Occupancy, OccupancyLimits};
pub use rate::{Rate, RateLimiter, RateLimits};

/// Which limit was reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limited {
    /// That of one address: an IPv4 address, or the /64 of an IPv6 address, which is the least that a host is given.
    Host,
    /// That of a network: the /24 of an IPv4 address, the /48 of an IPv6 address.
    Site,
    /// That of all together.
    Global,
}

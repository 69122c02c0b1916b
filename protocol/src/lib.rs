//! The gannet file transfer protocol as a sans-IO state machine.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod congestion;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod delivery;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod mtu;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod pacer;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod ranges;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod rtt;
mod time;

pub use time::Instant;

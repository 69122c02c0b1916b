//! Emulation of bad networks, for tests and the demo.
//!
//! [`Link`] models one direction of a link and nothing else: it has no clock, no sockets and no
//! randomness but its seed, so that simulated worlds, the demo's relay and the link emulator
//! share one idea of what a bad link does. [`Relay`] puts two of them between real sockets.

mod config;
mod counters;
mod damage;
mod fate;
mod link;
mod relay;
pub mod spec;
mod wire;

pub use config::{Burst, LinkConfig, Queue};
pub use counters::Counters;
pub use link::Link;
pub use relay::{Relay, RelayHandle, RelayReport};

/// What IPv4 and UDP add to each datagram's payload, in bytes (RFC 791, RFC 768): the
/// [`overhead_bytes`](LinkConfig::overhead_bytes) of a link that carries payloads only.
pub const IPV4_UDP_OVERHEAD: u32 = 28;

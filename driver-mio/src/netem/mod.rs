//! Emulation of bad networks, for tests and the demo.
//!
//! [`Link`] models one direction of a link and nothing else: it has no clock, no sockets and no
//! randomness but its seed, so that simulated worlds, the demo's relay and the link emulator
//! share one idea of what a bad link does.

mod config;
mod counters;
mod damage;
mod fate;
mod link;
pub mod spec;
mod wire;

pub use config::{Burst, LinkConfig, Queue};
pub use counters::Counters;
pub use link::Link;

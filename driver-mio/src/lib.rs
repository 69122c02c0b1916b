//! The gannet protocol on real sockets, clocks and files.

pub mod client;
pub mod netem;
pub mod server;
pub mod trust;
pub mod units;

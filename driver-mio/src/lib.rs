//! The gannet protocol on real sockets, clocks and files.

pub mod netem;
pub mod units;

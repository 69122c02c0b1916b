//! The gannet protocol on real sockets, clocks and files.

pub mod client;
pub mod server;
mod socket;
mod sys;

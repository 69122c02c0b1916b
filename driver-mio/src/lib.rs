//! The gannet protocol on real sockets, clocks and files.

pub mod client;
mod disk;
mod event_loop;
mod files;
mod hash;
pub mod netem;
pub mod server;
mod socket;
mod sys;
mod transfer;
pub mod units;

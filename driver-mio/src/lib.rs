//! The gannet protocol on real sockets, clocks and files.

pub mod client;
#[cfg_attr(not(test), expect(dead_code, reason = "for the event loop"))]
mod disk;
#[cfg_attr(not(test), expect(dead_code, reason = "for the event loop"))]
mod files;
mod hash;
pub mod server;
mod socket;
mod sys;
#[cfg_attr(not(test), expect(dead_code, reason = "for the event loop"))]
mod transfer;

//! The gannet protocol on real sockets, clocks and files.

pub mod client;
#[cfg_attr(not(test), expect(dead_code, reason = "for the event loop"))]
mod disk;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "for the event loop"))]
mod files;
#[cfg_attr(not(test), expect(dead_code, reason = "for the event loop"))]
mod hash;
pub mod server;
mod socket;
mod sys;
#[expect(dead_code, reason = "for the event loop")]
mod transfer;

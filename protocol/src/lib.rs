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

mod name;
mod status;
mod time;

pub use name::{BadName, Escaped, MAX_COMPONENT, MAX_NAME, Name, RESERVED_PREFIX};
pub use status::Status;
pub use time::Instant;

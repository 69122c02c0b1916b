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

mod body;
mod config;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod congestion;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod delivery;
mod endpoint;
mod event;
mod message;
mod name;
mod protect;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod mtu;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod pacer;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod ranges;
#[cfg_attr(not(test), expect(dead_code, reason = "used by the connection"))]
mod rtt;
mod status;
mod time;
mod wire;

pub use body::{BodyId, FileDone, Source, Ticket, Unread, Write};
pub use config::{Config, CongestionKind, MAX_DATAGRAM, Stats};
pub use endpoint::{Datagram, Ecn, Endpoint, Misuse, Opened, Session, Transmit};
pub use event::{CloseCode, CloseReason, ConnectionHandle, Event, ExchangeId, Violation};
pub use message::{
    BLOCK_LEN, BadListing, BodyLen, Destination, End, Entry, EntryKind, FileTime, Hash, Identity,
    MAX_BODY, MAX_GROUPS, MAX_MESSAGE, Meta, Mode, Note, Put, Reply, Request, Stored,
};
pub use name::{BadName, Escaped, MAX_COMPONENT, MAX_NAME, Name, RESERVED_PREFIX};
pub use protect::{Forged, Plain, Protect};
pub use status::Status;
pub use time::Instant;

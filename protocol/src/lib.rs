//! The gannet file transfer protocol as a sans-IO state machine.
//!
//! An [`Endpoint`] owns every connection behind one UDP socket. It has no socket, clock, thread or file of its own:
//! datagrams, the time and the results of file operations go in, and datagrams to send, bytes to write and events come
//! out. What runs it is a loop such as this one, which moves a file between two endpoints:
//!
//! ```
//! use gannet_protocol::{
//!     BodyLen, Config, Datagram, Endpoint, Event, FileDone, Get, Instant, Meta, Name, Note, Reply, Request,
//! };
//! # use gannet_protocol::{End, FileTime, Identity, Mode};
//!
//! let now = Instant::ZERO;
//! let mut server_config = Config::default();
//! server_config.accept = true;
//! let mut server = Endpoint::new(server_config, [1; 32]);
//! let mut client = Endpoint::new(Config::default(), [2; 32]);
//! let addresses = ["192.0.2.1:1".parse()?, "192.0.2.2:2".parse()?];
//! let connection = client.connect(now, addresses[0]);
//!
//! let file = b"content of any length";
//! let mut copy = Vec::new();
//! let mut finished = false;
//! while !finished {
//!     // Datagrams of each go to the other.
//!     let mut buf = [0; 65_400];
//!     let mut source = |_, offset: u64, buf: &mut [u8]| {
//!         buf.copy_from_slice(&file[offset as usize..][..buf.len()]);
//!         Ok(())
//!     };
//!     while let Some(sent) = client.poll_transmit(now, &mut source, &mut buf) {
//!         for payload in buf[..sent.len].chunks_mut(sent.segment_len) {
//!             let datagram = Datagram { remote: addresses[1], local: None, ecn: None, payload };
//!             assert!(server.handle_datagram(now, datagram).is_none());
//!         }
//!     }
//!     while let Some(sent) = server.poll_transmit(now, &mut source, &mut buf) {
//!         for payload in buf[..sent.len].chunks_mut(sent.segment_len) {
//!             let datagram = Datagram { remote: addresses[0], local: None, ecn: None, payload };
//!             if let Some(write) = client.handle_datagram(now, datagram) {
//!                 copy.resize(copy.len().max(write.offset as usize + write.data.len()), 0);
//!                 copy[write.offset as usize..][..write.data.len()].copy_from_slice(write.data);
//!                 client.handle_file(now, FileDone::Settled(write.ticket));
//!             }
//!         }
//!     }
//!     // What the server's application does.
//!     while let Some(event) = server.poll_event() {
//!         if let Event::Request { exchange, request: Request::Get(_), .. } = event {
//!             let meta = Meta { len: BodyLen::Known(file.len() as u64), /* mode, times */
//! #               mode: Mode::from_bits(0o644), modified: FileTime::default(), identity: Identity::default() };
//!             let mut session = server.session(exchange.connection()).ok_or("gone")?;
//!             let body = session.reply(exchange, Reply::Meta(meta))?.ok_or("no body")?;
//! #           let end = End { len: file.len() as u64, identity: Identity::default(), stable: true };
//!             session.note(body, Note::End(end))?;
//!         }
//!     }
//!     // What the client's does.
//!     while let Some(event) = client.poll_event() {
//!         match event {
//!             Event::Connected(_) => {
//!                 let mut session = client.session(connection).ok_or("gone")?;
//!                 session.request(Request::Get(Get::all(Name::parse(b"notes.txt")?)))?;
//!             }
//!             Event::Note { exchange, note: Note::End(end), .. } if copy.len() as u64 == end.len => {
//!                 client.session(connection).ok_or("gone")?.finish(exchange)?;
//!                 finished = true;
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//! assert_eq!(copy, file);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A real loop also lets time pass: after the polls fall idle it sleeps until [`Endpoint::poll_timeout`] and calls
//! [`Endpoint::handle_timeout`].
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod acks;
pub mod armor;
mod body;
mod config;
mod congestion;
mod connection;
mod credit;
pub mod crypto;
mod delivery;
mod endpoint;
mod event;
mod exchange;
mod expected;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod key;
mod limiter;
mod message;
mod mtu;
mod name;
pub mod noise;
mod pacer;
mod path_memory;
mod protect;
mod random;
mod ranges;
mod recovery;
mod rtt;
pub mod sealed;
mod skips;
mod spent;
mod status;
mod throughput;
mod time;
mod trace;
mod wire;

pub use body::{BodyId, FileDone, Source, Ticket, Unread, Write};
pub use config::{Config, CongestionKind, MAX_DATAGRAM, MIN_RATE, Security, Stats};
pub use endpoint::{Datagram, Ecn, Endpoint, Misuse, Opened, Session, Transmit};
pub use event::{CloseCode, CloseReason, ConnectionHandle, Event, ExchangeId, Violation};
pub use expected::{Expected, Judgement};
pub use key::{BadKey, Fingerprint, PublicKey};
pub use limiter::{Limited, Occupancy, OccupancyLimits, Rate, RateLimiter, RateLimits};
pub use message::{
    Algorithm, BLOCK_LEN, BadListing, BodyLen, Destination, End, Entry, EntryKind, FileTime, Get,
    GroupRanges, HOLD_ABOVE, Hash, Have, Held, How, Identity, Invite, MAX_AGAIN, MAX_AGAINS,
    MAX_BODY, MAX_GROUPS, MAX_HASHES, MAX_HAVE_RANGES, MAX_HOLES, MAX_INVITE_TEXT, MAX_MEASURED,
    MAX_MESSAGE, MAX_TICKET, Meta, Mode, Note, Put, Reply, Report, Request, Stat, Stored,
    TicketText, UNTOLD, Version,
};
pub use name::{BadName, Escaped, MAX_COMPONENT, MAX_NAME, Name, RESERVED_PREFIX};
pub use path_memory::PathMemory;
pub use protect::{OpenError, Plain, Protect, SealError};
pub use spent::Spent;
pub use status::Status;
pub use time::Instant;
pub use trace::{Metrics, TraceEvent, Traced};

//! Every connection behind one UDP socket.

mod session;

use core::net::{IpAddr, SocketAddr};

use crate::{Config, ConnectionHandle, Event, FileDone, Instant, Source, Write};

pub use session::{Misuse, Opened, Session};

/// Every connection behind one UDP socket: bytes and time go in, bytes and events come out.
///
/// Inputs are named `handle_*`, outputs `poll_*`. After any input, drain [`Self::poll_transmit`] until
/// `None`, then [`Self::poll_event`] until `None`, then sleep until [`Self::poll_timeout`]. Any other
/// order is safe too; it only costs time.
#[derive(Debug)]
pub struct Endpoint {}

impl Endpoint {
    /// Makes an endpoint. All its randomness comes from `seed`, all time from its callers.
    #[must_use]
    pub fn new(_config: Config, _seed: [u8; 32]) -> Self {
        todo!()
    }

    /// Starts a connection to `remote`; [`Event::Connected`] or [`Event::Closed`] will follow.
    pub fn connect(&mut self, _now: Instant, _remote: SocketAddr) -> ConnectionHandle {
        todo!()
    }

    /// Takes no more connections and fails new requests with [`crate::Status::ShuttingDown`]; those that
    /// run go on.
    pub fn shut_down(&mut self) {
        todo!()
    }

    /// Takes one datagram and opens it in place.
    ///
    /// A returned [`Write`] borrows the datagram's own buffer, not the endpoint, so a whole receive batch
    /// can be collected before any of it is written.
    #[must_use]
    pub fn handle_datagram<'d>(
        &mut self,
        _now: Instant,
        _datagram: Datagram<'d>,
    ) -> Option<Write<'d>> {
        todo!()
    }

    /// Lets every timer that is due fire. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }

    /// Takes the result of a file operation that an earlier output asked for.
    pub fn handle_file(&mut self, _now: Instant, _done: FileDone) {
        todo!()
    }

    /// The commands of one connection, while it lives.
    pub fn session(&mut self, _connection: ConnectionHandle) -> Option<Session<'_>> {
        todo!()
    }

    /// Writes the next datagrams into `out`, all to one address and of one size but the last.
    ///
    /// `out` bounds the batch and should hold at least [`crate::MAX_DATAGRAM`] bytes. File bytes are read from
    /// `source` straight into the packet that carries them.
    #[must_use]
    pub fn poll_transmit(
        &mut self,
        _now: Instant,
        _source: &mut impl Source,
        _out: &mut [u8],
    ) -> Option<Transmit> {
        todo!()
    }

    /// Tells the next thing that happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        todo!()
    }

    /// Tells when to call [`Self::handle_timeout`], if ever. It may be in the past after an input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
}

/// One received datagram.
#[derive(Debug)]
pub struct Datagram<'d> {
    /// Who sent it.
    pub remote: SocketAddr,
    /// Which of our addresses it reached, where the system tells.
    pub local: Option<IpAddr>,
    /// The congestion mark of its IP header, where the system tells.
    pub ecn: Option<Ecn>,
    /// The bytes; opened in place.
    pub payload: &'d mut [u8],
}

/// Datagrams to send: the first `len` bytes of the caller's buffer, in steps of `segment_len`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transmit {
    /// Where to send them.
    pub remote: SocketAddr,
    /// Which of our addresses to send them from.
    pub local: Option<IpAddr>,
    /// The mark to send them with.
    pub ecn: Option<Ecn>,
    /// Bytes of all of them together.
    pub len: usize,
    /// Bytes of each but the last.
    pub segment_len: usize,
}

/// Explicit congestion notification marks (RFC 3168).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ecn {
    /// Capable of it, 0b10.
    Ect0,
    /// Capable of it, 0b01.
    Ect1,
    /// Congestion was met, 0b11.
    Ce,
}

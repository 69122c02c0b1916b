//! Every connection behind one UDP socket.

mod cookies;
mod gate;
mod half_open;
mod session;
mod slots;
mod stateless;
mod strangers;

use alloc::collections::{BTreeSet, VecDeque};
use core::net::{IpAddr, SocketAddr};

use crate::{
    CloseReason, Config, ConnectionHandle, Event, FileDone, Instant, PathMemory, Source, Write,
    connection::{Connection, Ids, Server},
    exchange::Outbox,
    expected::Expected,
    random::Random,
    wire::packet::{ConnectionId, Packet},
};
use gate::Gate;
pub use session::{Misuse, Opened, Session};
use slots::Slots;
use stateless::{Stateless, answers_anything};

/// Every connection behind one UDP socket: bytes and time go in, bytes and events come out.
///
/// Inputs are named `handle_*`, outputs `poll_*`. After any input, drain [`Self::poll_transmit`] until
/// `None`, then [`Self::poll_event`] until `None`, then sleep until [`Self::poll_timeout`]. Any other
/// order is safe too; it only costs time.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    random: Random,
    connections: Slots,
    gate: Gate,
    /// Those that may have something to send.
    ready: VecDeque<u32>,
    /// When to look at whose timers: never later than they are due.
    alarms: BTreeSet<(Instant, u32)>,
    outbox: Outbox,
    stateless: Stateless,
    shutting_down: bool,
}

impl Endpoint {
    /// Makes an endpoint. All its randomness comes from `seed`, all time from its callers.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            random: Random::new(seed),
            connections: Slots::default(),
            gate: Gate::new(&config, seed),
            ready: VecDeque::new(),
            alarms: BTreeSet::new(),
            outbox: Outbox::default(),
            stateless: Stateless::new(&config),
            config,
            shutting_down: false,
        }
    }

    /// Starts a connection to `remote`; [`Event::Connected`] or [`Event::Closed`] will follow. If packets are sealed, it ends with
    /// [`CloseReason::UnknownKey`], which tells the server's key for [`Self::connect_to`].
    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> ConnectionHandle {
        self.connect_to(now, remote, Expected::default())
    }

    /// Starts a connection to the server at `remote` that proves that it holds a key which is right ([`Expected::judge`]).
    /// Answers with a wrong one are ignored for some seconds, since anybody who saw the hello could send one; then it ends with
    /// [`CloseReason::WrongKey`]. In plain mode nothing is proved, and anybody is right.
    pub fn connect_to(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        expected: Expected,
    ) -> ConnectionHandle {
        self.dial(now, &Server { remote, expected, memory: None })
    }

    /// The same over a path that is known from before ([`crate::Session::path_memory`]): both sides begin near what it gave, if it
    /// still looks like it.
    pub fn connect_again(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        expected: Expected,
        memory: PathMemory,
    ) -> ConnectionHandle {
        self.dial(now, &Server { remote, expected, memory: Some(memory) })
    }

    fn dial(&mut self, now: Instant, server: &Server) -> ConnectionHandle {
        let (handle, own) = self.connections.reserve(&self.config.security, &mut self.random);
        let ids = Ids { handle, own, peer: ConnectionId(0) };
        match Connection::connect(now, &self.config, ids, server, &mut self.random) {
            Ok(connection) => {
                self.connections.fill(connection);
                self.touch(handle.slot);
            }
            Err(error) => {
                self.connections.release(handle.slot);
                let closed = Event::Closed(handle, CloseReason::Cryptography(error));
                self.outbox.events.push_back(closed);
            }
        }
        handle
    }

    /// Takes no more connections and fails new requests with [`crate::Status::ShuttingDown`]; those that
    /// run go on.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
        for connection in self.connections.iter_mut() {
            connection.exchanges.shut_down();
        }
    }

    /// Takes one datagram and opens it in place.
    ///
    /// A returned [`Write`] borrows the datagram's own buffer, not the endpoint, so a whole receive batch
    /// can be collected before any of it is written.
    #[must_use]
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        datagram: Datagram<'d>,
    ) -> Option<Write<'d>> {
        // Nor is a connection moved there: what it sends would be answered for ever.
        if self.config.accept && answers_anything(datagram.remote) {
            return None;
        }
        let from = (datagram.remote, datagram.local);
        let (to, number) = match Packet::decode(datagram.payload).ok()? {
            Packet::Data { to, number } => (to, number),
            packet => {
                self.on_handshake_packet(now, from, packet);
                return None;
            }
        };
        let Some(connection) = self.connections.by_id(to) else {
            self.stateless.on_unknown(now, from, to, datagram.payload.len());
            return None;
        };
        let slot = connection.handle.slot;
        let write = connection.handle_packet(now, number, datagram, &mut self.outbox);
        self.touch(slot);
        write
    }

    /// Lets every timer that is due fire. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, slot)) = self.alarms.first()
            && at <= now
        {
            self.alarms.pop_first();
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            connection.armed = None;
            connection.handle_timeout(now, &mut self.outbox);
            self.touch(slot);
        }
    }

    /// Takes the result of a file operation that an earlier output asked for.
    pub fn handle_file(&mut self, now: Instant, done: FileDone) {
        match done {
            FileDone::Settled(ticket) => {
                let Some(connection) = self.connections.by_handle(ticket.connection) else {
                    return;
                };
                let owner = self.outbox.bodies.owner(ticket.body);
                let rtt = connection.rtt();
                connection.exchanges.settle(
                    now,
                    rtt,
                    owner.map(|owner| owner.number),
                    ticket.charged,
                );
                if connection.exchanges.has_work() {
                    self.touch(ticket.connection.slot);
                }
            }
            FileDone::Readable(body) => {
                let Some(owner) = self.outbox.bodies.owner(body) else { return };
                if let Some(connection) = self.connections.by_handle(owner.connection) {
                    connection.exchanges.on_readable(owner.number);
                    self.touch(owner.connection.slot);
                }
            }
        }
    }

    /// The commands of one connection, while it lives.
    pub fn session(&mut self, connection: ConnectionHandle) -> Option<Session<'_>> {
        let open = self.connections.find(connection).filter(|open| open.is_open());
        let remote = open?.remote();
        Some(Session { endpoint: self, connection, remote })
    }

    /// The exchange that a body belongs to, while it runs.
    #[must_use]
    pub fn exchange_of(&self, body: crate::BodyId) -> Option<crate::ExchangeId> {
        self.outbox.bodies.owner(body)
    }

    /// Writes the next datagrams into `out`, all to one address and of one size but the last.
    ///
    /// `out` bounds the batch and should hold at least [`crate::MAX_DATAGRAM`] bytes. File bytes are read from
    /// `source` straight into the packet that carries them.
    #[must_use]
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        source: &mut impl Source,
        out: &mut [u8],
    ) -> Option<Transmit> {
        if let Some(transmit) = self.stateless.poll(out) {
            return Some(transmit);
        }
        while let Some(slot) = self.ready.pop_front() {
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            connection.queued = false;
            let transmit = connection.poll_transmit(now, source, out, &mut self.outbox);
            if transmit.is_some() {
                // It may have more, but the others come first.
                connection.queued = true;
                self.ready.push_back(slot);
                return transmit;
            }
            self.settle_down(slot);
        }
        None
    }

    /// Tells the next thing that happened.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.events.pop_front()
    }

    /// Tells when to call [`Self::handle_timeout`], if ever. It may be in the past after an input.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// A connection changed: it may have something to send, and other timers.
    fn touch(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !connection.queued {
            connection.queued = true;
            self.ready.push_back(slot);
        }
    }

    /// A connection has said all it had to say for now: what remains are its timers, or its end.
    fn settle_down(&mut self, slot: u32) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.is_dead() {
            if let Some(at) = connection.armed.take() {
                self.alarms.remove(&(at, slot));
            }
            self.gate.close(slot);
            self.connections.release(slot);
            return;
        }
        // An alarm that rings early is set anew then: most packets move timers back, and need not touch the set.
        let Some(next) = connection.next_timeout() else { return };
        if connection.armed.is_none_or(|armed| next < armed) {
            if let Some(at) = connection.armed.replace(next) {
                self.alarms.remove(&(at, slot));
            }
            self.alarms.insert((next, slot));
        }
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

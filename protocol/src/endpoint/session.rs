//! The commands of one connection.

use core::{fmt, net::SocketAddr, ops::Range};

use super::Endpoint;
use crate::{
    BodyId, CloseCode, ConnectionHandle, ExchangeId, Held, Instant, Note, PathMemory, Reply,
    Request, Spent, Stats, Status, Traced, connection::Connection, crypto::PublicKey,
    exchange::Outbox,
};

/// The commands of one connection.
#[derive(Debug)]
pub struct Session<'e> {
    pub(super) endpoint: &'e mut Endpoint,
    pub(super) connection: ConnectionHandle,
    pub(super) remote: SocketAddr,
}

/// A request that was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Opened {
    /// Its answers carry this.
    pub exchange: ExchangeId,
    /// The body of a [`Request::Put`], which the [`crate::Source`] is asked for from now on.
    pub body: Option<BodyId>,
}

/// A command that does not fit the state of things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Misuse {
    /// The peer allows no further exchange now; try again after the next [`crate::Event::Finished`] or
    /// [`crate::Event::Failed`].
    NoCredit,
    /// The exchange or body is over, or was never there.
    Over,
    /// It is not this side's turn to say that.
    OutOfPlace,
    /// The connection is closing.
    Closing,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCredit => "the peer allows no further exchange now",
            Self::Over => "the exchange is over",
            Self::OutOfPlace => "this cannot be said at this point",
            Self::Closing => "the connection is closing",
        })
    }
}

impl core::error::Error for Misuse {}

impl Session<'_> {
    /// The peer's address.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The key that the peer proved; none in plain mode, or before the connection is established.
    #[must_use]
    pub fn peer_key(&self) -> Option<PublicKey> {
        Some(self.endpoint.connections.find(self.connection)?.peer()?.key)
    }

    /// The hash of the whole handshake, which is the same at both ends and at no other connection: what is proved with it is
    /// proved here. None where [`Self::peer_key`] is none.
    #[must_use]
    pub fn transcript(&self) -> Option<[u8; 32]> {
        Some(self.endpoint.connections.find(self.connection)?.peer()?.transcript)
    }

    /// Figures of the connection so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let connection = self.endpoint.connections.find(self.connection);
        connection.map_or_else(|| Stats::new(self.remote), Connection::stats)
    }

    /// As a client: what the path gave so far, to be remembered for the next connection to this server
    /// ([`crate::Endpoint::connect_again`]); none before its round-trip time is known.
    #[must_use]
    pub fn path_memory(&self) -> Option<PathMemory> {
        self.endpoint.connections.find(self.connection)?.path_memory()
    }

    /// For what the connection has waited when it could not send, as of `now`.
    #[must_use]
    pub fn spent(&self, now: Instant) -> Spent {
        let connection = self.endpoint.connections.find(self.connection);
        connection.map_or_else(Spent::default, |connection| connection.spent(now))
    }

    /// The next thing that happened to the connection's packets, if that is to be told ([`crate::Config::trace`]). Take all of
    /// them in every turn: there is room for some thousand.
    #[must_use]
    pub fn poll_trace(&mut self) -> Option<Traced> {
        self.endpoint.connections.by_handle(self.connection)?.tracer.poll()
    }

    /// As a client, once connected: asks.
    ///
    /// # Errors
    /// [`Misuse::NoCredit`], [`Misuse::Closing`], or [`Misuse::OutOfPlace`] on a server's connection.
    pub fn request(&mut self, request: Request) -> Result<Opened, Misuse> {
        self.with(|connection, outbox| connection.exchanges.request(request, outbox))
    }

    /// As a server: answers. [`Reply::Meta`] and [`Reply::Listing`] open a body, which the
    /// [`crate::Source`] is asked for from now on; the others end the exchange.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn reply(&mut self, exchange: ExchangeId, reply: Reply) -> Result<Option<BodyId>, Misuse> {
        let number = self.number(exchange)?;
        self.with(|connection, outbox| connection.exchanges.reply(number, reply, outbox))
    }

    /// As the sender of a body: says something of it. [`Note::Hole`] skips its bytes. [`Note::End`] is the last, and settles the
    /// length of an open body. What is said of a body after [`Reply::Unchanged`] is said to nobody.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn note(&mut self, body: BodyId, note: Note) -> Result<(), Misuse> {
        let number = self.owner(body)?;
        self.with(|connection, outbox| connection.exchanges.note(number, note, outbox))
    }

    /// As the receiver of a body: says what it holds of it already.
    ///
    /// A server that receives a body of a known length over [`crate::HOLD_ABOVE`], or one that is not empty and whose content is
    /// to be compared ([`crate::How`]), says [`Held::Groups`], or any number of [`Held::Hashes`] in ascending order and then
    /// [`Held::Nothing`], or that alone; the client holds the body back for it. A client does so with hashes after a [`Reply::Meta`]
    /// of a length that is known and not 0, and another identity than its [`crate::Have`] has. After
    /// [`Held::Groups`] their bytes are kept ([`Self::keep`]). [`Held::Again`] undoes that, and makes all bytes of the group come
    /// again as new ones, into [`crate::Write`]s (one that was handed out before is void): at most [`crate::MAX_AGAIN`] times a group and [`crate::MAX_AGAINS`] times a body.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`], which it is, too, when a group was asked for again too often.
    pub fn held(&mut self, body: BodyId, held: Held) -> Result<(), Misuse> {
        let number = self.owner(body)?;
        self.with(|connection, _| connection.exchanges.held(number, held))
    }

    /// As the sender of a body of known length: its receiver has these bytes, which are whole blocks ([`crate::BLOCK_LEN`]), or go
    /// up to the body's end. They count as acknowledged and cost no credit. What of them was sent before goes on until it
    /// is acknowledged.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn skip(&mut self, body: BodyId, range: Range<u64>) -> Result<(), Misuse> {
        let number = self.owner(body)?;
        self.with(|connection, outbox| connection.exchanges.skip(number, &range, outbox))
    }

    /// As the receiver of a body of known length: these bytes are here, which are whole blocks ([`crate::BLOCK_LEN`]), or go up to the
    /// body's end. No [`crate::Write`] follows for them.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn keep(&mut self, body: BodyId, range: Range<u64>) -> Result<(), Misuse> {
        let number = self.owner(body)?;
        self.with(|connection, outbox| connection.exchanges.keep(number, &range, outbox))
    }

    /// As a client that received a body: it is verified and stored, and the server may count it as done.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn finish(&mut self, exchange: ExchangeId) -> Result<(), Misuse> {
        let number = self.number(exchange)?;
        self.with(|connection, outbox| connection.exchanges.finish(number, outbox))
    }

    /// As either side: gives an exchange up. `detail` belongs to the status (see [`crate::Event::Failed`]).
    /// No event of the exchange follows here.
    ///
    /// # Errors
    /// [`Misuse::Over`].
    pub fn fail(
        &mut self,
        exchange: ExchangeId,
        status: Status,
        detail: u64,
    ) -> Result<(), Misuse> {
        let number = self.number(exchange)?;
        self.with(|connection, outbox| connection.exchanges.fail(number, status, detail, outbox))
    }

    /// Closes the connection; all that runs on it ends. [`crate::Event::Closed`] follows once that was said to the peer.
    pub fn close(&mut self, code: CloseCode) {
        let _ = self.with(|connection, outbox| {
            connection.close(code, outbox);
            Ok(())
        });
    }

    /// The number of the exchange that a body of this connection belongs to.
    fn owner(&self, body: BodyId) -> Result<u64, Misuse> {
        self.number(self.endpoint.outbox.bodies.owner(body).ok_or(Misuse::Over)?)
    }

    /// The number of an exchange of this connection.
    fn number(&self, exchange: ExchangeId) -> Result<u64, Misuse> {
        if exchange.connection == self.connection { Ok(exchange.number) } else { Err(Misuse::Over) }
    }

    fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Connection, &mut Outbox) -> Result<T, Misuse>,
    ) -> Result<T, Misuse> {
        let endpoint = &mut *self.endpoint;
        let connection = endpoint.connections.by_handle(self.connection);
        let connection = connection.filter(|c| c.is_open()).ok_or(Misuse::Closing)?;
        let result = act(connection, &mut endpoint.outbox);
        endpoint.touch(self.connection.slot);
        result
    }
}

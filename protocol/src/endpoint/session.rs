//! The commands of one connection.

use core::{fmt, marker::PhantomData, net::SocketAddr};

use crate::{BodyId, CloseCode, ExchangeId, Note, Reply, Request, Stats, Status};

/// The commands of one connection.
#[derive(Debug)]
pub struct Session<'e>(PhantomData<&'e mut ()>);

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
    pub fn remote(&self) -> SocketAddr {
        todo!()
    }

    /// Figures of the connection so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        todo!()
    }

    /// As a client: asks. A request may be made before the connection is established, and travels then.
    ///
    /// # Errors
    /// [`Misuse::NoCredit`], [`Misuse::Closing`], or [`Misuse::OutOfPlace`] on a server's connection.
    pub fn request(&mut self, _request: Request) -> Result<Opened, Misuse> {
        todo!()
    }

    /// As a server: answers. [`Reply::Meta`] and [`Reply::Listing`] open a body, which the
    /// [`crate::Source`] is asked for from now on; the others end the exchange.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn reply(
        &mut self,
        _exchange: ExchangeId,
        _reply: Reply,
    ) -> Result<Option<BodyId>, Misuse> {
        todo!()
    }

    /// As the sender of a body: says something of it. [`Note::End`] is the last, and settles the length of an
    /// open body.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn note(&mut self, _body: BodyId, _note: Note) -> Result<(), Misuse> {
        todo!()
    }

    /// As a client that received a body: it is verified and stored, and the server may count it as done.
    ///
    /// # Errors
    /// [`Misuse::Over`] or [`Misuse::OutOfPlace`].
    pub fn finish(&mut self, _exchange: ExchangeId) -> Result<(), Misuse> {
        todo!()
    }

    /// As either side: gives an exchange up. `detail` belongs to the status (see [`crate::Event::Failed`]).
    /// No event of the exchange follows here.
    ///
    /// # Errors
    /// [`Misuse::Over`].
    pub fn fail(
        &mut self,
        _exchange: ExchangeId,
        _status: Status,
        _detail: u64,
    ) -> Result<(), Misuse> {
        todo!()
    }

    /// Closes the connection; all that runs on it ends. [`crate::Event::Closed`] follows once that was said to the peer.
    pub fn close(&mut self, _code: CloseCode) {
        todo!()
    }
}

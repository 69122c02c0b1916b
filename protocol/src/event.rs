//! What an endpoint tells the application.

use core::{fmt, ops::RangeInclusive, time::Duration};

use crate::{BodyId, Held, Note, Reply, Request, Status, crypto::PublicKey, noise::HandshakeError};

/// What happened, for the application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The peer answered and the connection can be used.
    Connected(ConnectionHandle),
    /// The connection is over and its handle is dead. All its exchanges and bodies ended with it, and no
    /// event of theirs follows.
    Closed(ConnectionHandle, CloseReason),
    /// A client asks for something. The server answers with [`crate::Session::reply`] or
    /// [`crate::Session::fail`].
    Request {
        /// Answer with this.
        exchange: ExchangeId,
        /// What it asks.
        request: Request,
        /// The body of a [`Request::Put`]: its writes come at once.
        body: Option<BodyId>,
    },
    /// The server answered.
    Reply {
        /// To which request.
        exchange: ExchangeId,
        /// What.
        reply: Reply,
        /// The body of a [`Reply::Meta`] or [`Reply::Listing`]: its writes come at once.
        body: Option<BodyId>,
    },
    /// The sender of a body that we receive said this of it.
    Note {
        /// Of which exchange.
        exchange: ExchangeId,
        /// Of which body.
        body: BodyId,
        /// What.
        note: Note,
    },
    /// The receiver of a body that we send said this of what it holds.
    ///
    /// After [`Held::Groups`] their bytes are skipped already. What of [`Held::Hashes`] matches is for us to find out, and to
    /// skip ([`crate::Session::skip`]): until that is clear the [`crate::Source`] may answer that the bytes are pending. After
    /// [`Held::Again`] it is asked for the bytes of the group anew, those that were released as well.
    Held {
        /// Of which exchange.
        exchange: ExchangeId,
        /// Of which body.
        body: BodyId,
        /// What.
        held: Held,
    },
    /// Nobody will ask for the bytes of this body below that offset again, unless [`Event::Held`] tells of [`Held::Again`]: all
    /// are acknowledged, or the receiver has them from before.
    Released {
        /// A body that we send.
        body: BodyId,
        /// Bytes from the start.
        below: u64,
    },
    /// Both sides have said and received all of this exchange; it is over, and so are its bodies.
    Finished(ExchangeId),
    /// The peer gave up this exchange, or our own [`crate::Source`] did; it is over, and so are its bodies.
    Failed {
        /// Which.
        exchange: ExchangeId,
        /// Why.
        status: Status,
        /// What belongs to the status: how many transfers run for [`Status::Busy`], else 0.
        detail: u64,
    },
}

/// A connection, numbered by the endpoint; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionHandle {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// An exchange of a connection: a request and all that answers it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExchangeId {
    pub(crate) connection: ConnectionHandle,
    pub(crate) number: u64,
}

impl ExchangeId {
    /// All that a connection can have: for a map that is ordered by them.
    #[must_use]
    pub const fn all_of(connection: ConnectionHandle) -> RangeInclusive<Self> {
        Self { connection, number: 0 }..=Self { connection, number: u64::MAX }
    }

    /// The connection that it belongs to.
    #[must_use]
    pub const fn connection(&self) -> ConnectionHandle {
        self.connection
    }

    /// Its number on the connection, from 0 in the order of the requests: the same at both ends.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }
}

/// Why a connection is over, sorted by whose doing it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// We closed it.
    Local,
    /// We could not even begin: the provider of cryptography fails.
    Cryptography(HandshakeError),
    /// The peer closed it, and this is what it said.
    Peer(CloseCode),
    /// The network: nothing was heard from the peer for so long.
    Silence(Duration),
    /// The network: the peer never answered the hello, for so long.
    NoAnswer(Duration),
    /// The peer: it speaks only other versions of the protocol.
    Version,
    /// The peer: it proved this key, and we were not told which one is right.
    UnknownKey(PublicKey),
    /// The peer: it proved this key, and another one is right; the right one did not answer.
    WrongKey(PublicKey),
    /// The peer: it does not know the connection any more, since it started again or gave it up.
    Reset,
    /// Nobody: the keys of the connection are used up, by packets sent or by forged ones received.
    KeysUsedUp,
    /// The peer: it broke a rule of the protocol.
    Violation(Violation),
}

/// What a side says when it closes a connection (docs/protocol.md, "CLOSE").
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseCode {
    /// Nothing more to do.
    Done,
    /// The server is shutting down.
    ShuttingDown,
    /// The server does not know the client's key.
    Refused,
    /// The keys of the connection are used up; another connection has others.
    KeysUsedUp,
    /// The other side broke this rule.
    Violation(Violation),
    /// A code that this version does not know.
    Unknown(u64),
}

impl CloseCode {
    const DONE: u64 = 0;
    const SHUTTING_DOWN: u64 = 1;
    const REFUSED: u64 = 2;
    const KEYS_USED_UP: u64 = 0xf;

    /// The code on the wire.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Done => Self::DONE,
            Self::ShuttingDown => Self::SHUTTING_DOWN,
            Self::Refused => Self::REFUSED,
            Self::KeysUsedUp => Self::KEYS_USED_UP,
            Self::Violation(violation) => violation.code(),
            Self::Unknown(code) => code,
        }
    }

    pub(crate) fn from_code(code: u64) -> Self {
        match code {
            Self::DONE => Self::Done,
            Self::SHUTTING_DOWN => Self::ShuttingDown,
            Self::REFUSED => Self::Refused,
            Self::KEYS_USED_UP => Self::KeysUsedUp,
            code => Violation::from_code(code).map_or(Self::Unknown(code), Self::Violation),
        }
    }
}

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal, $text:literal;)+) => {
        /// A rule of the protocol that a peer broke, one variant a rule.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Violation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Violation {
            /// Every rule, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code on the wire.
            #[must_use]
            pub const fn code(self) -> u64 {
                match self { $(Self::$name => $code,)+ }
            }

            pub(crate) const fn from_code(code: u64) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }

        impl fmt::Display for Violation {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

violations! {
    /// A frame that cannot be decoded, or of an unknown type.
    Frame = 0x10, "a malformed frame";
    /// A message that cannot be decoded.
    Message = 0x11, "a malformed message";
    /// A message over the greatest length.
    MessageTooLong = 0x12, "a message that is too long";
    /// A well-formed message that has no place at this point of an exchange.
    UnexpectedMessage = 0x13, "a message out of place";
    /// An acknowledgement of a packet that was never sent.
    AckUnsent = 0x14, "an acknowledgement of a packet never sent";
    /// More bytes, exchanges or message bytes than the credit allows.
    Credit = 0x15, "more than the credit allows";
    /// Bytes beyond the end of a body or of a message stream.
    BeyondEnd = 0x16, "bytes beyond an end";
    /// An end that differs from an end told before, or lies below bytes received.
    EndMoved = 0x17, "an end that moved";
    /// A DATA frame that crosses a block's boundary, or is empty.
    Chunk = 0x18, "a chunk that crosses a block";
    /// A frame that only the other role may send.
    Role = 0x19, "a frame of the wrong role";
    /// Bytes of a message stream that stand too far beyond what was received, or leave too many gaps.
    MessageStream = 0x1a, "a message stream out of bounds";
}

//! What can happen to two endpoints, decoded from any bytes.

use arbitrary::Arbitrary;

use crate::forge::{self, Frame};

/// One of the two endpoints.
#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Client,
    Server,
}

/// Something that happens. Numbers that choose one of several are taken modulo their number.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Operation {
    /// The client asks.
    Ask(Ask),
    /// The server answers a request.
    Answer { which: u8, how: Answer },
    /// The sender of a body says something of it.
    Note { at: End, which: u8, note: BodyNote },
    /// The receiver of a body says something of what it holds.
    Held { at: End, which: u8, says: Says },
    /// The client has taken care of a body, or says so too early.
    Finish { which: u8 },
    /// A side gives an exchange up.
    Fail { at: End, which: u8, status: u8 },
    /// The first of the packets on the way to a side, or another, arrives, or not.
    Deliver { to: End, which: u8, fate: Fate },
    /// All that is on the way arrives, and what it leads to, until both sides are silent.
    DeliverAll,
    /// All that is on the way is lost.
    LoseAll,
    /// A packet with a right checksum arrives that nobody sent.
    Forge { to: End, ahead: u8, frames: Vec<Forged> },
    /// Any bytes arrive.
    Stray { to: End, bytes: Vec<u8> },
    /// Time passes.
    Wait { millis: u16 },
    /// Time passes until a timer is due.
    WaitForTimer,
    /// So many of the writes that a side has not finished are done.
    Settle { at: End, count: u8 },
    /// From now on a side's sources have no bytes, or have them again.
    Stall { at: End, stalled: bool },
    /// From now on a side's sources fail, or work again.
    Break { at: End, broken: bool },
    /// The client has another port or address from now on.
    Move { port: bool },
    /// A side closes the connection.
    Close { at: End, code: u8 },
    /// The server takes no more requests.
    ShutDown,
    /// The client connects once more.
    Connect,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Ask {
    Get { version: bool, has: Option<Has> },
    List,
    Put { len: Len, fresh: bool },
    Rename,
    Exit,
}

/// How long a body is.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Len {
    /// The lower eight bits, shifted by what the upper ones say.
    shifted: u16,
    pub(super) open: bool,
}

impl Len {
    /// Nothing.
    pub(super) const ZERO: Self = Self { shifted: 0, open: false };

    /// Mostly short, so that runs are quick, and up to 2 MiB, which is two blocks.
    pub(super) fn bytes(self) -> u64 {
        u64::from(self.shifted & 0xff) << ((self.shifted >> 8) % 14)
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Answer {
    /// As the request wants it.
    Fitting(Len),
    /// As another request would want it.
    Unfitting,
    /// Nothing needs to be sent.
    Unchanged,
    Refuse {
        status: u8,
    },
}

/// What somebody has of a body: a bit for each of its first groups.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Has {
    pub(super) groups: u8,
    /// Of another state of the source.
    pub(super) other: bool,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Says {
    Groups(Has),
    /// Hashes that are those of the sender, or not.
    Hashes {
        first: u8,
        count: u8,
        same: bool,
    },
    Nothing,
    Again(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum BodyNote {
    /// Hashes of groups.
    Groups(u16),
    /// A hole from this block on.
    Hole { block: u8, more: u8 },
    /// The end, where the body ends.
    End,
    /// An end elsewhere.
    WrongEnd(u16),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Fate {
    Arrive,
    ArriveTwice,
    Lose,
    /// A byte changes.
    Damage {
        at: u16,
        mask: u8,
    },
    Cut {
        at: u16,
    },
}

/// A frame of a forged packet.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Forged {
    Ping,
    Ack { largest: u8, more: u8 },
    Message { exchange: u8, offset: u16, fin: bool, bytes: Vec<u8> },
    Data { exchange: u8, offset: u32, len: u8 },
    Credit { body: u32, exchanges: u16, messages: u32 },
    BodyCredit { exchange: u8, limit: u32 },
    Reset { exchange: u8, status: u8, body: u32, messages: u16 },
    Challenge([u8; 8]),
    Response([u8; 8]),
    Close(u8),
    Raw(Vec<u8>),
}

impl Forged {
    /// The frame, for a side whose next packet has the number `next`.
    pub(super) fn frame(&self, next: u64) -> Frame {
        match self.clone() {
            Self::Ping => Frame::Ping,
            Self::Ack { largest, more } => {
                // One more than was sent is out of bounds.
                let largest = next.saturating_sub(largest.into());
                forge::ack(&[(largest.saturating_sub(more.into()), largest)])
            }
            Self::Message { exchange, offset, fin, bytes } => {
                Frame::Message { exchange: exchange.into(), offset: offset.into(), fin, bytes }
            }
            Self::Data { exchange, offset, len } => Frame::Data {
                exchange: exchange.into(),
                offset: offset.into(),
                bytes: vec![0; len.into()],
            },
            Self::Credit { body, exchanges, messages } => {
                Frame::Credit(body.into(), exchanges.into(), messages.into())
            }
            Self::BodyCredit { exchange, limit } => {
                Frame::BodyCredit { exchange: exchange.into(), limit: limit.into() }
            }
            Self::Reset { exchange, status, body, messages } => Frame::Reset {
                exchange: exchange.into(),
                status,
                detail: 0,
                body: body.into(),
                messages: messages.into(),
            },
            Self::Challenge(token) => Frame::PathChallenge(token),
            Self::Response(token) => Frame::PathResponse(token),
            Self::Close(code) => Frame::Close(code.into()),
            Self::Raw(bytes) => Frame::Raw(bytes),
        }
    }
}

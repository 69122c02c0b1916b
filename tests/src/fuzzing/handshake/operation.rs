//! What can happen to handshakes, decoded from any bytes.

use arbitrary::Arbitrary;

/// A host, or somebody that has an address and hears nothing.
#[derive(Arbitrary, Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    Server,
    /// Another server, with a key of its own.
    Impostor,
    Client,
    OtherClient,
    Stranger(u8),
}

/// Whom a client takes for the right server.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Expects {
    Server,
    Impostor,
    /// It knows no key, and is told that of whoever answers.
    Nobody,
}

/// Something that happens. Numbers that choose one of several are taken modulo their number.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Operation {
    /// A client says hello to the server.
    Connect { other: bool, expects: Expects },
    /// The first of the packets on the way, or another, arrives.
    Deliver { which: u8 },
    /// It is lost.
    Lose { which: u8 },
    /// All that is on the way arrives, and what it leads to, until all are silent.
    DeliverAll,
    /// All that is on the way is lost.
    LoseAll,
    /// One of the last packets that were sent, whether it arrived or not, arrives somewhere as if it came from somewhere.
    Replay { which: u8, change: Change, from: Option<Place>, to: Option<Place> },
    /// A packet arrives that nobody sent.
    Forge { forged: Forged, from: Place, to: Place },
    /// Time passes.
    Wait { millis: u16 },
    /// Time passes until a timer is due.
    WaitForTimer,
    /// A host closes a connection.
    Close { at: Place },
}

/// What becomes of a packet on the way. With `sum`, its checksum is right afterwards.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Change {
    Nothing,
    Byte {
        at: u16,
        mask: u8,
        sum: bool,
    },
    Cut {
        at: u16,
        sum: bool,
    },
    /// From there on it is another packet.
    Splice {
        at: u16,
        tail: u8,
        sum: bool,
    },
}

/// A handshake packet with a right checksum.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Forged {
    Hello { version: u8, suite: u8, id: Id, cookie: Cookie, payload: Payload },
    Retry { id: Id, cookie: Cookie },
    Versions { id: Id, versions: Vec<u8> },
    Reset { id: Id, token: [u8; 16] },
    Answer { id: Id, payload: Vec<u8> },
    Finish { id: Id, payload: Vec<u8> },
    Raw(Vec<u8>),
}

/// A connection id.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Id {
    /// That of one of the last packets.
    Seen(u8),
    Any(u64),
}

#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Cookie {
    None,
    /// That of one of the last packets, if it has one.
    Seen(u8),
    Any(Vec<u8>),
}

/// What a hello carries.
#[derive(Arbitrary, Clone, Debug)]
pub(super) enum Payload {
    /// What one of the last packets carries, if it is a hello.
    Seen(u8),
    Any(Vec<u8>),
}
